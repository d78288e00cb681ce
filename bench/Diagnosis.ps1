#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Races the statistics and the health check against the raw receive loop and the usual tools, and prints Markdown.
.DESCRIPTION
    Makes a network namespace of its own and fills its table. Needs root, the .NET SDK, iproute2, conntrack-tools and the
    built module.
.EXAMPLE
    ./build.ps1 Build; ./bench/Diagnosis.ps1 -Count 1000000
#>
[CmdletBinding()]
param(
    # The number of entries in the table.
    [ValidateRange(1000, 8000000)]
    [int] $Count = 200000,

    # The number of rounds of the health check, after one round to warm up. The statistics run 20 times as often.
    [ValidateRange(1, 1000)]
    [int] $Rounds = 5
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Server.ps1"
. "$PSScriptRoot/Race/Contest.ps1"
. "$PSScriptRoot/Race/Report.ps1"

$ns = "ctps-race-$PID"

# Without the time between the two readings of the counters.
function Get-HealthContestant {
    New-Contestant 'raw receive loop' { (Invoke-BenchServer $server raw).Milliseconds }
    New-Contestant 'core: dump and parse' { (Invoke-BenchServer $server parse).Milliseconds }
    New-Contestant 'core: health check' { (Invoke-BenchServer $server health).Milliseconds }
    New-Contestant '`conntrack -L >/dev/null`' { Measure-Shell "ip netns exec $ns conntrack -L >/dev/null 2>&1" }
    New-Contestant '`Test-ConntrackHealth -SampleTime 0`' -FasterThan '`conntrack -L >/dev/null`' {
        Measure-Block { $null = Test-ConntrackHealth -SampleTime 0 -NetworkNamespace $ns }
    }
}

# The core's promise of 2 ms is an absolute time, not a ratio.
function Write-StatReport([object[]] $Contestant) {
    '| | median ms | fastest ms | promised | |'
    '|---|---:|---:|---|---|'
    foreach ($one in $Contestant) {
        $promise = if ($one -eq $Contestant[0]) { "under 2 ms | $($one.Median -lt 2 ? 'pass' : 'fail')" } else { ' | ' }
        '| {0} | {1:0.00} | {2:0.00} | {3} |' -f $one.Name, $one.Median, $one.Fastest, $promise
    }
}

function Get-StatContestant {
    New-Contestant 'core: read the statistics' { (Invoke-BenchServer $server count).Milliseconds }
    New-Contestant '`Get-ConntrackStat`' { Measure-Block { $null = Get-ConntrackStat -NetworkNamespace $ns } }
    New-Contestant '`conntrack -S; conntrack -C`' { Measure-Shell "ip netns exec $ns sh -c 'conntrack -S; conntrack -C' >/dev/null" }
}

$server = $null
ip netns add $ns
try {
    $program = Build-BenchProgram
    Import-Module "$PSScriptRoot/../out/ConntrackPS"
    $server = Start-BenchServer $program $ns
    $null = Invoke-BenchServer $server "fill $Count"

    $stat = @(Get-StatContestant)
    Invoke-Contest $stat (20 * $Rounds) -WarmUpRounds 20
    "`n### Statistics of a table of $Count entries, $(20 * $Rounds) rounds`n"
    Write-StatReport $stat

    $health = @(Get-HealthContestant)
    Invoke-Contest $health $Rounds -WarmUpRounds 1
    "`n### Health of a table of $Count entries, $Rounds rounds`n"
    Write-Report $health $Count
}
finally {
    if ($server) {
        Stop-BenchServer $server
    }
    ip netns del $ns
}
