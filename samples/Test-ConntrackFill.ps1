#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Checks how full the connection-tracking table is, for a monitoring system.
.DESCRIPTION
    Prints one line with performance data and exits as plugins of Nagios and Icinga do: 0 OK, 1 WARNING, 2 CRITICAL,
    3 UNKNOWN. From the warning on the line names the sources with most connections; only then is the table read, which takes
    seconds where it has millions of entries. That needs CAP_NET_ADMIN, all else no privilege.
.PARAMETER Warning
    Percent of the maximum at which it warns.
.PARAMETER Critical
    Percent of the maximum at which it is critical.
.PARAMETER Top
    How many sources are named.
.PARAMETER NetworkNamespace
    The network namespace to check; the caller's own unless given.
.EXAMPLE
    ./Test-ConntrackFill.ps1
    CONNTRACK OK - 0.2 % full, 4081 of 2000000 entries | fill=0.2%;75;90;0;100 count=4081;;;0;2000000 drop=0c early_drop=0c
.EXAMPLE
    ./Test-ConntrackFill.ps1 -Warning 0.1 -Critical 50 -Top 2; $LASTEXITCODE
    CONNTRACK WARNING - 0.2 % full, 4081 of 2000000 entries; most from 10.77.1.11 (2400), 10.77.1.13 (1500) | fill=0.2%;0.1;50;0;100 count=4081;;;0;2000000 drop=0c early_drop=0c
    1
#>
[CmdletBinding()]
param(
    [ValidateRange(0.0, 100.0)] [double] $Warning = 75,
    [ValidateRange(0.0, 100.0)] [double] $Critical = 90,
    [ValidateRange(1, 100)] [int] $Top = 3,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

# A user who may not read the table still sees the fill.
function Get-TopSource {
    try {
        $groups = Measure-ConntrackEntry -GroupBy SourceAddress -Top $Top @there
        'most from ' + (($groups | ForEach-Object { "$($_.Name) ($($_.Count))" }) -join ', ')
    }
    catch {
        "sources unknown: $($_.Exception.Message)"
    }
}

try {
    Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
    if ($Warning -gt $Critical) {
        throw "-Warning $Warning is above -Critical $Critical."
    }
    $stat = Get-ConntrackStat @there
    $code = $stat.FillPercent -ge $Critical ? 2 : $stat.FillPercent -ge $Warning ? 1 : 0
    $text = "$($stat.FillPercent) % full, $($stat.Count) of $($stat.Maximum) entries"
    if ($code) {
        $text += "; $(Get-TopSource)"
    }
    $text += " | fill=$($stat.FillPercent)%;$Warning;$Critical;0;100 count=$($stat.Count);;;0;$($stat.Maximum)"
    $text += " drop=$($stat.Drop)c early_drop=$($stat.EarlyDrop)c"
}
catch {
    $code = 3
    $text = $_.Exception.Message
}
"CONNTRACK $(('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[$code]) - $($text -replace '\s+', ' ')"
exit $code
