BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4     = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 0x107'
        web6     = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
        zone4    = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        zone6    = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        syn4     = '-s 192.0.2.2 -d 198.51.100.8 -p tcp --sport 40002 --dport 443 --state SYN_SENT'
        syn6     = '-s 2001:db8::2 -d 2001:db8:1::8 -p tcp --sport 40002 --dport 443 --state SYN_SENT'
        dns4     = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        dns6     = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53 -u SEEN_REPLY'
        ping4    = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
        ping6    = '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 4660'
        sctp4    = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
        sctp6    = '-s 2001:db8::4 -d 2001:db8:1::4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
        udplite4 = '-t 1500 -s 192.0.2.5 -d 198.51.100.5 -p udplite --sport 5004 --dport 5005'
        udplite6 = '-s 2001:db8::5 -d 2001:db8:1::5 -p udplite --sport 5004 --dport 5005'
        gre4     = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
        gre6     = '-s 2001:db8::6 -d 2001:db8:1::6 -p gre --srckey 80 --dstkey 81'
        ospf4    = '-s 192.0.2.7 -d 198.51.100.9 -p 89'
        ospf6    = '-s 2001:db8::7 -d 2001:db8:1::9 -p 89'
        p253v4   = '-s 192.0.2.8 -d 198.51.100.9 -p 253'
        p253v6   = '-s 2001:db8::8 -d 2001:db8:1::9 -p 253'
        snat4    = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
        snat6    = '-s 2001:db8:a::5 -d 2001:db8:1::20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 2001:db8:ff::9'
        dnat4    = '-s 203.0.113.50 -d 203.0.113.9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 10.1.2.80:80'
        dnat6    = '-s 2001:db8:ee::50 -d 2001:db8:ff::9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 2001:db8:a::80'
    }
    $few = [ordered]@{}
    foreach ($name in 'web4', 'web6', 'syn4', 'syn6', 'dns4', 'dns6') {
        $few[$name] = $table[$name]
    }

    <# The entries of a table without the named ones. #>
    function Get-Rest([System.Collections.IDictionary] $Of, [string[]] $Without) {
        @($Of.Keys | Where-Object { $_ -notin $Without } | Sort-Object)
    }
}

Describe 'Remove-ConntrackEntry from the pipeline' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'removes what was piped and nothing else: <Way>' -ForEach @(
        @{ Way = 'live objects'; Convert = { $input } }
        @{ Way = 'PSSerializer'; Convert = { $input | ForEach-Object { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($_)) } } }
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/entries.xml; Import-Clixml TestDrive:/entries.xml } }
        @{ Way = 'Export-Csv'; Convert = { $input | Export-Csv TestDrive:/entries.csv; Import-Csv TestDrive:/entries.csv } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ Way = 'ConvertTo-Json -EnumsAsStrings'; Convert = { ConvertTo-Json @($input) -EnumsAsStrings | ConvertFrom-Json } }
        @{ Way = 'Select-Object *'; Convert = { $input | Select-Object * } }
        @{ Way = 'the least properties, without an id'; Convert = { $input | Select-Object Protocol, SourceAddress, SourcePort, DestinationAddress, DestinationPort, Icmp*, Gre*, Zone, Namespace } }
    ) {
        $first = 'web4', 'zone6', 'syn6', 'dns4', 'ping4', 'ping6', 'sctp4', 'udplite6', 'gre4', 'gre6', 'ospf4', 'p253v6', 'snat6', 'dnat4'
        $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)
        $picked = @($entries | Where-Object { (Resolve-EntryName $namespace @($_)) -in $first })
        $picked.Count | Should -Be $first.Count

        $picked | & $Convert | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table $first)

        $entries | & $Convert | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'takes what Where-Object lets through' {
        Get-ConntrackEntry -NetworkNamespace $namespace | Where-Object State -EQ SynSent | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'syn4', 'syn6')
        Get-ConntrackEntry -NetworkNamespace $namespace | Where-Object { $_.Protocol -eq 'Udp' -and $_.DestinationPort -eq 53 } | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'syn4', 'syn6', 'dns4', 'dns6')
    }

    It 'takes rows of a CSV file that were filtered as text' {
        Get-ConntrackEntry -NetworkNamespace $namespace | Export-Csv TestDrive:/entries.csv
        Import-Csv TestDrive:/entries.csv | Where-Object State -EQ 'SynSent' | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'syn4', 'syn6')
    }

    It 'takes an object by -InputObject' {
        Remove-ConntrackEntry -InputObject (Get-ConntrackEntry 192.0.2.2 -NetworkNamespace $namespace)
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'syn4')
    }

    It 'takes hand-made objects, with names as the kernel spells them' {
        [pscustomobject]@{ Protocol = 'tcp'; SourceAddress = '192.0.2.2'; SourcePort = 40002; DestinationAddress = '198.51.100.8'; DestinationPort = '443' },
        [pscustomobject]@{ Protocol = 'ipv6-icmp'; SourceAddress = '2001:db8::3'; DestinationAddress = '2001:0DB8:1::7'; IcmpType = 128; IcmpCode = 0; IcmpId = 4660 } |
            Remove-ConntrackEntry -NetworkNamespace $namespace
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'syn4', 'ping6')
    }

    It 'takes only the named one of two equal flows in zones 0 and 5' {
        Get-ConntrackEntry 192.0.2.1 -Protocol tcp -Zone 0 -NetworkNamespace $namespace | Remove-ConntrackEntry
        Get-ConntrackEntry 2001:db8::1 -Protocol tcp -Zone 5 -NetworkNamespace $namespace | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'web4', 'zone6')
    }

    It 'takes only the named one, also without an id' {
        Get-ConntrackEntry 192.0.2.1 -Protocol tcp -Zone 5 -NetworkNamespace $namespace | Select-Object * -ExcludeProperty Id | Remove-ConntrackEntry
        Get-ConntrackEntry 2001:db8::1 -Protocol tcp -Zone 0 -NetworkNamespace $namespace | Select-Object * -ExcludeProperty Id | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'zone4', 'web6')
    }

    It 'does nothing for an empty pipeline' {
        @() | Remove-ConntrackEntry -NetworkNamespace $namespace
        Get-ConntrackEntry 192.0.2.99 -NetworkNamespace $namespace | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be $table.Count
    }
}

