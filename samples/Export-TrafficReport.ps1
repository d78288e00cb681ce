#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Writes a report of the sources with the most traffic, as CSV, JSON or HTML.
.DESCRIPTION
    Reads the table twice with the given interval, and reports the rates of each source (host or network), the highest first. It
    prints only errors, so it can run from cron. The traffic of connections that ended in between is not included. With an interval
    that is short compared with the life of connections, little is missing. It needs accounting (nf_conntrack_acct).
.PARAMETER Path
    The file. Its extension (.csv, .json, .html) selects the format. The file replaces an old one when it is complete.
.PARAMETER Interval
    How long to measure: seconds, or a span such as 5m.
.PARAMETER Top
    The number of sources in the report.
.PARAMETER Prefix
    The prefix length that counts as one IPv4 source: 24 reports networks of 256 addresses, 32 reports hosts.
.PARAMETER PrefixIPv6
    The prefix length that counts as one IPv6 source.
.PARAMETER NetworkNamespace
    The network namespace to measure; the default is the caller's own.
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
