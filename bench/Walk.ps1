#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Races the walk in the kernel against netlink and against the text of /proc, measures its start-up, and how much a ping through a
    router slows down beside it. Prints Markdown.
.DESCRIPTION
    Makes its own network namespaces. The table has accounting turned on. Needs root, the .NET SDK, iproute2, nftables, ping and the
    packaged module.
.EXAMPLE
    ./build.ps1 Build; ./bench/Walk.ps1 -Count 4000000 -Buckets 1048576
#>
[CmdletBinding()]
param(
    # The number of entries in the table.
    [ValidateRange(1000, 8000000)]
    [int] $Count = 1000000,

    # The number of buckets during the benchmark, on the whole machine; 0 changes nothing. The kernel refuses an entry (ENOSPC) if its
    # chain has more than 50 to 80 nodes, so 262,144 buckets hold at most about 2.5 million entries.
    [ValidateScript({ $_ -eq 0 -or $_ -ge 1024 })]
    [int] $Buckets = 0,

    # The number of rounds, after one round to warm up.
    [ValidateRange(1, 1000)]
    [int] $Rounds = 5,

    # The pings of each round, every 10 ms. There are two rounds.
    [ValidateRange(10, 100000)]
    [int] $Ping = 1000,

    # The folder of the packaged module.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS"
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Server.ps1"
. "$PSScriptRoot/Race/Contest.ps1"

$ns = "ctps-walk-$PID"
$small = "$ns-small"
$left, $router, $right = 'left', 'router', 'right' | ForEach-Object { "$ns-$_" }

$oneLiner = 'cat /proc/net/nf_conntrack | sed -ne ''s/^.*src=\([^ ]*\).*/\1/p'' | sort | uniq -c | sort -r | head'

function Invoke-Bench {
    dotnet $program @args
    if ($LASTEXITCODE -ne 0) {
        throw "ConntrackPS.Bench $args failed."
    }
}

# Two hosts, and a router between them that tracks connections. Its two links are served by different processors, so that a packet
# meets the reader's work on both.
function New-Router {
    foreach ($name in $left, $router, $right) {
        ip netns add $name
        ip -n $name link set lo up
    }
    $processor = 0
    foreach ($side in @{ Name = $left; Net = '192.0.2' }, @{ Name = $right; Net = '198.51.100' }) {
        ip -n $side.Name link add eth0 type veth peer name "eth$processor" netns $router
        ip -n $side.Name address add "$($side.Net).2/24" dev eth0
        ip -n $router address add "$($side.Net).1/24" dev "eth$processor"
        ip -n $side.Name link set eth0 up
        ip -n $router link set "eth$processor" up
        ip -n $side.Name route add default via "$($side.Net).1"
        $mask = '{0:x}' -f (1 -shl $processor % [Environment]::ProcessorCount)
        ip netns exec $router sh -c "echo $mask >/sys/class/net/eth$processor/queues/rx-0/rps_cpus"
        $processor++
    }
    ip netns exec $router sysctl -qw net.ipv4.ip_forward=1
    ip netns exec $router nft 'table inet t { chain c { type filter hook forward priority 0; ct state established accept; }; }'
}

# Round-trip times in milliseconds.
function Measure-Ping([string] $Verb) {
    $reader = if ($Verb) {
        Start-Process dotnet $program, $Verb, '--namespace', $ns -PassThru -RedirectStandardOutput /dev/null
    }
    try {
        # Until the reader is warm.
        Start-Sleep -Seconds 3
        $lines = ip netns exec $left ping -n -i 0.01 -c $Ping 198.51.100.2
        if ($reader -and $reader.HasExited) {
            throw "$Verb ended."
        }
        $lines | Select-String 'time=([\d.]+) ms' | ForEach-Object { [double] $_.Matches[0].Groups[1].Value }
    }
    finally {
        if ($reader) {
            $reader.Kill()
            $reader.WaitForExit()
        }
    }
}

function Write-Ping {
    "| round trips beside | answers | median ms | 99 % ms | longest ms |`n|---|---:|---:|---:|---:|"
    $times = [ordered]@{ '' = @(); 'walk-loop' = @(); 'netlink-loop' = @() }
    foreach ($round in 1..2) {
        foreach ($verb in @($times.Keys)) {
            $times[$verb] += @(Measure-Ping $verb)
        }
    }
    foreach ($verb in $times.Keys) {
        $sorted = @($times[$verb] | Sort-Object)
        '| {0} | {1} of {2} | {3:0.000} | {4:0.000} | {5:0.000} |' -f ($verb ? $verb : 'nothing'), $sorted.Count, (2 * $Ping),
            (Get-Median $sorted), $sorted[[math]::Floor($sorted.Count * 0.99)], $sorted[-1]
    }
}

function Measure-Cmdlet([string] $Engine) {
    Measure-Block { Measure-ConntrackEntry -GroupBy SourceAddress -Top 10 -NetworkNamespace $ns -Engine $Engine > $null }
}

$work = [IO.Directory]::CreateTempSubdirectory('ctps-walk-').FullName
$limitFile, $bucketsFile = '/proc/sys/net/netfilter/nf_conntrack_max', '/proc/sys/net/netfilter/nf_conntrack_buckets'
$limit, $formerBuckets = [IO.File]::ReadAllText($limitFile), [IO.File]::ReadAllText($bucketsFile)
$program = Build-BenchProgram
Import-Module $ModulePath
try {
    if ($Buckets -ne 0) {
        [IO.File]::WriteAllText($bucketsFile, $Buckets)
    }
    ip netns add $ns
    ip netns add $small
    New-Router
    $null = ip netns exec $ns sysctl -w net.netfilter.nf_conntrack_acct=1
    "`n### $Count entries in $([IO.File]::ReadAllText($bucketsFile).Trim()) buckets, walked in the kernel"

    Invoke-Bench fill --namespace $small --count 100
    "`n| start | first ms | later ms | first with ids ms | later with ids ms | first of a process without netlink ms |`n|---:|---:|---:|---:|---:|---:|"
    foreach ($i in 1..9) {
        $alone = ((Invoke-Bench walk-start-alone --namespace $small) -split ' ')[0]
        "| $i | $((Invoke-Bench walk-start --namespace $small) -split ' ' -join ' | ') | $alone |"
    }

    Invoke-Bench fill --namespace $ns --count $Count
    ''
    Invoke-Bench walk --namespace $ns --rounds $Rounds

    $engines = @{ Bpf = [Collections.Generic.List[double]]::new(); Netlink = [Collections.Generic.List[double]]::new() }
    foreach ($round in 0..$Rounds) {
        foreach ($engine in 'Bpf', 'Netlink') {
            $time = Measure-Cmdlet $engine
            if ($round -gt 0) {
                $engines[$engine].Add($time)
            }
        }
    }

    $walk, $netlink = (Get-Median $engines.Bpf), (Get-Median $engines.Netlink)
    "`n``Measure-ConntrackEntry -GroupBy SourceAddress -Top 10``: {0:0} ms with -Engine Bpf, {1:0} ms with Netlink ({2:0.0} x)`n" -f $walk, $netlink, ($netlink / $walk)

    Write-Ping

    # A file for the shell, because the command already contains both kinds of quotes.
    Set-Content "$work/count.sh" "$oneLiner >/dev/null"
    $wall, $user, $kernel = [double[]] ((bash -c "TIMEFORMAT='%R %U %S'; time ip netns exec $ns sh $work/count.sh" 2>&1 | Select-Object -Last 1) -split ' ')
    "`n``{0}``: {1:0.0} s ({2:0.0} s of processor time), {3:0.0} x the walk and {4:0.0} x netlink" -f $oneLiner, $wall, ($user + $kernel), (1000 * $wall / $walk), (1000 * $wall / $netlink)
}
finally {
    foreach ($name in $ns, $small, $left, $router, $right) {
        ip netns del $name 2> $null
    }
    if ($Buckets -ne 0) {
        [IO.File]::WriteAllText($bucketsFile, $formerBuckets)
    }
    [IO.File]::WriteAllText($limitFile, $limit)
    Remove-Item $work -Recurse
}
