<#
    What a Get- cmdlet emits, the cmdlets of the same noun take: as it is, and after a journey through Clixml, JSON and CSV. One
    table has the types of objects, another the journeys; every pair is tested, and read back by another program.
#>
BeforeDiscovery {
    $journeys = @(
        @{ journey = 'live'; send = { $input } }
        @{ journey = 'Clixml'; send = { @($input) | Export-Clixml TestDrive:/journey.xml; Import-Clixml TestDrive:/journey.xml } }
        @{ journey = 'JSON'; send = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ journey = 'JSON with names'; send = { ConvertTo-Json @($input) -EnumsAsStrings | ConvertFrom-Json } }
        @{ journey = 'CSV'; send = { @($input) | Export-Csv TestDrive:/journey.csv; Import-Csv TestDrive:/journey.csv } }
        @{
            journey = 'CSV of another culture'
            send    = {
                $before = [cultureinfo]::CurrentCulture
                try {
                    [cultureinfo]::CurrentCulture = 'ar-SA'
                    @($input) | Export-Csv TestDrive:/journey.csv
                    [cultureinfo]::CurrentCulture = 'fa-IR'
                    Import-Csv TestDrive:/journey.csv
                }
                finally {
                    [cultureinfo]::CurrentCulture = $before
                }
            }
        }
    )
}

BeforeAll {
    # As at a prompt: errors are written, and the next object follows.
    $ErrorActionPreference = 'Continue'
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace
    Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1

    <# A table as text, without values that change over time. #>
    function Get-EntryWitness { @(Invoke-InNamespace $namespace conntrack -L) -replace '^(\S+ +\d+) \d+', '$1' -replace ' delta-time=\d+| use=\d+' | Sort-Object }
    function Get-ExpectationWitness { @(Get-KernelExpectation $namespace | Select-Object * -ExcludeProperty TimeoutSeconds | ForEach-Object { "$_" } | Sort-Object) }
    function Get-PolicyWitness { @(Invoke-InNamespace $namespace nfct timeout list) | Sort-Object }
    function Get-SysctlWitness($Pattern) { @(Invoke-InNamespace $namespace sysctl -a -r $Pattern) | Sort-Object }
    function Invoke-Quietly([scriptblock] $Work) {
        $said = & $Work 2>&1 3>&1
        $said | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] -or $_ -is [System.Management.Automation.WarningRecord] } | Should -BeNullOrEmpty
        $said | Where-Object { $_ -isnot [System.Management.Automation.ErrorRecord] -and $_ -isnot [System.Management.Automation.WarningRecord] }
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Entries, <journey>' -ForEach $journeys {
    BeforeAll {
        foreach ($line in @(
                '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
                '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 9 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED -m 4294967295'
                '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
                '-s 192.0.2.2 -d 198.51.100.53 -p udplite --sport 2000 --dport 53 -w 5'
                '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80'
                '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 80'
                '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
                '-s 2001:db8::7 -d 2001:db8:1::9 -p 89'
                '-s 192.0.2.8 -d 198.51.100.9 -p 253'
                '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state ESTABLISHED --orig-vtag 1 --reply-vtag 4294967295'
                '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state SYN_SENT --src-nat 203.0.113.9'
                '-s 10.1.2.6 -d 198.51.100.20 -p udp --sport 50005 --dport 8443 --dst-nat 203.0.113.9:53'
                '-s 10.1.2.7 -d 198.51.100.20 -p udp --sport 1 --dport 2 --orig-zone 9'
                '-s 10.1.2.8 -d 198.51.100.20 -p udp --sport 1 --dport 2 --reply-zone 9'
            )) {
            Invoke-InNamespace $namespace sh -c "conntrack -I -t 3000 $line"
        }
        $witness = Get-EntryWitness
        $objects = @(Get-ConntrackEntry -NetworkNamespace $namespace | & $send)
    }

    AfterAll { Invoke-InNamespace $namespace sh -c 'conntrack -F' }

    It 'are found by Get-ConntrackEntry' {
        @(Invoke-Quietly { $objects | Get-ConntrackEntry }).Id | Should -Be $objects.Id
    }

    It 'are changed by Set-ConntrackEntry, and back' {
        Invoke-Quietly { $objects | Set-ConntrackEntry -NewMark 99 }
        @(Get-EntryWitness) -match 'mark=99\b' | Should -HaveCount $objects.Count
        foreach ($object in $objects) {
            Invoke-Quietly { $object | Set-ConntrackEntry -NewMark $object.Mark }
        }
        Get-EntryWitness | Should -Be $witness
    }

    It 'are removed by Remove-ConntrackEntry, and created by New-ConntrackEntry' {
        Invoke-Quietly { $objects | Remove-ConntrackEntry }
        Get-EntryWitness | Should -BeNullOrEmpty
        Invoke-Quietly { $objects | New-ConntrackEntry }
        Get-EntryWitness | Should -Be $witness
    }

    It 'are no news to New-ConntrackEntry -Force' {
        Invoke-Quietly { $objects | New-ConntrackEntry -Force }
        Get-EntryWitness | Should -Be $witness
    }

    It 'are written as text like live ones' {
        $time = [datetime]::UtcNow
        $live = Get-ConntrackEntry -NetworkNamespace $namespace
        foreach ($format in 'List', 'Extended', 'Proc', 'Save', 'Xml') {
            $live | & $send | ConvertTo-ConntrackText -Format $format -Include Id, Timestamp, Label -CapturedAt $time |
                Should -BeExactly ($live | ConvertTo-ConntrackText -Format $format -Include Id, Timestamp, Label -CapturedAt $time)
        }
    }

    It 'are measured like live ones' {
        $live = Get-ConntrackEntry -NetworkNamespace $namespace
        $live | & $send | Measure-ConntrackEntry -GroupBy Protocol, State, Mark | ConvertTo-Json |
            Should -BeExactly ($live | Measure-ConntrackEntry -GroupBy Protocol, State, Mark | ConvertTo-Json)
    }

    It 'are blocked by Block-ConntrackTraffic' {
        $block = $objects | Where-Object SourceAddress -EQ 192.0.2.1 | Where-Object DestinationPort -EQ 53 | Block-ConntrackTraffic
        try {
            $block.Traffic | Should -BeLike '*192.0.2.1:2000 -> 198.51.100.53:53*'
            Invoke-InNamespace $namespace nft list ruleset | Out-String | Should -Match $block.Table
        }
        finally {
            $block | & $send | Unblock-ConntrackTraffic
        }
    }
}

