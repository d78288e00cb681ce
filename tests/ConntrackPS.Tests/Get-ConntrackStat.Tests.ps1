BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    function Get-Sysctl([string] $Namespace, [string] $Name) {
        [long] (Invoke-InNamespace $Namespace sysctl -n "net.netfilter.$Name")
    }
}

Describe 'Get-ConntrackStat' {
    BeforeAll {
        $namespace = New-TestNamespace
        $other = New-TestNamespace ([ordered]@{
                web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state SYN_SENT'
                web6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state SYN_SENT'
            })
        Add-KernelLine $namespace (New-ManyLine 5000)
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
    }

    AfterAll {
        Remove-TestNamespace $namespace, $other
    }

    It 'counts as conntrack -C does' {
        $stat.Count | Should -Be 5000
        $stat.Count | Should -Be (Get-KernelCount $namespace)
        (Get-ConntrackStat -NetworkNamespace $other).Count | Should -Be 2
    }

    It 'has the kernel''s limits' {
        $stat.Maximum | Should -Be (Get-Sysctl $namespace nf_conntrack_max)
        $stat.Buckets | Should -Be (Get-Sysctl $namespace nf_conntrack_buckets)
    }

    It 'has the fill in percent' {
        $stat.FillPercent | Should -Be ([Math]::Round(100 * 5000 / (Get-Sysctl $namespace nf_conntrack_max), 2))
        $stat.FillPercent | Should -BeGreaterThan 0
    }

    It 'follows the table' {
        Get-ConntrackEntry 10.0.0.0/24 -NetworkNamespace $namespace | Remove-ConntrackEntry
        (Get-ConntrackStat -NetworkNamespace $namespace).Count | Should -Be (5000 - 256)
        Get-KernelCount $namespace | Should -Be (5000 - 256)
    }

    It 'names the namespace: by <Way>' -ForEach @(
        @{ Way = 'name'; Name = { $other } }
        @{ Way = 'path'; Name = { "/run/netns/$other" } }
        @{ Way = 'process id'; Name = { "$(Start-NamespaceProcess $other)" } }
    ) {
        $given = & $Name
        $stat = Get-ConntrackStat -NetworkNamespace $given
        $stat.Count | Should -Be 2
        $stat.Namespace | Should -Be $given
    }

    It 'works in its own without the parameter' {
        $own = Invoke-Child -Prefix ip, netns, exec, $other { Get-ConntrackStat | ConvertTo-Json -Compress } | ConvertFrom-Json
        $own.Count | Should -Be 2
        $own.Maximum | Should -Be (Get-Sysctl $other nf_conntrack_max)
        $own.Namespace | Should -BeNullOrEmpty
    }

    It 'emits one ConntrackStat' {
        @(Get-ConntrackStat -NetworkNamespace $other).Count | Should -Be 1
        Get-ConntrackStat -NetworkNamespace $other | Should -BeOfType ConntrackPS.Diagnosis.ConntrackStat
    }
}

Describe 'Get-ConntrackStat, every counter' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (New-ManyLine 1000)
        # name of conntrack -S => our property
        $properties = [ordered]@{
            found = 'Found'; invalid = 'Invalid'; insert = 'Insert'; insert_failed = 'InsertFailed'; drop = 'Drop'; early_drop = 'EarlyDrop'
            error = 'Error'; search_restart = 'SearchRestart'; clash_resolve = 'ClashResolve'; chaintoolong = 'ChainTooLong'
        }
        # Counters differ from 0 only if something happened: replies without a request are invalid.
        Enable-Tracking $namespace
        $null = Invoke-InNamespace $namespace sh -c 'ping -c 2 -W 1 127.0.0.1 || true'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'shows each processor as conntrack -S does' {
        $lines = @(Invoke-InNamespace $namespace conntrack -S)
        $stats = @(Get-ConntrackStat -PerCpu -NetworkNamespace $namespace)
        $stats.Count | Should -Be $lines.Count
        foreach ($i in 0..($lines.Count - 1)) {
            $stats[$i].Cpu | Should -Be $i
            $stats[$i].Namespace | Should -Be $namespace
            foreach ($name in $properties.Keys) {
                if ($lines[$i] -match "\b$name=(\d+)") {
                    $stats[$i].($properties[$name]) | Should -Be $Matches[1] -Because $name
                }
            }
        }
    }

    It 'sums up what /proc/net/stat/nf_conntrack has' {
        $lines = @(Invoke-InNamespace $namespace cat /proc/net/stat/nf_conntrack)
        $names = -split $lines[0]
        $sums = @{}
        foreach ($line in $lines | Select-Object -Skip 1) {
            $values = -split $line
            foreach ($i in 0..($names.Count - 1)) { $sums[$names[$i]] += [Convert]::ToInt64($values[$i], 16) }
        }
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
        $columns = @{
            found = 'Found'; invalid = 'Invalid'; insert = 'Insert'; insert_failed = 'InsertFailed'; drop = 'Drop'; early_drop = 'EarlyDrop'; icmp_error = 'Error'
            search_restart = 'SearchRestart'; clashres = 'ClashResolve'; chainlength = 'ChainTooLong'
            expect_new = 'ExpectationNew'; expect_create = 'ExpectationCreate'; expect_delete = 'ExpectationDelete'
        }
        foreach ($name in $columns.Keys) {
            $stat.($columns[$name]) | Should -Be $sums[$name] -Because $name
        }
    }

    It 'has the chains'' average and the memory, about' {
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
        $stat.AverageChainLength | Should -Be ([Math]::Round(2 * $stat.Count / $stat.Buckets, 2))
        $stat.EstimatedMemoryBytes | Should -BeGreaterThan (1000 * 256 + 8 * $stat.Buckets)
    }
}

