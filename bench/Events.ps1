#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Measures what events cost: reading, a burst, a filter in the kernel, Watch-ConntrackEvent, and Export-Csv behind it.
.DESCRIPTION
    Makes a network namespace of its own. The rate of the cmdlet is measured in a process that is stopped while the
    kernel's buffer fills, and then continues. The measurement with Export-Csv uses the defaults. Needs root, the .NET SDK, iproute2,
    conntrack-tools and the packaged module.
.EXAMPLE
    ./bench/Events.ps1 -Count 300000 -Rounds 3
.EXAMPLE
    ./bench/Events.ps1 -Busy

    Measures beside two processes that use all processor time.
#>
[CmdletBinding()]
param(
    # The number of entries to create and delete.
    [ValidateRange(1000, 800000)]
    [int] $Count = 300000,

    [ValidateRange(1, 1000)]
    [int] $Rounds = 3,

    # Keeps two processors busy during the measurement.
    [switch] $Busy,

    # The folder of the packaged module.
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

# Ends with the last event, or when it was lost.
$export = {
    Import-Module $args[0]
    $lost = 0
    try {
        Watch-ConntrackEvent -NetworkNamespace $args[1] -EventType New, Destroy -WarningAction Ignore | ForEach-Object {
            $lost += $_.LostCount
            $_
            if ($_.Sequence -ge $args[2]) {
                throw 'all'
            }
        } | Export-Csv $args[3]
    }
    catch {
        Set-Content "$($args[3]).lost" "$lost $(Get-Content /proc/self/status | Select-String '^VmHWM:\s+(\d+)' | ForEach-Object { $_.Matches.Groups[1].Value / 1KB -as [int] })"
    }
}

function Wait-Listener {
    while (-not (ip netns exec $ns cat /proc/net/netlink | Select-String '^\S+ +12 +\d+ +0000000[1-7] ')) {
        Start-Sleep -Milliseconds 50
    }
    Start-Sleep -Seconds 1
}

# The watch is stopped before its first event, and continues when the kernel's buffer contains all events.
function Measure-Watch([Diagnostics.Process] $Server) {
    $null = Invoke-BenchServer $Server 'fill 1000'
    $child = Start-PowerShell '-NoProfile', '-Command', "& { $watch } '$ModulePath' '$ns' $Count"
    Wait-Listener
    kill -STOP $child.Id
    $null = Invoke-BenchServer $Server "fill $Count"
    $time = [Diagnostics.Stopwatch]::StartNew()
    kill -CONT $child.Id
    $child.WaitForExit()
    '`Watch-ConntrackEvent > $null`: {0:0},000 events a second, with the end of its process' -f ($Count / $time.ElapsedMilliseconds)
}

# A burst of creations and deletions, as fast as the kernel can make them.
function Measure-Export([Diagnostics.Process] $Server) {
    $null = Invoke-BenchServer $Server 'fill 1000'
    ip netns exec $ns conntrack -F 2> $null
    $file = New-TemporaryFile
    $child = Start-PowerShell '-NoProfile', '-Command', "& { $export } '$ModulePath' '$ns' $(2 * $Count) '$file'"
    Wait-Listener
    $null = Invoke-BenchServer $Server "fill $Count"
    ip netns exec $ns conntrack -F 2> $null
    $child.WaitForExit()
    $lost, $memory = (Get-Content "$file.lost") -split ' '
    '`Watch-ConntrackEvent | Export-Csv`: lost {0} of {1}, and the process had {2} MB at most' -f $lost, (2 * $Count), $memory
    Remove-Item $file, "$file.lost"
}

$loops = @(1..2 | Where-Object { $Busy } | ForEach-Object { Start-PowerShell '-NoProfile', '-Command', 'while ($true) { }' })
ip netns add $ns
try {
    $program = Build-BenchProgram
    dotnet $program events --namespace $ns --count $Count --rounds $Rounds
    $server = Start-BenchServer $program $ns
    foreach ($round in 1..$Rounds) {
        Measure-Watch $server
        Measure-Export $server
    }
    Stop-BenchServer $server
}
finally {
    $loops | Stop-Process
    ip netns del $ns
}
