BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/BlockLab.psm1" -Force

    $lab = New-BlockLab
    $router = $lab.Router
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $router

    <# The tables of blocks that nft lists. #>
    function Get-BlockTable {
        @(Invoke-InNamespace $router nft list tables) -match 'conntrackps'
    }

    <# Starts a pwsh with our module. Returns the process. #>
    function Start-Child([scriptblock] $Script) {
        $file = New-ChildScript $Script -Namespace $router
        $process = Start-PowerShell '-NoProfile', '-File', $file
        Register-NamespaceProcess $router $process
        Add-Member -InputObject $process Script $file
        $process
    }
}

AfterAll {
    Get-ConntrackBlock | Unblock-ConntrackTraffic
    Remove-BlockLab $lab
}

Describe 'A flood through a DNAT router, over <Family>' -ForEach @{ Family = 'IPv4' }, @{ Family = 'IPv6' } {
    BeforeAll {
        $public, $inside = $lab.Public[$Family], $lab.Host[$Family]
        Clear-ConntrackTable -Confirm:$false
        $flood = Start-LabTraffic $lab $lab.Outside flood $public 5000 500
        Wait-Until { @(Get-LabFlow $lab -Family $Family).Count -ge 500 } 'the flood does not flow'
    }

    AfterAll {
        $null = Stop-LabTraffic $flood
        Get-ConntrackBlock | Unblock-ConntrackTraffic
        Clear-ConntrackTable -Confirm:$false
    }

    AfterEach {
        Get-ConntrackBlock | Unblock-ConntrackTraffic
    }

    It 'stays away while it is blocked, by <Name>' -ForEach @(
        @{ Name = 'the public address'; Filter = { @{ DestinationAddress = $public; DestinationPort = 5000 } } }
        @{ Name = 'the translated address'; Filter = { @{ TranslatedDestinationAddress = $inside } } }
        @{ Name = 'the translated address, of either end'; Filter = { @{ TranslatedAddress = $inside; AnyNat = $true } } }
        @{ Name = 'the source'; Filter = { @{ SourceAddress = $Family -eq 'IPv4' ? '198.51.100.2' : '2001:db8:100::2' } } }
        @{ Name = 'any address'; Filter = { @{ Address = $inside; Port = 5000 } } }
    ) {
        $names = & $Filter
        Wait-Until { @(Get-ConntrackEntry @names).Count -ge 100 } 'the flood has not come back'
        $block = Block-ConntrackTraffic @names
        Remove-ConntrackEntry @names -Block
        foreach ($i in 1..20) {
            $dropped = (Get-ConntrackBlock $block.Id).Packets
            Wait-Until { (Get-ConntrackBlock $block.Id).Packets -gt $dropped + 100 } 'nothing is dropped'
            Get-LabFlow $lab -Family $Family | Select-Object -First 1 | Should -BeNullOrEmpty -Because 'the flood goes on, and none of it may pass'
        }
        $shown = Invoke-InNamespace $router nft list table inet $block.Table | ForEach-Object { [long] [regex]::Match($_, 'packets (\d+)').Groups[1].Value } | Measure-Object -Sum
        $shown.Sum | Should -BeGreaterOrEqual $dropped -Because 'the counters are nft''s'
    }

    It 'does not touch other flows: those of the inner host behind the same public address' {
        $block = Block-ConntrackTraffic -DestinationAddress $public
        $outside = $Family -eq 'IPv4' ? '198.51.100.2' : '2001:db8:100::2'
        Test-LabAnswer $lab $lab.Inside $outside 6000 -SourcePort 3000 | Should -BeTrue
        @(Get-LabFlow $lab -Family $Family -Port 6000).Count | Should -Be 1
        (Get-ConntrackBlock $block.Id).Packets | Should -BeGreaterThan 0
    }

    It 'leaves nothing behind when its process is killed' {
        $child = Start-Child { Remove-ConntrackEntry -SourceAddress 198.51.100.2, 2001:db8:100::2 -BlockTime 600 -NetworkNamespace $Namespace }
        try {
            Wait-Until { (Get-BlockTable) -and @(Get-LabFlow $lab -Family $Family).Count -eq 0 } 'the child does not block'
            kill -KILL $child.Id
            $child.WaitForExit()
            Wait-Until { -not (Get-BlockTable) } 'the block outlived its process'
            Wait-Until { @(Get-LabFlow $lab -Family $Family).Count -ge 500 } 'the flood has not come back'
            (Invoke-InNamespace $router nft list ruleset) -join "`n" | Should -Not -Match 'conntrackps|drop'
        }
        finally {
            Remove-Item $child.Script
        }
    }

    # The last one: some flows of the flood come back reversed, because answers were still on their way.
    It 'comes back at once after a deletion without -Block' {
        Wait-Until { @(Get-LabFlow $lab -Family $Family).Count -ge 500 } 'the flood has not come back'
        @(Remove-ConntrackEntry -DestinationAddress $public -PassThru).Count | Should -BeGreaterThan 0
        # One entry for each socket, in either direction: the removed entries are back.
        Wait-Until { @(Get-LabFlow $lab -Family $Family).Count -ge 500 } 'the flood has not come back'
    }
}