Describe 'Remove-ConntrackEntry of real flows in zones of one direction' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace ip link set lo up
        Set-Content TestDrive:/rules.nft @'
table inet t {
    chain before {
        type filter hook output priority raw
        udp dport 9004 ct original zone set 4
        udp dport 9006 ct reply zone set 6
    }
    chain after {
        type filter hook output priority filter
        ct state new
    }
}
'@
        Invoke-InNamespace $namespace nft -f (Get-Item TestDrive:/rules.nft).FullName
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'removes the one in -Zone <Zone>: <Way>' -ForEach @(
        foreach ($zone in 4, 6) {
            @{ Zone = $zone; Way = 'live objects'; Convert = { $input } }
            @{ Zone = $zone; Way = 'deserialised'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
            @{ Zone = $zone; Way = 'without an id'; Convert = { $input | Select-Object * -ExcludeProperty Id } }
        }
    ) {
        $null = Invoke-InNamespace $namespace conntrack -F
        foreach ($port in 9004, 9006, 9007) {
            foreach ($address in '127.0.0.1', '::1') {
                Invoke-InNamespace $namespace bash -c "echo hello > /dev/udp/$address/$port"
            }
        }
        Get-KernelCount $namespace | Should -Be 6

        Get-ConntrackEntry -Zone $Zone -NetworkNamespace $namespace | & $Convert | Remove-ConntrackEntry
        @(Get-KernelEntry $namespace).DestinationPort | Sort-Object -Unique | Should -Be (9004, 9006, 9007 | Where-Object { $_ -ne 9000 + $Zone })
        Get-KernelCount $namespace | Should -Be 4
    }
}

