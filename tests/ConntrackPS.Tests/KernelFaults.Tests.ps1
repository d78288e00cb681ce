<# Faults of the real kernel and of the machine: a full table, clocks that jump, and Ctrl+C at any moment. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'A full table' {
    BeforeAll {
        $namespace = New-TestNamespace
        # Entries that the kernel does not drop early.
        Add-KernelLine $namespace (New-ManyLine 40)
        $maximum = '/proc/sys/net/netfilter/nf_conntrack_max'
        $before = Get-Content $maximum
        $more = 1..5 | ForEach-Object {
            [pscustomobject]@{ Protocol = 'udp'; SourceAddress = '192.0.2.1'; SourcePort = $_; DestinationAddress = '192.0.2.2'; DestinationPort = 53; TimeoutSeconds = 60 }
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'is said of each entry that finds no room, and nothing else suffers' {
        try {
            # A setting of the machine, changed only for a moment.
            [System.IO.File]::WriteAllText($maximum, '20')
            $failures = @(Get-Failure { $more | New-ConntrackEntry -NetworkNamespace $namespace -ErrorAction Continue })
            $stat = Get-ConntrackStat -NetworkNamespace $namespace
        }
        finally {
            [System.IO.File]::WriteAllText($maximum, $before)
        }
        $failures.Count | Should -Be 5
        $failures.FullyQualifiedErrorId | Should -BeLike 'TableFull,*'
        "$($failures[4])" | Should -BeLike '*record 5*Get-ConntrackStat*'
        $stat.Count | Should -Be 40
        $stat.FillPercent | Should -Be 200
        Get-KernelCount $namespace | Should -Be 40

        $more | New-ConntrackEntry -NetworkNamespace $namespace
        Get-KernelCount $namespace | Should -Be 45
    }
}

Describe 'A clock that jumps' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_timestamp=1
        Add-KernelLine $namespace (New-ManyLine 50)

        # Every reading of the time of day is a year early or a year late.
        $folder = Join-Path ([System.IO.Path]::GetTempPath()) "ctps-$PID-$(New-Guid)"
        $null = New-Item $folder -ItemType Directory
        Set-Content "$folder/jump.c" @'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    static unsigned calls;
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        now->tv_sec += (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) & 1) ? 31536000 : -31536000;
    return result;
}
'@
        gcc -shared -fPIC -o "$folder/jump.so" "$folder/jump.c" -ldl
        $LASTEXITCODE | Should -Be 0
        $output = @(Invoke-Child -Namespace $namespace -Prefix 'timeout', '120', 'env', "LD_PRELOAD=$folder/jump.so" {
                $here = @{ NetworkNamespace = $Namespace }
                $years = 1..20 | ForEach-Object { [DateTime]::UtcNow.Year } | Select-Object -Unique
                $start = [System.Diagnostics.Stopwatch]::StartNew()
                $rate = @(Get-ConntrackStat -Interval 1 -Count 2 @here)
                $watched = @(Watch-ConntrackEvent -Timeout 1 -EnableEvent -IncludeExisting @here)
                [ordered]@{
                    Years   = @($years).Count
                    Seconds = $rate.Seconds
                    Watched = $watched.Count
                    Listed  = @(Get-ConntrackEntry @here).Count
                    Old     = @(1..10 | ForEach-Object { @(Get-ConntrackEntry -OlderThan 1h @here).Count } | Select-Object -Unique)
                    Finding = @(Test-ConntrackHealth -SampleTime 0 @here 2>&1 | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] } | ForEach-Object { "$_" })
                    Removed = @(Remove-ConntrackEntry -Protocol tcp -PassThru @here).Count
                } | ConvertTo-Json -Compress
            })
        $seen = $output[-1] | ConvertFrom-Json
    }

    AfterAll {
        Remove-TestNamespace $namespace
        Remove-Item $folder -Recurse -Force
    }

    It 'did jump' {
        $seen.Years | Should -BeGreaterThan 1
    }

    It 'changes no interval, no limit of time and no listing' {
        $seen.Seconds | Should -HaveCount 2
        $seen.Seconds | ForEach-Object { $_ | Should -BeGreaterThan 0.9; $_ | Should -BeLessThan 30 }
        $seen.Watched, $seen.Listed, $seen.Removed | Should -Be 50, 50, 50
        $seen.Finding | Should -BeNullOrEmpty
    }

    It 'makes -OlderThan as wrong as the clock, and no more' {
        $seen.Old | Where-Object { $_ -notin 0, 50 } | Should -BeNullOrEmpty
    }
}

Describe 'Ctrl+C at any moment' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (New-ManyLine 500)
        Add-KernelLine $namespace '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED', '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 40001 --dport 80'
        $output = @(Invoke-Child -Namespace $namespace -Prefix 'timeout', '300' {
                Import-Module "$Support/RandomStop.psm1"
                Invoke-RandomStop (Get-Module ConntrackPS).Path $Namespace 69 8 | ConvertTo-Json -Depth 3 -Compress
            })
        $seen = $output[-1] | ConvertFrom-Json
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'stops every cmdlet at once, and some in the middle' {
        Import-Module "$PSScriptRoot/Support/RandomStop.psm1"
        $work = "$((Get-StoppableWork).Values)"
        Get-Command -Module ConntrackPS | ForEach-Object { $work | Should -Match "\b$($_.Name)\b" }
        $seen.Problems | Should -BeNullOrEmpty
        $seen.Stopped + $seen.Completed | Should -Be 69
        $seen.Stopped | Should -BeGreaterThan 10
    }

    It 'leaves no socket, no eventfd and no thread' {
        $seen.After.Sockets | Should -Be $seen.Before.Sockets
        $seen.After.Events | Should -Be $seen.Before.Events
        $seen.After.Readers | Should -Be 0
    }

    It 'removes nothing that was not named' {
        $left = @(Invoke-InNamespace $namespace conntrack -L | Where-Object { $_ -notlike '*zone=9*' })
        $left.Count | Should -Be 502
        @($left -match 'src=192\.0\.2\.[12] ').Count | Should -Be 2
    }
}
