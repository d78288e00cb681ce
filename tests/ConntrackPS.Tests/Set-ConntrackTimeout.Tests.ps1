BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    function Get-Sysctl([string] $Name) {
        [long] (Invoke-InNamespace $namespace sysctl -n "net.netfilter.nf_conntrack_$Name")
    }
}

Describe 'Set-ConntrackTimeout' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace; WarningAction = 'SilentlyContinue' }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    AfterEach {
        Get-ConntrackTimeout -NetworkNamespace $namespace | Set-ConntrackTimeout -Reset
    }

    It 'takes <Value> for <Seconds> seconds' -ForEach @(
        @{ Value = 600; Seconds = 600 }
        @{ Value = '600'; Seconds = 600 }
        @{ Value = '5m'; Seconds = 300 }
        @{ Value = '2h4m'; Seconds = 7440 }
        @{ Value = '1d'; Seconds = 86400 }
        @{ Value = [timespan]::FromMinutes(3); Seconds = 180 }
        @{ Value = 2147483; Seconds = 2147483 }
    ) {
        Set-ConntrackTimeout -Protocol Tcp -State Established -Timeout $Value @there
        Get-Sysctl tcp_timeout_established | Should -Be $Seconds
    }

    It 'sets what only netlink has, which nfct shows' {
        Set-ConntrackTimeout tcp SYN_SENT2 77 @there
        (Invoke-InNamespace $namespace nfct default-get timeout inet tcp) -join '' | Should -Match 'SYN_SENT2 = 77'
    }

    It 'needs no state for a protocol with one timeout' {
        Set-ConntrackTimeout -Protocol Icmp -Timeout 12 @there
        Set-ConntrackTimeout Generic -Timeout 13 @there
        Get-Sysctl icmp_timeout | Should -Be 12
        Get-Sysctl generic_timeout | Should -Be 13
    }

    It 'emits nothing, and with -PassThru the timeout as it is then' {
        Set-ConntrackTimeout gre stream 200 @there | Should -BeNullOrEmpty
        $timeout = Set-ConntrackTimeout gre stream 201 -PassThru @there
        $timeout.TimeoutSeconds | Should -Be 201
        $timeout | Should -BeOfType ConntrackPS.Tuning.Timeouts.ConntrackTimeout
    }

    It 'takes timeouts through the pipeline, and each to the namespace it is from' {
        Get-ConntrackTimeout Udp -NetworkNamespace $namespace | Set-ConntrackTimeout -Timeout 5m
        Get-Sysctl udp_timeout | Should -Be 300
        Get-Sysctl udp_timeout_stream | Should -Be 300
    }

    It 'restores timeouts from <Form>' -ForEach @(
        @{ Form = 'CSV'; Write = { $input | ConvertTo-Csv }; Read = { $input | ConvertFrom-Csv } }
        @{ Form = 'JSON'; Write = { $input | ConvertTo-Json }; Read = { $input | ConvertFrom-Json } }
        @{ Form = 'CLIXML'; Write = { [System.Management.Automation.PSSerializer]::Serialize(@($input)) }; Read = { [System.Management.Automation.PSSerializer]::Deserialize($input) } }
    ) {
        Set-ConntrackTimeout sctp Closed 99 @there
        Set-ConntrackTimeout icmpv6 -Timeout 98 @there
        $saved = Get-ConntrackTimeout -NetworkNamespace $namespace | & $Write
        Get-ConntrackTimeout -NetworkNamespace $namespace | Set-ConntrackTimeout -Reset
        Get-Sysctl sctp_timeout_closed | Should -Be 10
        $saved | & $Read | Set-ConntrackTimeout @there
        Get-Sysctl sctp_timeout_closed | Should -Be 99
        Get-Sysctl icmpv6_timeout | Should -Be 98
    }

    It 'goes back to the default' {
        Set-ConntrackTimeout tcp Close 55 @there
        Set-ConntrackTimeout tcp Close -Reset @there
        Get-Sysctl tcp_timeout_close | Should -Be 10
    }

    It 'does nothing with -WhatIf' {
        Set-ConntrackTimeout tcp Close 55 -WhatIf @there
        Get-Sysctl tcp_timeout_close | Should -Be 10
    }

    It 'warns below what the RFCs demand: <Arguments>' -ForEach @(
        @{ Arguments = 'tcp Established 7439'; Source = 'RFC 5382' }
        @{ Arguments = 'udp Replied 119'; Source = 'RFC 4787' }
        @{ Arguments = 'udplite Unreplied 60'; Source = 'RFC 4787' }
        @{ Arguments = 'tcp Established 7440'; Source = $null }
        @{ Arguments = 'udp Replied 120'; Source = $null }
        @{ Arguments = 'udp Unreplied -Reset'; Source = $null }
        @{ Arguments = 'tcp SynSent 1'; Source = $null }
    ) {
        & ([scriptblock]::Create("Set-ConntrackTimeout $Arguments -NetworkNamespace $namespace -WarningVariable warnings -WarningAction SilentlyContinue; `$script:warnings = `$warnings"))
        "$script:warnings" | Should -BeLike ($Source ? "*$Source*" : '')
    }

    It 'refuses <Arguments>' -ForEach @(
        @{ Arguments = 'foo Established 10'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = "*'Protocol'*'foo'*Icmp, Tcp, Udp*Generic*" }
        @{ Arguments = '99 Established 10'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = "*'99'*Icmp, Tcp, Udp*" }
        @{ Arguments = 'tcp Replied 10'; Id = 'TimeoutNotFound'; Category = 'InvalidArgument'; Message = '*SynSent, SynRecv*' }
        @{ Arguments = 'udp -Timeout 10'; Id = 'TimeoutNotFound'; Category = 'InvalidArgument'; Message = '*Unreplied, Replied*' }
        @{ Arguments = 'icmp Replied 10'; Id = 'TimeoutNotFound'; Category = 'InvalidArgument'; Message = '*no states*' }
        @{ Arguments = 'tcp Close 0'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*1 to 2147483 seconds*' }
        @{ Arguments = 'tcp Close 2147484'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*1 to 2147483 seconds*' }
        @{ Arguments = 'tcp Close 25d'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*1 to 2147483 seconds*' }
        @{ Arguments = 'tcp Close soon'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = '*2h4m*' }
        @{ Arguments = 'tcp Close -1'; Id = 'ParameterArgumentTransformationError'; Category = 'InvalidData'; Message = '*2h4m*' }
        @{ Arguments = 'dccp Open 10'; Id = 'TimeoutNotSupported'; Category = 'NotImplemented'; Message = '*dccp OPEN*' }
        @{ Arguments = 'tcp Close 10 -Persist'; Id = 'NotPersistable'; Category = 'InvalidOperation'; Message = '*initial network namespace*' }
        @{ Arguments = 'tcp Close 10 -PersistOnly'; Id = 'NotPersistable'; Category = 'InvalidOperation'; Message = '*initial network namespace*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Set-ConntrackTimeout $Arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^$Id,"
        $failure.CategoryInfo.Category | Should -Be $Category
        "$failure" | Should -BeLike $Message
        Get-Sysctl tcp_timeout_close | Should -Be 10
    }

    It 'continues with the others after a bad one' {
        $records = [pscustomobject]@{ Protocol = 'tcp'; State = 'Nope'; TimeoutSeconds = 9 }, [pscustomobject]@{ Protocol = 'tcp'; State = 'Close'; TimeoutSeconds = 9 }
        $records | Set-ConntrackTimeout -ErrorVariable failures -ErrorAction SilentlyContinue @there
        $failures.Count | Should -Be 1
        Get-Sysctl tcp_timeout_close | Should -Be 9
    }
}

Describe 'Set-ConntrackTimeout -Persist' {
    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $file = "$root/etc/sysctl.d/99-conntrackps.conf"
    }

    It 'writes a line of our file, says which, and leaves the running value with -PersistOnly' {
        $before = (Get-ConntrackTimeout Tcp Established).TimeoutSeconds
        Set-ConntrackTimeout Tcp Established 2h4m -PersistOnly -PersistRoot $root -InformationVariable said 6>$null
        Get-Content $file | Select-Object -Last 1 | Should -Be 'net.netfilter.nf_conntrack_tcp_timeout_established = 7440'
        "$said" | Should -BeLike "*$file*nf_conntrack_tcp_timeout_established = 7440*"
        (Get-ConntrackTimeout Tcp Established).TimeoutSeconds | Should -Be $before
        $timeout = Get-ConntrackTimeout Tcp Established -PersistRoot $root
        $timeout.PersistedSeconds, $timeout.PersistedIn | Should -Be 7440, $file
    }

    It 'sets the running value too' {
        $namespace = New-TestNamespace
        try {
            $seen = Invoke-Child -Prefix ip, netns, exec, $namespace ([scriptblock]::Create(
                    "Set-ConntrackTimeout udp Replied 5m -Persist -PersistRoot '$root' -PassThru 6>`$null | ConvertTo-Json -Compress")) | ConvertFrom-Json
            $seen.TimeoutSeconds, $seen.PersistedSeconds, $seen.DiffersFromPersisted | Should -Be 300, 300, $false
            Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_udp_timeout_stream | Should -Be 300
        }
        finally {
            Remove-TestNamespace $namespace
        }
    }

    It 'keeps what others wrote there' {
        $null = New-Item (Split-Path $file) -ItemType Directory
        Set-Content $file '# by hand', 'net.ipv4.ip_forward = 1', 'net.netfilter.nf_conntrack_udp_timeout = 9', '# the end'
        Set-ConntrackTimeout udp Unreplied 2m -PersistOnly -PersistRoot $root 6>$null
        (Get-Content $file)[1..4] | Should -Be '# by hand', 'net.ipv4.ip_forward = 1', 'net.netfilter.nf_conntrack_udp_timeout = 120', '# the end'
    }

    It 'takes our line away with -Reset' {
        Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot $root 6>$null
        Set-ConntrackTimeout icmp -Reset -PersistOnly -PersistRoot $root 6>$null
        $file | Should -Not -Exist
    }

    It 'warns where a later file has the last word' {
        $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
        Set-Content "$root/etc/sysctl.d/99-zz.conf" 'net.netfilter.nf_conntrack_icmp_timeout = 1'
        Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot $root -WarningVariable warnings -WarningAction SilentlyContinue 6>$null
        "$warnings" | Should -BeLike '*set again after*99-zz.conf line 1 to 1 (systemd-sysctl, sysctl --system)*'
        (Get-ConntrackTimeout icmp -PersistRoot $root).PersistedIn | Should -Be "$root/etc/sysctl.d/99-zz.conf"
    }

    It 'changes nothing on disk when it fails' {
        $null = New-Item "$root/etc" -ItemType Directory
        Set-Content "$root/etc/sysctl.d" 'a file in the way'
        $failure = @(Get-Failure { Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot $root 6>$null })
        $failure.FullyQualifiedErrorId | Should -Be 'NotPersisted,ConntrackPS.Commands.SetConntrackTimeoutCommand'
        $failure.CategoryInfo.Category | Should -Be 'WriteError'
        "$failure" | Should -BeLike "*$file*is not changed*current value is not changed*"
        @(Get-ChildItem $root -Recurse -File -Force).Count | Should -Be 1
    }

    It 'says that the current value is set, if only the file fails' {
        $null = New-Item "$root/etc" -ItemType Directory
        Set-Content "$root/etc/sysctl.d" 'a file in the way'
        $namespace = New-TestNamespace
        try {
            $seen = Invoke-Child -Prefix ip, netns, exec, $namespace ([scriptblock]::Create(
                    "Set-ConntrackTimeout icmp -Timeout 5 -Persist -PersistRoot '$root' -ErrorVariable failures -ErrorAction SilentlyContinue; `$failures.Count; `"`$failures`""))
            $seen[0] | Should -Be 1
            $seen[1] | Should -BeLike '*could not be written*current value is set*'
            Get-Sysctl icmp_timeout | Should -Be 5
        }
        finally {
            Remove-TestNamespace $namespace
        }
    }

    It 'refuses to persist what has no sysctl' {
        $failure = @(Get-Failure { Set-ConntrackTimeout tcp SynSent2 5 -PersistOnly -PersistRoot $root })
        $failure.FullyQualifiedErrorId | Should -Match '^TimeoutNotSupported,'
        $root | Should -Not -Exist
    }

    It 'writes nothing with -WhatIf' {
        Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot $root -WhatIf
        $root | Should -Not -Exist
    }
}
