#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Removes the connections that destination NAT still sends to a failed server, and no others.
.DESCRIPTION
    When a service moves, you change its rule, but existing connections keep their server. UDP clients that continue to send from
    the same port (resolvers, SIP, syslog, game servers) keep such an entry alive forever. Change the rule first, then run this
    script. The next packet follows the new rule.

    Emits the removed entries. Warns about connections that are back, because a rule still leads to the old server.
.PARAMETER BackendAddress
    The addresses or prefixes of the old servers.
.PARAMETER BackendPort
    Their port, if they have other services that continue.
.PARAMETER ServiceAddress
    The public addresses of the service, if the old servers have other services that continue.
.PARAMETER ServicePort
    The public port of the service.
.PARAMETER Protocol
    The protocols. TCP connections to a failed server end by themselves. They are removed only if you give Tcp here.
.PARAMETER SettleSeconds
    The time to wait before the check for connections that are back, in seconds.
.PARAMETER NetworkNamespace
    The network namespace to work in; the default is the caller's own.
.EXAMPLE
    ./Remove-BackendFlow.ps1 10.77.1.13 -BackendPort 53 -WhatIf
    What if: Performing the operation "Remove conntrack entry" on target "udp 10.77.1.12:40000 -> 198.51.100.1:53 destination as 10.77.1.13:53".
.EXAMPLE
    ./Remove-BackendFlow.ps1 10.77.1.13 -BackendPort 53
    Protocol State       SourceAddress                           SPort DestinationAddress                      DPort Timeout
    -------- -----       -------------                           ----- ------------------                      ----- -------
    Udp                  10.77.1.12                              40000 198.51.100.1                               53     298
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory, Position = 0)] [ValidateNotNullOrEmpty()] [string[]] $BackendAddress,
    [ValidateRange(1, 65535)] [int] $BackendPort,
    [ValidateNotNullOrEmpty()] [string[]] $ServiceAddress,
    [ValidateRange(1, 65535)] [int] $ServicePort,
    [ValidateNotNullOrEmpty()] [string[]] $Protocol = 'Udp',
    [ValidateRange(0, 60)] [int] $SettleSeconds = 1,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")

$filterNames = @{
    BackendAddress = 'TranslatedDestinationAddress'
    BackendPort    = 'TranslatedDestinationPort'
    ServiceAddress = 'DestinationAddress'
    ServicePort    = 'DestinationPort'
}
$flows = @{ DestinationNat = $true; Protocol = $Protocol -split ',' }
foreach ($given in $filterNames.Keys.Where({ $PSBoundParameters.ContainsKey($_) })) {
    $flows[$filterNames[$given]] = $PSBoundParameters[$given] -split ','
}
if ($NetworkNamespace) {
    $flows.NetworkNamespace = $NetworkNamespace
}

Remove-ConntrackEntry @flows -PassThru
if ($WhatIfPreference) {
    return
}

Start-Sleep $SettleSeconds
$back = @(Get-ConntrackEntry @flows)
if ($back) {
    Write-Warning ("$($back.Count) connections to $($BackendAddress -join ', ') are back, the first: $($back[0]). " +
        'A rule still sends them there: nft list ruleset')
}
