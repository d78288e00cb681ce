<# Confirmation without a user: pwsh -NonInteractive, and hosts without a prompt. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $namespace = New-TestNamespace ([ordered]@{
            first  = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 4000 --dport 90'
            second = '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 4000 --dport 90'
        })
    New-ConntrackTimeoutPolicy -Name p -Protocol Udp -Replied 5 -NetworkNamespace $namespace
    $entry = Get-ConntrackEntry 192.0.2.1 -NetworkNamespace $namespace

    $file = New-ChildScript -Namespace $namespace {
        $entry = Import-Clixml $args[0]
        foreach ($line in $args | Select-Object -Skip 1) {
            try {
                $null = & ([scriptblock]::Create($line))
                "$line`t`tno error`t"
            }
            catch {
                $line, $_.FullyQualifiedErrorId, "$_", $_.CategoryInfo.Category -join "`t"
            }
        }
    }
    $kept = "$file.xml"
    $entry | Export-Clixml $kept
    $wholeState = { Invoke-InNamespace $namespace sh -c 'conntrack -L -o id 2>/dev/null | sed "s/ 17 [0-9]* / /" | sort; sysctl -a -r "conntrack_(acct|udp)"; nfct list timeout; nft list ruleset' }
    $before = & $wholeState
    $lines = @(
        'Clear-ConntrackTable -NetworkNamespace $Namespace'
        'Clear-ConntrackTable -Expectation -NetworkNamespace $Namespace'
        'Remove-ConntrackEntry 192.0.2.1 -Confirm -NetworkNamespace $Namespace'
        '$entry | Remove-ConntrackEntry -Confirm'
        'Remove-ConntrackEntry 192.0.2.1 -Block -Confirm -NetworkNamespace $Namespace'
        '$entry | Remove-ConntrackEntry -Block -Confirm'
        'Set-ConntrackEntry 192.0.2.1 -NewMark 7 -Confirm -NetworkNamespace $Namespace'
        '$entry | Set-ConntrackEntry -NewMark 7 -Confirm'
        'New-ConntrackEntry -Protocol Udp -SourceAddress 192.0.2.9 -SourcePort 1 -DestinationAddress 192.0.2.8 -DestinationPort 2 -Timeout 60 -Confirm -NetworkNamespace $Namespace'
        'New-ConntrackExpectation -Master $entry -SourceAddress 192.0.2.1 -DestinationAddress 198.51.100.7 -DestinationPort 99 -Protocol Udp -Timeout 9 -Confirm'
        'Block-ConntrackTraffic 192.0.2.1 -Confirm -NetworkNamespace $Namespace'
        'Set-ConntrackSetting Accounting On -Confirm -NetworkNamespace $Namespace'
        'Set-ConntrackTimeout Udp Replied 199 -Confirm -NetworkNamespace $Namespace'
        'New-ConntrackTimeoutPolicy q Udp -Replied 99 -Confirm -NetworkNamespace $Namespace'
        'Set-ConntrackTimeoutPolicy p -Replied 99 -Confirm -NetworkNamespace $Namespace'
        'Remove-ConntrackTimeoutPolicy p -Confirm -NetworkNamespace $Namespace'
        'Get-ConntrackEntry 192.0.2.1 -ResetCounter -Confirm -NetworkNamespace $Namespace'
        '$ConfirmPreference = "Low"; Remove-ConntrackEntry 192.0.2.1 -NetworkNamespace $Namespace'
    )
    $answers = @{}
    foreach ($answer in Invoke-PowerShell (@('-NoProfile', '-NonInteractive', '-File', $file, $kept) + $lines)) {
        $line, $id, $message, $category = $answer -split "`t"
        $answers[$line] = @{ Id = $id; Message = $message; Category = $category }
    }
}

AfterAll {
    Remove-Item $file, $kept
    Remove-TestNamespace $namespace
}

Describe 'Confirmation without a user' {
    It "are PowerShell's own error, and say how to do without" {
        $answers.Keys | Sort-Object | Should -Be ($lines | Sort-Object)
        foreach ($line in $lines) {
            $command = [regex]::Match($line, '\w+-Conntrack\w+').Value.Replace('-', '')
            $answers[$line].Id | Should -Be "InvalidOperation,ConntrackPS.Commands.${command}Command" -Because $line
            $answers[$line].Category | Should -Be 'InvalidOperation'
            $answers[$line].Message | Should -BeLike '*NonInteractive mode*-Confirm:$false*'
        }
    }

    It 'change nothing' {
        & $wholeState | Should -Be $before
    }

    It 'are no questions with -Confirm:$false' {
        $said = Invoke-PowerShell '-NoProfile', '-NonInteractive', '-File', $file, $kept, '$entry | Set-ConntrackEntry -NewMark 7 -Confirm:$false', 'Clear-ConntrackTable -Confirm:$false -NetworkNamespace $Namespace -AddressFamily IPv6'
        $said | Should -HaveCount 2
        $said | Should -BeLike "*`t`tno error`t"
        (Get-KernelEntry $namespace | Where-Object SourceAddress -EQ 192.0.2.1).Mark | Should -Be 7
    }

    It 'are a like error in a host without a prompt' {
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript("Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Clear-ConntrackTable -NetworkNamespace $namespace")
            $shell.Invoke() | Should -BeNullOrEmpty
            $shell.Streams.Error | Should -HaveCount 1
            "$($shell.Streams.Error[0])" | Should -BeLike '*-Confirm:$false*'
        }
        finally {
            $shell.Dispose()
        }
        Get-KernelCount $namespace | Should -Be 2
    }
}
