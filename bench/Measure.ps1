#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Races Measure-ConntrackEntry and a refresh of Show-ConntrackTop against the raw receive loop and the usual ways, and
    prints Markdown.
.DESCRIPTION
    Makes a network namespace of its own and fills its connection-tracking table. Needs root, the .NET SDK, iproute2 and
    the built module; iptstate is measured too if it is installed, although it shows only 16,384 rows.
.EXAMPLE
    ./build.ps1 Build; ./bench/Measure.ps1
.EXAMPLE
    ./bench/Measure.ps1 -Count 100000 -Accounting
#>
[CmdletBinding()]
param(
    # The number of entries in the table.
    [ValidateRange(1000, 8000000)]
    [int] $Count = 1000000,

    # The number of rounds of each contestant, after one round to warm up.
    [ValidateRange(1, 1000)]
    [int] $Rounds = 5,

    # Turns accounting on, which makes dumps larger and lets the live view calculate rates.
    [switch] $Accounting,

    # The folder of the packaged module.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS"
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Server.ps1"
. "$PSScriptRoot/Race/Contest.ps1"
. "$PSScriptRoot/Race/Report.ps1"

$ns = "ctps-measure-$PID"

$oneLiner = 'sed -ne ''s/^.*src=\([^ ]*\).*/\1/p'' /proc/net/nf_conntrack | sort | uniq -c | sort -r | head'

function Get-Counter {
    New-Contestant 'raw receive loop' { (Invoke-BenchServer $server raw).Milliseconds }
    New-Contestant '`Measure-ConntrackEntry -GroupBy SourceAddress -Top 10`' -Limit 1.1 -FasterThan "``$oneLiner``" -Times 7 {
        Measure-Block { Measure-ConntrackEntry -GroupBy SourceAddress -Top 10 -NetworkNamespace $ns > $null }
    }
    New-Contestant '`Measure-ConntrackEntry`' { Measure-Block { Measure-ConntrackEntry -NetworkNamespace $ns > $null } }
    New-Contestant '`Get-ConntrackEntry | Measure-ConntrackEntry -GroupBy SourceAddress -Top 10`' {
        Measure-Block { Get-ConntrackEntry -NetworkNamespace $ns | Measure-ConntrackEntry -GroupBy SourceAddress -Top 10 > $null }
    }
    New-Contestant "``$oneLiner``" {
        # A file for the shell, because the command already contains both kinds of quotes.
        Set-Content "$work/count.sh" "$oneLiner >/dev/null"
        Measure-Shell "ip netns exec $ns sh $work/count.sh"
    }
}

# The managed bytes that a script block allocates in total.
function Measure-Allocation([scriptblock] $Block) {
    $before = [GC]::GetTotalAllocatedBytes($true)
    & $Block
    [GC]::GetTotalAllocatedBytes($true) - $before
}

function Get-Viewer {
    New-Contestant 'raw receive loop' { (Invoke-BenchServer $server raw).Milliseconds }
    New-Contestant 'a refresh of `Show-ConntrackTop`' -Limit 1.2 { (Invoke-BenchServer $server refresh).Milliseconds }
    New-Contestant '`Show-ConntrackTop -Once`' {
        Measure-Block { Show-ConntrackTop -Once -Width 120 -Height 50 -NetworkNamespace $ns > $null }
    }
    if ((Get-Command iptstate -ErrorAction Ignore) -and (Get-Command script -ErrorAction Ignore)) {
        # On a terminal, because without one it prints blanks endlessly.
        New-Contestant '`iptstate -1`' { Measure-Shell "ip netns exec $ns script -qec 'stty cols 120 rows 50; iptstate -1' /dev/null >/dev/null" }
    }
}

$work = [IO.Directory]::CreateTempSubdirectory('ctps-measure-').FullName
$server = $null
ip netns add $ns
try {
    $program = Build-BenchProgram
    Import-Module $ModulePath
    $null = ip netns exec $ns sysctl -w "net.netfilter.nf_conntrack_acct=$([int] [bool] $Accounting)"
    $server = Start-BenchServer $program $ns
    $null = Invoke-BenchServer $server "fill $Count"
    foreach ($contest in @{ Title = 'Counting'; Run = (Get-Counter) }, @{ Title = 'Watching'; Run = (Get-Viewer) }) {
        Invoke-Contest $contest.Run $Rounds -WarmUpRounds 2
        "`n### $($contest.Title) $Count entries, $Rounds rounds$($Accounting ? ', with accounting' : '')`n"
        Write-Report $contest.Run $Count
    }
    $groups = @(Measure-ConntrackEntry -GroupBy SourceAddress -NetworkNamespace $ns).Count
    $bytes = Measure-Allocation { Measure-ConntrackEntry -GroupBy SourceAddress -Top 10 -NetworkNamespace $ns > $null }
    "`nGrouping $Count entries into $groups groups allocated {0:0.0} MB in all." -f ($bytes / 1MB)
}
finally {
    if ($server) {
        Stop-BenchServer $server
    }
    ip netns del $ns
    Remove-Item $work -Recurse
}
