BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    # More than fits into the reader's queue (64 datagrams of about 150 entries), so that the reader still runs at an early stop.
    $count = 30000
}

Describe 'A pipeline that ends early' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (New-ManyLine $count)

        $seen = Invoke-Child -Namespace $namespace {
            Import-Module "$Support/ProcessState.psm1"
            $list = @{ NetworkNamespace = $Namespace }
            $stopped = [System.Collections.Generic.List[object]]::new()
            function Add-Seen([string] $Name, [scriptblock] $Script, [int] $Rounds = 50) {
                & $Script | Out-Null
                $before = Get-Settled
                # Only of the first round, because its threads may still be in /proc in the next one.
                $script:during = $null
                $output = @(foreach ($round in 1..$Rounds) { & $Script })
                $after = Get-Settled
                $stopped.Add([ordered]@{ Name = $Name; Before = $before; During = $script:during; After = $after; Output = $output.Count })
            }
            # Runs a script in a new runspace and stops it after its first output, as Ctrl+C does.
            function Stop-Midway([string] $Script) {
                $session = [System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
                $session.ImportPSModule((Get-Module ConntrackPS).Path)
                $shell = [powershell]::Create($session)
                $null = $shell.AddScript('param($Namespace) $ErrorActionPreference = "Stop"; ' + $Script).AddParameter('Namespace', $Namespace)
                $output = [System.Management.Automation.PSDataCollection[object]]::new()
                $running = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[object]]::new(), $output)
                while ($output.Count -eq 0 -and -not $running.IsCompleted) { Start-Sleep -Milliseconds 2 }
                $script:during ??= Get-Held
                $shell.Stop()
                "$($shell.InvocationStateInfo.State)"
                $shell.Runspace.Dispose()
                $shell.Dispose()
            }

            Add-Seen 'Select-Object -First 1' {
                Get-ConntrackEntry @list | Select-Object -First 1
            }
            Add-Seen 'Select-Object -First 1 after a look' {
                Get-ConntrackEntry @list | ForEach-Object { $script:during ??= Get-Held; $_ } | Select-Object -First 1
            }
            Add-Seen 'Select-Object -First 20000' -Rounds 3 {
                Get-ConntrackEntry @list | Select-Object -First 20000
            }
            Add-Seen 'break' {
                foreach ($once in 1) { Get-ConntrackEntry @list | ForEach-Object { $script:during ??= Get-Held; $_; break } }
            }
            Add-Seen 'throw' {
                try { Get-ConntrackEntry @list | ForEach-Object { throw 'enough' } } catch { "$_" }
            }
            Add-Seen 'an error with -ErrorAction Stop' {
                try { Get-ConntrackEntry @list | ForEach-Object { Write-Error 'enough' -ErrorAction Stop } } catch { "$_" }
            }
            Add-Seen 'an error of the listing itself' {
                try { Get-ConntrackEntry -NetworkNamespace /proc/self/ns/mnt -ErrorAction Stop } catch { "$_" }
            }
            Add-Seen 'Stop, while the consumer is busy' -Rounds 10 {
                Stop-Midway 'Get-ConntrackEntry -NetworkNamespace $Namespace | ForEach-Object { $_; Start-Sleep 600 }'
            }
            Add-Seen 'Stop, anywhere' -Rounds 10 {
                Stop-Midway 'while ($true) { Get-ConntrackEntry -NetworkNamespace $Namespace | Select-Object -First 1; $null = Get-ConntrackEntry -NetworkNamespace $Namespace }'
            }
            Add-Seen 'Stop-Job' -Rounds 5 {
                $job = Start-ThreadJob { param($Module, $Namespace)
                    Import-Module $Module
                    Get-ConntrackEntry -NetworkNamespace $Namespace | ForEach-Object { $_; Start-Sleep 600 }
                } -ArgumentList (Get-Module ConntrackPS).Path, $Namespace
                while (-not $job.HasMoreData -and $job.State -notin 'Failed', 'Completed') { Start-Sleep -Milliseconds 2 }
                $script:during ??= Get-Held
                $job | Stop-Job
                "$($job.State)"
                $job | Remove-Job -Force
            }
            $watch = @{ NetworkNamespace = $Namespace; IncludeExisting = $true; EnableEvent = $true }
            Add-Seen 'Watch-ConntrackEvent | Select-Object -First 1' -Rounds 20 {
                Watch-ConntrackEvent @watch | Select-Object -First 1
            }
            Add-Seen 'Watch-ConntrackEvent, with throw' -Rounds 5 {
                try { Watch-ConntrackEvent @watch | ForEach-Object { $script:during ??= Get-Held; throw 'enough' } } catch { "$_" }
            }
            Add-Seen 'Stop, while Watch-ConntrackEvent waits' -Rounds 5 {
                Stop-Midway 'Watch-ConntrackEvent -NetworkNamespace $Namespace -EnableEvent -IncludeExisting'
            }
            Add-Seen 'Watch-ConntrackEvent, ended by its own warning' -Rounds 5 {
                try { Watch-ConntrackEvent -NetworkNamespace $Namespace -WarningAction Stop } catch { 'warned' }
            }
            Add-Seen 'Register-ConntrackEvent, ended by its own warning' -Rounds 5 {
                try { Register-ConntrackEvent -NetworkNamespace $Namespace -WarningAction Stop } catch { 'warned' }
            }
            Add-Seen 'a whole listing' -Rounds 2 {
                (Get-ConntrackEntry @list).Count
            }
            Add-Seen 'Remove-ConntrackEntry -PassThru | Select-Object -First 1' -Rounds 5 {
                Get-ConntrackEntry 10.0.0.0/18 @list | Remove-ConntrackEntry -PassThru | Select-Object -First 1
            }
            Add-Seen 'Remove-ConntrackEntry by filter, with break' -Rounds 1 {
                foreach ($once in 1) { Remove-ConntrackEntry 10.0.64.0/19 -PassThru @list | ForEach-Object { $script:during ??= Get-Held; $_; break } }
            }
            Add-Seen 'Set-ConntrackEntry by filter, with break' -Rounds 3 {
                foreach ($once in 1) { Set-ConntrackEntry 10.0.96.0/19 -NewMark 7 -PassThru @list | ForEach-Object { $script:during ??= Get-Held; $_; break } }
            }
            Add-Seen 'Stop, while Set-ConntrackEntry changes by filter' -Rounds 5 {
                Stop-Midway 'Set-ConntrackEntry 10.0.0.0/17 -NewMark 8 -PassThru -NetworkNamespace $Namespace | ForEach-Object { $_; Start-Sleep 600 }'
            }
            Add-Seen 'Clear-ConntrackTable' -Rounds 10 {
                Clear-ConntrackTable -Confirm:$false -AddressFamily IPv6 @list
            }
            Add-Seen 'Get-ConntrackStat' -Rounds 10 {
                Get-ConntrackStat @list
            }
            $stopped | ConvertTo-Json -Depth 4 -Compress
        }
        $seen = @($seen | Select-Object -Last 1 | ConvertFrom-Json)
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'leaves no socket, no event and no thread behind: <Name>' -ForEach @(
        @{ Name = 'Select-Object -First 1'; Output = 50 }
        @{ Name = 'Select-Object -First 20000'; Output = 60000 }
        @{ Name = 'break'; Output = 50 }
        @{ Name = 'throw'; Output = 50 }
        @{ Name = 'an error with -ErrorAction Stop'; Output = 50 }
        @{ Name = 'an error of the listing itself'; Output = 50 }
        @{ Name = 'Stop, while the consumer is busy'; Output = 10 }
        @{ Name = 'Stop, anywhere'; Output = 10 }
        @{ Name = 'Stop-Job'; Output = 5 }
        @{ Name = 'Watch-ConntrackEvent | Select-Object -First 1'; Output = 20 }
        @{ Name = 'Watch-ConntrackEvent, with throw'; Output = 5 }
        @{ Name = 'Stop, while Watch-ConntrackEvent waits'; Output = 5 }
        @{ Name = 'Watch-ConntrackEvent, ended by its own warning'; Output = 5 }
        @{ Name = 'Register-ConntrackEvent, ended by its own warning'; Output = 5 }
        @{ Name = 'a whole listing'; Output = 2 }
        @{ Name = 'Remove-ConntrackEntry -PassThru | Select-Object -First 1'; Output = 5 }
        @{ Name = 'Remove-ConntrackEntry by filter, with break'; Output = 1 }
        @{ Name = 'Set-ConntrackEntry by filter, with break'; Output = 3 }
        @{ Name = 'Stop, while Set-ConntrackEntry changes by filter'; Output = 5 }
        @{ Name = 'Clear-ConntrackTable'; Output = 0 }
        @{ Name = 'Get-ConntrackStat'; Output = 10 }
    ) {
        $run = $seen | Where-Object Name -EQ $Name
        $run.Output | Should -Be $Output
        $run.After.Sockets | Should -Be $run.Before.Sockets
        $run.After.Events | Should -Be $run.Before.Events
        $run.After.Readers | Should -Be 0
    }

    It 'was in the middle: <_>' -ForEach 'Select-Object -First 1 after a look', 'break', 'Stop, while the consumer is busy', 'Stop-Job',
    'Watch-ConntrackEvent, with throw', 'Stop, while Watch-ConntrackEvent waits' {
        $run = $seen | Where-Object Name -EQ $_
        # Watching reads the current table through a separate socket.
        $run.During.Sockets | Should -BeGreaterThan $run.Before.Sockets
        $run.During.Sockets | Should -BeLessOrEqual ($run.Before.Sockets + 2)
        # It also has a receiving thread. The thread that reads the table may not have ended yet.
        $run.During.Readers | Should -BeIn ($_ -like '*Watch*' ? 2, 3 : 1)
    }

    It 'left a table that can be read in full' {
        (Get-ConntrackEntry -NetworkNamespace $namespace).Count | Should -Be (Get-KernelCount $namespace)
    }
}

