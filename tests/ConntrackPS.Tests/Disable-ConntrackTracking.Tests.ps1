# Real traffic through a router with network address translation, which is also a server: what is exempted has no entries and passes, and
# what is refused would really break.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/BlockLab.psm1" -Force

    $lab = New-BlockLab
    $router = $lab.Router
    $here = @{ NetworkNamespace = $router }
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $router
    $null = Start-LabTraffic $lab $router echo 5300
    $nat = Invoke-InNamespace $router nft list ruleset
    $public = @{ IPv4 = '198.51.100.1'; IPv6 = '2001:db8:100::1' }
    $outside = @{ IPv4 = '198.51.100.2'; IPv6 = '2001:db8:100::2' }
    $inside = @{ IPv4 = '10.0.0.10'; IPv6 = 'fd00::10' }

    <# The router's rules, from now on. #>
    function Set-Rule([string] $Rule) {
        Invoke-InNamespace $router nft flush ruleset
        Set-LabRule $lab $Rule

        # Without translation, the host outside needs to know the way.
        $way = $Rule -match 'masquerade' ? 'flush' : 'replace'
        Invoke-InNamespace $lab.Outside ip route $way 10.0.0.0/24 via 198.51.100.1
        Invoke-InNamespace $lab.Outside ip -6 route $way fd00::/64 via 2001:db8:100::1
        Clear-ConntrackTable -Confirm:$false
    }

    function Get-RuleTable { @(Invoke-InNamespace $router nft list tables) -match ' conntrackps-' -replace '^table inet ' }

    function Get-OtherTable { @(Invoke-InNamespace $router nft list ruleset) -join "`n" -replace '(?ms)^table inet conntrackps-.*?^}\n?' -replace 'packets \d+ bytes \d+' | ForEach-Object Trim }

    <# The entries of a port, as conntrack lists them. #>
    function Get-Flow([int] $Port) { @(ip netns exec $router conntrack -L -f ipv4 2>$null; ip netns exec $router conntrack -L -f ipv6 2>$null) -match "port=$Port\s" }

    $stateful = 'table inet fw {
        chain input { type filter hook input priority 0; policy drop;
            ct state established,related accept
            iif lo accept
            meta l4proto ipv6-icmp accept
            udp dport 5300 accept
        }
        chain forward { type filter hook forward priority 0; policy drop;
            ct state established,related accept
            meta l4proto ipv6-icmp accept
            udp dport 5000 accept
        }
        chain output { type filter hook output priority 0; policy accept; ct state new counter; }
    }'
    $null = $here, $nat, $public, $outside, $inside, $stateful
}

AfterAll {
    Get-ConntrackRule -NetworkNamespace $router | Remove-ConntrackRule
    Remove-BlockLab $lab
}