Describe 'Remove-ConntrackEntry by filter' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'takes <_>' -ForEach @(
        '192.0.2.2 => syn4'
        '192.0.2.1, 2001:db8::1 => dns4 dns6 web4 web6 zone4 zone6'
        '2001:db8::/126 => dns6 ping6 syn6 web6 zone6'
        '192.0.2.0/25 -Protocol tcp => syn4 web4 zone4'
        '0.0.0.0/0 -Protocol udp => dns4'
        '::/0 -Protocol udp => dns6'
        '-DestinationAddress 198.51.100.7 -Zone 5 => zone4'
        '-ReplySourceAddress 10.1.2.80, 2001:db8:a::80 => dnat4 dnat6'
        '-ReplyDestinationAddress 203.0.113.9 => snat4'
        '-Address 203.0.113.9, 2001:db8:ff::9 => dnat4 dnat6 snat4 snat6'
        '-SourcePort 2000-2001 => dns4 dns6'
        '-DestinationPort 53, 443 => dns4 dns6 syn4 syn6'
        '-Port 80 -AddressFamily IPv4 => dnat4 web4 zone4'
        '-Protocol icmp, icmpv6, gre => gre4 gre6 ping4 ping6'
        '-Protocol sctp, 253 => p253v4 p253v6 sctp4 sctp6'
        '-State SYN_SENT => syn4 syn6'
        '-Status Assured => web4 web6'
        '-ExcludeStatus SEEN_REPLY -Protocol udp => dns4'
        '-Unreplied -Protocol udp => dns4'
        '-SourceNat => snat4 snat6'
        '-DestinationNat => dnat4 dnat6'
        '-AnyNat => dnat4 dnat6 snat4 snat6'
        '-AnyNat -TranslatedAddress 0.0.0.0/0 => dnat4 snat4'
        '-Mark 0x100/0xff00 => web4'
        '-Mark 7 => web6'
        '-Zone 5 => zone4 zone6'
        '-TranslatedSourceAddress 203.0.113.9, 2001:db8:ff::/48 => snat4 snat6'
        '-TranslatedDestinationAddress 10.1.2.80 => dnat4'
        '-TranslatedDestinationPort 8080 => dnat6'
        '-TranslatedAddress 203.0.113.9, 2001:db8:a::80 => dnat6 snat4'
        '-TranslatedPort 80, 8443, 50005 => dnat4 snat4 snat6'
        '-ReplySourcePort 443 => syn4 syn6'
        '-IcmpType 8, 128 => ping4 ping6'
        '-IcmpId 4660 -AddressFamily IPv6 => ping6'
        '-GreSourceKey 80 => gre4 gre6'
        '-TimeoutBelow 2000 => udplite4'
        '-Protocol udp -SourcePort 2000 -DestinationPort 53 -DestinationAddress 198.51.100.53 => dns4'
        '-Protocol sctp -DestinationPort 5061 -AddressFamily IPv4 => sctp4'
        '-Protocol udplite -SourcePort 5004 192.0.2.5 => udplite4'
        '-Protocol gre 192.0.2.6 => gre4'
        '-Protocol tcp 2001:db8::1 -Mark 7 => web6'
        '-Mark 7/0xff -Zone 0 -Status Assured => web4 web6'
        '-ExcludeStatus Assured -Mark 0/0xff -Zone 0 -Protocol tcp => dnat4 dnat6 snat4 snat6 syn4 syn6'
        '-AddressFamily IPv6 => dnat6 dns6 gre6 ospf6 p253v6 ping6 sctp6 snat6 syn6 udplite6 web6 zone6'
        '192.0.2.77 =>'
        '-Mark 0x999 =>'
    ) {
        $arguments, $expected = $_ -split ' => ?', 2
        & ([scriptblock]::Create("Remove-ConntrackEntry $arguments -NetworkNamespace $namespace")) | Should -BeNullOrEmpty
        Get-KernelName $namespace | Should -Be (Get-Rest $table (-split $expected))
    }

    It 'takes entries by -Id' {
        $wanted = Get-KernelEntry $namespace | Where-Object Name -In 'ping4', 'dns6'
        Remove-ConntrackEntry -Id $wanted.Id -NetworkNamespace $namespace
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'ping4', 'dns6')
    }

    It 'counts in -Verbose' {
        $records = @(Remove-ConntrackEntry -Protocol udp -NetworkNamespace $namespace -Verbose 4>&1)
        $records[-1].Message | Should -Match '^2 entries removed, 0 already gone'
        $records = @(Remove-ConntrackEntry -Protocol udp -NetworkNamespace $namespace -Verbose 4>&1)
        $records[-1].Message | Should -Match '^0 entries removed, 0 already gone'
    }

    It 'emits with -PassThru exactly what it removed' {
        $removed = Remove-ConntrackEntry -Protocol udp -NetworkNamespace $namespace -PassThru
        $removed | ForEach-Object { $_ | Should -BeOfType ConntrackPS.Conntrack.ConntrackEntry }
        Resolve-EntryName $namespace @($removed) | Should -Be 'dns4', 'dns6'
        Get-KernelName $namespace | Should -Be (Get-Rest $table 'dns4', 'dns6')
    }
}