Describe 'Remove-ConntrackEntry -Block' {
    BeforeAll {
        # A namespace without packets, because packets in the lab arrive for some time.
        $router = New-TestNamespace
        $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $router
        $table = @{
            one   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
            two   = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 40002 --dport 53 --src-nat 203.0.113.9'
            three = '-s 2001:db8::1 -d 2001:db8:1::7 -p udp --sport 40003 --dport 53'
            zone  = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 40002 --dport 53 -w 5'
        }
    }

    AfterAll {
        Remove-TestNamespace $router
    }

    BeforeEach {
        Reset-KernelTable $router $table
    }

    It 'deletes what the filter names and nothing else, and takes the block down' {
        Remove-ConntrackEntry -SourceAddress 192.0.2.1 -Protocol tcp -Block
        Get-KernelName $router | Should -Be 'three', 'two', 'zone'
        Get-BlockTable | Should -BeNullOrEmpty
    }

    It 'deletes by what no packet shows too' {
        Remove-ConntrackEntry -State Established -Block
        Get-KernelName $router | Should -Be 'three', 'two', 'zone'
    }

    It 'deletes what the pipeline brings, live or from a file, and emits it' {
        $removed = Get-ConntrackEntry -Protocol udp -Zone 0 | Select-Object * | Remove-ConntrackEntry -Block -PassThru
        @($removed).Count | Should -Be 2
        Get-KernelName $router | Should -Be 'one', 'zone'
    }

    It 'deletes flows in zones, and says that they are not blocked' {
        Get-ConntrackEntry -Zone 5 | Remove-ConntrackEntry -Block -WarningVariable warning -WarningAction SilentlyContinue
        $warning | Should -Match '^1 flow was deleted but not blocked'
        Get-KernelName $router | Should -Be 'one', 'three', 'two'
    }

    It 'refuses zones as a filter and deletes nothing' {
        (Get-Failure { Remove-ConntrackEntry -SourceAddress 192.0.2.1 -Zone 5 -Block }).FullyQualifiedErrorId | Should -Be 'ZoneNotBlockable,ConntrackPS.Commands.RemoveConntrackEntryCommand'
        Get-KernelCount $router | Should -Be 4
    }

    It 'is no error where nothing matches' {
        Remove-ConntrackEntry -SourceAddress 192.0.2.99 -Block
        Get-KernelCount $router | Should -Be 4
    }

    It 'reports both with -WhatIf, and does neither' {
        $said = Invoke-Child { Remove-ConntrackEntry -SourceAddress 192.0.2.1 -Protocol tcp -Block -WhatIf -NetworkNamespace $Namespace } -Namespace $router
        $said -match 'Block conntrack traffic' | Should -HaveCount 1
        $said -match 'Remove conntrack entry' | Should -HaveCount 1
        $said = Invoke-Child { Get-ConntrackEntry -Protocol tcp -NetworkNamespace $Namespace | Remove-ConntrackEntry -Block -WhatIf } -Namespace $router
        $said -match 'Block the traffic of, and remove' | Should -HaveCount 1
        Get-KernelCount $router | Should -Be 4
        Get-BlockTable | Should -BeNullOrEmpty
    }

    It 'spares the SSH connection, by filter and by entry' {
        $env:SSH_CONNECTION = '192.0.2.1 40001 198.51.100.7 80'
        try {
            (Get-Failure { Remove-ConntrackEntry -SourceAddress 192.0.2.1 -Block }).FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
            Get-KernelCount $router | Should -Be 4
            Get-ConntrackEntry -Protocol tcp, udp -Zone 0 | Remove-ConntrackEntry -Block -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
            Get-KernelName $router | Should -Be 'one', 'zone'
            Remove-ConntrackEntry -SourceAddress 192.0.2.1 -Protocol tcp -Block -Force
            Get-KernelName $router | Should -Be 'zone'
        }
        finally {
            $env:SSH_CONNECTION = $null
        }
    }

    It 'spares the group with the SSH connection, and continues with the others' {
        $env:SSH_CONNECTION = '192.0.2.1 40001 198.51.100.7 80'
        try {
            Measure-ConntrackEntry -GroupBy DestinationPort | Sort-Object Count |
                Remove-ConntrackEntry -Block -ErrorVariable failure -ErrorAction SilentlyContinue
        }
        finally {
            $env:SSH_CONNECTION = $null
        }
        $failure.FullyQualifiedErrorId | Should -BeLike 'OwnConnection,*'
        $failure.TargetObject.Name | Should -Be '80'
        Get-KernelName $router | Should -Be 'one'
    }

    It 'keeps the block up for -BlockTime, until Ctrl+C' {
        $child = Start-Child { Remove-ConntrackEntry -SourceAddress 192.0.2.1 -BlockTime 600 -NetworkNamespace $Namespace }
        try {
            Wait-Until { (Get-BlockTable) -and (Get-KernelCount $router) -eq 1 } 'the child does not block'
            kill -INT $child.Id
            Wait-Until { -not (Get-BlockTable) } 'Ctrl+C did not take the block down'
            $child.WaitForExit()
        }
        finally {
            Remove-Item $child.Script
        }
    }

    It 'blocks entries of several namespaces at once' {
        $other = New-TestNamespace @{ four = '-s 192.0.2.4 -d 198.51.100.7 -p udp --sport 1 --dport 2' }
        $file = New-ChildScript {
            $others = $Namespace -split ' '
            $others | ForEach-Object { Get-ConntrackEntry -Protocol udp -Zone 0 -NetworkNamespace $_ } | Remove-ConntrackEntry -BlockTime 600
        } -Namespace "$router $other"
        $child = Start-PowerShell '-NoProfile', '-File', $file
        Register-NamespaceProcess $router $child
        try {
            Wait-Until { (Get-BlockTable) -and (Invoke-InNamespace $other nft list tables) -match 'conntrackps' } 'the child does not block both'
            Wait-Until { (Get-KernelCount $other) -eq 0 -and (Get-KernelCount $router) -eq 2 } 'entries are left'
            kill -KILL $child.Id
            $child.WaitForExit()
        }
        finally {
            Remove-Item $file
            Remove-TestNamespace $other
        }
    }

    It 'warns of a block that the kernel lost meanwhile' {
        $job = Start-ThreadJob -ArgumentList (Get-Module ConntrackPS).Path, $router {
            param($Module, $Namespace)
            Import-Module $Module
            Remove-ConntrackEntry -SourceAddress 192.0.2.1 -BlockTime 10 -NetworkNamespace $Namespace -WarningVariable warning -WarningAction SilentlyContinue
            "$warning"
        }
        Wait-Until { Get-BlockTable } 'the block is not up'
        $table = (Get-BlockTable) -replace '^table inet '
        Remove-KernelTable $table
        Wait-Until { (Get-BlockTable) -match $table } 'the table is not made again'
        $job | Receive-Job -Wait -AutoRemoveJob | Should -Match "has lost the block's table $table once"
        Get-BlockTable | Should -BeNullOrEmpty
    }

    It 'ends after -BlockTime' {
        Remove-ConntrackEntry -SourceAddress 192.0.2.1 -BlockTime 1
        Get-KernelName $router | Should -Be 'three'
        Get-BlockTable | Should -BeNullOrEmpty
    }
}
