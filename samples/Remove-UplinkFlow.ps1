#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Removes the connections of a failed uplink, so that they use the other one, and reports the connections that are left.
.DESCRIPTION
    A connection keeps its translation. After a change of route, its packets leave by the new uplink with the address of the old
    one, as long as the client sends. A phone or a tunnel over UDP may never stop. Run this script when the routes have changed, for
    example as a hook of keepalived, NetworkManager or pppd.

    Connections that are back after -SettleSeconds were created by new packets: the rules or routes still lead to the old uplink.
.PARAMETER Mark
    The uplink's mark: whole (7, 0x100) or with a mask (0x100/0xff00).
.PARAMETER TranslatedSourceAddress
    The addresses or prefixes of the uplink, which replace the source.
.PARAMETER SettleSeconds
    The time to wait before the connections that are left are counted, in seconds.
.PARAMETER NetworkNamespace
    The network namespace to work in; the default is the caller's own.
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