Describe 'Remove-ConntrackEntry where entries are gone or new' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $few
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'counts an entry that is gone already, and reports no error' {
        $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)
        $null = Invoke-InNamespace $namespace conntrack -D -s 192.0.2.1 -p udp
        $null = Invoke-InNamespace $namespace conntrack -D -s 2001:db8::2 -p tcp
        $records = $entries | Remove-ConntrackEntry -Verbose 4>&1 -ErrorAction Stop
        $records.Message | Should -Match '^4 entries removed, 2 already gone'
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'emits with -PassThru what it removed, not what was gone: <Way>' -ForEach @(
        @{ Way = 'live objects'; Convert = { $input } }
        @{ Way = 'deserialised'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
    ) {
        $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)
        $null = Invoke-InNamespace $namespace conntrack -D -s 192.0.2.1 -p udp
        $removed = $entries | & $Convert | Remove-ConntrackEntry -PassThru
        Resolve-EntryName $namespace @($removed) | Should -Be (Get-Rest $few 'dns4')
        $removed | Remove-ConntrackEntry -PassThru | Should -BeNullOrEmpty
    }

    It 'does not touch an entry that took the flow since, with another id' {
        $old = @(Get-ConntrackEntry -Protocol udp -NetworkNamespace $namespace)
        $old.Count | Should -Be 2
        # The id depends on the entry's memory address. Other entries usually take that address, but not always.
        $filler = 0
        do {
            $null = Invoke-InNamespace $namespace conntrack -D -p udp
            Add-KernelLine $namespace (1..20 | ForEach-Object { $filler++; "-s 192.0.2.200 -d 198.51.100.53 -p sctp --sport $filler --dport 1 --state CLOSED --orig-vtag 1 --reply-vtag 2" })
            Add-KernelLine $namespace $few.dns4, $few.dns6
            $newcomers = @(Get-KernelEntry $namespace | Where-Object Protocol -EQ 17)
        } while ($newcomers.Id | Where-Object { $_ -in $old.Id })

        $records = $old | Remove-ConntrackEntry -Verbose 4>&1
        $records.Message | Should -Match '^0 entries removed, 2 already gone'
        (Get-KernelEntry $namespace | Where-Object Protocol -EQ 17).Id | Sort-Object | Should -Be ($newcomers.Id | Sort-Object)
    }

    It 'does not touch an entry whose id differs from a deserialised object''s' {
        $objects = Get-ConntrackEntry -NetworkNamespace $namespace | ConvertTo-Json | ConvertFrom-Json
        $objects | ForEach-Object { $_.Id = $_.Id -bxor 1 }
        $records = $objects | Remove-ConntrackEntry -Verbose 4>&1
        $records.Message | Should -Match '^0 entries removed, 6 already gone'
        Get-KernelCount $namespace | Should -Be 6
    }

    It 'removes thousands, in batches, some of them gone' {
        Add-KernelLine $namespace (New-ManyLine 5000)
        $entries = Get-ConntrackEntry 10.0.0.0/8 -NetworkNamespace $namespace
        $null = Invoke-InNamespace $namespace conntrack -D -s 10.0.1.0/24
        Get-KernelCount $namespace | Should -Be (5000 - 256 + 6)
        $records = $entries | Remove-ConntrackEntry -PassThru -Verbose 4>&1
        @($records | Where-Object { $_ -is [ConntrackPS.Conntrack.ConntrackEntry] }).Count | Should -Be (5000 - 256)
        $records[-1].Message | Should -Match '^4744 entries removed, 256 already gone'
        Get-KernelName $namespace | Should -Be ($few.Keys | Sort-Object)
    }

    It 'sends what it has while the pipeline waits' {
        # The second object comes only when conntrack no longer shows the first.
        & {
            Get-ConntrackEntry 192.0.2.2 -NetworkNamespace $namespace
            Wait-Until { 'syn4' -notin (Get-KernelName $namespace) } 'syn4 is still there'
            Get-ConntrackEntry 2001:db8::2 -NetworkNamespace $namespace
        } | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be (Get-Rest $few 'syn4', 'syn6')
    }
}

