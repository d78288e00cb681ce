BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Hundreds of network namespaces' {
    BeforeAll {
        $count = 400
        $occupied = New-TestNamespace
        $prefix = "$occupied-many"
        $null = Invoke-Program sh -c "for i in `$(seq 1 $count); do ip netns add $prefix`$i; done"
        Add-KernelLine $occupied '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 40001 --dport 80', '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 40001 --dport 80'
        Add-KernelLine "${prefix}250" '-s 192.0.2.3 -d 198.51.100.7 -p udp --sport 40001 --dport 80'
        $all = @{ NetworkNamespace = "$occupied*" }
    }

    AfterAll {
        $null = Invoke-Program sh -c "for i in `$(seq 1 $count); do ip netns delete $prefix`$i; done; true"
        Remove-TestNamespace $occupied
    }

    It 'lists and counts what the few have that have any' {
        (Get-ConntrackEntry @all).SourceAddress | Sort-Object | Should -Be '192.0.2.1', '192.0.2.2', '192.0.2.3'
        Measure-ConntrackEntry @all | ForEach-Object { "$($_.Namespace) $($_.Count)" } | Sort-Object | Should -Be "$occupied 2", "${prefix}250 1"
    }

    It 'does so in 0.4 seconds' {
        foreach ($work in { Get-ConntrackEntry @all }, { Measure-ConntrackEntry @all }) {
            $best = (1..5 | ForEach-Object { (Measure-Command $work).TotalSeconds } | Measure-Object -Minimum).Minimum
            $best | Should -BeLessThan 0.4 -Because "$work"
        }
    }

    It 'says which have none' {
        $lines = Get-ConntrackEntry @all -Verbose 4>&1 | Where-Object { $_ -is [System.Management.Automation.VerboseRecord] -and "$_" -like '*has no entries*' }
        $lines.Count | Should -Be ($count - 1)
    }

    It 'reports one that is not there, and continues' {
        $found = Get-ConntrackEntry -NetworkNamespace "${prefix}1", "$occupied-gone", "${prefix}250" -ErrorVariable failure -ErrorAction SilentlyContinue
        $found.SourceAddress | Should -Be '192.0.2.3'
        $failure | Should -HaveCount 1
        "$failure" | Should -BeLike "*$occupied-gone*"
    }

    It 'reads the other lists of all of them' {
        Get-ConntrackEntry -NetworkNamespace "${prefix}1", "${prefix}2" -Table Dying -Verbose 4>&1 | Where-Object { "$_" -like '*0 entries in*' } | Should -HaveCount 2
    }

    It 'counts what comes between the two looks of -Interval' {
        $script = "sleep 0.7; ip netns exec ${prefix}7 conntrack -I -s 192.0.2.9 -d 198.51.100.7 -p udp --sport 1 --dport 80 -t 60 > /dev/null 2>&1"
        $comes = Start-Process sh '-c', "`"$script`"" -PassThru
        $groups = Measure-ConntrackEntry -NetworkNamespace "${prefix}7", "${prefix}6" -Interval 3 -WarningAction SilentlyContinue
        $comes.WaitForExit()
        $groups | ForEach-Object { "$($_.Namespace) $($_.Count)" } | Should -Be "${prefix}7 1"
    }

    It 'are watched by no more than four threads' {
        $output = @(Invoke-Child {
                $shell = [powershell]::Create()
                $null = $shell.AddScript('Import-Module $args[0]; Watch-ConntrackEvent -NetworkNamespace $args[1] -IncludeExisting -Timeout 3 -WarningAction SilentlyContinue').AddArgument((Get-Module ConntrackPS).Path).AddArgument("$Namespace*")
                $run = $shell.BeginInvoke()
                $most = 0
                while (-not $run.IsCompleted) {
                    $names = Get-ChildItem /proc/$PID/task | ForEach-Object { Get-Content "$($_.FullName)/comm" -ErrorAction Ignore }
                    $most = [Math]::Max($most, @($names -like 'ConntrackPS*').Count)
                    Start-Sleep -Milliseconds 50
                }
                "$most $(@($shell.EndInvoke($run)).SourceAddress | Sort-Object)"
            } -Namespace $occupied)
        $most, $heard = $output[-1] -split ' ', 2
        [int] $most | Should -BeGreaterThan 0
        [int] $most | Should -BeLessOrEqual 4
        $heard | Should -BeLike '192.0.2.1 192.0.2.2 192.0.2.3*'
    }
}