Describe 'Expectations, <journey>' -ForEach $journeys {
    BeforeAll {
        $master = New-Master $namespace
        # ftp expects one connection at a time.
        $second = New-Master $namespace -SourcePort 1001
        $six = New-Master $namespace -IPv6
        $null = $master | New-ConntrackExpectation 192.0.2.0/24 198.51.100.7 -DestinationPort 2000 -Timeout 3000 -Flag Permanent
        $null = $second | New-ConntrackExpectation 192.0.2.1 198.51.100.7 -SourcePort 7 -DestinationPort 2001 -Timeout 3000 -NatAddress 10.9.9.9 -NatPort 5 -Function nat-follow-master
        $null = $six | New-ConntrackExpectation ::/0 2001:db8:1::7 -DestinationPort 2002 -Timeout 3000 -Flag Inactive
        $witness = Get-ExpectationWitness
        $objects = @(Get-ConntrackExpectation -NetworkNamespace $namespace | & $send)
    }

    AfterAll { Invoke-InNamespace $namespace sh -c 'conntrack -F; conntrack -F expect' }

    It 'are removed by Remove-ConntrackExpectation, and created by New-ConntrackExpectation' {
        $witness | Should -HaveCount 3
        Invoke-Quietly { $objects | Remove-ConntrackExpectation }
        Get-ExpectationWitness | Should -BeNullOrEmpty
        Invoke-Quietly { $objects | New-ConntrackExpectation }
        Get-ExpectationWitness | Should -Be $witness
        Get-ConntrackExpectation -NetworkNamespace $namespace | ForEach-Object { "$($_.Nat) $($_.NatAddress) $($_.NatPort) $($_.Function) $($_.Flags)" } | Sort-Object |
            Should -Be ($objects | & { $input } | ForEach-Object { "$($_.Nat) $($_.NatAddress) $($_.NatPort) $($_.Function) $([ConntrackPS.Expectations.ExpectationFlags] $_.Flags)" } | Sort-Object)
    }

    It 'are no news to New-ConntrackExpectation -Force' {
        Invoke-Quietly { $objects | New-ConntrackExpectation -Force }
        Get-ExpectationWitness | Should -Be $witness
    }

    It 'name their master' {
        @($objects | Get-ConntrackExpectation).DestinationPort | Sort-Object | Should -Be 2000, 2001, 2002
        @(Get-ConntrackEntry -NetworkNamespace $namespace | & $send | Get-ConntrackExpectation) | Should -HaveCount 3
    }
}

Describe 'Timeout policies, <journey>' -ForEach $journeys {
    BeforeAll {
        foreach ($protocol in 'Tcp', 'Udp', 'UdpLite', 'Sctp', 'Gre', 'Icmp', 'Generic') {
            New-ConntrackTimeoutPolicy "all-$protocol" $protocol -NetworkNamespace $namespace
        }
        New-ConntrackTimeoutPolicy 'p-six' IcmpV6 -AddressFamily IPv6 -Timeout 77 -NetworkNamespace $namespace
        New-ConntrackTimeoutPolicy 'p-sctp' Sctp -Established 1234 -NetworkNamespace $namespace
        # Created by another program.
        Invoke-InNamespace $namespace nfct timeout add p-zero inet tcp established 0 close 9
        $witness = Get-PolicyWitness
        $objects = @(Get-ConntrackTimeoutPolicy -NetworkNamespace $namespace | & $send)
    }

    AfterAll { Remove-ConntrackTimeoutPolicy * -NetworkNamespace $namespace }

    It 'are removed by Remove-ConntrackTimeoutPolicy, and created by New-ConntrackTimeoutPolicy' {
        $objects | Should -HaveCount 10
        Invoke-Quietly { $objects | Remove-ConntrackTimeoutPolicy }
        Get-PolicyWitness | Should -BeNullOrEmpty
        Invoke-Quietly { $objects | New-ConntrackTimeoutPolicy }
        Get-PolicyWitness | Should -Be $witness
    }

    It 'are taken back by Set-ConntrackTimeoutPolicy' {
        Set-ConntrackTimeoutPolicy p-sctp -Established 5 -NetworkNamespace $namespace
        Set-ConntrackTimeoutPolicy p-zero -Established 5 -NetworkNamespace $namespace
        Get-PolicyWitness | Should -Not -Be $witness
        Invoke-Quietly { $objects | Set-ConntrackTimeoutPolicy }
        Get-PolicyWitness | Should -Be $witness
    }

    It 'are found by Get-ConntrackTimeoutPolicy' {
        @(Invoke-Quietly { $objects | Get-ConntrackTimeoutPolicy }).Name | Should -Be $objects.Name
    }
}

