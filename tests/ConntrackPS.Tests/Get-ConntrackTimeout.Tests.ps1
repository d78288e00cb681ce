BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Get-ConntrackTimeout' {
    BeforeAll {
        $namespace = New-TestNamespace
        $timeouts = Get-ConntrackTimeout -NetworkNamespace $namespace -PersistRoot $TestDrive
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'has every protocol and state: <Protocol> <Count>' -ForEach @(
        @{ Protocol = 'Tcp'; Count = 11 }
        @{ Protocol = 'Udp'; Count = 2 }
        @{ Protocol = 'UdpLite'; Count = 2 }
        @{ Protocol = 'Sctp'; Count = 8 }
        @{ Protocol = 'Gre'; Count = 2 }
        @{ Protocol = 'Icmp'; Count = 1 }
        @{ Protocol = 'IcmpV6'; Count = 1 }
        @{ Protocol = 'Generic'; Count = 1 }
    ) {
        @($timeouts | Where-Object Protocol -EQ $Protocol).Count | Should -Be $Count
    }

    It 'shows what sysctl shows' {
        $known = $timeouts | Where-Object Sysctl
        $known.Count | Should -BeGreaterThan 20
        foreach ($timeout in $known) {
            $timeout.TimeoutSeconds | Should -Be (Invoke-InNamespace $namespace sysctl -n $timeout.Sysctl) -Because $timeout.Sysctl
        }
    }

    It 'shows the kernel''s defaults beside them' {
        $timeouts | ForEach-Object { $_.TimeoutSeconds | Should -Be $_.DefaultSeconds -Because "$_" }
        $null = Invoke-InNamespace $namespace sysctl -w net.netfilter.nf_conntrack_tcp_timeout_close=11
        $close = Get-ConntrackTimeout Tcp Close -NetworkNamespace $namespace
        $close.TimeoutSeconds, $close.DefaultSeconds | Should -Be 11, 10
        $null = Invoke-InNamespace $namespace sysctl -w net.netfilter.nf_conntrack_tcp_timeout_close=10
    }

    It 'selects: <Arguments>' -ForEach @(
        @{ Arguments = 'tcp established'; Expected = 'Tcp Established' }
        @{ Arguments = '-Protocol udp, icmp'; Expected = 'Udp Unreplied', 'Udp Replied', 'Icmp' }
        @{ Arguments = '-State SYN_SENT'; Expected = @('Tcp SynSent') }
        @{ Arguments = '-State Established'; Expected = 'Tcp Established', 'Sctp Established' }
        @{ Arguments = '-Protocol tcp, udp -State Replied, Close'; Expected = 'Tcp Close', 'Udp Replied' }
        @{ Arguments = '-Protocol gre -State stream'; Expected = @('Gre Replied') }
        @{ Arguments = 'icmp*'; Expected = 'Icmp', 'IcmpV6' }
        @{ Arguments = 'tcp syn*'; Expected = 'Tcp SynSent', 'Tcp SynRecv', 'Tcp SynSent2' }
        @{ Arguments = 'tcp *_WAIT'; Expected = 'Tcp FinWait', 'Tcp CloseWait', 'Tcp TimeWait' }
        @{ Arguments = 'gre, ud[p] unrep*'; Expected = 'Udp Unreplied', 'Gre Unreplied' }
        @{ Arguments = '* Established'; Expected = 'Tcp Established', 'Sctp Established' }
        @{ Arguments = 'x*'; Expected = @() }
        @{ Arguments = 'tcp x*'; Expected = @() }
    ) {
        $found = & ([scriptblock]::Create("Get-ConntrackTimeout $Arguments -NetworkNamespace $namespace"))
        @($found | ForEach-Object { "$($_.Protocol) $($_.State)".Trim() }) | Should -Be $Expected
    }

    It 'refuses <Arguments>, and names what there is' -ForEach @(
        @{ Arguments = 'tcp nope'; Id = 'TimeoutNotFound'; Message = '*nope*SynSent, SynRecv, Established, FinWait*' }
        @{ Arguments = 'foo'; Id = 'ParameterArgumentTransformationError'; Message = "*'Protocol'*'foo'*Icmp, Tcp, Udp*Generic*" }
        @{ Arguments = '"icmp,gre"'; Id = 'ParameterArgumentTransformationError'; Message = '*Icmp, Tcp, Udp*' }
        @{ Arguments = '"[a-"'; Id = 'ParameterArgumentTransformationError'; Message = '*pattern of names*' }
        @{ Arguments = 'tcp "[a-"'; Id = 'InvalidValue'; Message = '*pattern of names*' }
        @{ Arguments = 'dccp'; Id = 'TimeoutNotSupported'; Message = '*Dccp*' }
        @{ Arguments = 'udp Established'; Id = 'TimeoutNotFound'; Message = '*Established*Unreplied, Replied*' }
        @{ Arguments = 'icmp Established'; Id = 'TimeoutNotFound'; Message = '*no states*' }
        @{ Arguments = 'ipx'; Id = 'ParameterArgumentTransformationError|CannotConvertArgument'; Message = '*Icmp, Tcp, Udp*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Get-ConntrackTimeout $Arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^($Id)"
        "$failure" | Should -BeLike $Message
    }

    It 'shows where the next boot will set another value' {
        $null = New-Item "$TestDrive/etc/sysctl.d" -ItemType Directory -Force
        Set-Content "$TestDrive/etc/sysctl.d/50-admin.conf" 'net.netfilter.nf_conntrack_udp_timeout = 45', 'net.netfilter.nf_conntrack_udp_timeout_stream = 120'
        $unreplied, $replied = Get-ConntrackTimeout Udp -NetworkNamespace $namespace -PersistRoot $TestDrive
        $unreplied.PersistedSeconds | Should -Be 45
        $unreplied.PersistedIn | Should -Be "$TestDrive/etc/sysctl.d/50-admin.conf"
        $unreplied.DiffersFromPersisted | Should -BeTrue
        $replied.DiffersFromPersisted | Should -BeFalse
        (Get-ConntrackTimeout Icmp -PersistRoot $TestDrive).PersistedSeconds | Should -BeNullOrEmpty
        $unreplied | Format-Table | Out-String | Should -Match 'Udp +Unreplied +30 +30 +45 True'
    }

    It 'completes the states of the protocol' {
        $found = (TabExpansion2 'Get-ConntrackTimeout -Protocol udp -State ').CompletionMatches
        $found.CompletionText | Should -Be 'Unreplied', 'Replied'
        $found[0].ToolTip | Should -BeLike '*30 s*'
        (TabExpansion2 'Set-ConntrackTimeout tcp -State Syn').CompletionMatches.CompletionText | Should -Be 'SynSent', 'SynRecv', 'SynSent2'
        (TabExpansion2 'Set-ConntrackTimeout -Protocol ').CompletionMatches.CompletionText | Should -Contain 'Sctp'
    }

    It 'becomes JSON and CSV of primitives' {
        [System.Text.Json.JsonDocument]::Parse(($timeouts[0] | ConvertTo-Json)).RootElement.EnumerateObject() |
            ForEach-Object { "$($_.Value.ValueKind)" } | Should -BeIn 'String', 'Number', 'Null', 'True', 'False'
        ($timeouts | ConvertTo-Csv | ConvertFrom-Csv)[0].State | Should -Be 'SynSent'
    }

    It 'says of each name that it has no timeouts, and nothing of wildcards' {
        if (Get-ConntrackTimeout dccp -ErrorAction Ignore) { return }
        $failures = $null
        $found = @(Get-ConntrackTimeout icmp, dccp, IcmpV* -ErrorAction SilentlyContinue -ErrorVariable failures)
        $found.Protocol | Should -Be 'Icmp', 'IcmpV6'
        @($failures).Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -BeLike 'TimeoutNotSupported,*'
        "$failures" | Should -BeLike '*Dccp*'
        Get-ConntrackTimeout dcc*, nothing* -ErrorAction Stop | Should -BeNullOrEmpty
        @(Get-ConntrackTimeout d*, icmp -ErrorAction Stop).Count | Should -Be 1
        (Get-Failure { Get-ConntrackTimeout -State PartOpen -ErrorAction Continue }).FullyQualifiedErrorId | Should -BeLike 'TimeoutNotSupported,*'
        Get-ConntrackTimeout -State PartO* -ErrorAction Stop | Should -BeNullOrEmpty
        @(Get-ConntrackTimeout -State PartO*, Established, PART_OPEN -ErrorAction SilentlyContinue).State | Sort-Object -Unique | Should -Be 'Established'
        (TabExpansion2 'Get-ConntrackTimeout udp' 24).CompletionMatches.CompletionText | Should -Be 'Udp', 'UdpLite'
    }
}
