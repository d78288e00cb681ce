#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Checks how full the connection-tracking table is, for a monitoring system.
.DESCRIPTION
    Prints one line with performance data and exits like the plugins of Nagios and Icinga: 0 OK, 1 WARNING, 2 CRITICAL,
    3 UNKNOWN. From the warning level on, the line names the sources with the most connections. Only then the table is read, which
    takes seconds for millions of entries and needs CAP_NET_ADMIN. Otherwise the script needs no privilege.
.PARAMETER Warning
    The percentage of the maximum from which the state is WARNING.
.PARAMETER Critical
    The percentage of the maximum from which the state is CRITICAL.
.PARAMETER Top
    The number of sources to name.
.PARAMETER NetworkNamespace
    The network namespace to check; the default is the caller's own.
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

# Without the privilege to read the table, the fill is still shown.
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
