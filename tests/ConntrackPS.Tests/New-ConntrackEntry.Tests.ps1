BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# The lines of "conntrack -L", without what changes from moment to moment. #>
    function Get-KernelLine([string] $Namespace) {
        @(Invoke-InNamespace $Namespace conntrack -L -o extended) -replace '^(\S+ +\d+ \S+ +\d+) \d+', '$1' -replace ' use=\d+' | Sort-Object
    }
}

Describe 'New-ConntrackEntry from parameters' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $namespace
    }

    BeforeEach {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'makes <Name> as conntrack shows it' -ForEach @(
        @{ Name = 'TCP'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'tcp'; SourcePort = 4000; DestinationPort = 80; State = 'ESTABLISHED'; Status = 'Assured', 'SEEN_REPLY'; Mark = 7; Zone = 3 }
            Line = 'ipv4     2 tcp      6 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=4000 dport=80 src=198.51.100.7 dst=192.0.2.1 sport=80 dport=4000 [ASSURED] mark=7 zone=3' }
        @{ Name = 'UDP over IPv6'; Source = '2001:db8::1'; Destination = '2001:db8::2'; With = @{ Protocol = 17; SourcePort = 1; DestinationPort = 65535 }
            Line = 'ipv6     10 udp      17 src=2001:db8::1 dst=2001:db8::2 sport=1 dport=65535 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 sport=65535 dport=1 mark=0' }
        @{ Name = 'UDPLite'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'UdpLite'; SourcePort = 5; DestinationPort = 6; Mark = '0xffffffff' }
            Line = 'ipv4     2 udplite  136 src=192.0.2.1 dst=198.51.100.7 sport=5 dport=6 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 sport=6 dport=5 mark=4294967295' }
        @{ Name = 'SCTP'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'sctp'; SourcePort = 5; DestinationPort = 6; State = 'CookieEchoed' }
            Line = 'ipv4     2 sctp     132 COOKIE_ECHOED src=192.0.2.1 dst=198.51.100.7 sport=5 dport=6 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 sport=6 dport=5 mark=0' }
        @{ Name = 'ICMP'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'icmp'; IcmpType = 8; IcmpId = 4660 }
            Line = 'ipv4     2 icmp     1 src=192.0.2.1 dst=198.51.100.7 type=8 code=0 id=4660 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 type=0 code=0 id=4660 mark=0' }
        @{ Name = 'ICMPv6'; Source = '2001:db8::1'; Destination = '2001:db8::2'; With = @{ Protocol = 'ipv6-icmp'; IcmpType = 128; IcmpCode = 0; IcmpId = 1 }
            Line = 'ipv6     10 icmpv6   58 src=2001:db8::1 dst=2001:db8::2 type=128 code=0 id=1 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 type=129 code=0 id=1 mark=0' }
        @{ Name = 'GRE'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'gre'; GreSourceKey = 16; GreDestinationKey = 17 }
            Line = 'ipv4     2 gre      47 src=192.0.2.1 dst=198.51.100.7 srckey=0x10 dstkey=0x11 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 srckey=0x11 dstkey=0x10 mark=0' }
        @{ Name = 'a protocol by number'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 253 }
            Line = 'ipv4     2 unknown  253 src=192.0.2.1 dst=198.51.100.7 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 mark=0' }
        @{ Name = 'source translation'; Source = '10.0.0.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'udp'; SourcePort = 5; DestinationPort = 53; TranslatedSourceAddress = '203.0.113.1'; TranslatedSourcePort = 7777 }
            Line = 'ipv4     2 udp      17 src=10.0.0.1 dst=198.51.100.7 sport=5 dport=53 [UNREPLIED] src=198.51.100.7 dst=203.0.113.1 sport=53 dport=7777 mark=0' }
        @{ Name = 'destination translation over IPv6'; Source = '2001:db8::1'; Destination = '2001:db8::2'; With = @{ Protocol = 'udp'; SourcePort = 5; DestinationPort = 53; TranslatedDestinationAddress = '2001:db8:a::80'; TranslatedDestinationPort = 5353 }
            Line = 'ipv6     10 udp      17 src=2001:db8::1 dst=2001:db8::2 sport=5 dport=53 [UNREPLIED] src=2001:db8:a::80 dst=2001:db8::1 sport=5353 dport=5 mark=0' }
        @{ Name = 'a reply given as it is'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'udp'; SourcePort = 5; DestinationPort = 6; ReplySourceAddress = '198.51.100.8'; ReplyDestinationPort = 9 }
            Line = 'ipv4     2 udp      17 src=192.0.2.1 dst=198.51.100.7 sport=5 dport=6 [UNREPLIED] src=198.51.100.8 dst=192.0.2.1 sport=6 dport=9 mark=0' }
        @{ Name = 'a helper'; Source = '192.0.2.1'; Destination = '198.51.100.7'; With = @{ Protocol = 'tcp'; SourcePort = 5; DestinationPort = 21; State = 'Established'; Helper = 'ftp' }
            Line = 'ipv4     2 tcp      6 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=5 dport=21 [UNREPLIED] src=198.51.100.7 dst=192.0.2.1 sport=21 dport=5 mark=0 helper=ftp' }
    ) {
        New-ConntrackEntry $Source $Destination @With -Timeout 1h
        Get-KernelLine $namespace | Should -Be $Line
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (3590..3600)
    }

    It 'gives an entry the timeout that the namespace has for it: <Sysctl>' -ForEach @(
        @{ Sysctl = 'tcp_timeout_established'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2; State = 'Established' } }
        @{ Sysctl = 'tcp_timeout_syn_sent'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2; State = 'SYN_SENT' } }
        @{ Sysctl = 'udp_timeout'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 } }
        @{ Sysctl = 'udp_timeout_stream'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Status = 'SeenReply' } }
        @{ Sysctl = 'sctp_timeout_cookie_echoed'; With = @{ Protocol = 'sctp'; SourcePort = 1; DestinationPort = 2; State = 'CookieEchoed' } }
        @{ Sysctl = 'gre_timeout'; With = @{ Protocol = 'gre'; GreSourceKey = 1; GreDestinationKey = 2 } }
        @{ Sysctl = 'icmp_timeout'; With = @{ Protocol = 'icmp'; IcmpType = 8; IcmpId = 2 } }
        @{ Sysctl = 'generic_timeout'; With = @{ Protocol = 253 } }
    ) {
        $name = "net.netfilter.nf_conntrack_$Sysctl"
        $before = Invoke-InNamespace $namespace sysctl -n $name
        try {
            Invoke-InNamespace $namespace sysctl -qw "$name=4321"
            New-ConntrackEntry 192.0.2.1 198.51.100.7 @With -WarningAction Ignore
            (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (4315..4321)
        }
        finally {
            Invoke-InNamespace $namespace sysctl -qw "$name=$before"
        }
    }

    It 'reads timeouts in the namespace of the entry, and once for a command' {
        $other = New-TestNamespace
        try {
            Invoke-InNamespace $other sysctl -qw net.netfilter.nf_conntrack_udp_timeout=77
            $flow = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; DestinationPort = 2 }
            $PSDefaultParameterValues.Remove('*-ConntrackEntry:NetworkNamespace')
            $namespace, $other | ForEach-Object { [pscustomobject] ($flow + @{ SourcePort = 1; Namespace = $_ }); [pscustomobject] ($flow + @{ SourcePort = 2; Namespace = $_ }) } | New-ConntrackEntry
            (Get-KernelEntry $other).TimeoutSeconds | ForEach-Object { $_ | Should -BeIn (72..77) }
            (Get-KernelEntry $namespace).TimeoutSeconds | ForEach-Object { $_ | Should -BeIn (25..30) }
        }
        finally {
            $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $namespace
            Remove-TestNamespace $other
        }
    }

    It 'keeps the timeout of an existing entry with -Force where none is given, by <_>' -ForEach 'parameters', 'Csv' {
        $flow = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 }
        New-ConntrackEntry @flow -Timeout 5000
        if ($_ -eq 'Csv') {
            [pscustomobject] ($flow + @{ Mark = 9 }) | ConvertTo-Csv | ConvertFrom-Csv | New-ConntrackEntry -Force
        }
        else {
            New-ConntrackEntry @flow -Mark 9 -Force
        }
        $entry = Get-KernelEntry $namespace
        $entry.Mark | Should -Be 9
        $entry.TimeoutSeconds | Should -BeIn (4990..5000)
    }

    It 'names all that is missing at once: <Expected>' -ForEach @(
        @{ With = @{ Protocol = 'tcp' }; Expected = 'SourceAddress, DestinationAddress, SourcePort, DestinationPort, State' }
        @{ With = @{ Protocol = 'udp'; SourceAddress = '192.0.2.1' }; Expected = 'DestinationAddress, SourcePort, DestinationPort' }
        @{ With = @{ Protocol = 'udp'; ReplySourceAddress = '192.0.2.1' }; Expected = 'ReplyDestinationAddress, ReplySourcePort, ReplyDestinationPort' }
        @{ With = @{ Protocol = 'icmp'; SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2' }; Expected = 'IcmpType, IcmpId' }
        @{ With = @{ Protocol = 'gre'; SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; GreSourceKey = 1 }; Expected = 'GreDestinationKey' }
        @{ With = @{ Protocol = 'esp' }; Expected = 'SourceAddress, DestinationAddress' }
    ) {
        $failure = @(Get-Failure { New-ConntrackEntry @With })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'MissingMandatoryParameter,*'
        $failure[0].Exception | Should -BeOfType System.Management.Automation.ParameterBindingException
        "$($failure[0])" | Should -BeLike "*missing mandatory parameters: $Expected. Add -$($Expected -replace ', ', ', -')."
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'says what it will set with -WhatIf' {
        $said = Invoke-PowerShell '-NoProfile', '-Command', "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 6 -State SynSent -Mark 5 -NetworkNamespace $namespace -WhatIf"
        $said | Should -Be 'What if: Performing the operation "Create conntrack entry with state SynSent, timeout 120 s, mark 0x5" on target "tcp 192.0.2.1:5 -> 198.51.100.7:6".'
    }

    It 'makes the kernel translate, and not only show other addresses' {
        New-ConntrackEntry 10.0.0.1 198.51.100.7 -Protocol udp -SourcePort 5 -DestinationPort 53 -Timeout 600 -TranslatedSourceAddress 203.0.113.1
        (Get-ConntrackEntry).Status | Should -Match 'SrcNat'
        New-ConntrackEntry 10.0.0.2 198.51.100.7 -Protocol udp -SourcePort 5 -DestinationPort 53 -Timeout 600 -ReplyDestinationAddress 203.0.113.2
        (Get-ConntrackEntry 10.0.0.2).Status | Should -Not -Match 'SrcNat'
    }

    It 'emits the entry as the kernel has it with -PassThru, and nothing without' {
        $with = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 5; TimeoutSeconds = 600 }
        New-ConntrackEntry @with -DestinationPort 6 | Should -BeNullOrEmpty
        $entry = New-ConntrackEntry @with -DestinationPort 7 -PassThru
        $entry.Id | Should -BeIn (Get-KernelEntry $namespace).Id
        $entry.DestinationPort | Should -Be 7
    }

    It 'expects nothing of a master that is not there, and takes one that is' {
        $master = New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp -PassThru
        $with = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'tcp'; SourcePort = 6; DestinationPort = 20; State = 'Established'; TimeoutSeconds = 600; Master = $master }
        $data = New-ConntrackEntry @with -PassThru
        $data.MasterDestinationPort | Should -Be 21
        $data.Status | Should -Match 'Expected'

        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        $failure = Get-Failure { New-ConntrackEntry @with }
        $failure.FullyQualifiedErrorId | Should -BeLike 'MasterNotFound,*'
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'creates nothing with -WhatIf' {
        New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol udp -SourcePort 5 -DestinationPort 6 -Timeout 600 -WhatIf
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'refuses a duplicate, which -Force makes no error: it gets timeout, state, mark and status' {
        $with = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'tcp'; SourcePort = 5; DestinationPort = 6 }
        New-ConntrackEntry @with -State SynSent -Timeout 600
        (Get-Failure { New-ConntrackEntry @with -State SynSent -Timeout 600 }).FullyQualifiedErrorId | Should -BeLike 'EntryExists,*'

        New-ConntrackEntry @with -State Established -Timeout 5000 -Mark 9 -Status Assured, SeenReply -Force
        Get-KernelLine $namespace | Should -Be 'ipv4     2 tcp      6 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=5 dport=6 src=198.51.100.7 dst=192.0.2.1 sport=6 dport=5 [ASSURED] mark=9'
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (4990..5000)
    }

    It 'reports labels that no rule uses, and sets those that one does' {
        $with = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 5; TimeoutSeconds = 600; Label = 3, 127 }
        (Get-Failure { New-ConntrackEntry @with -DestinationPort 6 }).FullyQualifiedErrorId | Should -BeLike 'LabelsUnused,*'

        Invoke-InNamespace $namespace nft add table ip labels
        Invoke-InNamespace $namespace nft 'add chain ip labels output { type filter hook output priority 0; }'
        Invoke-InNamespace $namespace nft add rule ip labels output ct label set 5
        (New-ConntrackEntry @with -DestinationPort 7 -PassThru).Labels | Should -Be '3,127'
        Invoke-InNamespace $namespace nft delete table ip labels
    }

    It 'refuses <Name> with an id, and creates nothing' -ForEach @(
        @{ Name = 'mixed families'; Id = 'InvalidEntry'; With = @{ DestinationAddress = '2001:db8::1'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 } }
        @{ Name = 'a reply of another family'; Id = 'InvalidEntry'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; ReplySourceAddress = '2001:db8::1' } }
        @{ Name = 'no port'; Id = 'MissingMandatoryParameter'; With = @{ Protocol = 'udp'; SourcePort = 1 } }
        @{ Name = 'port 65536'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 65536 } }
        @{ Name = 'a port without an end (1.1.1.1:)'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; TranslatedSourceAddress = '1.1.1.1:' } }
        @{ Name = 'TCP without a state'; Id = 'MissingMandatoryParameter'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2 } }
        @{ Name = 'an unknown state'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2; State = 'SLEEPING' } }
        @{ Name = 'a state of another protocol'; Id = 'InvalidEntry'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2; State = 'CookieWait' } }
        @{ Name = 'a state of a protocol without'; Id = 'InvalidEntry'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; State = 'Established' } }
        @{ Name = 'an unknown protocol'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'tpc'; SourcePort = 1; DestinationPort = 2 } }
        @{ Name = 'an ICMP type without a reply'; Id = 'InvalidEntry'; With = @{ Protocol = 'icmp'; IcmpType = 3; IcmpId = 1 } }
        @{ Name = 'a mark out of range'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Mark = '0x100000000' } }
        @{ Name = 'a helper whose name the kernel would cut'; Id = 'InvalidEntry'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Helper = "ftp`0x" } }
        @{ Name = 'a helper whose name is too long'; Id = 'InvalidEntry'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Helper = 'x' * 5000 } }
        @{ Name = 'an unknown helper'; Id = 'HelperUnknown'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Helper = 'nonesuch' } }
        @{ Name = 'a prefix for an address'; Id = 'ParameterArgumentTransformationError'; With = @{ SourceAddress = '192.0.2.0/24'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 } }
    ) {
        $whole = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; TimeoutSeconds = 600 }
        foreach ($key in $With.Keys) {
            $whole[$key] = $With[$key]
        }
        $failure = Get-Failure { New-ConntrackEntry @whole }
        $failure.FullyQualifiedErrorId | Should -BeLike "$Id,*"
        Get-KernelCount $namespace | Should -Be 0
    }
}

