#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Logs which host was translated to which address and port, and when, to a CSV file for each day.
.DESCRIPTION
    Writes the start and the end of each connection whose source is translated. The time is that of the kernel (Linux 6.14 and
    later) or the time of arrival. Find-Translation.ps1 searches the files.

    The log shows its gaps. Connections that existed before are rows with the event Existing. Dropped events are a row Lost with
    their number. Then the table is read, and the changes follow as derived rows. Rows Started and Stopped mark the time of a run,
    so that a gap between runs is visible, also after a crash.

    Set nf_conntrack_events to 1 when the router boots (Set-ConntrackSetting Events On -Persist). Under 2, the default,
    connections opened before a listener was running produce no events, and a warning says so.

    Ctrl+C ends it. For systemd, use KillSignal=SIGINT, because SIGTERM ends PowerShell before it can write Stopped. Times and days
    are UTC.
.PARAMETER Path
    The folder of the files, translations-<year>-<month>-<day>.csv. It is created if it is missing.
.PARAMETER ReceiveBufferSize
    The size of the kernel's buffer in bytes. A waiting event needs 640 bytes.
.PARAMETER NetworkNamespace
    The network namespace to listen in; the default is the caller's own.
.EXAMPLE
    ./Write-TranslationLog.ps1 /var/log/nat

    It runs until Ctrl+C. Then:

    PS> Get-Content /var/log/nat/translations-*.csv
    Time,Event,Protocol,Source,SourcePort,Destination,DestinationPort,Translated,TranslatedPort,Zone,Began,Derived,Lost
    2026-11-20T15:13:15.3299900Z,Started,,,,,,,,,,,
    2026-11-20T15:13:15.4654019Z,Existing,Udp,10.77.1.11,40000,198.51.100.10,53,198.51.100.1,50000,0,2026-11-20T15:13:14.7466894Z,,
    2026-11-20T15:13:18.7706690Z,New,Udp,10.77.1.12,40000,198.51.100.10,53,198.51.100.1,50001,0,,,
    2026-11-20T15:13:19.8323943Z,Destroy,Udp,10.77.1.12,40000,198.51.100.10,53,198.51.100.1,50001,0,2026-11-20T15:13:18.7706678Z,,
    2026-11-20T15:13:20.8585212Z,Stopped,,,,,,,,,,,
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Path,
    [ValidateRange(65536, 1GB)] [int] $ReceiveBufferSize = 64MB,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

if ((Get-ConntrackSetting Events @there).Value -eq 'Off') {
    throw 'The kernel makes no events, and nothing could be logged: Set-ConntrackSetting Events On -Persist'
}
$columns = 'Time,Event,Protocol,Source,SourcePort,Destination,DestinationPort,Translated,TranslatedPort,Zone,Began,Derived,Lost'
$folder = (New-Item $Path -ItemType Directory -Force).FullName
$writer = $null
$day = ''

# The file for the day of a time. The kernel times of two processors can differ around midnight, so the day never goes back.
function Open-Day([string] $Time) {
    $today = $Time.Substring(0, 10)
    if ($today -gt $script:day) {
        ${script:writer}?.Dispose()
        $script:day = $today
        # It shows who communicated with whom, so only its owner can read it.
        $options = [System.IO.FileStreamOptions]@{ Mode = 'Append'; Access = 'Write'; UnixCreateMode = 'UserRead, UserWrite' }
        $script:writer = [System.IO.StreamWriter]::new("$folder/translations-$today.csv", $options)
        $script:writer.AutoFlush = $true
        if ($script:writer.BaseStream.Length -eq 0) {
            $script:writer.WriteLine($columns)
        }
    }
}

# A row without a connection.
function Add-Mark([string] $Kind, [string] $Lost) {
    $now = [DateTime]::UtcNow.ToString('o')
    Open-Day $now
    $script:writer.WriteLine("$now,$Kind$(',' * 11)$Lost")
}

$watch = @{
    EventType         = 'New', 'Destroy'
    SourceNat         = $true
    IncludeExisting   = $true
    Resync            = $true
    ReceiveBufferSize = $ReceiveBufferSize
}
Add-Mark Started
try {
    Watch-ConntrackEvent @watch @there | ForEach-Object {
        if ($_.LostCount) {
            Add-Mark Lost $_.LostCount
            return
        }
        $time = $_.EventTime.ToUniversalTime().ToString('o')
        if (-not $time.StartsWith($day)) {
            Open-Day $time
        }
        $began = $_.StartTime ? $_.StartTime.ToUniversalTime().ToString('o') : ''
        $writer.WriteLine("$time,$($_.EventType),$($_.Protocol),$($_.SourceAddress),$($_.SourcePort),$($_.DestinationAddress)," +
            "$($_.DestinationPort),$($_.ReplyDestinationAddress),$($_.ReplyDestinationPort),$($_.Zone),$began,$($_.IsDerived ? 'True' : ''),")
    }
}
finally {
    Add-Mark Stopped
    $writer.Dispose()
}