Describe 'Ctrl+C' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (New-ManyLine $count)
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'ends pwsh <Where>' -ForEach @(
        @{ Where = 'while it lists'; Script = { 'started'; while ($true) { Get-ConntrackEntry -NetworkNamespace $Namespace | Out-Null } } }
        @{ Where = 'while it matches a filter nothing passes'; Script = { 'started'; while ($true) { Get-ConntrackEntry 192.0.2.99 -NetworkNamespace $Namespace } } }
        @{ Where = 'while it watches'; Script = { 'started'; Watch-ConntrackEvent -NetworkNamespace $Namespace -EnableEvent } }
        @{ Where = 'while it changes'; Script = { 'started'; while ($true) { Set-ConntrackEntry 10.0.0.0/8 -NewMark 9 -NetworkNamespace $Namespace } } }
        @{ Where = 'while it removes'; Script = { 'started'; while ($true) { Get-ConntrackEntry -NetworkNamespace $Namespace | Select-Object * | Remove-ConntrackEntry -NetworkNamespace $Namespace -WhatIf 6>$null | Out-Null } } }
    ) {
        $file = New-ChildScript $Script -Namespace $namespace
        $process = Start-PowerShell '-NoProfile', '-File', $file -Redirect
        try {
            $process.StandardOutput.ReadLine() | Should -Be 'started'
            $null = $process.StandardOutput.ReadToEndAsync()
            kill -INT $process.Id
            $process.WaitForExit(30000) | Should -BeTrue -Because 'it ends by itself'
        }
        finally {
            $process.Kill($true)
            $process.WaitForExit()
            Remove-Item $file
        }
        Get-KernelCount $namespace | Should -Be $count
    }
}

