BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $namespace = New-TestNamespace
    Invoke-InNamespace $namespace ip link set lo up
    foreach ($address in '192.0.2.1', '192.0.2.2', '198.51.100.7') {
        Invoke-InNamespace $namespace ip address add $address/32 dev lo
    }
    foreach ($address in '2001:db8::1', '2001:db8::2', '2001:db8:1::7') {
        Invoke-InNamespace $namespace ip -6 address add $address/128 dev lo nodad
    }
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace

    # Connection tracking runs in a namespace only if a rule needs it. This table must not be changed.
    Set-Content TestDrive:/rules.nft 'table inet bystander { chain output { type filter hook output priority 0; ct state new counter; }; }'
    Invoke-InNamespace $namespace nft -f (Get-Item TestDrive:/rules.nft).FullName

    <# Whether an echo request is answered. #>
    function Test-Ping([string] $From, [string] $To) {
        ip netns exec $namespace ping -q -c1 -W1 -I $From $To *> $null
        $LASTEXITCODE -eq 0
    }

    <# The ruleset as nft lists it, without our tables' numbers. #>
    function Get-Ruleset {
        (Invoke-InNamespace $namespace nft list ruleset) -join "`n"
    }

    <# The drop rules that nft shows of a block's table, by chain. #>
    function Get-Rule($Block) {
        Invoke-InNamespace $namespace nft list table inet $Block.Table | Where-Object { $_ -match ' drop$' }
    }

    <# The packets that nft shows of a block's rules. #>
    function Get-Dropped($Block) {
        (Get-Rule $Block | ForEach-Object { [long] [regex]::Match($_, 'packets (\d+)').Groups[1].Value } | Measure-Object -Sum).Sum
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Block-ConntrackTraffic' {
    AfterEach {
        Get-ConntrackBlock | Unblock-ConntrackTraffic
        Clear-ConntrackTable -Confirm:$false
    }

    Context 'Block-ConntrackTraffic by filter' {
        It 'drops what an address sends first, and not its answers to others: <From>' -ForEach @(
            @{ From = '192.0.2.1'; Other = '192.0.2.2'; To = '198.51.100.7' }
            @{ From = '2001:db8::1'; Other = '2001:db8::2'; To = '2001:db8:1::7' }
        ) {
            $block = Block-ConntrackTraffic -SourceAddress $From
            Test-Ping $From $To | Should -BeFalse
            Test-Ping $To $From | Should -BeTrue -Because 'a flow to the address was not named, and its answers come from there'
            Test-Ping $Other $To | Should -BeTrue
            Get-Dropped $block | Should -Be 1
            @(Get-KernelEntry $namespace | Where-Object SourceAddress -EQ $From).Count | Should -Be 0 -Because 'a dropped packet makes no entry'
            Get-ConntrackBlock | Unblock-ConntrackTraffic
            Test-Ping $From $To | Should -BeTrue
        }

        It 'drops what an address sends and gets, before connection tracking: <Address>' -ForEach @(
            @{ Address = '192.0.2.1'; Other = '192.0.2.2'; To = '198.51.100.7' }
            @{ Address = '2001:db8::1'; Other = '2001:db8::2'; To = '2001:db8:1::7' }
        ) {
            $block = Block-ConntrackTraffic -Address $Address
            Test-Ping $Address $To | Should -BeFalse
            Test-Ping $To $Address | Should -BeFalse
            Test-Ping $Other $To | Should -BeTrue
            Get-KernelEntry $namespace | Where-Object { $Address -in $_.SourceAddress, $_.DestinationAddress } | Should -BeNullOrEmpty
            $table = (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n"
            $table | Should -Match 'type filter hook prerouting priority raw; policy accept;'
            $table | Should -Match 'type filter hook output priority raw; policy accept;'
        }

        It 'stands, and is listed, when the pipeline wants no more' {
            $block = Block-ConntrackTraffic -SourceAddress 192.0.2.1 | Select-Object -First 1
            (Get-ConntrackBlock).Id | Should -Be $block.Id
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
        }

        It 'takes prefixes of both families, also such as overlap and touch' {
            $block = Block-ConntrackTraffic -SourceAddress 192.0.2.0/25, 192.0.2.128/25, 192.0.2.7, 2001:db8::/64 -DestinationAddress 198.51.100.7, 2001:db8:1::/48
            $elements = Invoke-InNamespace $namespace nft list table inet $block.Table | Where-Object { $_ -match 'elements' } | ForEach-Object Trim | Sort-Object
            $elements | Should -Be 'elements = { 192.0.2.0/24 }', 'elements = { 198.51.100.7 }', 'elements = { 2001:db8::/64 }', 'elements = { 2001:db8:1::/48 }'
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
            Test-Ping 2001:db8::1 2001:db8:1::7 | Should -BeFalse
            Test-Ping 192.0.2.1 192.0.2.2 | Should -BeTrue
            Test-Ping 2001:db8::1 2001:db8::2 | Should -BeTrue
        }

        It 'takes ranges up to the last address and port' {
            $block = Block-ConntrackTraffic -SourceAddress 255.0.0.0/8, ffff::/16 -DestinationPort 65000-65535, 53
            (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n" | Should -Match 'elements = \{ 53, 65000-65535 \}'
            (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n" | Should -Match 'elements = \{ 255\.0\.0\.0/8 \}'
        }

        It 'drops one type of ICMP and lets the others pass' {
            Block-ConntrackTraffic -IcmpType 13 -Protocol icmp | Out-Null
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue
            Block-ConntrackTraffic -IcmpType 8 -SourceAddress 192.0.2.1 | Out-Null
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
            Test-Ping 2001:db8::1 2001:db8:1::7 | Should -BeTrue
        }

        It 'takes hundreds of addresses' {
            $addresses = 0..999 | ForEach-Object { "10.0.$([int][math]::Floor($_ / 100)).$($_ % 100 * 2)" }
            $block = Block-ConntrackTraffic -SourceAddress ($addresses + '192.0.2.1')
            ([regex]::Matches((Get-Ruleset), '\b10\.0\.\d+\.\d+\b')).Count | Should -Be 1000
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
            Test-Ping 192.0.2.2 198.51.100.7 | Should -BeTrue
            Get-Dropped $block | Should -Be 1
        }

        It 'drops only flows that exist where new ones cannot be matched: by mark' {
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue
            Test-Ping 2001:db8::1 2001:db8:1::7 | Should -BeTrue
            Get-ConntrackEntry | Set-ConntrackEntry -NewMark 7
            $block = Block-ConntrackTraffic -Mark 7
            $block.CoversNewFlows | Should -BeFalse
            $block.TupleCount | Should -Be 4
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue -Because 'a new ping has a new id'
        }

        It 'refuses a filter that names nothing: <_>' -ForEach '', '-SourceAddress 0.0.0.0/0', '-Mark 0/0' {
            $failure = Get-Failure ([scriptblock]::Create("Block-ConntrackTraffic $_"))
            $failure.FullyQualifiedErrorId | Should -Be 'NoFilter,ConntrackPS.Commands.BlockConntrackTrafficCommand'
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'refuses zones, which packets don''t show' {
            (Get-Failure { Block-ConntrackTraffic -SourceAddress 192.0.2.1 -Zone 5 }).FullyQualifiedErrorId | Should -BeLike 'ZoneNotBlockable,*'
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'only reports with -WhatIf' {
            Block-ConntrackTraffic -SourceAddress 192.0.2.1 -WhatIf | Should -BeNullOrEmpty
            Get-Ruleset | Should -Not -Match conntrackps
        }
    }

    Context 'Block-ConntrackTraffic by entries' {
        It 'drops exactly these flows, both ways: <From>' -ForEach @(
            @{ From = '192.0.2.1'; To = '198.51.100.7' }
            @{ From = '2001:db8::1'; To = '2001:db8:1::7' }
        ) {
            ip netns exec $namespace ping -q -c1 -e 4660 -I $From $To | Out-Null
            Get-ConntrackEntry -SourceAddress $From | Block-ConntrackTraffic | Out-Null
            ip netns exec $namespace ping -q -c1 -W1 -e 4660 -I $From $To | Out-Null
            $LASTEXITCODE | Should -Be 1
            ip netns exec $namespace ping -q -c1 -W1 -e 4661 -I $From $To | Out-Null
            $LASTEXITCODE | Should -Be 0 -Because 'another id is another flow'
        }

        It 'takes entries that were read from a file, and says what it leaves out' {
            Add-KernelEntry $namespace @{ udp = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 2 --src-nat 203.0.113.9:7'; zone = '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 1 --dport 2 -w 5' }
            Get-ConntrackEntry | Export-Csv TestDrive:/entries.csv
            $block = Import-Csv TestDrive:/entries.csv | Block-ConntrackTraffic -WarningVariable warning -WarningAction SilentlyContinue
            $warning | Should -Match '^1 flow '
            $block.TupleCount | Should -Be 2
            $listed = (Get-Ruleset) -replace '\s+', ' '
            $listed | Should -Match ([regex]::Escape('192.0.2.1 . 198.51.100.7 . udp . 1 . 2'))
            $listed | Should -Match ([regex]::Escape('198.51.100.7 . 203.0.113.9 . udp . 2 . 7'))
            $listed | Should -Not -Match ([regex]::Escape('192.0.2.2 . 198'))
        }

        It 'reports an object that names no entry, and continues' {
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue
            $block = [pscustomobject]@{ Protocol = 'tcp' }, (Get-ConntrackEntry) | Block-ConntrackTraffic -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
            $block.TupleCount | Should -Be 2
        }
    }

    Context 'Several blocks' {
        It 'are apart from each other and from other tables' {
            $before = Get-Ruleset
            $first = Block-ConntrackTraffic -SourceAddress 192.0.2.1
            $second = Block-ConntrackTraffic -SourceAddress 192.0.2.2
            $first.Table | Should -Not -Be $second.Table
            Get-Ruleset | Should -Match "table inet $($first.Table) \{ # progname .*\n\s+flags owner"
            $first | Unblock-ConntrackTraffic
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue
            Test-Ping 192.0.2.2 198.51.100.7 | Should -BeFalse
            $second | Unblock-ConntrackTraffic
            (Get-Ruleset) -replace 'packets \d+ bytes \d+' | Should -Be ($before -replace 'packets \d+ bytes \d+')
        }

        It 'can''t be removed by another process' {
            $block = Block-ConntrackTraffic -SourceAddress 192.0.2.1
            ip netns exec $namespace nft delete table inet $block.Table 2>&1 | Out-Null
            $LASTEXITCODE | Should -Not -Be 0
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
        }
    }

    Context 'Rulesets that are loaded meanwhile' {
        BeforeEach {
            $block = Block-ConntrackTraffic -SourceAddress 192.0.2.1
            $file = (Get-Item TestDrive:/).FullName + '/saved.nft'
            $before = (Get-Ruleset) -replace 'packets \d+ bytes \d+'

            <# Loads the file. Returns the output of nft, and whether it accepted the file. #>
            function Invoke-Load {
                $said = ip netns exec $namespace nft -f $file 2>&1 | Out-String
                [pscustomobject]@{ Said = $said; Taken = $LASTEXITCODE -eq 0 }
            }
        }
        AfterEach {
            Get-ConntrackBlock | Unblock-ConntrackTraffic
            Invoke-InNamespace $namespace nft flush ruleset
            Invoke-InNamespace $namespace nft -f (Get-Item TestDrive:/rules.nft).FullName
        }

        It 'do not touch a block that they do not name, with flush ruleset too' {
            Set-Content $file 'flush ruleset', (Get-Content TestDrive:/rules.nft -Raw), 'table inet other { }'
            (Invoke-Load).Taken | Should -BeTrue
            (Invoke-InNamespace $namespace nft list tables) | Should -Be "table inet $($block.Table)", 'table inet bystander', 'table inet other'
            Invoke-InNamespace $namespace nft flush ruleset
            (Invoke-InNamespace $namespace nft list tables) | Should -Be "table inet $($block.Table)"
            Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
            (Get-ConntrackBlock $block.Id).LossCount | Should -Be 0
        }

        It 'are refused as a whole where they were saved with the block in them, for as long as that is held' {
            Set-Content $file 'flush ruleset', (Invoke-InNamespace $namespace nft list ruleset)
            $load = Invoke-Load
            $load.Taken | Should -BeFalse
            $load.Said | Should -Match 'Operation not permitted'
            (Get-Ruleset) -replace 'packets \d+ bytes \d+' | Should -Be $before
            $block | Unblock-ConntrackTraffic
            (Invoke-Load).Taken | Should -BeTrue
            (Invoke-InNamespace $namespace nft list tables) | Should -Be 'table inet bystander' -Because 'what was the block''s went with nft, its new owner'
        }

        It 'load at any time where they were saved without blocks, as docs/blocking.md says' {
            $command = [regex]::Match((Get-Content "$PSScriptRoot/../../docs/blocking.md" -Raw), '(?m)^    (nft list tables \|.*)$').Groups[1].Value
            $command | Should -Not -BeNullOrEmpty
            Set-Content $file 'flush ruleset', (Invoke-InNamespace $namespace sh -c $command)
            Get-Content $file -Raw | Should -Match 'bystander'
            (Invoke-Load).Taken | Should -BeTrue
            (Invoke-InNamespace $namespace nft list tables) | Should -Be "table inet $($block.Table)", 'table inet bystander'
        }
    }

    Context 'The SSH connection it runs in' {
        BeforeEach {
            $env:SSH_CONNECTION = '192.0.2.1 50022 198.51.100.7 22'
        }
        AfterEach {
            $env:SSH_CONNECTION = $env:SSH_CLIENT = $null
        }

        It 'is not blocked: <_>' -ForEach @(
            '-SourceAddress 192.0.2.1', '-SourceAddress 192.0.2.0/24 -Protocol tcp', '-DestinationPort 22', '-Address 198.51.100.7', '-Protocol tcp'
            '-AddressFamily IPv4', '-ReplySourceAddress 198.51.100.7', '-Port 50022'
        ) {
            $failure = Get-Failure ([scriptblock]::Create("Block-ConntrackTraffic $_"))
            $failure.FullyQualifiedErrorId | Should -Be 'OwnConnection,ConntrackPS.Commands.BlockConntrackTrafficCommand'
            "$failure" | Should -Match ([regex]::Escape('192.0.2.1:50022 -> 198.51.100.7:22'))
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'is known where sshd writes IPv4 addresses as IPv6 ones, and where the user does: <Variable>, <Filter>' -ForEach @(
            @{ Variable = '::ffff:192.0.2.1 50022 ::ffff:198.51.100.7 22'; Filter = '-SourceAddress 192.0.2.1' }
            @{ Variable = '::ffff:192.0.2.1 50022 ::ffff:198.51.100.7 22'; Filter = '-ReplySourceAddress 198.51.100.0/24' }
            @{ Variable = '192.0.2.1 50022 198.51.100.7 22'; Filter = '-SourceAddress ::ffff:192.0.2.1' }
            @{ Variable = '192.0.2.1 50022 198.51.100.7 22'; Filter = '-Address ::ffff:192.0.2.0/120' }
        ) {
            $env:SSH_CONNECTION = $Variable
            (Get-Failure ([scriptblock]::Create("Block-ConntrackTraffic $Filter"))).FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
            Get-Ruleset | Should -Not -Match conntrackps
        }

        It 'is no obstacle to other blocks: <_>' -ForEach '-SourceAddress 192.0.2.1 -Protocol udp', '-SourceAddress 192.0.2.2', '-DestinationPort 23', '-DestinationAddress 192.0.2.1', '-AddressFamily IPv6' {
            (& ([scriptblock]::Create("Block-ConntrackTraffic $_"))).Id | Should -BeGreaterThan 0
        }

        It 'is blocked with -Force' {
            (Block-ConntrackTraffic -SourceAddress 192.0.2.1 -Force).Packets | Should -Be 0
            Get-Ruleset | Should -Match conntrackps
        }

        It 'is known by SSH_CLIENT too' {
            $env:SSH_CONNECTION = $null
            $env:SSH_CLIENT = '192.0.2.1 50022 22'
            (Get-Failure { Block-ConntrackTraffic -SourceAddress 192.0.2.1 }).FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
        }

        It 'is found translated, by the entry that it has' {
            Add-KernelEntry $namespace @{ ssh = '-s 192.0.2.1 -d 203.0.113.1 -p tcp --sport 50022 --dport 2222 --state ESTABLISHED --dst-nat 198.51.100.7:22' }
            (Get-Failure { Block-ConntrackTraffic -DestinationAddress 203.0.113.1 }).FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
            (Get-Failure { Block-ConntrackTraffic -State Established }).FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
        }

        It 'is left out of entries, and the others are blocked' {
            Add-KernelEntry $namespace @{
                ssh   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 50022 --dport 22 --state ESTABLISHED'
                other = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 50023 --dport 22 --state ESTABLISHED'
            }
            $block = Get-ConntrackEntry | Block-ConntrackTraffic -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
            $block.TupleCount | Should -Be 2
            Get-Ruleset | Should -Not -Match '50022'
        }

        It 'is found where sudo cleared the environment, by the processes above' {
            $said = Invoke-Child { try { Block-ConntrackTraffic -SourceAddress 192.0.2.1 -NetworkNamespace $Namespace } catch { $_.FullyQualifiedErrorId } } -Namespace $namespace -Prefix 'sh', '-c', 'env -u SSH_CONNECTION "$@"; true', 'sh'
            $said | Should -Be 'OwnConnection,ConntrackPS.Commands.BlockConntrackTrafficCommand'
        }
    }

    Context 'The end of the process' {
        It 'ends its blocks, however it comes: <_>' -ForEach 'KILL', 'TERM' {
            $file = New-ChildScript { $null = Block-ConntrackTraffic -SourceAddress 192.0.2.1 -NetworkNamespace $Namespace; Start-Sleep 600 } -Namespace $namespace
            $process = Start-PowerShell '-NoProfile', '-File', $file
            try {
                Wait-Until { (Get-Ruleset) -match 'conntrackps' } 'the child has not blocked'
                Test-Ping 192.0.2.1 198.51.100.7 | Should -BeFalse
                kill "-$_" $process.Id
                $process.WaitForExit()
                Wait-Until { (Get-Ruleset) -notmatch 'conntrackps' } 'the block outlived its process'
                Test-Ping 192.0.2.1 198.51.100.7 | Should -BeTrue
            }
            finally {
                if (-not $process.HasExited) {
                    $process.Kill()
                }
                Remove-Item $file
            }
        }

        It 'of the module ends them too' {
            $said = Invoke-Child {
                $null = Block-ConntrackTraffic -SourceAddress 192.0.2.1 -NetworkNamespace $Namespace
                (ip netns exec $Namespace nft list ruleset) -match 'conntrackps' ? 'up' : 'down'
                Remove-Module ConntrackPS
                (ip netns exec $Namespace nft list ruleset) -match 'conntrackps' ? 'up' : 'down'
            } -Namespace $namespace
            $said | Should -Be 'up', 'down'
        }
    }

    Context 'Without privilege' {
        It 'says so and blocks nothing' {
            $said = Invoke-Child { try { Block-ConntrackTraffic -SourceAddress 192.0.2.1 } catch { $_.FullyQualifiedErrorId } } -Prefix 'ip', 'netns', 'exec', $namespace, 'setpriv', '--bounding-set=-net_admin'
            $said | Should -Be 'PermissionDenied,ConntrackPS.Commands.BlockConntrackTrafficCommand'
            Get-Ruleset | Should -Not -Match conntrackps
        }
    }
}
