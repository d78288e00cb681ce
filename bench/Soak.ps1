#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Works on a busy NAT router for half an hour in one process, and checks that nothing grows or is lost.
.DESCRIPTION
    Makes the lab of samples/Lab, whose clients open a few hundred flows a second. This process watches all events, lists,
    groups, measures, reads and writes text, sets marks, creates and removes. Once a minute it samples itself. Prints
    Markdown. The exit code is 1 if anything grew or was lost. Needs root, the .NET SDK, iproute2, nftables, conntrack-tools
    and the packaged module.
.EXAMPLE
    ./build.ps1 Build; ./bench/Soak.ps1 -Minutes 30
#>
[CmdletBinding()]
param(
    [ValidateRange(2, 1440)]
    [int] $Minutes = 30,

    # Unanswered flows a second, in addition to about 35 answered ones.
    [ValidateRange(1, 5000)]
    [int] $FlowRate = 200,

    # The folder of the packaged module.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS"
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Soak/Process.ps1"
. "$PSScriptRoot/Soak/Work.ps1"
. "$PSScriptRoot/Soak/Verdict.ps1"

$lab = "soak$PID"
$router = "$lab-router"
$log = dotnet build "$PSScriptRoot/../samples/Lab" --configuration Release --nologo 2>&1
if ($LASTEXITCODE -ne 0) {
    throw "The lab does not build:`n$($log | Out-String)"
}
Import-Module $ModulePath
& "$PSScriptRoot/../samples/Lab/lab.sh" up $lab | Out-Null
$load = $watch = $null
try {
    $counts = [hashtable]::Synchronized(@{ New = 0; Update = 0; Destroy = 0; Lost = 0 })
    Clear-ConntrackTable -NetworkNamespace $router -Confirm:$false
    $watch = Start-EventCount $router $counts $ModulePath
    $load = Start-Process "$PSScriptRoot/Soak/load.sh" -ArgumentList $lab, "$PSScriptRoot/../samples/Lab/bin/Release/net10.0/conntrack-lab", $FlowRate -PassThru -RedirectStandardOutput /dev/null

    "Linux $((uname -r)), PowerShell $($PSVersionTable.PSVersion), $([Environment]::ProcessorCount) processors; $(Get-Date -AsUTC -Format 'yyyy-MM-dd HH:mm') UTC.`n"
    '| minute | rounds | entries | RSS MB | GC heap MB | handles | threads | events | lost |'
    '|---:|---:|---:|---:|---:|---:|---:|---:|---:|'
    $samples = [Collections.Generic.List[object]]::new()
    $clock = [Diagnostics.Stopwatch]::StartNew()
    for ($round = 1; $clock.Elapsed.TotalMinutes -lt $Minutes; $round++) {
        Invoke-SoakRound $router $round
        if ($watch.State -ne 'Running') {
            throw "The watch ended: $($watch | Receive-Job 2>&1 | Out-String)"
        }
        if ($clock.Elapsed.TotalMinutes -ge $samples.Count + 1) {
            $sample = Get-ProcessSample $round $router $counts
            $samples.Add($sample)
            '| {0} | {1} | {2} | {3:0.0} | {4:0.0} | {5} | {6} | {7} | {8} |' -f @(
                $samples.Count, $round, $sample.Entries, $sample.Rss, $sample.Heap, $sample.Handles, $sample.Threads, $sample.Events, $sample.Lost)
        }
        Start-Sleep -Milliseconds 500
    }

    Stop-Load $load
    $load = $null
    Wait-EveryEnd $router $counts
    $verdict = @(Get-Verdict $samples $counts)
    ''
    $verdict.Text
    if ($verdict.Good -contains $false) {
        exit 1
    }
}
finally {
    if ($load) {
        Stop-Load $load
    }
    $watch | Where-Object { $_ } | Remove-Job -Force
    & "$PSScriptRoot/../samples/Lab/lab.sh" down $lab | Out-Null
}