Describe 'A big table' {
    BeforeAll {
        $namespace = New-TestNamespace
        $big = [Math]::Min(200000, (Get-ConntrackStat).Maximum - 1000)
        Add-KernelLine $namespace (New-ManyLine $big)
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'streams: memory stays flat in <Name>' -ForEach @(
        @{ Name = 'Get-ConntrackEntry'; Limit = 64MB; Script = { Get-ConntrackEntry -NetworkNamespace $Namespace | Measure-Object } }
        @{ Name = 'Set-ConntrackEntry'; Limit = 24MB; Script = { Set-ConntrackEntry 10.0.0.0/8 -NewMark 7 -NetworkNamespace $Namespace; Get-ConntrackStat -NetworkNamespace $Namespace } }
    ) {
        $seen = Invoke-Child -Namespace $namespace ([scriptblock]::Create("`$work = {$Script}" + {
            function Get-Peak { 1KB * [regex]::Match((Get-Content /proc/self/status -Raw), 'VmHWM:\s+(\d+) kB').Groups[1].Value }
            # Everything is compiled, and has its buffers, before the count begins.
            Get-ConntrackEntry -NetworkNamespace $Namespace | Select-Object -First 5000 | Set-ConntrackEntry -NewMark 6 -PassThru | Out-Null
            [GC]::Collect()
            [System.IO.File]::WriteAllText('/proc/self/clear_refs', '5')
            $before = Get-Peak
            $measured = & $work
            $measured.Count, ((Get-Peak) - $before) | ConvertTo-Json -Compress
        }))
        $count, $growth = $seen | ConvertFrom-Json
        $count | Should -Be $big
        $growth | Should -BeLessThan $Limit
    }

    It 'Set-ConntrackEntry has changed every entry' {
        Invoke-InNamespace $namespace sh -c 'conntrack -L -o xml 2>/dev/null | grep -o "<mark>[0-9]*</mark>" | sort | uniq -c | tr -s " "' |
            Should -Be " $big <mark>7</mark>"
    }
}