Describe 'Remove-ConntrackEntry in network namespaces' {
    BeforeAll {
        $one = New-TestNamespace
        $two = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $one $few
        Reset-KernelTable $two $few
    }

    AfterAll {
        Remove-TestNamespace $one, $two
    }

    It 'acts where the object was read' {
        Get-ConntrackEntry -Protocol udp -NetworkNamespace $one | Remove-ConntrackEntry
        Get-KernelName $one | Should -Be (Get-Rest $few 'dns4', 'dns6')
        Get-KernelName $two | Should -Be (Get-Rest $few)
    }

    It 'acts where the object was read, also when it was in a file meanwhile' {
        Get-ConntrackEntry -Protocol udp -NetworkNamespace "/run/netns/$one" | Export-Csv TestDrive:/one.csv
        Import-Csv TestDrive:/one.csv | Remove-ConntrackEntry
        Get-KernelName $one | Should -Be (Get-Rest $few 'dns4', 'dns6')
        Get-KernelName $two | Should -Be (Get-Rest $few)
    }

    It 'keeps objects of several namespaces apart' {
        & {
            Get-ConntrackEntry 192.0.2.2 -NetworkNamespace $one
            Get-ConntrackEntry 2001:db8::2 -NetworkNamespace $two
            Get-ConntrackEntry 192.0.2.1 -NetworkNamespace $one
        } | Remove-ConntrackEntry
        Get-KernelName $one | Should -Be (Get-Rest $few 'syn4', 'dns4', 'web4')
        Get-KernelName $two | Should -Be (Get-Rest $few 'syn6')
    }

    It 'acts where -NetworkNamespace says, but on no other entry than the object''s own' {
        Get-ConntrackEntry -Protocol udp -NetworkNamespace $one | Remove-ConntrackEntry -NetworkNamespace $two
        Get-KernelName $one | Should -Be (Get-Rest $few)
        Get-KernelName $two | Should -Be (Get-Rest $few)
        Get-ConntrackEntry -Protocol udp -NetworkNamespace $one | Select-Object * -ExcludeProperty Id | Remove-ConntrackEntry -NetworkNamespace $two
        Get-KernelName $one | Should -Be (Get-Rest $few)
        Get-KernelName $two | Should -Be (Get-Rest $few 'dns4', 'dns6')
    }

    It 'works in its own without the parameter' {
        $said = Invoke-Child -Prefix ip, netns, exec, $two {
            Remove-ConntrackEntry -Protocol udp -Verbose
            Get-ConntrackEntry 192.0.2.2 | Remove-ConntrackEntry -Verbose
        }
        "$said" | Should -Match '2 entries removed, 0 already gone.*1 entry removed, 0 already gone'
        Get-KernelName $one | Should -Be (Get-Rest $few)
        Get-KernelName $two | Should -Be (Get-Rest $few 'dns4', 'dns6', 'syn4')
    }

    It 'reports a namespace that has gone' {
        $gone = New-TestNamespace $few
        $entries = Get-ConntrackEntry -Protocol udp -NetworkNamespace $gone
        Remove-TestNamespace $gone
        $failures = @(Get-Failure { $entries | Remove-ConntrackEntry -ErrorAction Continue })
        $failures.Count | Should -Be $entries.Count
        foreach ($failure in $failures) {
            $failure.FullyQualifiedErrorId | Should -Be 'NetworkNamespaceNotFound,ConntrackPS.Commands.RemoveConntrackEntryCommand'
            "$failure" | Should -BeLike "*'$gone'*"
        }
        Get-KernelCount $one | Should -Be 6
    }
}