Describe 'Timeout policies in files' {
    It 'may have the 0 that kernels without HEARTBEAT_ACKED answer with' {
        $file = [pscustomobject]@{ Name = 'old'; AddressFamily = 'IPv4'; Protocol = 'Sctp'; Namespace = $namespace; Timeout = 'Closed=10,Established=33,HeartbeatSent=30,HeartbeatAcked=0' }
        Invoke-Quietly { $file | New-ConntrackTimeoutPolicy }
        (Invoke-InNamespace $namespace nfct timeout get old | Out-String) | Should -Match 'ESTABLISHED = 33'
        Remove-ConntrackTimeoutPolicy old -NetworkNamespace $namespace
    }

    It 'still have no 0 that is typed' {
        New-ConntrackTimeoutPolicy typed Tcp -Timeout @{ Established = 0 } -NetworkNamespace $namespace 2>&1 | Should -BeLike '*0 seconds is out of range*'
        Set-ConntrackTimeout Tcp Established 0 -NetworkNamespace $namespace 2>&1 | Should -BeLike '*0 seconds is out of range*'
        Get-PolicyWitness | Should -BeNullOrEmpty
    }
}

Describe 'Timeouts, <journey>' -ForEach $journeys {
    It 'are taken back by Set-ConntrackTimeout' {
        # Every number that the kernel accepts is possible, also 0 by sysctl.
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=0 net.netfilter.nf_conntrack_udp_timeout=7
        $witness = Get-SysctlWitness '^net\.netfilter\.nf_conntrack_.*timeout'
        $objects = @(Get-ConntrackTimeout -NetworkNamespace $namespace | & $send)
        foreach ($timeout in Get-ConntrackTimeout -NetworkNamespace $namespace) {
            Set-ConntrackTimeout $timeout.Protocol $timeout.State 1000 -NetworkNamespace $namespace -WarningAction Ignore
        }
        Get-SysctlWitness '^net\.netfilter\.nf_conntrack_.*timeout' | Should -Not -Be $witness
        $said = $objects | Set-ConntrackTimeout 3>&1 2>&1
        $said | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | Should -BeNullOrEmpty
        Get-SysctlWitness '^net\.netfilter\.nf_conntrack_.*timeout' | Should -Be $witness
    }
}

Describe 'Settings, <journey>' -ForEach $journeys {
    It 'are taken back by Set-ConntrackSetting' {
        $witness = Get-SysctlWitness '^net\.netfilter\.nf_conntrack'
        $live = @(Get-ConntrackSetting -NetworkNamespace $namespace | Where-Object IsWritable)
        $live.Count | Should -BeGreaterThan 5
        $objects = @($live | & $send)
        foreach ($setting in $live) {
            $other = switch ($setting.Value) {
                { $_ -is [bool] } { -not $_ }
                { $_ -is [string] } { $_ -eq 'Off' -or $_ -eq 'None' ? 1 : 0 }
                default { $_ -lt $setting.Maximum ? $_ + 1 : $_ - 1 }
            }
            Set-ConntrackSetting $setting.Name $other -NetworkNamespace $namespace -WarningAction Ignore
        }
        Get-SysctlWitness '^net\.netfilter\.nf_conntrack' | Should -Not -Be $witness
        Invoke-Quietly { $objects | Set-ConntrackSetting }
        Get-SysctlWitness '^net\.netfilter\.nf_conntrack' | Should -Be $witness
    }
}

Describe 'Blocks, <journey>' -ForEach $journeys {
    It 'are found by Get-ConntrackBlock and ended by Unblock-ConntrackTraffic' {
        $blocks = @('192.0.2.77', '2001:db8::77' | ForEach-Object { Block-ConntrackTraffic -SourceAddress $_ -NetworkNamespace $namespace })
        $objects = @($blocks | & $send)
        @(Invoke-Quietly { $objects | Get-ConntrackBlock }).Id | Should -Be $blocks.Id
        Invoke-Quietly { $objects | Unblock-ConntrackTraffic }
        Invoke-InNamespace $namespace nft list ruleset | Should -BeNullOrEmpty
    }
}
