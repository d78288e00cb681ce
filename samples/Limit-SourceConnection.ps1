#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Blocks hosts that have too many connections, for a limited time.
.DESCRIPTION
    Counts connections per source. For every source above the maximum, the script drops the traffic and removes the connections.
    After the given time the traffic can pass again. The script runs as long as the block lasts. If it is ended, the kernel
    removes the block. Run it from a timer.

    The addresses of -Exempt, and the SSH connection that the script runs in, are never blocked.
.PARAMETER Maximum
    The maximum number of connections of a source.
.PARAMETER BlockSeconds
    The time for which their traffic is dropped, in seconds.
.PARAMETER Exempt
    Addresses and prefixes that are never blocked. Give the router's own addresses and yours. A source that is a prefix
    (-PrefixIPv6) is not blocked at all if it contains an exempt address.
.PARAMETER PrefixIPv6
    The prefix length that counts as one IPv6 source. A host has many addresses, and usually one /64.
.PARAMETER NetworkNamespace
    The network namespace to work in; the default is the caller's own.
.EXAMPLE
    ./Limit-SourceConnection.ps1 -Maximum 1 -Exempt 10.77.1.13, 127.0.0.0/8 -WhatIf
    What if: Performing the operation "Block conntrack traffic" on target "entries with source address 10.77.1.11".
    What if: Performing the operation "Remove conntrack entry" on target "udp 10.77.1.11:2 -> 198.51.100.10:80".
    What if: Performing the operation "Remove conntrack entry" on target "udp 10.77.1.11:1 -> 198.51.100.10:80".
    SourceAddress Connections Unreplied
    ------------- ----------- ---------
    10.77.1.11              2         2
.EXAMPLE
    ./Limit-SourceConnection.ps1 -Maximum 1000 -Exempt 10.77.1.13, 127.0.0.0/8 -BlockSeconds 30
    SourceAddress Connections Unreplied
    ------------- ----------- ---------
    10.77.1.11           2400      2400
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [ValidateRange(1, [int]::MaxValue)] [int] $Maximum,
    [ValidateRange(1, 3600)] [int] $BlockSeconds = 60,
    [ValidateNotNullOrEmpty()] [string[]] $Exempt = @('127.0.0.0/8', '::1'),
    [ValidateRange(1, 128)] [int] $PrefixIPv6 = 64,
    [ValidateNotNullOrEmpty()] [string] $NetworkNamespace
)

$ErrorActionPreference = 'Stop'
Import-Module ((Get-Module ConntrackPS -ListAvailable) ? 'ConntrackPS' : "$PSScriptRoot/../out/ConntrackPS")
$there = $NetworkNamespace ? @{ NetworkNamespace = $NetworkNamespace } : @{}

function ConvertTo-Prefix([string] $Text) {
    [ConntrackPS.Conntrack.Filtering.AddressPrefix]::Parse($Text)
}

# Either of the two prefixes may contain the other.
function Test-Exempt([string] $Source) {
    $prefix = ConvertTo-Prefix $Source
    foreach ($other in $exemptPrefixes) {
        if ($other.Contains($prefix.Family, $prefix.Address) -or $prefix.Contains($other.Family, $other.Address)) {
            return $true
        }
    }
    $false
}

# Check the whole list first: a mistake in it must not block an exempt host.
$exemptPrefixes = @($Exempt -split ',' | ForEach-Object { ConvertTo-Prefix $_ })
$over = Measure-ConntrackEntry -GroupBy SourceAddress -PrefixIPv6 $PrefixIPv6 @there |
    Where-Object Count -GT $Maximum |
    Where-Object { -not (Test-Exempt $_.Name) }

$over | Select-Object @{ Name = 'SourceAddress'; Expression = 'Name' }, @{ Name = 'Connections'; Expression = 'Count' }, Unreplied
# Each group selects the entries of its source. All blocks exist at the same time. If one is refused because of SSH, the others
# continue.
$over | Remove-ConntrackEntry -BlockTime $BlockSeconds -ErrorAction Continue
