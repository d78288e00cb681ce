BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    function Get-NfctPolicy([string] $Name) {
        (Invoke-InNamespace $namespace nfct get timeout $Name) -join ' ' -replace '\s+', ' '
    }
}

Describe 'New-ConntrackTimeoutPolicy' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    AfterEach {
        Remove-ConntrackTimeoutPolicy * @there
    }

    It 'creates what nfct shows then: <Arguments>' -ForEach @(
        @{ Arguments = 'p tcp -Timeout @{ Established = "1h"; SYN_SENT = 20 }'; Expected = '*l3proto = 2, .l4proto = 6,*SYN_SENT = 20, .SYN_RECV = 60, .ESTABLISHED = 3600,*' }
        @{ Arguments = 'p tcp -Established 1h -SynSent 20'; Expected = '*SYN_SENT = 20, .SYN_RECV = 60, .ESTABLISHED = 3600,*' }
        @{ Arguments = 'p udp -AddressFamily IPv6 -Replied 2m'; Expected = '*l3proto = 10, .l4proto = 17,*UNREPLIED = 30, .REPLIED = 120,*' }
        @{ Arguments = 'p icmp -Timeout 7'; Expected = '*TIMEOUT = 7,*' }
        @{ Arguments = 'p icmp -Timeout @{ Timeout = 8 }'; Expected = '*TIMEOUT = 8,*' }
        @{ Arguments = 'p generic -Timeout "Timeout=9"'; Expected = '*l4proto = 255,*TIMEOUT = 9,*' }
        @{ Arguments = 'p gre -Timeout "Unreplied=1m, Replied=2m"'; Expected = '*l4proto = 47,*UNREPLIED = 60, .REPLIED = 120,*' }
        @{ Arguments = 'p sctp -CookieWait 4'; Expected = '*COOKIE_WAIT = 4,*ESTABLISHED = 210,*' }
        @{ Arguments = 'p udplite'; Expected = '*l4proto = 136,*UNREPLIED = 30, .REPLIED = 120,*' }
        @{ Arguments = '-Name p -Protocol tcp -Timeout @{ Close = 1 } -Close 2'; Expected = '*CLOSE = 2,*' }
    ) {
        & ([scriptblock]::Create("New-ConntrackTimeoutPolicy $Arguments -NetworkNamespace $namespace")) | Should -BeNullOrEmpty
        Get-NfctPolicy p | Should -BeLike $Expected
    }

    It 'emits the policy with -PassThru' {
        $policy = New-ConntrackTimeoutPolicy p udp -Unreplied 3 -PassThru @there
        $policy | Should -BeOfType ConntrackPS.Tuning.Policies.ConntrackTimeoutPolicy
        $policy.Timeout.Unreplied | Should -Be 3
    }

    It 'offers the states of the protocol as parameters' {
        $offered = { param($arguments) (TabExpansion2 "New-ConntrackTimeoutPolicy p $arguments -").CompletionMatches.ListItemText }
        & $offered '-Protocol udp' | Should -Contain 'Unreplied'
        & $offered '-Protocol udp' | Should -Not -Contain 'SynSent'
        & $offered '-Protocol tcp' | Should -Contain 'SynSent'
        & $offered '-Protocol icmp' | Should -Contain 'TimeoutSeconds'
    }

    It 'restores policies from <Form>' -ForEach @(
        @{ Form = 'CSV'; Write = { $input | ConvertTo-Csv }; Read = { $input | ConvertFrom-Csv } }
        @{ Form = 'JSON'; Write = { $input | ConvertTo-Json }; Read = { $input | ConvertFrom-Json } }
        @{ Form = 'CLIXML'; Write = { [System.Management.Automation.PSSerializer]::Serialize(@($input), 4) }; Read = { [System.Management.Automation.PSSerializer]::Deserialize($input) } }
    ) {
        New-ConntrackTimeoutPolicy a tcp -Established 1h @there
        New-ConntrackTimeoutPolicy b icmp -Timeout 4 @there
        $before = (Invoke-InNamespace $namespace nfct list timeout) -join "`n"
        $saved = Get-ConntrackTimeoutPolicy @there | & $Write
        Remove-ConntrackTimeoutPolicy * @there
        $saved | & $Read | New-ConntrackTimeoutPolicy
        (Invoke-InNamespace $namespace nfct list timeout) -join "`n" | Should -Be $before
    }

    It 'creates nothing with -WhatIf' {
        New-ConntrackTimeoutPolicy p udp -WhatIf @there
        Get-ConntrackTimeoutPolicy @there | Should -BeNullOrEmpty
    }

    It 'refuses <Arguments>' -ForEach @(
        @{ Arguments = 'a23456789012345678901234567890xy udp'; Id = 'InvalidPolicyName'; Category = 'InvalidArgument'; Message = '*32 bytes*1 to 31*' }
        @{ Arguments = "'$('ä' * 16)' udp"; Id = 'InvalidPolicyName'; Category = 'InvalidArgument'; Message = '*32 bytes*1 to 31*' }
        @{ Arguments = '" " udp -Timeout @{}'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = '*hashtable*' }
        @{ Arguments = 'p udp -Timeout @{ Established = 1 }'; Id = 'TimeoutNotFound'; Category = 'InvalidArgument'; Message = '*Established*Unreplied, Replied*' }
        @{ Arguments = 'p udp -Timeout @{ Replied = 0 }'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*1 to 2147483 seconds*' }
        @{ Arguments = 'p udp -Timeout @{ Replied = "soon" }'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = '*Replied*soon*' }
        @{ Arguments = 'p udp -Timeout 5'; Id = 'TimeoutNotFound'; Category = '.'; Message = '*timeout for each state*Unreplied, Replied*' }
        @{ Arguments = 'p foo'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = "*'foo'*Icmp, Tcp, Udp*" }
        @{ Arguments = 'p dccp'; Id = 'ProtocolNotTracked'; Category = 'NotImplemented'; Message = "*'p'*" }
        @{ Arguments = 'p udp -AddressFamily IPX'; Id = 'ParameterArgumentTransformationError|CannotConvertArgument'; Category = 'InvalidData|InvalidArgument'; Message = '*IPv4*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("New-ConntrackTimeoutPolicy $Arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^($Id)"
        $failure.CategoryInfo.Category | Should -Match $Category
        "$failure" | Should -BeLike $Message
        Get-ConntrackTimeoutPolicy @there | Should -BeNullOrEmpty
    }

    It 'refuses a name that is taken' {
        New-ConntrackTimeoutPolicy p udp -Unreplied 3 @there
        $failure = @(Get-Failure { New-ConntrackTimeoutPolicy p udp -Unreplied 4 @there })
        $failure.FullyQualifiedErrorId | Should -Match '^PolicyExists,'
        $failure.CategoryInfo.Category | Should -Be 'ResourceExists'
        "$failure" | Should -BeLike '*Set-ConntrackTimeoutPolicy*'
        (Get-ConntrackTimeoutPolicy p @there).Timeout.Unreplied | Should -Be 3
    }
}
