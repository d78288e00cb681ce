BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    # A router between a client with many addresses and a server with two.
    $router = New-TestNamespace
    $client = New-TestNamespace
    $server = New-TestNamespace
    foreach ($end in @{ Name = $client; Device = 'in'; Number = 1; Other = 2 }, @{ Name = $server; Device = 'out'; Number = 2; Other = 3 }) {
        $device = $end.Device
        foreach ($place in $router, $end.Name) {
            Invoke-InNamespace $place sysctl -qw net.ipv6.conf.default.accept_dad=0
            Invoke-InNamespace $place ip link set lo up
        }
        Invoke-InNamespace $router ip link add $device type veth peer name $device netns $end.Name
        Invoke-InNamespace $router ip address add "10.$($end.Number).0.254/24" dev $device
        Invoke-InNamespace $router ip address add "2001:db8:$($end.Number)::254/64" dev $device nodad
        foreach ($number in $end.Number, $end.Other) {
            Invoke-InNamespace $end.Name ip address add "10.$($end.Number).0.$number/24" dev $device
            Invoke-InNamespace $end.Name ip address add "2001:db8:$($end.Number)::$number/64" dev $device nodad
        }
        Invoke-InNamespace $router ip link set $device up
        Invoke-InNamespace $end.Name ip link set $device up
        Invoke-InNamespace $end.Name ip route add default via "10.$($end.Number).0.254"
        Invoke-InNamespace $end.Name ip -6 route add default via "2001:db8:$($end.Number)::254"
    }
    Invoke-InNamespace $client ip -6 address add 2001:db8:1:0:1::5/64 dev in nodad
    Invoke-InNamespace $router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0

    # Connection tracking runs in a namespace only if a rule needs it. This table must not be changed.
    Invoke-InNamespace $router nft 'add table inet bystander; add chain inet bystander forward { type filter hook forward priority 0; }; add rule inet bystander forward ct state new counter'
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $router

    <# Whether an echo request is answered. Each is a connection of its own. #>
    function Test-Ping([string] $From, [string] $To) {
        ip netns exec $client ping -q -c1 -W1 -I $From $To *> $null
        $LASTEXITCODE -eq 0
    }

    <# How many of some echo requests are answered. #>
    function Measure-Ping([string] $From, [string] $To, [int] $Count) {
        @(1..$Count | Where-Object { Test-Ping $From $To }).Count
    }

    function Get-Ruleset {
        (Invoke-InNamespace $router nft list ruleset) -join "`n"
    }

    <# The packets that nft shows of the rule's counters. #>
    function Get-Refused($Rule) {
        $table = "$(Invoke-InNamespace $router nft list table inet $Rule.Name)"
        ([regex]::Matches($table, 'counter packets (\d+)') | ForEach-Object { [long] $_.Groups[1].Value } | Measure-Object -Sum).Sum
    }

    function New-Line([string] $Source, [int] $Count, [string] $Destination = '198.51.100.7', [int] $Port = 53) {
        1..$Count | ForEach-Object { "-s $($Source -f $_) -d $Destination -p udp --sport $(1000 + $_) --dport $Port" }
    }

    # The first packets make the kernels find each other.
    Wait-Until { (Test-Ping 10.1.0.1 10.2.0.2) -and (Test-Ping 2001:db8:1::1 2001:db8:2::2) } 'the server does not answer'
}

AfterAll {
    Remove-TestNamespace $router, $client, $server
}

