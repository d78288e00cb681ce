#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Stops every cmdlet at random moments, a thousand times in one process, and by SIGINT in processes of their own.
.DESCRIPTION
    Makes a network namespace of its own. The first process must have the same sockets, eventfds and threads as at the
    start. Each of the others must end by itself. Entries that no filter named must be in the table at the end. Needs root, iproute2,
    conntrack-tools and the packaged module. Ends with code 1 unless all of that holds.
.EXAMPLE
    ./build.ps1 Build; ./bench/Interrupt.ps1 -Count 1000 -Signals 100
#>
[CmdletBinding()]
param(
    # The number of stopped cmdlets in one process.
    [ValidateRange(1, 1000000)]
    [int] $Count = 1000,

    # The number of processes that get SIGINT.
    [ValidateRange(0, 10000)]
    [int] $Signals = 100,

    [int] $Seed = 1
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
$support = "$PSScriptRoot/../tests/ConntrackPS.Tests/Support"
Import-Module "$support/TestSupport.psm1", "$support/RandomStop.psm1"
Import-PackagedModule
$random = [Random]::new($Seed)
$problems = [Collections.Generic.List[string]]::new()

# Sends SIGINT to a process that works endlessly, after a random time. Returns what went wrong, or nothing.
function Stop-BySignal([string] $File, [string] $Name) {
    $process = Start-PowerShell '-NoProfile', '-File', $File -Redirect
    try {
        if ($process.StandardOutput.ReadLine() -ne 'started') {
            return "$Name did not start"
        }
        $null = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        Start-Sleep -Milliseconds $random.Next(200)
        kill -INT $process.Id
        if (-not $process.WaitForExit(30000)) {
            return "$Name did not end"
        }
        if ($errors.Result -match 'Unhandled exception|Fatal error') {
            return "$Name`: $($errors.Result)"
        }
    }
    finally {
        $process.Kill($true)
        $process.WaitForExit()
    }
}

$namespace = New-TestNamespace
try {
    Add-KernelLine $namespace (New-ManyLine 500)
    Add-KernelLine $namespace '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 40001 --dport 80'
    $stopped = Invoke-RandomStop (Get-Module ConntrackPS).Path $namespace $Count $Seed
    $problems.AddRange($stopped.Problems)
    foreach ($what in 'Sockets', 'Events', 'Readers') {
        "{0}: {1} before, {2} after" -f $what, $stopped.Before.$what, $stopped.After.$what
        if ($stopped.After.$what -gt $stopped.Before.$what) {
            $problems.Add("$what are left")
        }
    }
    "$($stopped.Works) kinds of work in one process: $($stopped.Stopped) stopped midway, $($stopped.Completed) had ended."

    $work = @(Get-EndlessWork)
    for ($i = 0; $i -lt $Signals; $i++) {
        $one = $work[$i % $work.Count]
        $file = New-ChildScript $one.Script -Namespace $namespace
        $problem = Stop-BySignal $file $one.Name
        Remove-Item $file
        if ($problem) {
            $problems.Add($problem)
        }
    }
    "$Signals processes got SIGINT."

    $left = @(Invoke-InNamespace $namespace conntrack -L | Where-Object { $_ -notlike '*zone=9*' })
    if ($left.Count -ne 501) {
        $problems.Add("$($left.Count) entries are left that nobody named, of 501")
    }
}
finally {
    Remove-TestNamespace $namespace
}
"$($problems.Count) problems."
$problems | Group-Object -NoElement | ForEach-Object { "$($_.Count) x $($_.Name)" }
if ($problems.Count) {
    exit 1
}