Describe 'Get-ConntrackStat of several namespaces' {
    BeforeAll {
        $first = New-TestNamespace
        $second = New-TestNamespace
        Add-KernelLine $second (New-ManyLine 10)
    }

    AfterAll {
        Remove-TestNamespace $first, $second
    }

    It 'emits one for each' {
        $stats = Get-ConntrackStat -NetworkNamespace $second, $first
        $stats.Namespace | Should -Be $second, $first
        $stats | ForEach-Object Count | Should -Be 10, 0
    }

    It 'takes wildcards, and * for all that have a name' {
        (Get-ConntrackStat -NetworkNamespace "ctps-$PID-*").Namespace | Should -Contain $first
        $all = (Get-ConntrackStat -NetworkNamespace * -ErrorAction SilentlyContinue).Namespace
        $all | Should -Contain $first
        $all | Should -Contain $second
        Get-ConntrackStat -NetworkNamespace 'no-such-*' | Should -BeNullOrEmpty
    }

    It 'says which is missing, and continues' {
        $stats = Get-ConntrackStat -NetworkNamespace $first, no-such-namespace, $second -ErrorVariable failures -ErrorAction SilentlyContinue
        $stats.Namespace | Should -Be $first, $second
        $failures.Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -Be 'NetworkNamespaceNotFound,ConntrackPS.Commands.GetConntrackStatCommand'
        $failures[0].TargetObject | Should -Be 'no-such-namespace'
    }

    It 'emits rates, and ends after -Count' {
        $job = Start-ThreadJob { param($package, $name) Import-Module "$package/ConntrackPS.psd1"; Get-ConntrackStat -NetworkNamespace $name -Interval 1 -Count 3 } -ArgumentList (Get-PackagePath), $second
        Start-Sleep -Milliseconds 1500
        Add-KernelLine $second ((New-ManyLine 30) -replace '-s 10\.', '-s 11.')
        $rates = @($job | Receive-Job -Wait -AutoRemoveJob)
        $rates.Count | Should -Be 3
        ($rates | Measure-Object CountChange -Sum).Sum | Should -Be 30
        $rates[2].Count | Should -Be 40
        $rates | ForEach-Object { $_.Seconds | Should -BeGreaterThan 0.5; $_.DropPerSecond | Should -Be 0; $_.Namespace | Should -Be $second }
    }

    It 'reports once a namespace that vanishes while it measures, and continues with the others' {
        $short = New-TestNamespace
        $rates = [System.Collections.Generic.List[object]]::new()
        try {
            Get-ConntrackStat -NetworkNamespace $short, $second -Interval 1 -Count 3 -ErrorVariable failures -ErrorAction SilentlyContinue | ForEach-Object {
                $rates.Add($_)
                if ($rates.Count -eq 2) {
                    Remove-TestNamespace $short
                }
            }
        }
        finally {
            Remove-TestNamespace $short
        }
        $rates.Namespace | Should -Be $short, $second, $second, $second
        $failures.Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -Be 'NetworkNamespaceNotFound,ConntrackPS.Commands.GetConntrackStatCommand'
        "$($failures[0])" | Should -BeLike "*'$short'*"
    }

    It 'emits rates of each processor and namespace' {
        $processors = @(Get-ConntrackStat -PerCpu -NetworkNamespace $first).Count
        $rates = Get-ConntrackStat -PerCpu -Interval 1 -Count 1 -NetworkNamespace $first, $second
        $rates.Count | Should -Be (2 * $processors)
        ($rates | Where-Object Namespace -EQ $first).Cpu | Should -Be (0..($processors - 1))
    }

    It 'leaves when it is stopped' {
        $shell = [powershell]::Create().AddScript("Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Get-ConntrackStat -Interval 1h")
        $run = $shell.BeginInvoke()
        Start-Sleep 2
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
        $run.IsCompleted | Should -BeTrue
        $shell.Dispose()
    }

    It 'refuses <Arguments>' -ForEach @(
        @{ Arguments = '-Interval 0'; Id = 'ParameterArgumentTransformationError' }
        @{ Arguments = '-Interval 25h'; Id = 'ParameterArgumentTransformationError' }
        @{ Arguments = '-Interval never'; Id = 'ParameterArgumentTransformationError' }
        @{ Arguments = '-Interval 1 -Count 0'; Id = 'ParameterArgumentValidationError' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Get-ConntrackStat $Arguments")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^($Id)"
    }
}
