<#
    Other sources than connections: counters, settings, expectations, Open vSwitch, conntrackd. Where the machine has the source, the
    cmdlet that reads the kernel is the witness.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force
    $namespace = New-TestNamespace @{
        web = '-s 10.0.0.1 -d 198.51.100.7 -p tcp --sport 4 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        dns = '-s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1000 --dport 53'
        v6 = '-s fd00::1 -d fd00::2 -p udp --sport 6 --dport 53'
    }
    $module = "$(Get-PackagePath)/ConntrackPS.psd1"
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Files of /proc, by -Path' {
    It 'nf_conntrack is the table' {
        # PowerShell's own threads must be in the namespace to open its files.
        $lines = Invoke-PowerShell -Prefix 'ip', 'netns', 'exec', $namespace -Argument '-NoProfile', '-Command', "
            Import-Module '$module'
            ConvertFrom-ConntrackText -Path /proc/net/nf_conntrack | ForEach-Object { `"`$_`" } | Sort-Object"
        $lines | Should -Be (Get-ConntrackEntry -NetworkNamespace $namespace | ForEach-Object { "$_" } | Sort-Object)
        $lines.Count | Should -Be 3
    }

    It 'stat/nf_conntrack is the counters of each processor' {
        $lines = Invoke-PowerShell -Prefix 'ip', 'netns', 'exec', $namespace -Argument '-NoProfile', '-Command', "
            Import-Module '$module'
            ConvertFrom-ConntrackText -Path /proc/net/stat/nf_conntrack -Format Stat | Select-Object * -ExcludeProperty Extra, Namespace | ConvertTo-Csv"
        $kernel = Get-ConntrackStat -PerCpu -NetworkNamespace $namespace
        $read = $lines | ConvertFrom-Csv
        @($read).Count | Should -Be @($kernel).Count
        foreach ($i in 0..(@($kernel).Count - 1)) {
            foreach ($name in 'Cpu', 'Found', 'Invalid', 'Insert', 'InsertFailed', 'Drop', 'EarlyDrop', 'Error', 'SearchRestart') {
                $read[$i].$name | Should -Be "$($kernel[$i].$name)" -Because $name
            }
        }
    }
}

Describe 'Counters' {
    It 'of conntrack -S are those of Get-ConntrackStat -PerCpu' {
        $read = @(Invoke-InNamespace $namespace conntrack -S | ConvertFrom-ConntrackText)
        $read | Should -BeOfType ConntrackPS.Diagnosis.ConntrackCpuStat
        $kernel = @(Get-ConntrackStat -PerCpu -NetworkNamespace $namespace)
        $read.Count | Should -Be $kernel.Count
        foreach ($i in 0..($kernel.Count - 1)) {
            foreach ($name in 'Cpu', 'Found', 'Invalid', 'Insert', 'InsertFailed', 'Drop', 'EarlyDrop', 'Error', 'SearchRestart') {
                "$($read[$i].$name)" | Should -Be "$($kernel[$i].$name)" -Because $name
            }
        }
    }

    It 'keep the columns of older kernels in Extra, also in a CSV file' {
        $heading = 'entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart'
        $stat = $heading, '0000002a  00000005 00000003 00000000 00000010 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000  00000000 00000000 00000000 0000000a' |
            ConvertFrom-ConntrackText -WarningAction Ignore
        $stat.Found, $stat.Invalid, $stat.Drop, $stat.SearchRestart | Should -Be 3, 16, 1, 10
        $stat.ClashResolve | Should -BeNullOrEmpty
        $stat.Extra['searched'] | Should -Be 5
        ($stat | ConvertTo-Csv | ConvertFrom-Csv).Extra | Should -Match 'searched=5'
    }
}

Describe 'Settings and timeouts' {
    It 'of sysctl -a are those of Get-ConntrackSetting and Get-ConntrackTimeout' {
        $null = Invoke-InNamespace $namespace sysctl -w net.netfilter.nf_conntrack_udp_timeout=77 net.netfilter.nf_conntrack_acct=1
        $read = @(Invoke-InNamespace $namespace sysctl -a | Where-Object { $_ -match 'conntrack' } | ConvertFrom-ConntrackText -ErrorVariable problems)
        $problems | Should -BeNullOrEmpty
        $timeouts = @($read | Where-Object { $_ -is [ConntrackPS.Tuning.Timeouts.ConntrackTimeout] })
        $settings = @($read | Where-Object { $_ -is [ConntrackPS.Tuning.Settings.ConntrackSetting] })
        $timeouts.Count | Should -BeGreaterThan 20
        $settings.Count | Should -BeGreaterThan 5
        foreach ($timeout in $timeouts) {
            $kernel = Get-ConntrackTimeout $timeout.Protocol $timeout.State -NetworkNamespace $namespace
            $kernel.TimeoutSeconds | Should -BeGreaterThan 0
            $timeout.TimeoutSeconds | Should -Be $kernel.TimeoutSeconds -Because $timeout.Name
        }
        foreach ($setting in $settings) {
            $kernel = Get-ConntrackSetting $setting.Name -NetworkNamespace $namespace
            "$($setting.Value)" | Should -Be "$($kernel.Value)" -Because $setting.Name
        }
        ($timeouts | Where-Object TimeoutSeconds -EQ 77) | Should -HaveCount 1
    }
}

Describe 'Expectations' {
    It 'in <Kind> are objects, and the same text again' -ForEach @(
        @{ Kind = 'conntrack -L expect'; Format = 'List'; Line = '299 proto=6 src=198.51.100.21 dst=10.77.1.12 sport=0 dport=50021 mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0 dport=65535 master-src=10.77.1.12 master-dst=198.51.100.21 sport=41100 dport=21 class=0 helper=ftp' }
        @{ Kind = '/proc/net/nf_conntrack_expect'; Format = 'Proc'; Line = '298 l3proto = 2 proto=6 src=192.0.2.10 dst=198.51.100.10 sport=0 dport=41739 ftp' }
    ) {
        $read = $Line | ConvertFrom-ConntrackText
        $read | Should -BeOfType ConntrackPS.Expectations.ConntrackExpectation
        $read.Helper | Should -Be ftp
        $read | Export-Clixml TestDrive:/expectation.xml
        foreach ($kept in $read, (Import-Clixml TestDrive:/expectation.xml), ($read | ConvertTo-Csv | ConvertFrom-Csv), ($read | ConvertTo-Json | ConvertFrom-Json)) {
            $kept | ConvertTo-ConntrackText -Format $Format | Should -BeExactly $Line
        }
    }

    It 'of conntrackd have no timeout' {
        $read = 'proto=6 src=192.0.2.2 dst=198.51.100.2 sport=0 dport=41739 mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0 dport=65535 master-src=192.0.2.2 master-dst=198.51.100.2 sport=36390 dport=21 helper=ftp [active since 5s]' |
            ConvertFrom-ConntrackText
        $read.TimeoutSeconds | Should -BeNullOrEmpty
        $read.MasterSourceAddress, $read.DestinationPort | Should -Be '192.0.2.2', 41739
    }

    It 'of the kernel are those of Get-ConntrackExpectation' {
        $lab = New-TestNamespace
        try {
            $master = New-Master $lab
            New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 50021 -Timeout 300 -Master $master -NetworkNamespace $lab
            $kernel = @(Get-ConntrackExpectation -NetworkNamespace $lab)
            $kernel.Count | Should -Be 1
            foreach ($option in '', 'extended', 'xml') {
                $more = $option ? @('-o', $option) : @()
                $read = ip netns exec $lab conntrack -L expect @more 2>$null | ConvertFrom-ConntrackText -Format Expectation
                $read.SourceAddress, $read.DestinationAddress, $read.DestinationPort, $read.MasterSourcePort |
                    Should -Be $kernel.SourceAddress, $kernel.DestinationAddress, $kernel.DestinationPort, $kernel.MasterSourcePort
            }
        }
        finally {
            Remove-TestNamespace $lab
        }
    }
}

Describe 'conntrackd' {
    It 'prints its caches without timeouts and use counts' {
        $lines = 'tcp      6 ESTABLISHED src=192.0.2.10 dst=198.51.100.33 sport=48070 dport=22 src=198.51.100.33 dst=203.0.113.250 sport=22 dport=48070 [ASSURED] mark=0 [active since 185s]',
            'tcp      6 ESTABLISHED src=192.0.2.10 dst=198.51.100.34 sport=48071 dport=22 [ASSURED] mark=0 [active since 12s]'
        $internal, $external = $lines | ConvertFrom-ConntrackText -ErrorVariable problems -WarningVariable warnings
        @($problems) + @($warnings) | Should -BeNullOrEmpty
        $internal.TimeoutSeconds, $internal.UseCount | Should -Be $null, $null
        $internal.ReplyDestinationAddress | Should -Be 203.0.113.250
        $internal.Extra['active since'] | Should -Be 185s
        $external.ReplyDestinationAddress | Should -BeNullOrEmpty
        $internal, $external | Measure-ConntrackEntry | ForEach-Object Count | Should -Be 2

        # The external cache does not say which reply the kernel would wait for.
        $external | Export-Clixml TestDrive:/external.xml
        foreach ($kept in $external, (Import-Clixml TestDrive:/external.xml), ($external | ConvertTo-Csv | ConvertFrom-Csv)) {
            ($kept | Measure-ConntrackEntry).Count | Should -Be 1
            $kept | ConvertTo-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problems.FullyQualifiedErrorId | Should -Be 'IncompleteEntry,ConntrackPS.Commands.ConvertToConntrackTextCommand'
        }
    }
}

Describe '-Format' {
    BeforeAll {
        $mixed = 'udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 mark=7 use=1',
            '298 l3proto = 2 proto=6 src=192.0.2.10 dst=198.51.100.10 sport=0 dport=41739 ftp',
            'cpu=0 found=3 invalid=4 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=1',
            'udp,orig=(src=10.1.1.1,dst=10.1.1.2,sport=2,dport=3),reply=(src=10.1.1.2,dst=10.1.1.1,sport=3,dport=2)',
            'net.netfilter.nf_conntrack_udp_timeout = 30'
    }

    It 'is found out line by line' {
        $read = @($mixed | ConvertFrom-ConntrackText -ErrorVariable problems)
        $problems | Should -BeNullOrEmpty
        $read.ForEach({ $_.GetType().Name }) | Should -Be ConntrackEntry, ConntrackExpectation, ConntrackCpuStat, ConntrackEntry, ConntrackTimeout
    }

    It '<_> reads only that' -ForEach 'Conntrack', 'Expectation', 'Stat', 'OpenVSwitch', 'Sysctl' {
        $read = @($mixed | ConvertFrom-ConntrackText -Format $_ -ErrorVariable problems -ErrorAction SilentlyContinue)
        $read.Count | Should -Be 1
        $read[0].GetType().Name | Should -Be @{ Conntrack = 'ConntrackEntry'; Expectation = 'ConntrackExpectation'; Stat = 'ConntrackCpuStat'; OpenVSwitch = 'ConntrackEntry'; Sysctl = 'ConntrackTimeout' }[$_]
        $problems.Count | Should -Be 4
        foreach ($problem in $problems) {
            "$problem" | Should -Match "^Line \d, column 1: found '.+', expected .+ The line: "
        }
    }
}
