#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Cuts off hosts that hold too many connections, for a while.
.DESCRIPTION
    Counts connections per source. The traffic of every source above the maximum is dropped, its connections are removed,
    and after the given time it may come back. The script runs as long as the block lasts; if it is ended, the kernel ends
    the block with it. Meant for a timer.

    What -Exempt names is never touched, nor is the SSH connection that the script runs in.
.PARAMETER Maximum
    How many connections a source may hold.
.PARAMETER BlockSeconds
    How long the traffic of those above is dropped, in seconds.
.PARAMETER Exempt
    Addresses and prefixes that are left alone whatever they hold. Name the router's own addresses and yours. A source that
    is a prefix (-PrefixIPv6) is left alone as a whole where it has an exempt address.
.PARAMETER PrefixIPv6
    Leading bits of an IPv6 address that make a source: a host has many addresses, and usually one /64.
.PARAMETER NetworkNamespace
    The network namespace to work in; the caller's own unless given.
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

# Either may be the larger one.
function Test-Exempt([string] $Source) {
    $prefix = ConvertTo-Prefix $Source
    foreach ($other in $exemptPrefixes) {
        if ($other.Contains($prefix.Family, $prefix.Address) -or $prefix.Contains($other.Family, $other.Address)) {
            return $true
        }
    }
    $false
}

# Before anything is cut off: a mistake in the list must not cut off an exempt host.
$exemptPrefixes = @($Exempt -split ',' | ForEach-Object { ConvertTo-Prefix $_ })
$over = Measure-ConntrackEntry -GroupBy SourceAddress -PrefixIPv6 $PrefixIPv6 @there |
    Where-Object Count -GT $Maximum |
    Where-Object { -not (Test-Exempt $_.Name) }

$over | Select-Object @{ Name = 'SourceAddress'; Expression = 'Name' }, @{ Name = 'Connections'; Expression = 'Count' }, Unreplied
# Each group stands for its source; all blocks stand together. One that is refused, for SSH, must not end the others.
$over | Remove-ConntrackEntry -BlockTime $BlockSeconds -ErrorAction Continue