Describe 'Remove-ConntrackEntry asks' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $few
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'removes nothing with -WhatIf, and names each flow' {
        Reset-KernelTable $namespace $table
        $said = Invoke-Child -Namespace $namespace {
            $syn = @{ State = 'SynSent'; NetworkNamespace = $Namespace }
            'pipeline:'
            Get-ConntrackEntry @syn | Remove-ConntrackEntry -WhatIf
            'deserialised:'
            Get-ConntrackEntry @syn | ConvertTo-Json | ConvertFrom-Json | Remove-ConntrackEntry -WhatIf -PassThru
            'filter:'
            Remove-ConntrackEntry @syn -WhatIf -PassThru
            'preference:'
            $WhatIfPreference = $true
            Remove-ConntrackEntry @syn
            'others:'
            Remove-ConntrackEntry -Zone 5 -NetworkNamespace $Namespace
            Get-ConntrackEntry -Zone 5 -NetworkNamespace $Namespace | ConvertTo-Json | ConvertFrom-Json | Remove-ConntrackEntry
            Remove-ConntrackEntry -SourceNat -NetworkNamespace $Namespace
            Remove-ConntrackEntry -DestinationNat -NetworkNamespace $Namespace
            Remove-ConntrackEntry -Protocol icmp, icmpv6 -NetworkNamespace $Namespace
        }
        Get-KernelName $namespace | Should -Be (Get-Rest $table)

        $parts = ($said -join "`n") -split '(?m)^(?:pipeline|deserialised|filter|preference|others):\n' | Select-Object -Skip 1 | ForEach-Object {
            , @($_.TrimEnd() -split "`n" | Sort-Object)
        }
        $parts.Count | Should -Be 5
        foreach ($part in $parts[0..3]) {
            $part | Should -Be @(
                'What if: Performing the operation "Remove conntrack entry" on target "tcp [2001:db8::2]:40002 -> [2001:db8:1::8]:443".'
                'What if: Performing the operation "Remove conntrack entry" on target "tcp 192.0.2.2:40002 -> 198.51.100.8:443".'
            )
        }
        [regex]::Matches($parts[4], '(?<=target ").*?(?=")').Value | Should -Be @(
            'icmp 192.0.2.3 -> 198.51.100.7 type 8 code 0 id 4660'
            'icmpv6 2001:db8::3 -> 2001:db8:1::7 type 128 code 0 id 4660'
            'tcp [2001:db8::1]:40001 -> [2001:db8:1::7]:80 zone 5'
            'tcp [2001:db8::1]:40001 -> [2001:db8:1::7]:80 zone 5'
            'tcp [2001:db8:a::5]:50005 -> [2001:db8:1::20]:8443 source as [2001:db8:ff::9]:50005'
            'tcp [2001:db8:ee::50]:60006 -> [2001:db8:ff::9]:8080 destination as [2001:db8:a::80]:8080'
            'tcp 10.1.2.5:50005 -> 198.51.100.20:8443 source as 203.0.113.9:50005'
            'tcp 192.0.2.1:40001 -> 198.51.100.7:80 zone 5'
            'tcp 192.0.2.1:40001 -> 198.51.100.7:80 zone 5'
            'tcp 203.0.113.50:60006 -> 203.0.113.9:8080 destination as 10.1.2.80:80'
        )
    }

    It 'removes with -Confirm:$false whatever the preference' {
        $ConfirmPreference = 'Low'
        Remove-ConntrackEntry 192.0.2.2 -Confirm:$false -NetworkNamespace $namespace
        Get-ConntrackEntry -Protocol udp -NetworkNamespace $namespace | Remove-ConntrackEntry -Confirm:$false
        Get-KernelName $namespace | Should -Be (Get-Rest $few 'syn4', 'dns4', 'dns6')
    }

    It 'removes with -WhatIf:$false whatever the preference' {
        $WhatIfPreference = $true
        Remove-ConntrackEntry 192.0.2.2 -WhatIf:$false -NetworkNamespace $namespace
        $WhatIfPreference = $false
        Get-KernelName $namespace | Should -Be (Get-Rest $few 'syn4')
    }

    It 'does what is answered to -Confirm' {
        $said = Invoke-Child -Namespace $namespace -Answer n, y, l, a {
            Remove-ConntrackEntry -State SynSent -Confirm -NetworkNamespace $Namespace
            Remove-ConntrackEntry -Protocol udp -Confirm -NetworkNamespace $Namespace
            Get-ConntrackEntry -State Established -NetworkNamespace $Namespace | Remove-ConntrackEntry -Confirm
        }
        "$said" | Should -BeLike '*Remove conntrack entry*tcp*:40002 ->*'
        $left = Get-KernelName $namespace
        @($left -like 'syn*').Count | Should -Be 1 -Because 'no to the first, yes to the second'
        @($left -like 'dns*').Count | Should -Be 2 -Because 'no to all'
        @($left -like 'web*').Count | Should -Be 0 -Because 'yes to all'
    }
}