Describe 'Disable-ConntrackTracking' {
    AfterEach {
        Get-ConntrackRule -NetworkNamespace $router | Remove-ConntrackRule
        Clear-ConntrackTable -Confirm:$false
        Get-RuleTable | Should -BeNullOrEmpty
    }

    Context 'Behind a stateful ruleset, <Family>' -ForEach @{ Family = 'IPv4' }, @{ Family = 'IPv6' } {
        BeforeAll {
            Set-Rule $stateful
        }

        It 'exempts both directions of what the rules accept anyway, and of nothing else' {
            $before = Get-OtherTable
            $rule = Disable-ConntrackTracking -DestinationAddress $public[$Family] -DestinationPort 5300 -Protocol Udp
            $rule.Kind | Should -Be NoTrack
            $rule.Effect | Should -Be 'not tracked'
            Test-LabAnswer $lab $lab.Outside $public[$Family] 5300 -SourcePort 4000 | Should -BeTrue
            Get-Flow 5300 | Should -BeNullOrEmpty
            Test-LabAnswer $lab $lab.Outside $inside[$Family] 5000 -SourcePort 4001 | Should -BeTrue
            @(Get-Flow 5000).Count | Should -Be 1 -Because 'other traffic is tracked'
            $counters = @(Invoke-InNamespace $router nft list table inet $rule.Name) -match 'notrack'
            ($counters -match 'dport' -match 'packets 1 ').Count | Should -Be 1 -Because 'the question came in'
            ($counters -match 'sport' -match 'packets 1 ').Count | Should -Be 1 -Because 'the answer went out'
            (Get-ConntrackRule $rule.Name).Packets | Should -Be 2
            Get-OtherTable | Should -Be $before
        }

        It 'refuses forwarded traffic whose answers only an entry lets pass; they really do not pass without' {
            $filter = @{ SourceAddress = $outside[$Family]; DestinationAddress = $inside[$Family]; DestinationPort = 5000; Protocol = 'Udp' }
            $failure = Get-Failure { Disable-ConntrackTracking @filter }
            $failure.FullyQualifiedErrorId | Should -Be 'TrackingNeeded,ConntrackPS.Commands.DisableConntrackTrackingCommand'
            $failure.CategoryInfo.Category | Should -Be InvalidOperation
            $failure.Exception.Reasons.Count | Should -Be 1
            "$failure" | Should -Match 'inet fw forward handle \d+ accepts packets of the state established, related, but untracked ones (are|may be) dropped'
            "$failure" | Should -Match '-Force'
            Get-RuleTable | Should -BeNullOrEmpty
            $place = [regex]::Match("$failure", 'inet fw forward handle (\d+)').Groups[1].Value
            "$(Invoke-InNamespace $router nft -a list chain inet fw forward)" | Should -Match "ct state established,related accept # handle $place"

            Test-LabAnswer $lab $lab.Outside $inside[$Family] 5000 -SourcePort 4002 | Should -BeTrue
            $null = Disable-ConntrackTracking @filter -Force -WarningVariable warnings -WarningAction SilentlyContinue
            "$warnings" | Should -Match 'Exempted anyway: inet fw forward handle'
            Test-LabAnswer $lab $lab.Outside $inside[$Family] 5000 -SourcePort 4003 | Should -BeFalse
            Enable-ConntrackTracking @filter
            Test-LabAnswer $lab $lab.Outside $inside[$Family] 5000 -SourcePort 4003 | Should -BeTrue
        }

        It 'accepts it once a rule lets the answers pass' {
            Invoke-InNamespace $router nft add rule inet fw forward udp sport 5000 accept
            $null = Disable-ConntrackTracking -SourceAddress $outside[$Family] -DestinationAddress $inside[$Family] -DestinationPort 5000 -Protocol Udp
            Test-LabAnswer $lab $lab.Outside $inside[$Family] 5000 -SourcePort 4004 | Should -BeTrue
            Get-Flow 5000 | Should -BeNullOrEmpty
            Set-Rule $stateful
        }
    }

    Context 'Behind translation, <Family>' -ForEach @{ Family = 'IPv4' }, @{ Family = 'IPv6' } {
        BeforeAll {
            Set-Rule ($nat -join "`n")
        }

        It 'refuses <Name>, which really breaks' -ForEach @(
            @{ Name = 'what is sent to the public address'; Filter = { @{ DestinationAddress = $public[$Family]; DestinationPort = 5000 } }; From = 'Outside'; To = 'public'; Port = 5000; Source = 4010 }
            @{ Name = 'the host inside, whose answers are translated back'; Filter = { @{ DestinationAddress = $inside[$Family]; DestinationPort = 5000 } }; From = 'Outside'; To = 'public'; Port = 5000; Source = 4011 }
            @{ Name = 'what is masqueraded'; Filter = { @{ SourceAddress = $inside[$Family]; DestinationPort = 6000 } }; From = 'Inside'; To = 'outside'; Port = 6000; Source = 4012 }
            @{ Name = 'answers to what is masqueraded with the port of the server'; Filter = { @{ DestinationAddress = $public[$Family]; DestinationPort = 5301 } }; From = 'Inside'; To = 'outside'; Port = 6000; Source = 5301 }
        ) {
            $traffic = & $Filter
            $target = (Get-Variable $To).Value[$Family]
            (Get-Failure { Disable-ConntrackTracking @traffic -Protocol Udp }).FullyQualifiedErrorId | Should -BeLike 'TrackingNeeded,*'
            Get-RuleTable | Should -BeNullOrEmpty
            Test-LabAnswer $lab $lab.$From $target $Port -SourcePort $Source | Should -BeTrue
            $null = Disable-ConntrackTracking @traffic -Protocol Udp -Force -RemoveEntry -WarningAction SilentlyContinue
            Test-LabAnswer $lab $lab.$From $target $Port -SourcePort $Source | Should -BeFalse
        }

        It 'names the entries that are translated, if the rules are gone' {
            Test-LabAnswer $lab $lab.Outside $public[$Family] 5000 -SourcePort 4013 | Should -BeTrue
            Invoke-InNamespace $router nft flush table inet lab
            Invoke-InNamespace $router nft add rule inet lab postrouting ct state new counter
            $failure = Get-Failure { Disable-ConntrackTracking -DestinationAddress $public[$Family] -DestinationPort 5000 -Protocol Udp }
            "$failure" | Should -Match 'The table of connections has 1 entry with packets of this traffic that is translated'
            Set-Rule ($nat -join "`n")
        }
    }

    Context 'Entries' {
        BeforeAll {
            Set-Rule $stateful
        }

        It 'stay without -RemoveEntry, unused, and are told' {
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4020 | Should -BeTrue
            $before = (Get-ConntrackEntry -Port 5300).Id
            $null = Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp -WarningVariable warnings -WarningAction SilentlyContinue
            "$warnings" | Should -BeLike '1 entry of this traffic stays in the table until it expires, but packets no longer belong to it. -RemoveEntry removes it.'
            $counted = { [long] [regex]::Match("$(Get-Flow 5300)", 'packets=(\d+)').Groups[1].Value }
            $packets = & $counted
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4020 | Should -BeTrue
            (Get-ConntrackEntry -Port 5300).Id | Should -Be $before
            & $counted | Should -Be $packets
        }

        It 'that match are removed with -RemoveEntry, and only those' {
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4021 | Should -BeTrue
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4022 | Should -BeTrue
            Test-LabAnswer $lab $lab.Outside 10.0.0.10 5000 -SourcePort 4023 | Should -BeTrue
            $said = Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp -RemoveEntry -Verbose 4>&1
            "$said" | Should -Match '(about )?2 entries removed, 0 already gone, 0 failed'
            Get-Flow 5300 | Should -BeNullOrEmpty
            @(Get-Flow 5000).Count | Should -Be 1
        }

        It 'are not removed, and nothing is added, with -WhatIf' {
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4024 | Should -BeTrue
            Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp -RemoveEntry -WhatIf
            @(Get-Flow 5300).Count | Should -Be 1
            Get-RuleTable | Should -BeNullOrEmpty
        }
    }

    Context 'Fragments' {
        It 'belong to their datagram, so that a filter with ports exempts all of it' {
            Set-Rule $stateful
            $rule = Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp
            Invoke-InNamespace $lab.Outside bash -c 'dd if=/dev/zero bs=4000 count=1 status=none > /dev/udp/198.51.100.1/5300'
            Wait-Until { (Get-ConntrackRule $rule.Name).Bytes -ge 4028 } 'the datagram was not counted'
            "$(Invoke-InNamespace $router nft list table inet $rule.Name)" | Should -Match 'packets 1 bytes 4028 '
            Get-Flow 5300 | Should -BeNullOrEmpty
        }
    }

    Context 'Text and bad input' {
        BeforeAll {
            Set-Rule $stateful
        }

        It 'prints the rules for nft with -AsNft, which nft takes, and changes nothing' {
            $text = Disable-ConntrackTracking -DestinationAddress 198.51.100.1, 2001:db8:100::1 -DestinationPort 5300 -Protocol Udp -AsNft
            Get-RuleTable | Should -BeNullOrEmpty
            Set-LabRule $lab ($text -join "`n")
            $table = Get-RuleTable
            Test-LabAnswer $lab $lab.Outside 2001:db8:100::1 5300 -SourcePort 4030 | Should -BeTrue
            Get-Flow 5300 | Should -BeNullOrEmpty
            Invoke-InNamespace $router nft delete table inet $table
        }

        It 'changes nothing with <Name>' -ForEach @(
            @{ Name = 'no filter'; Arguments = @{}; Id = 'NoTraffic' }
            @{ Name = 'a prefix of all addresses'; Arguments = @{ SourceAddress = '0.0.0.0/0', '::/0' }; Id = 'NoTraffic' }
            @{ Name = 'a contradiction'; Arguments = @{ SourceAddress = '10.0.0.1'; AddressFamily = 'IPv6' }; Id = 'ContradictoryFilter' }
            @{ Name = 'a port that is none'; Arguments = @{ Port = '70000' }; Id = 'ParameterArgumentTransformationError' }
            @{ Name = 'a namespace that is not there'; Arguments = @{ Port = 53; NetworkNamespace = 'nosuch' }; Id = 'NetworkNamespaceNotFound' }
        ) {
            $before = Invoke-InNamespace $router nft list ruleset
            (Get-Failure { Disable-ConntrackTracking @Arguments }).FullyQualifiedErrorId | Should -BeLike "$Id,*"
            Invoke-InNamespace $router nft list ruleset | Should -Be $before
        }

        It 'refuses objects in the pipeline' {
            (Get-Failure { 1 | Disable-ConntrackTracking -Port 53 }).FullyQualifiedErrorId | Should -Match 'NoPipelineInput|InputObjectNotBound'
            Get-RuleTable | Should -BeNullOrEmpty
        }

        It 'refuses the SSH connection that it runs in' {
            $env:SSH_CONNECTION = '198.51.100.2 4321 198.51.100.1 22'
            try {
                $failure = Get-Failure { Disable-ConntrackTracking -DestinationPort 22 -Protocol Tcp }
                $failure.FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
                "$failure" | Should -BeLike 'This would end the tracking of the SSH connection *'
            }
            finally {
                Remove-Item Env:SSH_CONNECTION
            }
        }
    }

    It 'makes its table in one transaction, and removes it in one' {
        Set-Rule $stateful
        $log = New-TemporaryFile
        $monitor = Start-Process ip -ArgumentList netns, exec, $router, nft, monitor -RedirectStandardOutput $log -PassThru
        try {
            Start-Sleep 1
            $rule = Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp
            Wait-Until { "$(Get-Content $log)" -match 'new generation' } 'nft monitor shows nothing'
            $said = Get-Content $log
            @($said -match 'new generation').Count | Should -Be 1
            ($said -match '^add ' -notmatch $rule.Name) | Should -BeNullOrEmpty -Because 'only the table of the rule is changed'
            @($said -match 'counter .*notrack').Count | Should -Be 4
        }
        finally {
            kill $monitor.Id
            Remove-Item $log
        }
    }
}

