#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Removes the connections of a failed uplink, so that they take the other one, and reports what is left.
.DESCRIPTION
    A connection keeps the translation it began with. After a change of route its packets leave by the new uplink with the
    old one's address, for as long as somebody sends: a phone or a tunnel over UDP may never stop. Run this when the
    routes have changed, for instance as a hook of keepalived, NetworkManager or pppd.

    Connections that are back after -SettleSeconds were made by new packets: the rules or routes still lead there.
.PARAMETER Mark
    The uplink's mark, whole (7, 0x100) or under a mask (0x100/0xff00).
.PARAMETER TranslatedSourceAddress
    The uplink's own addresses or prefixes, which the source is replaced by.
.PARAMETER SettleSeconds
    How long to wait before looking what is left.
.PARAMETER NetworkNamespace
    The network namespace to work in; the caller's own unless given.
.EXAMPLE
    ./Remove-UplinkFlow.ps1 -Mark 0x100/0xff00
    Uplink       Found Left
    ------       ----- ----
    0x100/0xff00   180    0
.EXAMPLE
    ./Remove-UplinkFlow.ps1 -TranslatedSourceAddress 198.51.100.1
    Uplink       Found Left
    ------       ----- ----
    198.51.100.1  1500    0
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory, ParameterSetName = 'Mark')] [ValidateNotNullOrEmpty()] [string[]] $Mark,
    [Parameter(Mandatory, ParameterSetName = 'Address')] [ValidateNotNullOrEmpty()] [string[]] $TranslatedSourceAddress,
    [ValidateRange(0, 60)] [int] $SettleSeconds = 1,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")

$flows = $Mark ? @{ Mark = $Mark -split ',' } : @{ TranslatedSourceAddress = $TranslatedSourceAddress -split ',' }
if ($NetworkNamespace) {
    $flows.NetworkNamespace = $NetworkNamespace
}
function Measure-Flow {
    Measure-ConntrackEntry -GroupBy Protocol, SourceAddress @flows
}

$found = Measure-Flow | Measure-Object Count -Sum
Remove-ConntrackEntry @flows
if ($WhatIfPreference) {
    return
}

Start-Sleep $SettleSeconds
$groups = Measure-Flow
$left = $groups | Measure-Object Count -Sum
if ($left.Sum) {
    $most = ($groups | Select-Object -First 3 | ForEach-Object { "$($_.Name) ($($_.Count))" }) -join '; '
    Write-Warning "$($left.Sum) connections are back, most by $most. Look at 'ip rule', 'ip route' and the rules that set the mark."
}
[pscustomobject]@{
    Uplink = ($Mark ?? $TranslatedSourceAddress) -join ', '
    Found  = [long] $found.Sum
    Left   = [long] $left.Sum
}
