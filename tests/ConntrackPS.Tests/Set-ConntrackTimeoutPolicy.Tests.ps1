BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Set-ConntrackTimeoutPolicy' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    BeforeEach {
        Remove-ConntrackTimeoutPolicy * @there
        New-ConntrackTimeoutPolicy web tcp -Established 600 -Close 3 @there
    }

    It 'changes what is named and nothing else: <Arguments>' -ForEach @(
        @{ Arguments = '-SynSent 7' }
        @{ Arguments = '-Timeout @{ SYN_SENT = 7 }' }
        @{ Arguments = '-Timeout "SynSent=7"' }
    ) {
        & ([scriptblock]::Create("Set-ConntrackTimeoutPolicy web $Arguments -NetworkNamespace $namespace")) | Should -BeNullOrEmpty
        (Invoke-InNamespace $namespace nfct get timeout web) -join ' ' | Should -Match 'SYN_SENT = 7,\s+\.SYN_RECV = 60,\s+\.ESTABLISHED = 600,.*\.CLOSE = 3,'
    }

    It 'takes policies through the pipeline, to the namespace they are from' {
        $policy = Get-ConntrackTimeoutPolicy web @there | Set-ConntrackTimeoutPolicy -Established 2h -PassThru
        $policy.Timeout.Established, $policy.Timeout.Close | Should -Be 7200, 3
    }

    It 'does nothing with -WhatIf' {
        Set-ConntrackTimeoutPolicy web -Close 9 -WhatIf @there
        (Get-ConntrackTimeoutPolicy web @there).Timeout.Close | Should -Be 3
    }

    It 'refuses <Arguments>' -ForEach @(
        @{ Arguments = 'nope -Close 9'; Id = 'PolicyNotFound'; Message = "*'nope'*" }
        @{ Arguments = 'web'; Id = 'NoChange'; Message = '*-Timeout*' }
        @{ Arguments = 'web -Replied 9'; Id = 'TimeoutNotFound'; Message = '*SynSent, SynRecv*' }
        @{ Arguments = 'web -Close 0'; Id = 'ValueOutOfRange'; Message = '*1 to 2147483*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Set-ConntrackTimeoutPolicy $Arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^$Id,"
        "$failure" | Should -BeLike $Message
        (Get-ConntrackTimeoutPolicy @there).Name | Should -Be 'web'
    }
}