Describe 'Enable-ConntrackTracking' {
    BeforeAll {
        Set-Rule $stateful
    }

    BeforeEach {
        $first = Disable-ConntrackTracking -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp
        $second = Disable-ConntrackTracking -SourceAddress 198.51.100.99 -DestinationAddress 198.51.100.1 -DestinationPort 5300 -Protocol Udp
        $null = $first, $second
    }

    AfterEach {
        Get-ConntrackRule -NetworkNamespace $router | Remove-ConntrackRule
    }

    It 'ends exemptions by <Name>' -ForEach @(
        @{ Name = 'name'; Work = { Enable-ConntrackTracking $first.Name }; Left = 'second' }
        @{ Name = 'wildcard'; Work = { Enable-ConntrackTracking * }; Left = '' }
        @{ Name = 'pipeline'; Work = { $second | Enable-ConntrackTracking -NetworkNamespace $router }; Left = 'first' }
        @{ Name = 'filter'; Work = { Enable-ConntrackTracking -SourceAddress 198.51.100.99 -Protocol Udp -DestinationAddress 198.51.100.1 -DestinationPort 5300 }; Left = 'first' }
    ) {
        & $Work
        $left = $Left ? (Get-Variable $Left).Value.Name : $null
        (Get-ConntrackRule -Kind NoTrack).Name | Should -Be $left
        @(Get-RuleTable) -match '-notrack-' | Should -Be $left
        if ($Name -ne 'filter' -and $Name -ne 'pipeline') {
            Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4040 | Should -BeTrue
            @(Get-Flow 5300).Count | Should -Be 1 -Because 'it is tracked again'
            Clear-ConntrackTable -Confirm:$false
        }
    }

    It 'emits what it ended with -PassThru, and ends nothing with -WhatIf' {
        Enable-ConntrackTracking * -WhatIf
        @(Get-ConntrackRule -Kind NoTrack).Count | Should -Be 2
        Test-LabAnswer $lab $lab.Outside 198.51.100.1 5300 -SourcePort 4041 | Should -BeTrue
        $ended = Enable-ConntrackTracking $first.Name -PassThru
        $ended.Packets | Should -Be 2
    }

    It 'says so if there is no such exemption: <Name>' -ForEach @(
        @{ Name = 'a name'; Work = { Enable-ConntrackTracking conntrackps-notrack-99, $first.Name -ErrorAction SilentlyContinue -ErrorVariable script:failures } }
        @{ Name = 'a filter'; Work = { Enable-ConntrackTracking -Port 99 -ErrorAction SilentlyContinue -ErrorVariable script:failures } }
    ) {
        & $Work
        $failures.Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -Be 'RuleNotFound,ConntrackPS.Commands.EnableConntrackTrackingCommand'
        $failures[0].CategoryInfo.Category | Should -Be ObjectNotFound
        Get-RuleTable | Should -Contain $second.Name
    }
}
