# What the process holds, and the jobs beside it.

# What is held now; the collector runs first, so that garbage is not taken for growth.
function Get-ProcessSample([int] $Round, [string] $Namespace, [hashtable] $Counts) {
    [GC]::Collect()
    [GC]::WaitForPendingFinalizers()
    [GC]::Collect()
    $status = [IO.File]::ReadAllText('/proc/self/status')
    [pscustomobject]@{
        Round   = $Round
        Entries = (Get-ConntrackStat -NetworkNamespace $Namespace).Count
        Rss     = [int64][regex]::Match($status, 'VmRSS:\s+(\d+)').Groups[1].Value / 1KB
        Heap    = [GC]::GetTotalMemory($false) / 1MB
        Handles = [IO.Directory]::GetFileSystemEntries('/proc/self/fd').Count
        Threads = [int][regex]::Match($status, 'Threads:\s+(\d+)').Groups[1].Value
        Events  = $Counts.New + $Counts.Update + $Counts.Destroy
        Lost    = $Counts.Lost
    }
}

# Counts all events by type, in this process; comes back when it listens.
function Start-EventCount([string] $Namespace, [hashtable] $Counts, [string] $Module) {
    $job = Start-ThreadJob -ArgumentList $Namespace, $Counts, $Module {
        param($Namespace, $Counts, $Module)
        $ErrorActionPreference = 'Stop'
        Import-Module $Module
        Watch-ConntrackEvent -NetworkNamespace $Namespace -EnableEvent -WarningAction Ignore | ForEach-Object {
            $Counts["$($_.EventType)"] += $_.EventType -eq 'Lost' ? $_.LostCount : 1
        }
    }
    while (-not (ip netns exec $Namespace cat /proc/net/netlink | Select-String '^\S+ +12 +\d+ +0000000[1-7] ')) {
        if ($job.State -notin 'NotStarted', 'Running') {
            throw "The watch did not start: $($job | Receive-Job 2>&1 | Out-String)"
        }
        Start-Sleep -Milliseconds 50
    }
    $job
}

function Stop-Load([Diagnostics.Process] $Load) {
    kill -TERM $Load.Id
    $Load.WaitForExit()
}

# Empties the table, and waits until the end of every connection that began has been heard, or no more comes.
function Wait-EveryEnd([string] $Namespace, [hashtable] $Counts) {
    $deadline = [DateTime]::UtcNow.AddSeconds(30)
    do {
        Clear-ConntrackTable -NetworkNamespace $Namespace -Confirm:$false
        Start-Sleep -Milliseconds 500
    } while ($Counts.New -ne $Counts.Destroy -and [DateTime]::UtcNow -lt $deadline)
}
