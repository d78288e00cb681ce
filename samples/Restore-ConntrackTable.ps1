#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Restores the connections that Save-ConntrackTable.ps1 saved, and counts those that can't be restored.
.DESCRIPTION
    Run it when a router boots, after the rules are loaded and before the interfaces are up. Connections that have expired since the
    file was written are left out. The others get the rest of their timeout. A connection that already exists is not changed.

    Counters and start times begin again, because the kernel does not accept them. A helper needs its module (nf_conntrack_ftp),
    labels need a rule that uses labels. Each kind of failure is a warning, and the other connections are restored.
.PARAMETER Path
    The file.
.PARAMETER NetworkNamespace
    The network namespace to restore to. The default is the one that the table was saved from.
.EXAMPLE
    ./Restore-ConntrackTable.ps1
    Path     : /var/lib/conntrack/table.csv
    Saved    : 11/20/2026 15:02:53
    Read     : 3900
    Restored : 3900
    Expired  : 0
    Existing : 0
    Failed   : 0
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Position = 0)] [ValidateNotNullOrEmpty()] [string] $Path = '/var/lib/conntrack/table.csv',
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

$saved = (Get-Item -LiteralPath $Path).LastWriteTimeUtc
# A router without a battery-backed clock boots with a time in the past.
$age = [Math]::Max(0, [long] ([DateTime]::UtcNow - $saved).TotalSeconds)
$read = $expired = 0
Import-Csv -LiteralPath $Path |
    ForEach-Object {
        $read++
        $left = [long] $_.TimeoutSeconds - $age
        if ($left -gt 0) {
            $_.TimeoutSeconds = $left
            $_
        }
        else {
            $expired++
        }
    } |
    New-ConntrackEntry @there -ErrorAction SilentlyContinue -ErrorVariable failures
if ($WhatIfPreference) {
    return
}

$existing, $failed = $failures.Where({ $_.CategoryInfo.Category -eq 'ResourceExists' }, 'Split')
foreach ($group in $failed | Group-Object FullyQualifiedErrorId) {
    Write-Warning "$($group.Count) were not restored, the first: $($group.Group[0].Exception.Message)"
}
[pscustomobject]@{
    Path     = $Path
    Saved    = $saved.ToLocalTime()
    Read     = $read
    Restored = $read - $expired - $failures.Count
    Expired  = $expired
    Existing = $existing.Count
    Failed   = $failed.Count
}
