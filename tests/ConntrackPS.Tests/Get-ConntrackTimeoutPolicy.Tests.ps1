BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Get-ConntrackTimeoutPolicy' {
    BeforeAll {
        $namespace = New-TestNamespace
        # name => arguments of nfct
        $policies = [ordered]@{
            'web'      = 'inet tcp established 600 syn_sent 20'
            'web6'     = 'inet6 tcp established 700'
            'dns'      = 'inet udp unreplied 5 replied 10'
            'ping'     = 'inet icmp timeout 3'
            'sigtran'  = 'inet sctp established 99'
            'anything' = 'inet generic timeout 44'
        }
        foreach ($name in $policies.Keys) {
            $null = Invoke-InNamespace $namespace nfct add timeout $name @(-split $policies[$name])
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'lists what nfct lists' {
        $listed = [regex]::Matches((Invoke-InNamespace $namespace nfct list timeout) -join "`n", '(?m)^\.(\S+) = \{').ForEach({ $_.Groups[1].Value })
        (Get-ConntrackTimeoutPolicy -NetworkNamespace $namespace).Name | Should -Be $listed
    }

    It 'has the values that nfct was told: <Name>' -ForEach @(
        @{ Name = 'web'; Family = 'IPv4'; Protocol = 'Tcp'; Values = @{ Established = 600; SynSent = 20; SynRecv = 60 } }
        @{ Name = 'web6'; Family = 'IPv6'; Protocol = 'Tcp'; Values = @{ Established = 700; SynSent = 120 } }
        @{ Name = 'dns'; Family = 'IPv4'; Protocol = 'Udp'; Values = @{ Unreplied = 5; Replied = 10 } }
        @{ Name = 'ping'; Family = 'IPv4'; Protocol = 'Icmp'; Values = @{ Timeout = 3 } }
        @{ Name = 'sigtran'; Family = 'IPv4'; Protocol = 'Sctp'; Values = @{ Established = 99; HeartbeatSent = 30 } }
        @{ Name = 'anything'; Family = 'IPv4'; Protocol = 'Generic'; Values = @{ Timeout = 44 } }
    ) {
        $policy = Get-ConntrackTimeoutPolicy $Name -NetworkNamespace $namespace
        "$($policy.AddressFamily) $($policy.Protocol) $($policy.UseCount) $($policy.Namespace)" | Should -Be "$Family $Protocol 0 $namespace"
        foreach ($state in $Values.Keys) {
            $policy.Timeout.$state | Should -Be $Values[$state]
        }
    }

    It 'selects: <Arguments>' -ForEach @(
        @{ Arguments = 'web*'; Expected = 'web', 'web6' }
        @{ Arguments = 'dns, ping'; Expected = 'dns', 'ping' }
        @{ Arguments = '-Protocol Udp, Icmp'; Expected = 'dns', 'ping' }
        @{ Arguments = 'nothing*'; Expected = @() }
    ) {
        @(& ([scriptblock]::Create("Get-ConntrackTimeoutPolicy $Arguments -NetworkNamespace $namespace")) | ForEach-Object Name) | Should -Be $Expected
    }

    It 'says that a name is missing' {
        $failure = @(Get-Failure { Get-ConntrackTimeoutPolicy nope -NetworkNamespace $namespace })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be 'PolicyNotFound,ConntrackPS.Commands.GetConntrackTimeoutPolicyCommand'
        $failure.CategoryInfo.Category | Should -Be 'ObjectNotFound'
        "$failure" | Should -BeLike "*'nope'*Get-ConntrackTimeoutPolicy*"
    }

    It 'completes names' {
        (TabExpansion2 "Get-ConntrackTimeoutPolicy -NetworkNamespace $namespace -Name we").CompletionMatches.CompletionText | Should -Be 'web', 'web6'
        (TabExpansion2 "Remove-ConntrackTimeoutPolicy -NetworkNamespace $namespace -Name d").CompletionMatches.CompletionText | Should -Be 'dns'
    }

    It 'becomes natural JSON and CSV' {
        $policy = Get-ConntrackTimeoutPolicy dns -NetworkNamespace $namespace
        $policy | ConvertTo-Json -Compress | Should -BeLike '*"Timeout":{"Unreplied":5,"Replied":10}*'
        ($policy | ConvertTo-Csv | ConvertFrom-Csv).Timeout | Should -Be 'Unreplied=5,Replied=10'
        $policy | Format-Table | Out-String | Should -Match 'dns +IPv4 +Udp +0 Unreplied=5,Replied=10'
        $policy | Format-List | Out-String | Should -Match 'Timeout +: Unreplied=5,Replied=10'
    }

    It 'needs a privilege' {
        $failure = Invoke-Child -Prefix ip, netns, exec, $namespace, setpriv, '--bounding-set=-all', '--inh-caps=-all' {
            try { Get-ConntrackTimeoutPolicy } catch { $_.FullyQualifiedErrorId }
        }
        $failure | Should -BeLike 'PermissionDenied,*'
    }
}
