#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Removes the connections that destination NAT still sends to a server that is gone, and no others.
.DESCRIPTION
    When a service moves, its rule is changed, but a connection keeps the server it was given. Clients of UDP that go on
    sending from the same port (resolvers, SIP, syslog, game servers) keep such an entry alive for ever. Change the rule
    first, then run this: the next packet goes by the new rule.

    Emits what it removed. Warns of connections that are back, since some rule still leads there.
.PARAMETER BackendAddress
    The addresses or prefixes of the old servers.
.PARAMETER BackendPort
    Their port, where they have other services that live on.
.PARAMETER ServiceAddress
    The public addresses of the service, where the old servers have others that live on.
.PARAMETER ServicePort
    The public port of the service.
.PARAMETER Protocol
    The protocols. TCP connections to a dead server end by themselves, and are removed when they are named.
.PARAMETER SettleSeconds
    How long to wait before looking what is back.
.PARAMETER NetworkNamespace
    The network namespace to work in; the caller's own unless given.
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
