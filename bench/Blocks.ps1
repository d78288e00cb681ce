#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Makes, holds and ends blocks in several runspaces of one process, beside others that open and close sockets all the time,
    and counts the blocks whose table the kernel did not have.
.DESCRIPTION
    Works in its own network namespace. Each blocking runspace creates some blocks, keeps them for some time, checks their tables
    with nft, and ends them. A table that is missing, or was created again, counts as lost. Prints Markdown. The exit code is 1
    unless every table existed at every check, none had to be created again, and none is left at the end. Needs root, iproute2,
    nftables, conntrack-tools and the packaged module. docs/blocking.md explains the reason for this script.
.EXAMPLE
    ./build.ps1 Build; ./bench/Blocks.ps1 -Minutes 10
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 1440)]
    [int] $Minutes = 10,

    # Runspaces that list, look up and count, each with one socket after the other.
    [ValidateRange(0, 64)]
    [int] $Busy = 3,

    # Runspaces that make, hold and end blocks.
    [ValidateRange(1, 64)]
    [int] $Blocking = 6,

    # Blocks that each of these holds at once.
    [ValidateRange(1, 100)]
    [int] $Hold = 1,

    # The folder of the packaged module; the default is the one below out.
    [string] $ModulePath
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
Import-Module "$PSScriptRoot/../tests/ConntrackPS.Tests/Support/TestSupport.psm1"
if ($ModulePath) {
    Import-Module $ModulePath
}
else {
    Import-PackagedModule
}
$module = (Get-Module ConntrackPS).Path
$shared = [Collections.Concurrent.ConcurrentDictionary[string, object]]::new()
$shared['stop'] = $false
$namespace = New-TestNamespace

# Opens and closes sockets as fast as possible. Returns the number of rounds.
$keepBusy = {
    param($Module, $Namespace, $Shared, $Number)
    $ErrorActionPreference = 'Stop'
    # Other changes of the machine's table do not matter here.
    $WarningPreference = 'SilentlyContinue'
    Import-Module $Module
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $Namespace
    for ($round = 0; -not $Shared['stop']; $round++) {
        $null = Get-ConntrackEntry -SourceAddress 192.0.2.1
        foreach ($i in 1..20) {
            $null = Get-ConntrackEntry -Exact -Protocol udp -SourceAddress 192.0.2.1 -SourcePort 40001 -DestinationAddress 198.51.100.7 -DestinationPort 80
            $null = Get-ConntrackStat
        }
        $Shared["busy$Number"] = $round
    }
}

# Creates, keeps and ends blocks. Returns the counts.
$block = {
    param($Module, $Namespace, $Shared, $Number, $Hold)
    $ErrorActionPreference = 'Stop'
    Import-Module $Module
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $Namespace
    $random = [Random]::new($Number)
    $count = [pscustomobject]@{ Made = 0; Looks = 0; Missing = 0; MadeAgain = 0 }
    while (-not $Shared['stop']) {
        $held = foreach ($i in 1..$Hold) {
            Block-ConntrackTraffic -SourceAddress "192.0.2.$($random.Next(2, 250))"
        }
        foreach ($look in 1..2) {
            $tables = ip netns exec $Namespace nft list tables
            $count.Missing += @($held | Where-Object { $tables -notcontains "table inet $($_.Table)" }).Count
            $count.Looks += $held.Count
            Start-Sleep -Milliseconds $random.Next(50)
        }
        $ended = $held | Unblock-ConntrackTraffic -PassThru -WarningAction SilentlyContinue
        $count.Made += $held.Count
        $count.MadeAgain += ($ended | Measure-Object LossCount -Sum -ErrorAction Ignore).Sum
        $Shared["block$Number"] = $count
    }
}

function Get-Total([string] $Property) {
    ($shared.Keys -like 'block*' | ForEach-Object { $shared[$_].$Property } | Measure-Object -Sum).Sum
}

$jobs = @()
try {
    Add-KernelLine $namespace (New-ManyLine 200)
    Add-KernelLine $namespace '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 40001 --dport 80'
    "Linux $(uname -r), PowerShell $($PSVersionTable.PSVersion), $([Environment]::ProcessorCount) processors; $(Get-Date -AsUTC -Format 'yyyy-MM-dd HH:mm') UTC.`n"
    '| minute | rounds | blocks | looks | missing | made again |'
    '|---:|---:|---:|---:|---:|---:|'
    $limit = $Busy + $Blocking
    $jobs = @(
        for ($i = 0; $i -lt $Busy; $i++) { Start-ThreadJob $keepBusy -ArgumentList $module, $namespace, $shared, $i -ThrottleLimit $limit }
        for ($i = 0; $i -lt $Blocking; $i++) { Start-ThreadJob $block -ArgumentList $module, $namespace, $shared, $i, $Hold -ThrottleLimit $limit }
    )
    foreach ($minute in 1..$Minutes) {
        $null = Wait-Job $jobs -Any -Timeout 60
        if ($ended = $jobs | Where-Object State -NE Running) {
            throw "A runspace ended: $($ended | Receive-Job 2>&1 | Out-String)"
        }
        '| {0} | {1} | {2} | {3} | {4} | {5} |' -f @(
            $minute, ($shared.Keys -like 'busy*' | ForEach-Object { $shared[$_] } | Measure-Object -Sum).Sum
            (Get-Total Made), (Get-Total Looks), (Get-Total Missing), (Get-Total MadeAgain))
    }
    $shared['stop'] = $true
    $jobs | Receive-Job -Wait
    $left = @(Invoke-InNamespace $namespace nft list tables) -match 'conntrackps'
    "`n{0:N0} blocks, {1} of {2:N0} looks in vain, {3} made again, {4} left at the end." -f (Get-Total Made), (Get-Total Missing), (Get-Total Looks), (Get-Total MadeAgain), $left.Count
    if ((Get-Total Missing) + (Get-Total MadeAgain) + $left.Count -gt 0) {
        exit 1
    }
}
finally {
    $shared['stop'] = $true
    $jobs | Wait-Job -Timeout 60 | Remove-Job -Force
    Get-ConntrackBlock | Unblock-ConntrackTraffic -WarningAction Ignore
    Remove-TestNamespace $namespace
}
