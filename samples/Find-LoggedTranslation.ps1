#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Finds in logs of conntrack -E which host had an address and port at a given time.
.DESCRIPTION
    Emits each connection that showed the address and port to its destination at that time. There can be several, with different
    destinations. From is empty if the start of a connection is not in the logs, and To if its end is not.

    A warning says if events were lost around that time, if the time is before or after the logs, or if events have no time. Another host
    may then have had the address.

    The logs can be of any form that ConvertFrom-ConntrackText reads and that has times: conntrack -E -o timestamp, with or without id,
    extended, ktimestamp or xml, also behind the prefixes of syslog, also packed by gzip. Times without a time zone, as in XML and syslog, are
    those of this machine's zone. The order of the files does not matter.
.PARAMETER Address
    The address that the destination saw: the translated one.
.PARAMETER Port
    The port that the destination saw.
.PARAMETER Time
    The time, in this machine's time zone unless it contains one (2026-11-20T13:46:49Z).
.PARAMETER Path
    The logs. Wildcards are allowed.
.EXAMPLE
    ./Find-LoggedTranslation.ps1 203.0.113.1 40010 2015-03-26T18:01:00Z -Path /var/log/conntrack*.log, /var/log/conntrack*.gz
    From            : 3/26/2015 5:59:16 PM +00:00
    To              : 3/26/2015 6:03:19 PM +00:00
    Protocol        : Tcp
    Source          : 192.0.2.21
    SourcePort      : 40010
    Destination     : 198.51.100.80
    DestinationPort : 443
    Zone            : 0
    Path            : /var/log/conntrack-2015-03.log.gz
    LineNumber      : 1
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)] [ipaddress] $Address,
    [Parameter(Mandatory, Position = 1)] [ValidateRange(0, 65535)] [int] $Port,
    [Parameter(Mandatory, Position = 2)] [DateTimeOffset] $Time,
    [Parameter(Mandatory)] [ValidateNotNullOrEmpty()] [SupportsWildcards()] [string[]] $Path
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$at = $Time.UtcDateTime
$seen = "$Address"
$first = $last = $null
$untimed = 0
$matching = [System.Collections.Generic.List[object]]::new()
$gaps = [System.Collections.Generic.List[object]]::new()

foreach ($file in Get-ChildItem -Path $Path -File) {
    $previous = $null
    $isAfterLoss = $false
    # Lines that can't be read are errors for themselves; the others count.
    $read = @{ IncludeLine = $true; ErrorAction = 'Continue'; WarningAction = 'Ignore' }
    ConvertFrom-ConntrackText -LiteralPath $file.FullName @read | ForEach-Object {
        if ($_ -isnot [ConntrackPS.Events.ConntrackEvent]) {
            return
        }
        $now = $_.EventTime ? $_.EventTime.ToUniversalTime() : $null
        if ($_.EventType -eq 'Lost') {
            # A notice of conntrack has no time of its own: the loss is between the events around it.
            $isAfterLoss = $true
            return
        }
        if (-not $now) {
            $untimed++
            return
        }
        if ($isAfterLoss) {
            $gaps.Add(@{ From = $previous; To = $now })
            $isAfterLoss = $false
        }
        $previous = $now
        $first = $first -and $first -le $now ? $first : $now
        $last = $last -and $last -ge $now ? $last : $now
        if ($_.ReplyDestinationPort -eq $Port -and $_.ReplyDestinationAddress -eq $seen) {
            $matching.Add($_)
        }
    }
    if ($isAfterLoss) {
        $gaps.Add(@{ From = $previous; To = $null })
    }
}

function Write-Answer($Last, $From, $To) {
    if (($From -and $From -gt $at) -or ($To -and $To -lt $at)) {
        return
    }
    [pscustomobject]@{
        From            = $From ? [DateTimeOffset] $From : $null
        To              = $To ? [DateTimeOffset] $To : $null
        Protocol        = $Last.Protocol
        Source          = $Last.SourceAddress
        SourcePort      = $Last.SourcePort
        Destination     = $Last.DestinationAddress
        DestinationPort = $Last.DestinationPort
        Zone            = $Last.Zone
        Path            = $Last.Path
        LineNumber      = $Last.LineNumber
    }
}

if ($untimed -gt 0) {
    Write-Warning "$untimed events have no time and are left out. Log with 'conntrack -E -o timestamp'."
}
if (-not $last) {
    throw 'The files have no events with a time.'
}
foreach ($gap in $gaps.Where({ -not ($_.From -and $_.From -gt $at) -and -not ($_.To -and $_.To -lt $at) })) {
    $begin, $end = $gap.From, $gap.To | ForEach-Object { $_ ? $_.ToString('o') : $null }
    Write-Warning "Events were lost$($begin ? " after $begin" : '')$($end ? " and before $end" : '')."
}
if ($at -lt $first) {
    Write-Warning "The logs begin at $($first.ToString('o'))."
}
if ($at -gt $last) {
    Write-Warning "The logs end at $($last.ToString('o'))."
}

# Only one connection at a time has the address and port for a destination. A new one means that the old one ended.
$open = @{}
foreach ($happened in $matching | Sort-Object EventTimestamp -Stable) {
    $key = "$($happened.Protocol) $($happened.ReplySourceAddress) $($happened.ReplySourcePort) $($happened.Zone)"
    $now = $happened.EventTime.ToUniversalTime()
    $old = $open[$key]
    $isAnother = $old -and ($happened.EventType -eq 'New' -or
        "$($old.Event.SourceAddress) $($old.Event.SourcePort)" -ne "$($happened.SourceAddress) $($happened.SourcePort)" -or
        ($old.Event.Id -and $happened.Id -and $old.Event.Id -ne $happened.Id))
    if ($isAnother) {
        Write-Answer $old.Event $old.From $now
        $old = $null
    }
    $began = $happened.StartTime ? $happened.StartTime.ToUniversalTime() : $null
    $from = $old ? $old.From : $happened.EventType -eq 'New' ? $now : $began
    if ($happened.EventType -eq 'Destroy') {
        Write-Answer ($old ? $old.Event : $happened) $from $now
        $open.Remove($key)
    }
    else {
        $open[$key] = @{ Event = $old ? $old.Event : $happened; From = $from }
    }
}
$open.Values | ForEach-Object { Write-Answer $_.Event $_.From }
