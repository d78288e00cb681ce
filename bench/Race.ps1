#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Races ConntrackPS against the raw receive loop and the usual tools, and prints Markdown.
.DESCRIPTION
    Makes a network namespace of its own, fills its connection-tracking table, and lets all contestants read and empty it
    in turn, round by round. docs/benchmarks.md lists the promises. Needs root, the .NET SDK, iproute2 and
    conntrack-tools; without the built module, its rows are omitted.
.EXAMPLE
    ./bench/Race.ps1
.EXAMPLE
    ./bench/Race.ps1 -Count 200000, 1000000 -Rounds 9
#>
[CmdletBinding()]
param(
    # The number of entries in the table. Several numbers make several races.
    [ValidateRange(1000, 8000000)]
    [int[]] $Count = 200000,

    # The number of rounds of each contestant, after one round to warm up.
    [ValidateRange(1, 1000)]
    [int] $Rounds = 7,

    # The folder of the packaged module.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS"
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Server.ps1"
. "$PSScriptRoot/Race/Contest.ps1"
. "$PSScriptRoot/Race/Report.ps1"

$ns = "ctps-race-$PID"
$busySource = '10.0.0.1'
$removal = "conntrack -D -s $busySource"
$work = [IO.Directory]::CreateTempSubdirectory('ctps-race-').FullName

function Write-Note([string] $Text) {
    [Console]::Error.WriteLine("race: $Text")
}

function Import-Contender {
    $manifest = Get-ChildItem $ModulePath -Recurse -Filter ConntrackPS.psd1 -ErrorAction Ignore |
        Sort-Object { [version]$_.Directory.Name } | Select-Object -Last 1
    if (-not $manifest) {
        Write-Note 'no packaged module: the cmdlets are left out. ./build.ps1 Build makes it, -ModulePath says where it is.'
        return $false
    }
    Import-Module $manifest.FullName
    Write-Note "the module is $(Get-Module ConntrackPS | ForEach-Object Version)"
    $true
}

function Get-Reader {
    New-Contestant 'raw receive loop' { (Invoke-BenchServer $server raw).Milliseconds }
    if (Get-Command gcc -ErrorAction Ignore) {
        gcc -O2 -o "$work/raw-loop" "$PSScriptRoot/raw-loop.c"
        New-Contestant 'raw receive loop in C' { Measure-Shell "ip netns exec $ns $work/raw-loop" }
    }
    New-Contestant 'core: dump and parse' { (Invoke-BenchServer $server parse).Milliseconds } -Limit 1.05
    New-Contestant 'core: dump and parse, read ahead' { (Invoke-BenchServer $server stream).Milliseconds } -Limit 1.05
    New-Contestant '`conntrack -L >/dev/null`' { Measure-Shell "ip netns exec $ns conntrack -L >/dev/null 2>&1" }
    New-Contestant '`cat /proc/net/nf_conntrack >/dev/null`' { Measure-Shell "ip netns exec $ns cat /proc/net/nf_conntrack >/dev/null" }
    if (-not $hasModule) {
        return
    }
    $list = '`conntrack -L >/dev/null`'
    New-Contestant '`Get-ConntrackEntry > $null`' -Limit 1.1 -FasterThan $list {
        Measure-Block { Get-ConntrackEntry -NetworkNamespace $ns > $null }
    }
    New-Contestant '`Get-ConntrackEntry | Where-Object State -eq SynSent > $null`' -Limit 1.2 -FasterThan $list {
        Measure-Block { Get-ConntrackEntry -NetworkNamespace $ns | Where-Object State -eq SynSent > $null }
    }
    New-Contestant '`Get-ConntrackEntry | Measure-Object`' {
        Measure-Block { Get-ConntrackEntry -NetworkNamespace $ns | Measure-Object > $null }
    }
    New-Contestant '`$entries | Where-Object State -eq SynSent > $null`: PowerShell alone' { Measure-WhereObject }
}

# The cost of Where-Object alone, over entries in memory. No pipeline with it can be faster.
function Measure-WhereObject {
    $entries = Get-ConntrackEntry -NetworkNamespace $ns
    Measure-Block { $entries | Where-Object State -eq SynSent > $null }
    $entries = $null
    [GC]::Collect()
}

# Each fills the table first, and then checks that half of it is gone.
function Get-Remover {
    New-Contestant "``$removal``" {
        Measure-Removal $entries { Measure-Shell "ip netns exec $ns $removal >/dev/null 2>&1" }
    }
    if ($hasModule) {
        New-Contestant "``Get-ConntrackEntry $busySource | Remove-ConntrackEntry``" -FasterThan "``$removal``" -Times 2 {
            Measure-Removal $entries {
                Measure-Block { Get-ConntrackEntry $busySource -NetworkNamespace $ns | Remove-ConntrackEntry -NetworkNamespace $ns }
            }
        }
        New-Contestant "``Remove-ConntrackEntry $busySource``: one request" -FasterThan "``$removal``" -Times 8 {
            Measure-Removal $entries { Measure-Block { Remove-ConntrackEntry $busySource -NetworkNamespace $ns } }
        }

        # The same entries, with a filter that the kernel cannot apply.
        New-Contestant "``Remove-ConntrackEntry $busySource/31``: list and delete" -FasterThan "``$removal``" -Times 2.5 {
            Measure-Removal $entries { Measure-Block { Remove-ConntrackEntry "$busySource/31" -NetworkNamespace $ns } }
        }
    }
}

# A filter that no entry matches, over the whole table.
function Get-Walker {
    New-Contestant "the kernel's own walk" { (Invoke-BenchServer $server walk).Milliseconds }
    if ($hasModule) {
        New-Contestant '`Get-ConntrackEntry 203.0.113.99`' -Limit 1.2 {
            Measure-Block { Get-ConntrackEntry 203.0.113.99 -NetworkNamespace $ns }
        }
    }
}

# Entries created from the pipeline. The promise is in entries a second.
function Write-Creation {
    $entries = @(Get-ConntrackEntry $busySource -NetworkNamespace $ns | Select-Object -First 100000)
    $rates = foreach ($round in 1..$Rounds) {
        Remove-ConntrackEntry $busySource -NetworkNamespace $ns
        $milliseconds = Measure-Block { $entries | New-ConntrackEntry -NetworkNamespace $ns }
        $entries.Count / $milliseconds
    }
    $median = ($rates | Sort-Object)[[int][math]::Floor($rates.Count / 2)]
    '{0:0},000 entries a second from the pipeline (`$entries | New-ConntrackEntry`, {1} entries); promised: 150,000.' -f $median, $entries.Count
}

function Measure-Removal([int] $Entries, [scriptblock] $Remove) {
    $null = Invoke-BenchServer $server "fill $Entries"
    & $Remove
    $left = (Invoke-BenchServer $server count).Result
    if ($left -ne [math]::Floor($Entries / 2)) {
        throw "$left of $Entries entries are left where half was to go."
    }
}

$server = $null
ip netns add $ns
try {
    Write-Note 'building the bench program'
    $program = Build-BenchProgram
    $hasModule = Import-Contender
    $server = Start-BenchServer $program $ns
    foreach ($entries in $Count) {
        Write-Note "$entries entries, $Rounds rounds"
        $null = Invoke-BenchServer $server "fill $entries"
        $readers = @(Get-Reader)
        Invoke-Contest $readers $Rounds -WarmUpRounds 1
        "`n### Reading $entries entries, $Rounds rounds`n"
        Write-Report $readers $entries

        $walkers = @(Get-Walker)
        Invoke-Contest $walkers $Rounds -WarmUpRounds 1
        "`n### A selective filter over $entries entries, $Rounds rounds`n"
        Write-Report $walkers $entries

        if ($hasModule) {
            "`n### Creating entries, $Rounds rounds`n"
            Write-Creation
        }

        $removers = @(Get-Remover)
        Invoke-Contest $removers $Rounds -WarmUpRounds 1
        "`n### Removing half of $entries entries, $Rounds rounds`n"
        Write-Report $removers ($entries / 2)
    }
}
finally {
    if ($server) {
        Stop-BenchServer $server
    }
    ip netns del $ns
    Remove-Item $work -Recurse
}
