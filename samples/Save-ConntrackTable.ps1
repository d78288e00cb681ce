#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Saves the connection-tracking table to a file, from which Restore-ConntrackTable.ps1 restores it.
.DESCRIPTION
    Run it when a router shuts down, after the interfaces are down; otherwise the file lacks the last changes. The file shows who
    communicated with whom, so only its owner can read it. It replaces an old file when it is complete.

    It is CSV with all properties. CLIXML needs twelve times the space and four times the time.
.PARAMETER Path
    The file.
.PARAMETER NetworkNamespace
    The network namespace whose table it is; the default is the caller's own.
.EXAMPLE
    ./Save-ConntrackTable.ps1
    Path                         Entries   Bytes
    ----                         -------   -----
    /var/lib/conntrack/table.csv    3900 1027870
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)] [ValidateNotNullOrEmpty()] [string] $Path = '/var/lib/conntrack/table.csv',
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

$unfinished = "$Path.new"
$null = New-Item $unfinished -ItemType File -Force
$unfinished = (Get-Item -LiteralPath $unfinished).FullName
[System.IO.File]::SetUnixFileMode($unfinished, 'UserRead, UserWrite')
$count = 0
Get-ConntrackEntry @there | ForEach-Object { $count++; $_ } | Export-Csv -LiteralPath $unfinished
Move-Item -LiteralPath $unfinished $Path -Force

[pscustomobject]@{
    Path    = $Path
    Entries = $count
    Bytes   = (Get-Item -LiteralPath $Path).Length
}
