BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/BlockLab.psm1" -Force

    $namespace = New-TestNamespace
    $other = New-TestNamespace

    <# The tables that nft lists. #>
    function Get-Table([string] $Namespace = $namespace) {
        @(Invoke-InNamespace $Namespace nft list tables) -replace '^table inet ' | Sort-Object
    }
}

AfterAll {
    Remove-TestNamespace $namespace, $other
}

Describe 'Get-ConntrackBlock and Unblock-ConntrackTraffic' {
    BeforeEach {
        $one, $two = '192.0.2.1', '192.0.2.2' | ForEach-Object { Block-ConntrackTraffic -SourceAddress $_ -NetworkNamespace $namespace }
        $three = Block-ConntrackTraffic -Address 2001:db8::1 -NetworkNamespace $other
    }

    AfterEach {
        Get-ConntrackBlock | Unblock-ConntrackTraffic
    }

    It 'list every block, in order, with all it is' {
        $blocks = @(Get-ConntrackBlock)
        $blocks.Id | Should -Be $one.Id, $two.Id, $three.Id
        $blocks.Namespace | Should -Be $namespace, $namespace, $other
        $blocks[0].Traffic | Should -Be 'entries with source address 192.0.2.1'
        $blocks[0].CoversNewFlows | Should -BeTrue
        $blocks[0].Since | Should -Be $one.Since
        $blocks[0].Table | Should -BeIn (Get-Table)
        (Get-ConntrackBlock -NetworkNamespace $other).Id | Should -Be $three.Id
        (Get-ConntrackBlock $two.Id).Id | Should -Be $two.Id
        ($three | Get-ConntrackBlock).Id | Should -Be $three.Id
    }

    It 'end blocks by object' {
        $two | Unblock-ConntrackTraffic
        Get-Table | Should -Be $one.Table
        Get-Table $other | Should -Be $three.Table
    }

    It 'end blocks by number, from the pipeline too' {
        $one.Id | Unblock-ConntrackTraffic
        Unblock-ConntrackTraffic $two.Id, $three.Id
        Get-Table | Should -BeNullOrEmpty
        Get-ConntrackBlock | Should -BeNullOrEmpty
    }

    It 'emit a last account with -PassThru' {
        ($one | Unblock-ConntrackTraffic -PassThru).Table | Should -Be $one.Table
    }

    It 'change nothing with -WhatIf' {
        Get-ConntrackBlock | Unblock-ConntrackTraffic -WhatIf
        @(Get-ConntrackBlock).Count | Should -Be 3
    }

    It 'say so where there is no such block, and continue' {
        $failure = $null
        9999, $one.Id | Unblock-ConntrackTraffic -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure.FullyQualifiedErrorId | Should -Be 'BlockNotFound,ConntrackPS.Commands.UnblockConntrackTrafficCommand'
        Get-Table | Should -Be $two.Table
        (Get-Failure { Get-ConntrackBlock $one.Id }).FullyQualifiedErrorId | Should -Be 'BlockNotFound,ConntrackPS.Commands.GetConntrackBlockCommand'
        (Get-Failure { $two | Unblock-ConntrackTraffic -NetworkNamespace $other }).FullyQualifiedErrorId | Should -BeLike 'BlockNotFound,*'
    }

    It 'show a block on one line of 80 columns' {
        $lines = ($one | Format-Table | Out-String -Width 80).Trim() -split "`n"
        $lines[0] | Should -Match '^\s*Id Since +Packets New +Traffic'
        $lines[2] | Should -Match "^ *$($one.Id) \d\d:\d\d:\d\d +0 True +entries with"
    }
}

Describe 'A block whose table the kernel lost' {
    BeforeEach {
        $block = Block-ConntrackTraffic -SourceAddress 192.0.2.1 -NetworkNamespace $namespace
    }

    AfterEach {
        Get-Table | Where-Object { $_ -eq $block.Table } | ForEach-Object { Unblock-ConntrackTraffic $block.Id -WarningAction Ignore }
    }

    It 'is created again automatically, and every command that shows it reports that' {
        Remove-KernelTable $block.Table
        Wait-Until { (Get-Table) -contains $block.Table } 'the table is not made again'
        $shown = Get-ConntrackBlock $block.Id -WarningVariable warning -WarningAction SilentlyContinue
        $shown.IsInForce | Should -BeTrue
        $shown.LossCount | Should -Be 1
        $shown.LastLoss | Should -BeGreaterOrEqual $block.Since
        $warning | Should -Match "^Block $($block.Id): The kernel has lost the block's table $($block.Table) once"
        $ended = $shown | Unblock-ConntrackTraffic -PassThru -WarningVariable warning -WarningAction SilentlyContinue
        $ended.LossCount | Should -Be 1
        $warning | Should -Match 'has lost the block'
        Get-Table | Should -Not -Contain $block.Table
    }

    It 'is shown as the kernel has it, and found by Test-ConntrackHealth, whose remedy fixes it when that is possible' {
        Remove-KernelTable $block.Table -Usurp
        $shown = Get-ConntrackBlock $block.Id -WarningVariable warning -WarningAction SilentlyContinue
        $shown.IsInForce | Should -BeFalse
        $warning | Should -Match 'may not be in force.*EEXIST'
        $finding = @(Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0) | Where-Object Name -Like 'Block*'
        $finding.Name | Should -Be 'BlockNotInForce'
        $finding.Severity | Should -Be 'Critical'
        $finding.Evidence | Should -Match "^Block $($block.Id) of entries with source address 192\.0\.2\.1: .*$($block.Table).*EEXIST"
        Test-ConntrackHealth -NetworkNamespace $other -SampleTime 0 | Where-Object Name -Like 'Block*' | Should -BeNullOrEmpty

        Invoke-InNamespace $namespace nft delete table inet $block.Table
        (Invoke-Expression "$($finding.Remedy) | Out-String" 3> $null) | Should -Match 'IsInForce +: True'
        (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n" | Should -Match 'flags owner'
        $finding = @(Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0) | Where-Object Name -Like 'Block*'
        $finding.Name | Should -Be 'BlockLost'
        $finding.Severity | Should -Be 'Warning'
        Unblock-ConntrackTraffic $block.Id -WarningAction Ignore
        Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 | Where-Object Name -Like 'Block*' | Should -BeNullOrEmpty
    }
}
