BeforeDiscovery {
    # As root this kernel can walk the table, or says why not.
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $script:obstacle = try { $null = Measure-ConntrackEntry -Engine Bpf -ErrorAction Stop } catch { $_.Exception.Message }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
        syn4  = '-s 192.0.2.1 -d 198.51.100.8 -p tcp --sport 40003 --dport 443 --state SYN_SENT'
        near4 = '-s 192.0.2.200 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -u SEEN_REPLY'
        far4  = '-s 192.0.3.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -u SEEN_REPLY'
        zone4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        ping4 = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
        snat4 = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
        web6  = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED'
        dns6  = '-s 2001:db8::2 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
        sctp4 = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
    }
}

Describe 'The engine of a table' {
    BeforeEach {
        $namespace = New-TestNamespace $table
        $here = @{ NetworkNamespace = $namespace }
    }

    AfterEach {
        Remove-TestNamespace $namespace
    }

    It 'Bpf counts by <Property> as conntrack shows' -Skip:$script:obstacle -ForEach @(
        @{ Property = 'SourceAddress' }
        @{ Property = 'DestinationAddress' }
        @{ Property = 'Zone' }
        @{ Property = 'Mark' }
    ) {
        $expected = Get-KernelEntry $namespace | Group-Object { "$($_.$Property)" } | ForEach-Object { "$($_.Name) $($_.Count)" } | Sort-Object
        Measure-ConntrackEntry @here -Engine Bpf -GroupBy $Property | ForEach-Object { "$($_.$Property) $($_.Count)" } | Sort-Object | Should -Be $expected
    }

    It 'Bpf lists <Names> by <Parameters.Keys>, which netlink can not filter' -Skip:$script:obstacle -ForEach @(
        @{ Parameters = @{ SourceAddress = '192.0.2.0/24' }; Names = 'near4', 'ping4', 'sctp4', 'syn4', 'web4', 'zone4' }
        @{ Parameters = @{ SourceAddress = '2001:db8::/64', '192.0.3.0/28' }; Names = 'dns6', 'far4', 'web6' }
        @{ Parameters = @{ DestinationPort = '400-500' }; Names = @('syn4') }
        @{ Parameters = @{ State = 'SynSent', 'TimeWait', 'CookieWait' }; Names = 'sctp4', 'syn4', 'web6' }
        @{ Parameters = @{ Port = '50-60', 8443; ExcludeProtocol = 'Tcp' }; Names = 'dns6', 'far4', 'near4' }
        @{ Parameters = @{ TranslatedSourceAddress = '203.0.113.0/24' }; Names = @('snat4') }
        @{ Parameters = @{ IcmpType = 8, 9 }; Names = @('ping4') }
        @{ Parameters = @{ Zone = 5, 6 }; Names = @('zone4') }
        @{ Parameters = @{ Mark = '7', '0x100/0xff00' }; Names = @('web4') }
    ) {
        $walked = Get-ConntrackEntry @here @Parameters -Engine Bpf
        (Resolve-EntryName $namespace $walked) -join ' ' | Should -Be ($Names -join ' ')
        ($walked | ForEach-Object Id | Sort-Object) | Should -Be (Get-ConntrackEntry @here @Parameters -Engine Netlink | ForEach-Object Id | Sort-Object)
    }

    It 'Bpf removes what a prefix names, and nothing else' -Skip:$script:obstacle {
        $messages = Remove-ConntrackEntry @here 192.0.2.0/25 -Engine Bpf -Verbose 4>&1
        $messages -match '^A walk in the kernel found 5 entries, which netlink fetches' | Should -HaveCount 1
        $messages -match '^5 entries removed, 0 already gone, 0 failed' | Should -HaveCount 1
        Get-KernelEntry $namespace | ForEach-Object SourceAddress | Sort-Object | Should -Be @('10.1.2.5', '192.0.2.200', '192.0.3.1', '2001:db8::1', '2001:db8::2')
    }

    It 'Bpf with -WhatIf and -PassThru names the same entries' -Skip:$script:obstacle {
        $before = Get-KernelCount $namespace
        Remove-ConntrackEntry @here -State SynSent, TimeWait -Engine Bpf -WhatIf 6>$null
        Get-KernelCount $namespace | Should -Be $before
        Remove-ConntrackEntry @here -State SynSent, TimeWait -Engine Bpf -PassThru | ForEach-Object State | Sort-Object | Should -Be 'SynSent', 'TimeWait'
        Get-KernelCount $namespace | Should -Be ($before - 2)
    }

    It 'Bpf draws the same frame and finds the same problems' -Skip:$script:obstacle {
        $steady = { param($lines) $lines -replace '\d\d:\d\d:\d\d', '' -replace '\s\d+:\d\d(:\d\d)?\b', '' -replace '\s\d+s\b', '' }
        & $steady (Show-ConntrackTop @here -Once -Engine Bpf -SortBy Source) | Should -Be (& $steady (Show-ConntrackTop @here -Once -Engine Netlink -SortBy Source))
        $findings = Test-ConntrackHealth @here -MinimumSeverity Information -SampleTime 0 -Engine Bpf | ForEach-Object { "$($_.Name) $($_.Severity)" }
        $findings | Should -Be (Test-ConntrackHealth @here -MinimumSeverity Information -SampleTime 0 -Engine Netlink | ForEach-Object { "$($_.Name) $($_.Severity)" })
    }

    It 'Bpf says so with -Verbose, and Auto reads a small table by netlink without a word' -Skip:$script:obstacle {
        Measure-ConntrackEntry @here -Engine Bpf -Verbose 4>&1 | Where-Object { $_ -is [Management.Automation.VerboseRecord] } | Select-Object -First 1 | Should -Be 'The table is walked in the kernel.'
        Measure-ConntrackEntry @here -Verbose 4>&1 | Where-Object { "$_" -match 'netlink|walk' } | Should -BeNullOrEmpty
    }

    It 'Bpf counts several namespaces in one walk, each by itself' -Skip:$script:obstacle {
        $other = New-TestNamespace @{ only = '-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED' }
        try {
            $said = Measure-ConntrackEntry -NetworkNamespace $namespace, $other -Engine Bpf -GroupBy AddressFamily -Verbose 4>&1
            ($said | Where-Object { $_ -isnot [Management.Automation.VerboseRecord] } | ForEach-Object { "$($_.Namespace -eq $other ? 'other' : 'first') $($_.AddressFamily) $($_.Count)" } | Sort-Object) |
                Should -Be 'first IPv4 8', 'first IPv6 2', 'other IPv4 1'
            $said -match '^The tables are walked in the kernel, all at once' | Should -HaveCount 1
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'Bpf is an error if only netlink has a value, and names the other engines' -Skip:$script:obstacle {
        $failure = Get-Failure { Measure-ConntrackEntry @here -Engine Bpf -GroupBy SecurityContext }
        $failure.FullyQualifiedErrorId | Should -BeLike 'EngineUnavailable,*'
        $failure.CategoryInfo.Category | Should -Be 'ResourceUnavailable'
        "$failure" | Should -BeLike "*only netlink has a value that is asked for*-Engine Netlink*-Engine Auto*"
    }

    It 'Bpf without the capability is an error that names it, and Auto works without it' {
        $folder = New-UnprivilegedFolder
        try {
            $said = @(Invoke-Unprivileged -Folder $folder -Namespace $namespace -Option '--inh-caps=+net_admin', '--ambient-caps=+net_admin' {
                    try { Measure-ConntrackEntry -Engine Bpf -ErrorAction Stop } catch { $_.FullyQualifiedErrorId; $_.ErrorDetails.Message }
                    (Measure-ConntrackEntry -Engine Auto | Measure-Object Count -Sum).Sum
                })
        }
        finally {
            Remove-Item $folder -Recurse -Force
        }
        $said[0] | Should -BeLike 'EngineUnavailable,*'
        $said[1] | Should -BeLike '*needs CAP_BPF and CAP_PERFMON*'
        $said[-1] | Should -Be 10
    }

    It 'refuses an engine that does not exist, and names those that do' {
        "$(Get-Failure { Get-ConntrackEntry @here -Engine Ebpf })" | Should -BeLike '*Auto, Netlink, Bpf*'
    }
}
