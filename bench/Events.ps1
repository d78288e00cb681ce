#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Measures what events cost: reading, a burst, a filter in the kernel, and Watch-ConntrackEvent.
.DESCRIPTION
    Makes a network namespace of its own. The rate of the cmdlet is taken from a process that is stopped while the kernel's
    buffer fills, and then goes on. Needs root, the .NET SDK, iproute2, conntrack-tools and the packaged module.
.EXAMPLE
    ./bench/Events.ps1 -Count 300000 -Rounds 3
#>
[CmdletBinding()]
param(
    # How many entries are created and deleted.
    [ValidateRange(1000, 800000)]
    [int] $Count = 300000,

    [ValidateRange(1, 1000)]
    [int] $Rounds = 3,

    # Where the packaged module is.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS"
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Server.ps1"
Import-Module "$PSScriptRoot/../build/ChildPowerShell.psm1"

$ns = "ctps-events-$PID"
$watch = {
    Import-Module $args[0]
    Watch-ConntrackEvent -NetworkNamespace $args[1] -EventType New -MaxEvents $args[2] -ReceiveBufferSize (700 * $args[2]) -WarningAction Ignore > $null
}

# A watch that was stopped before its first event goes on when the kernel's buffer holds all.
function Measure-Watch([Diagnostics.Process] $Server) {
    $null = Invoke-BenchServer $Server 'fill 1000'
    $child = Start-PowerShell '-NoProfile', '-Command', "& { $watch } '$ModulePath' '$ns' $Count"
    while (-not (ip netns exec $ns cat /proc/net/netlink | Select-String '^\S+ +12 +\d+ +0000000[1-7] ')) {
        Start-Sleep -Milliseconds 50
    }
    Start-Sleep -Seconds 1
    kill -STOP $child.Id
    $null = Invoke-BenchServer $Server "fill $Count"
    $time = [Diagnostics.Stopwatch]::StartNew()
    kill -CONT $child.Id
    $child.WaitForExit()
    '`Watch-ConntrackEvent > $null`: {0:0},000 events a second, with the end of its process' -f ($Count / $time.ElapsedMilliseconds)
}

ip netns add $ns
try {
    $program = Build-BenchProgram
    dotnet $program events --namespace $ns --count $Count --rounds $Rounds
    $server = Start-BenchServer $program $ns
    foreach ($round in 1..$Rounds) {
        Measure-Watch $server
    }
    Stop-BenchServer $server
}
finally {
    ip netns del $ns
}
