#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Finds in the files of Write-TranslationLog.ps1 which host had an address and port at a given time.
.DESCRIPTION
    Emits each connection that was translated to the address and port at that time. There can be several, with different
    destinations. A warning says if the log has a gap at that time, because events were lost or the log was not running. Another
    host may then have had the address. To is empty if the end of a connection was not logged.

    It needs only the files, not the module.
.PARAMETER Address
    The address that replaced the source.
.PARAMETER Port
    The port that replaced the source port.
.PARAMETER Time
    The time, in this machine's time zone unless it contains one (2026-11-20T13:46:49Z).
.PARAMETER Path
    The folder of the files.
.EXAMPLE
    ./Find-Translation.ps1 198.51.100.1 40618 2026-11-20T15:13:19.592Z -Path /var/log/nat
    From            : 11/20/2026 15:13:18 +00:00
    To              : 11/20/2026 15:13:19 +00:00
    Protocol        : Udp
    Source          : 10.77.1.12
    SourcePort      : 40000
    Destination     : 198.51.100.10
    DestinationPort : 53
    Zone            : 0
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [ipaddress] $Address,
    [Parameter(Mandatory, Position = 1)] [ValidateRange(0, 65535)] [int] $Port,
    [Parameter(Mandatory, Position = 2)] [DateTimeOffset] $Time,
    [Parameter(Mandatory)] [ValidateNotNullOrEmpty()] [string] $Path
)

$ErrorActionPreference = 'Stop'
# All times in the log have the same length, so they can be compared as text.
$at = $Time.UtcDateTime.ToString('o')
$translated = "$Address"
$open = @{}
$gap = $previous = $null

function Write-Answer([string[]] $Row, [string] $From, [string] $To) {
    if ($From -gt $at -or ($To -and $To -lt $at)) {
        return
    }
    [pscustomobject]@{
        From            = $From ? [DateTimeOffset] $From : $null
        To              = $To ? [DateTimeOffset] $To : $null
        Protocol        = $Row[2]
        Source          = $Row[3]
        SourcePort      = $Row[4]
        Destination     = $Row[5]
        DestinationPort = $Row[6]
        Zone            = $Row[9]
    }
}

foreach ($file in Get-ChildItem -LiteralPath $Path -Filter translations-*.csv | Sort-Object Name) {
    foreach ($line in [System.IO.File]::ReadLines($file.FullName)) {
        if ($line.StartsWith('Time,')) {
            continue
        }
        $row = $line.Split(',')
        $now, $kind = $row[0..1]
        if ($kind -in 'Started', 'Lost') {
            if ($at -le $now -and $at -ge $previous) {
                Write-Warning ($previous ? "The log does not know all between $previous and $now ($kind)." : "The log begins at $now.")
            }
            # Connections whose start was not logged started after this time.
            $gap = $previous
            if ($kind -eq 'Started') {
                # Connections that continue are logged again as Existing. The end of the others was not logged.
                $open.Values | ForEach-Object { Write-Answer $_.Row $_.From $previous }
                $open.Clear()
            }
        }
        elseif ($row[7] -eq $translated -and $row[8] -eq $Port) {
            # Only one connection at a time has the translated address and port for a destination. A new one means that the old one ended.
            $key = ($row[2] + $row[5..9]) -join ','
            $old = $open[$key]
            $began = $row[10]
            if ($kind -eq 'Destroy') {
                Write-Answer $row ($old ? $old.From : $began ? $began : $gap) $now
                $open.Remove($key)
            }
            else {
                if ($old) {
                    Write-Answer $old.Row $old.From $now
                }
                $open[$key] = @{ Row = $row; From = $began ? $began : $now }
            }
        }
        $previous = $now
    }
}
if (-not $previous) {
    throw "'$Path' has no log of Write-TranslationLog.ps1: translations-<day>.csv."
}
if ($at -gt $previous) {
    Write-Warning "The log ends at $previous."
}
$open.Values | ForEach-Object { Write-Answer $_.Row $_.From }