Describe 'Limit-ConntrackSource' {
    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        $others = @(Invoke-InNamespace $router nft -s list table inet bystander)
    }

    AfterEach {
        $env:SSH_CONNECTION = $null
        Get-ConntrackRule | Remove-ConntrackRule
        Get-Ruleset | Should -Not -Match conntrackps
        Invoke-InNamespace $router nft -s list table inet bystander | Should -Be $others
    }

    Context 'Real traffic through a router' {
        It 'lets as many connections of a source pass as allowed, and rejects the next: <From>' -ForEach @(
            @{ From = '10.1.0.1'; Other = '10.1.0.2'; To = '10.2.0.2' }
            @{ From = '2001:db8:1::1'; Other = '2001:db8:1:0:1::5'; To = '2001:db8:2::2' }
        ) {
            $rule = Limit-ConntrackSource -Maximum 3 -PrefixIPv6 128
            Measure-Ping $From $To 5 | Should -Be 3
            Measure-Ping $Other $To 1 | Should -Be 1
            @(Get-KernelEntry $router | Where-Object SourceAddress -EQ $From).Count | Should -Be 3
            Get-Refused $rule | Should -Be 2
            (Get-ConntrackRule).Packets | Should -Be 2
            "$(ip netns exec $client ping -c1 -W1 -I $From $To)" | Should -Match 'Port Unreachable|Port unreachable'

            # Those that end make room.
            Remove-ConntrackEntry -SourceAddress $From
            Start-Sleep -Milliseconds 50
            Measure-Ping $From $To 4 | Should -Be 3
        }

        It 'does not answer with -Action Drop' {
            $null = Limit-ConntrackSource -Maximum 1 -Action Drop
            Test-Ping 10.1.0.1 10.2.0.2 | Should -BeTrue
            "$(ip netns exec $client ping -c1 -W1 -I 10.1.0.1 10.2.0.2)" | Should -Match '1 packets transmitted, 0 received, 100% packet loss'
            Get-Ruleset | Should -Match '(?s)chain refuse \{\s+drop\s+\}'
        }

        It 'counts a prefix as one source, in IPv6 by default a /64' {
            $null = Limit-ConntrackSource -Maximum 2 -Prefix 24
            Measure-Ping 10.1.0.1 10.2.0.2 1 | Should -Be 1
            Measure-Ping 10.1.0.2 10.2.0.2 2 | Should -Be 1
            Measure-Ping 2001:db8:1::1 2001:db8:2::2 1 | Should -Be 1
            Measure-Ping 2001:db8:1:0:1::5 2001:db8:2::2 2 | Should -Be 1
        }

        It 'counts by destination with -PerDestination' {
            $null = Limit-ConntrackSource -Maximum 2 -PerDestination
            Measure-Ping 10.1.0.1 10.2.0.2 1 | Should -Be 1
            Measure-Ping 10.1.0.2 10.2.0.2 2 | Should -Be 1
            Measure-Ping 10.1.0.2 10.2.0.3 1 | Should -Be 1
            (Get-ConntrackRule -IncludeSource).Sources | ForEach-Object { "$($_.Source) $($_.Count)" } | Should -Be '10.2.0.2 2', '10.2.0.3 1'
        }

        It 'limits only the traffic of the filter, and never exempt addresses' {
            $null = Limit-ConntrackSource -Maximum 1 -Protocol Icmp -SourceAddress 10.1.0.0/24 -ExemptAddress 10.1.0.2, 192.0.2.0/24
            Measure-Ping 10.1.0.1 10.2.0.2 2 | Should -Be 1
            Measure-Ping 10.1.0.2 10.2.0.2 3 | Should -Be 3
            Measure-Ping 2001:db8:1::1 2001:db8:2::2 2 | Should -Be 2
        }

        It 'limits connections to the router, and not those of the router' {
            $null = Limit-ConntrackSource -Maximum 2
            Measure-Ping 10.1.0.1 10.1.0.254 3 | Should -Be 2
            1..4 | ForEach-Object { Invoke-InNamespace $router ping -q -c1 -W1 10.2.0.2 } | Out-Null
            (Get-ConntrackRule -IncludeSource).Sources.Source | Should -Be 10.1.0.1
        }

        It 'is the text of -AsNft too, which changes nothing' {
            $text = Limit-ConntrackSource -Maximum 2 -Protocol Icmp -ExemptAddress 10.1.0.2 -AsNft
            Get-Ruleset | Should -Not -Match conntrackps
            Set-Content TestDrive:/limit.nft $text
            Invoke-InNamespace $router nft -f (Get-Item TestDrive:/limit.nft).FullName
            Measure-Ping 10.1.0.1 10.2.0.2 3 | Should -Be 2
            Measure-Ping 10.1.0.2 10.2.0.2 3 | Should -Be 3
        }

        It 'adds one table, and changes nothing else, as nft monitor sees it' {
            $log = "$TestDrive/monitor"
            $monitor = Start-Process ip netns, exec, $router, nft, monitor -RedirectStandardOutput $log -PassThru
            Wait-Until {
                Invoke-InNamespace $router nft add table ip marker
                Invoke-InNamespace $router nft delete table ip marker
                (Test-Path $log) -and (Get-Content $log) -match 'marker'
            } 'nft monitor does not listen'
            $rule = Limit-ConntrackSource -Maximum 2 -Protocol Udp
            $rule | Remove-ConntrackRule
            Invoke-InNamespace $router nft add table ip end
            Wait-Until { (Get-Content $log) -match 'table ip end' } 'nft monitor has not seen the end'
            Invoke-InNamespace $router nft delete table ip end
            $monitor.Kill($true)
            $changes = @(Get-Content $log) -match '^(add|delete|insert|replace)' -notmatch ' (marker|end)( |$)'
            $changes.Count | Should -BeGreaterThan 5
            $changes -notmatch "\b$($rule.Name)\b" | Should -BeNullOrEmpty
        }
    }

    Context 'Sources that are over now' {
        BeforeEach {
            Add-KernelLine $router @(
                New-Line 192.0.2.1 6
                New-Line 192.0.2.2 9
                New-Line 192.0.2.3 4
                # One host with many addresses, and one of the router's own.
                New-Line '2001:db8:7::{0:x}' 5 2001:db8:9::7
                New-Line 10.1.0.254 7
                # Closed, which the kernel does not count.
                1..8 | ForEach-Object { "-s 192.0.2.4 -d 198.51.100.7 -p tcp --sport $(1000 + $_) --dport 80 --state TIME_WAIT" }
            )
        }

        It 'are listed by -IncludeSource, the largest first' {
            $rule = Limit-ConntrackSource -Maximum 5 3>$null
            $rule.Sources | Should -BeNullOrEmpty
            (Get-ConntrackRule).Sources | Should -BeNullOrEmpty
            $sources = (Get-ConntrackRule -IncludeSource).Sources
            $sources | ForEach-Object { "$($_.Source) $($_.Count) $($_.Maximum) $($_.IsOver)" } |
                Should -Be '192.0.2.2 9 5 True', '192.0.2.1 6 5 True', '2001:db8:7::/64 5 5 False', '192.0.2.3 4 5 False'
            foreach ($source in $sources | Where-Object Source -NotLike '*/*') {
                @(Get-KernelEntry $router | Where-Object SourceAddress -EQ $source.Source).Count | Should -Be $source.Count
            }
        }

        It 'are named by -WhatIf, which changes nothing' {
            $before = Get-Ruleset
            $said = Invoke-Child { Limit-ConntrackSource -Maximum 4 -ExemptAddress 192.0.2.1 -NetworkNamespace $Namespace -WhatIf } -Namespace $router
            $said[0] | Should -BeLike 'What if:*"Limit all new connections that are forwarded or come to this machine to 4 per source until *" on target "every entry in network namespace*'
            $said[1] | Should -Be 'What if: Performing the operation "Refuse new connections" on target "192.0.2.2, which has 9 connections now".'
            $said[2] | Should -Be 'What if: Performing the operation "Refuse new connections" on target "2001:db8:7::/64, which has 5 connections now".'
            $said[3] | Should -BeLike '*2 sources have more than 4 connections now.*'
            $said.Count | Should -Be 4
            Get-Ruleset | Should -Be $before
            Get-KernelCount $router | Should -Be 39
        }

        It 'are named up to 20, and counted' {
            Add-KernelLine $router @(1..30 | ForEach-Object { New-Line "192.0.3.$_" 7 })
            $said = Invoke-Child { Limit-ConntrackSource -Maximum 6 -NetworkNamespace $Namespace -WhatIf } -Namespace $router
            @($said -match 'Refuse new connections').Count | Should -Be 20
            $said[-1] | Should -BeLike '*31 sources have more than 6 connections now. The first 20 are listed.*'
        }

        It 'get a warning with the command that removes their connections' {
            $null = Limit-ConntrackSource -Maximum 5 -Protocol Udp -DestinationPort 53 -WarningVariable said 3>$null
            "$said" | Should -BeLike '2 sources have more than 5 connections now. The kernel counts only connections that begin from now on.*'
            $command = "$said" -replace '^.*To remove the old ones: '
            $command | Should -Be "Remove-ConntrackEntry -SourceAddress 192.0.2.2,192.0.2.1 -DestinationPort 53 -Protocol Udp -NetworkNamespace '$router'"
            Invoke-Expression $command
            Get-KernelEntry $router | Group-Object SourceAddress | Where-Object Name -Match '^192|^10' | ForEach-Object { "$($_.Name) $($_.Count)" } |
                Sort-Object | Should -Be '10.1.0.254 7', '192.0.2.3 4', '192.0.2.4 8'
        }

        It 'lose no connection outside the filter by that command: <Filter>' -ForEach @(
            @{ Filter = '-SourceAddress 192.0.2.2/31 -Prefix 24'; Expected = '-SourceAddress 192.0.2.2/31' }
            @{ Filter = '-SourceAddress 192.0.2.0/24, 2001:db8::/32'; Expected = '-SourceAddress 192.0.2.2,192.0.2.1' }
            @{ Filter = '-Prefix 24 -ExemptAddress 192.0.2.1'; Expected = '-SourceAddress 192.0.2.0/24 -ExcludeSourceAddress 192.0.2.1' }
            @{ Filter = '-PerDestination'; Expected = '-DestinationAddress 198.51.100.7' }
        ) {
            $said = & ([scriptblock]::Create("Limit-ConntrackSource -Maximum 5 $Filter -NetworkNamespace $router 3>&1")) | Where-Object { $_ -is [System.Management.Automation.WarningRecord] }
            "$said" -replace '^.*To remove the old ones: ' | Should -Be "Remove-ConntrackEntry $Expected -NetworkNamespace '$router'"
        }

        It 'get no warning where there are none' {
            Limit-ConntrackSource -Maximum 9 -WarningVariable said | Should -Not -BeNullOrEmpty
            $said | Should -BeNullOrEmpty
        }
    }

    Context 'The SSH connection that it runs in' {
        BeforeEach {
            Add-KernelLine $router @(
                '-s 192.0.2.1 -d 10.1.0.254 -p tcp --sport 50022 --dport 22 --state ESTABLISHED'
                New-Line 192.0.2.1 3
            )
            $env:SSH_CONNECTION = '192.0.2.1 50022 10.1.0.254 22'
        }

        It 'must be able to come again: <_>' -ForEach '-Maximum 4', '-Maximum 3', '-Maximum 1 -Protocol Tcp', '-Maximum 4 -Prefix 24', '-Maximum 1 -PerDestination' {
            $failure = Get-Failure ([scriptblock]::Create("Limit-ConntrackSource $_ -NetworkNamespace $router"))
            $failure.FullyQualifiedErrorId | Should -Be 'OwnConnection,ConntrackPS.Commands.LimitConntrackSourceCommand'
            "$failure" | Should -BeLike '*-ExemptAddress *-Force.'
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'is no obstacle: <_>' -ForEach '-Maximum 5', '-Maximum 1 -Protocol Udp', '-Maximum 1 -ExemptAddress 192.0.2.1', '-Maximum 1 -Force', '-Maximum 1 -SourceAddress 192.0.2.2', '-Maximum 2 -PerDestination' {
            (& ([scriptblock]::Create("Limit-ConntrackSource $_ -NetworkNamespace $router 3>`$null"))).Kind | Should -Be Limit
        }
    }

    Context 'Wrong values' {
        It 'name the parameter, and change nothing: <Arguments>' -ForEach @(
            @{ Arguments = '-Maximum 0'; Parameter = 'Maximum' }
            @{ Arguments = '-Maximum -1'; Parameter = 'Maximum' }
            @{ Arguments = '-Maximum many'; Parameter = 'Maximum' }
            @{ Arguments = '-Maximum 4294967296'; Parameter = 'Maximum' }
            @{ Arguments = '-Maximum 5 -Prefix 0'; Parameter = 'Prefix' }
            @{ Arguments = '-Maximum 5 -Prefix 33'; Parameter = 'Prefix' }
            @{ Arguments = '-Maximum 5 -Prefix 64'; Parameter = 'Prefix' }
            @{ Arguments = '-Maximum 5 -PrefixIPv6 0'; Parameter = 'PrefixIPv6' }
            @{ Arguments = '-Maximum 5 -PrefixIPv6 129'; Parameter = 'PrefixIPv6' }
            @{ Arguments = '-Maximum 5 -ExemptAddress 10.0'; Parameter = 'ExemptAddress' }
            @{ Arguments = '-Maximum 5 -ExemptAddress @()'; Parameter = 'ExemptAddress' }
            @{ Arguments = '-Maximum 5 -Action Accept'; Parameter = 'Action' }
            @{ Arguments = '-Maximum 5 -SourceAddress $null'; Parameter = 'SourceAddress' }
        ) {
            $failure = Get-Failure ([scriptblock]::Create("Limit-ConntrackSource $Arguments -NetworkNamespace $router"))
            "$failure" | Should -Match "parameter '$Parameter'"
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'are a filter that nothing matches' {
            (Get-Failure { Limit-ConntrackSource -Maximum 5 -AddressFamily IPv6 -SourceAddress 10.0.0.1 }).FullyQualifiedErrorId |
                Should -BeLike '*,ConntrackPS.Commands.LimitConntrackSourceCommand'
            Get-Ruleset | Should -Not -Match conntrackps
        }
    }
}