Describe 'New-ConntrackEntry from the pipeline' {
    BeforeAll {
        $namespace = New-TestNamespace
        $other = New-TestNamespace
        $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $namespace
        $lines = @(
            '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 0x107'
            '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED -w 5'
            '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
            '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
            '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 4660'
            '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
            '-s 192.0.2.5 -d 198.51.100.5 -p udplite --sport 5004 --dport 5005'
            '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
            '-s 2001:db8::7 -d 2001:db8:1::9 -p 89'
            '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
            '-s 203.0.113.50 -d 203.0.113.9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 10.1.2.80:80'
            '-s 2001:db8:a::5 -d 2001:db8:1::20 -p udp --sport 50005 --dport 8443 --src-nat 2001:db8:ff::9'
        )
        Add-KernelLine $namespace $lines
        New-ConntrackEntry 192.0.2.9 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp
        $before = Get-KernelLine $namespace
        $entries = @(Get-ConntrackEntry)
    }

    AfterAll {
        Remove-TestNamespace $namespace, $other
    }

    It 'restores a table that was saved with <Way>' -ForEach @(
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/table.xml; Import-Clixml TestDrive:/table.xml } }
        @{ Way = 'Export-Csv'; Convert = { $input | Export-Csv TestDrive:/table.csv; Import-Csv TestDrive:/table.csv } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ Way = 'nothing at all'; Convert = { $input } }
    ) {
        $saved = @($entries | & $Convert)
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        $saved | New-ConntrackEntry
        Get-KernelLine $namespace | Should -Be $before
        (Get-ConntrackEntry -SourceNat).Count | Should -Be 2
        @(Get-ConntrackEntry -Status SrcNat).Count | Should -Be 2
        @(Get-ConntrackEntry -Status DstNat).Count | Should -Be 1
    }

    It 'moves entries to another zone and another namespace' {
        $entries | New-ConntrackEntry -Zone 11 -NetworkNamespace $other
        $moved = Get-KernelEntry $other
        $moved.Count | Should -Be $entries.Count
        $moved.Zone | Sort-Object -Unique | Should -Be 11
    }

    It 'reports what can not be created with its number and continues' {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        $bad = $entries[1] | Select-Object *, @{ Name = 'TimeoutSeconds'; Expression = { 0 } } -ExcludeProperty TimeoutSeconds
        $failures = @(Get-Failure { $entries[0], $bad, $entries[0], $entries[2] | New-ConntrackEntry -ErrorAction Continue })
        $failures.Count | Should -Be 2
        $failures[0].ToString() | Should -BeLike '*record 2*timeout*'
        $failures[1].ToString() | Should -BeLike '*record 3*'
        $failures[1].FullyQualifiedErrorId | Should -BeLike 'EntryExists,*'
        Get-KernelCount $namespace | Should -Be 2
    }

    It 'has created what came before when a bad record ends it' {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        Get-Failure { $entries[0], 'nonsense', $entries[2] | New-ConntrackEntry -ErrorAction Stop } | Should -Not -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 1
    }
}