Describe 'Remove-ConntrackEntry never deletes what was not named' {
    BeforeAll {
        $namespace = New-TestNamespace $few
    }

    AfterEach {
        $left = Get-KernelCount $namespace
        if ($left -ne $few.Count) {
            # So that one fault is reported once.
            Reset-KernelTable $namespace $few
        }
        $left | Should -Be $few.Count -Because 'nothing may be deleted'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'refuses <_> with NoFilter, and names Clear-ConntrackTable' -ForEach @(
        ''
        '0.0.0.0/0'
        '::/0'
        '0.0.0.0/0, ::/0'
        '192.0.2.1, 0.0.0.0/0'
        '-DestinationAddress 0.0.0.0/0'
        '-ReplySourceAddress ::/0'
        '-ReplyDestinationAddress ::/0'
        '-Address 10.0.0.0/0'
        '-TranslatedSourceAddress 0.0.0.0/0'
        '-TranslatedDestinationAddress ::/0'
        '-TranslatedAddress 0.0.0.0/0'
        '-TranslatedAddress 203.0.113.9, ::/0'
        '-TranslatedPort 0-65535'
        '-Mark 0/0'
        '-Mark 7, 0/0'
        '-MinimumBytes 0'
        '-MinimumPackets 0'
        '-TimeoutAbove 0'
        '-OlderThan 0'
        '-Unreplied:$false'
        '-SourceNat:$false'
        '-DestinationNat:$false'
        '-AnyNat:$false'
        '-Unreplied:$false -SourceAddress 0.0.0.0/0 -Mark 0/0'
        '-WhatIf'
        '-Confirm:$false'
        '-PassThru'
    ) {
        $arguments = $_
        $failure = @(Get-Failure { & ([scriptblock]::Create("Remove-ConntrackEntry $arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be 'NoFilter,ConntrackPS.Commands.RemoveConntrackEntryCommand'
        $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
        "$failure" | Should -BeLike '*Clear-ConntrackTable*'
    }

    It 'refuses <_>' -ForEach @(
        # Each filter parameter with no value: BadInput.Tests.ps1.
        foreach ($parameter in 'SourceAddress', 'Port', 'Protocol', 'Status', 'Mark', 'Zone', 'Id', 'AddressFamily', 'NetworkNamespace', 'InputObject') {
            "-$parameter `$null"
            "-$parameter @()"
            "-$parameter ''"
        }
        '-Status 0'
        '-Status None'
        '-ExcludeStatus 0'
        '-Status ([ConntrackPS.Conntrack.ConntrackStatus]::None)'
        '-ExcludeStatus ([ConntrackPS.Conntrack.ConntrackStatus]::None)'
        '-AddressFamily Unspecified'
        '192.0.2.1, $null'
        '192.0.2.1 -Protocol $null'
        '$notSet'
        '$null -Protocol udp'
    ) {
        $arguments = $_ -match 'NetworkNamespace' ? "192.0.2.1 $_" : "$_ -NetworkNamespace $namespace"
        @(Get-Failure { & ([scriptblock]::Create("Remove-ConntrackEntry $arguments")) }).Count | Should -Be 1
    }

    It 'refuses a number beyond 32 bits, and takes no other entry instead' {
        $entry = Get-ConntrackEntry 192.0.2.2 -NetworkNamespace $namespace
        @(Get-Failure { Remove-ConntrackEntry -Id (4294967296 + $entry.Id) -NetworkNamespace $namespace }).Count | Should -Be 1
        @(Get-Failure { Remove-ConntrackEntry -Id ([long] -1) -NetworkNamespace $namespace }).Count | Should -Be 1
        @(Get-Failure { Remove-ConntrackEntry -TimeoutBelow ([timespan]::FromSeconds(-5)) -NetworkNamespace $namespace }).Count | Should -Be 1
        @(Get-Failure { Remove-ConntrackEntry -Zone ([long] 65536) -NetworkNamespace $namespace }).Count | Should -Be 1
        @(Get-Failure { Remove-ConntrackEntry -Zone ([long] -65536) -NetworkNamespace $namespace }).Count | Should -Be 1
    }

    It 'refuses a filter beside piped objects' {
        $failure = Get-Failure { Get-ConntrackEntry -Protocol udp -NetworkNamespace $namespace | Remove-ConntrackEntry -Protocol tcp -ErrorAction Continue }
        $failure.FullyQualifiedErrorId | Sort-Object -Unique | Should -Be 'InputObjectNotBound,ConntrackPS.Commands.RemoveConntrackEntryCommand'
        Get-Failure { Remove-ConntrackEntry -SourceAddress 192.0.2.2 -InputObject (Get-ConntrackEntry -Protocol udp -NetworkNamespace $namespace) } |
            Should -BeLike '*Parameter set cannot be resolved*'
    }

    It 'refuses $null in the pipeline' {
        (Get-Failure { $null | Remove-ConntrackEntry -NetworkNamespace $namespace }).FullyQualifiedErrorId |
            Should -Be 'ParameterArgumentValidationErrorNullNotAllowed,ConntrackPS.Commands.RemoveConntrackEntryCommand'
    }
}

Describe 'Remove-ConntrackEntry of objects that name no entry' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $few
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'reports an error for <Object>, and continues with the rest' -ForEach @(
        @{ Object = 'one without SourcePort'; Change = { $_.SourcePort = $null }; Says = 'it has no SourcePort'; Id = 'IncompleteEntry' }
        @{ Object = 'one without DestinationPort'; Change = { $_.PSObject.Properties.Remove('DestinationPort') }; Says = 'it has no DestinationPort' }
        @{ Object = 'one without Protocol'; Change = { $_.PSObject.Properties.Remove('Protocol') }; Says = 'it has no Protocol' }
        @{ Object = 'one without SourceAddress'; Change = { $_.SourceAddress = '' }; Says = 'it has no SourceAddress'; Id = 'IncompleteEntry' }
        @{ Object = 'one of an unknown protocol'; Change = { $_.Protocol = 'tpc' }; Says = "its Protocol 'tpc' is not known" }
        @{ Object = 'one with a bad address'; Change = { $_.SourceAddress = '192.0.2' }; Says = "its SourceAddress '192.0.2' is not an address" }
        @{ Object = 'one with a prefix'; Change = { $_.SourceAddress = '192.0.2.0/24' }; Says = "its SourceAddress '192.0.2.0/24' is not an address" }
        @{ Object = 'one of two families'; Change = { $_.SourceAddress = '2001:db8::1' }; Says = 'different families' }
        @{ Object = 'one with a bad port'; Change = { $_.SourcePort = 70000 }; Says = "its SourcePort '70000' is not a number from 0 to 65535" }
        @{ Object = 'one with a bad zone'; Change = { $_.Zone = -1 }; Says = "its Zone '-1' is not a number from 0 to 65535" }
        @{ Object = 'one with a bad id'; Change = { $_.Id = 'x' }; Says = "its Id 'x' is not a number from 0 to 4294967295" }
        @{ Object = 'an ICMP entry without type'; Change = { $_.Protocol = 'icmp' }; Says = 'it has no IcmpType'; Id = 'IncompleteEntry' }
        @{ Object = 'a GRE entry without keys'; Change = { $_.Protocol = 'gre' }; Says = 'it has no GreSourceKey'; Id = 'IncompleteEntry' }
    ) {
        $objects = @(Get-ConntrackEntry -AddressFamily IPv4 -Protocol tcp -NetworkNamespace $namespace | ConvertTo-Json | ConvertFrom-Json)
        $objects.Count | Should -Be 2
        $spoiled, $good = ($objects | Where-Object SourceAddress -EQ '192.0.2.1'), ($objects | Where-Object SourceAddress -EQ '192.0.2.2')
        $spoiled | ForEach-Object $Change

        $removed = $spoiled, $good | Remove-ConntrackEntry -PassThru -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -Be "$($Id ?? 'NotAnEntry'),ConntrackPS.Commands.RemoveConntrackEntryCommand"
        $failure[0].CategoryInfo.Category | Should -Be 'InvalidData'
        $failure[0].TargetObject | Should -Be $spoiled
        "$($failure[0])" | Should -BeLike "*$Says*"
        $removed.SourceAddress | Should -Be '192.0.2.2'
        Get-KernelName $namespace | Should -Be (Get-Rest $few 'syn4')
    }

    It 'reports NotAnEntry for <_>' -ForEach '"text"', '7', '(Get-Date)', '@{ Protocol = "tcp" }', '(Get-Process -Id $PID)' {
        $object = & ([scriptblock]::Create($_))
        $failure = @(Get-Failure { $object | Remove-ConntrackEntry -NetworkNamespace $namespace -ErrorAction Continue })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be 'NotAnEntry,ConntrackPS.Commands.RemoveConntrackEntryCommand'
        Get-KernelCount $namespace | Should -Be 6
    }

    It 'continues in the middle of a long pipeline' {
        Add-KernelLine $namespace (New-ManyLine 2000)
        $entries = @(Get-ConntrackEntry 10.0.0.0/8 -NetworkNamespace $namespace)
        $null = $entries[0..999] + [pscustomobject]@{ Protocol = 'tcp' } + $entries[1000..1999] |
            Remove-ConntrackEntry -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure.FullyQualifiedErrorId | Should -Be 'NotAnEntry,ConntrackPS.Commands.RemoveConntrackEntryCommand'
        Get-KernelName $namespace | Should -Be ($few.Keys | Sort-Object)
    }
}
