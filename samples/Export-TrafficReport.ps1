#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Writes a report of the sources that move most, as CSV, JSON or HTML.
.DESCRIPTION
    Reads the table twice, the interval apart, and reports the rates of each source, host or network, the fastest first. For
    cron: it prints nothing but errors. What connections moved that ended in between is not in the table any more; with an
    interval that is short beside the life of connections little is missed. Needs accounting (nf_conntrack_acct).
.PARAMETER Path
    The file; its extension (.csv, .json, .html) says what is written. It takes the old one's place when it is complete.
.PARAMETER Interval
    How long to measure: seconds, or a span such as 5m.
.PARAMETER Top
    How many sources are reported.
.PARAMETER Prefix
    Leading bits of an IPv4 address that make a source: 24 reports networks of 256 addresses, 32 hosts.
.PARAMETER PrefixIPv6
    Leading bits of an IPv6 address that make a source.
.PARAMETER NetworkNamespace
    The network namespace to measure; the caller's own unless given.
.EXAMPLE
    ./Export-TrafficReport.ps1 /var/www/traffic.html -Interval 5m -Prefix 24

    In a crontab: */10 * * * * root pwsh -NoProfile -File /usr/local/sbin/Export-TrafficReport.ps1 /var/www/traffic.html -Interval 5m
.EXAMPLE
    ./Export-TrafficReport.ps1 traffic.csv -Interval 2; Get-Content traffic.csv
    "Source","BitsPerSecond","PacketsPerSecond","Count","NewPerSecond","ClosedPerSecond","TotalBytes"
    "10.77.1.11","378315.19","38.51","1","0","0","128940"
    "10.77.1.12","70240.93","38.51","1","0","0","23712"
    "fd77:1::/64","17868.31","38.51","1","0","0","6032"
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)]
    [ValidatePattern('\.(csv|json|html)$', ErrorMessage = "'{0}' ends in none of .csv, .json, .html.")]
    [string] $Path,
    [ValidateNotNullOrEmpty()] [string] $Interval = '1m',
    [ValidateRange(1, 100000)] [int] $Top = 20,
    [ValidateRange(1, 32)] [int] $Prefix = 32,
    [ValidateRange(1, 128)] [int] $PrefixIPv6 = 64,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

if (-not (Get-ConntrackSetting Accounting @there).Value) {
    throw 'Accounting is off, and nothing is counted. Turn it on for new connections: Set-ConntrackSetting Accounting $true -Persist'
}
$measure = @{ GroupBy = 'SourceAddress'; Prefix = $Prefix; PrefixIPv6 = $PrefixIPv6; Top = $Top; SortBy = 'BitsPerSecond' }
$columns = @{ Name = 'Source'; Expression = 'Name' }, 'BitsPerSecond', 'PacketsPerSecond', 'Count', 'NewPerSecond', 'ClosedPerSecond', 'TotalBytes'
$rows = @(Measure-ConntrackEntry @measure -Interval $Interval @there | Select-Object $columns)
$time = Get-Date -Format 'yyyy-MM-dd HH:mm:ss zzz'

$text = switch ([System.IO.Path]::GetExtension($Path)) {
    .csv { $rows | ConvertTo-Csv }
    .json { [ordered]@{ Time = $time; Interval = $Interval; Sources = $rows } | ConvertTo-Json -Depth 3 -EnumsAsStrings }
    .html {
        $head = '<meta charset="utf-8"/><title>Traffic by source</title>',
            '<style>td { text-align: right; padding: 0 1em } td:first-child { text-align: left }</style>'
        $span = $Interval -replace '^\d+$', '$0 s'
        $note = "<p>$time, over $span. Connections that ended meanwhile are left out.</p>"
        $rows | ConvertTo-Html -Head $head -PreContent '<h1>Traffic by source</h1>', $note
    }
}
Set-Content -LiteralPath "$Path.new" $text
Move-Item -LiteralPath "$Path.new" $Path -Force
