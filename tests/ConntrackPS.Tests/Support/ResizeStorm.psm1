<# Storms of resizes of the machine's hash table, for the tests and for bench/Resize.ps1. #>
$ErrorActionPreference = 'Stop'

<# Why the hash table can't be resized from here; nothing where it can: only the initial network namespace may. #>
function Get-ResizeObstacle {
    try {
        [System.IO.File]::Open('/proc/sys/net/netfilter/nf_conntrack_buckets', 'Open', 'Write', 'ReadWrite').Dispose()
    }
    catch {
        "the hash table can't be resized from here: $($_.Exception.InnerException.Message)"
    }
}

<# Runs a script in a storm; what it gave, with the number of resizes as a last object. Puts the size back, come what may. #>
function Invoke-InStorm {
    param([Parameter(Mandatory)] [scriptblock] $Script, [double] $Pause)

    $start = [System.Diagnostics.ProcessStartInfo]@{ FileName = "$PSScriptRoot/resize-storm.sh"; RedirectStandardOutput = $true }
    $start.ArgumentList.Add("$PID")
    if ($Pause) {
        $start.ArgumentList.Add($Pause.ToString([cultureinfo]::InvariantCulture))
    }
    $storm = [System.Diagnostics.Process]::Start($start)
    try {
        Start-Sleep -Milliseconds 100
        & $Script
    }
    finally {
        if (-not $storm.HasExited) {
            /bin/kill -TERM $storm.Id
        }
        $count = [int] $storm.StandardOutput.ReadToEnd()
        $storm.WaitForExit()
    }
    $count
}
