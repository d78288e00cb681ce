BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Remove-ConntrackTimeoutPolicy' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace }

        function Get-NfctName {
            [regex]::Matches((Invoke-InNamespace $namespace nfct list timeout) -join "`n", '(?m)^\.(\S+) = \{').ForEach({ $_.Groups[1].Value })
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    BeforeEach {
        foreach ($name in 'a1', 'a2', 'b') {
            $null = Invoke-InNamespace $namespace nfct add timeout $name inet udp unreplied 5
        }
    }

    AfterEach {
        $null = Invoke-InNamespace $namespace iptables -t raw -F
        $null = Invoke-InNamespace $namespace nfct flush timeout
    }

    It 'removes by name, by wildcard, from the pipeline: <Arguments>' -ForEach @(
        @{ Arguments = 'b'; Left = 'a1', 'a2' }
        @{ Arguments = 'a*'; Left = @('b') }
        @{ Arguments = 'a1, b'; Left = @('a2') }
        @{ Arguments = '*'; Left = @() }
        @{ Arguments = 'no*'; Left = 'a1', 'a2', 'b' }
        @{ Arguments = '* -WhatIf'; Left = 'a1', 'a2', 'b' }
    ) {
        & ([scriptblock]::Create("Remove-ConntrackTimeoutPolicy $Arguments -NetworkNamespace $namespace")) | Should -BeNullOrEmpty
        @(Get-NfctName) | Should -Be $Left
    }

    It 'removes what comes through the pipeline, where it is from' {
        Get-ConntrackTimeoutPolicy a* @there | Remove-ConntrackTimeoutPolicy
        Get-NfctName | Should -Be 'b'
    }

    It 'emits what was removed with -PassThru' {
        (Remove-ConntrackTimeoutPolicy a* -PassThru @there | ForEach-Object { "$($_.Name) $($_.Timeout.Unreplied)" }) | Should -Be 'a1 5', 'a2 5'
        Get-NfctName | Should -Be 'b'
    }

    It 'reports one in use, and continues' {
        $null = Invoke-InNamespace $namespace iptables -t raw -A PREROUTING -p udp -j CT --timeout a2
        $null = Invoke-InNamespace $namespace iptables -t raw -A OUTPUT -p udp -j CT --timeout a2
        Remove-ConntrackTimeoutPolicy * @there -ErrorVariable failures -ErrorAction SilentlyContinue
        $failures.Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -Be 'PolicyInUse,ConntrackPS.Commands.RemoveConntrackTimeoutPolicyCommand'
        $failures[0].CategoryInfo.Category | Should -Be 'ResourceBusy'
        "$($failures[0])" | Should -BeLike "*'a2'*2 rules*iptables*"
        (Get-ConntrackTimeoutPolicy @there | ForEach-Object { "$($_.Name) $($_.UseCount)" }) | Should -Be 'a2 2'
    }

    It 'says that a name is missing' {
        $failure = @(Get-Failure { Remove-ConntrackTimeoutPolicy nope @there })
        $failure.FullyQualifiedErrorId | Should -Match '^PolicyNotFound,'
        @(Get-NfctName).Count | Should -Be 3
    }

    It 'refuses an empty name, which would mean all to the kernel' {
        Get-Failure { Remove-ConntrackTimeoutPolicy '' @there } | Should -Not -BeNullOrEmpty
        Get-Failure { [pscustomobject]@{ Name = '' } | Remove-ConntrackTimeoutPolicy @there } | Should -Not -BeNullOrEmpty
        @(Get-NfctName).Count | Should -Be 3
    }
}
