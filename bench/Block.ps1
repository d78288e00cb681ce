<#
.SYNOPSIS
    Measures deletion under a flood of UDP: how many flows are back 100 ms later, without and with -Block, and how long each
    takes until none is left.
.NOTES
    Needs root, gcc, iproute2 and nftables. It uses the lab of the tests: a DNAT router between two namespaces.
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 20000)]
    [int] $Flow = 2000,

    [ValidateRange(1, 100)]
    [int] $Round = 5
)

$ErrorActionPreference = 'Stop'
$support = "$PSScriptRoot/../tests/ConntrackPS.Tests/Support"
Import-Module "$support/TestSupport.psm1", "$support/BlockLab.psm1"
Import-PackagedModule

<# The number of entries on the router. #>
function Get-Count {
    (Get-ConntrackStat -NetworkNamespace $lab.Router).Count
}

<# The medians of several deletions: entries after 100 ms, and the duration in milliseconds. #>
function Measure-Deletion([string] $Name, [scriptblock] $Delete, [scriptblock] $After) {
    $runs = foreach ($i in 1..$Round) {
        Wait-Until { (Get-Count) -ge $Flow } 'the flood has not come back'
        $time = Measure-Command { . $Delete }
        Start-Sleep -Milliseconds 100
        [pscustomobject]@{ Back = Get-Count; Milliseconds = $time.TotalMilliseconds }
        . $After
    }
    [pscustomobject]@{
        Deletion     = $Name
        Back         = ($runs.Back | Sort-Object)[[int][math]::Floor($Round / 2)]
        Milliseconds = [math]::Round(($runs.Milliseconds | Sort-Object)[[int][math]::Floor($Round / 2)])
    }
}

$lab = New-BlockLab
try {
    foreach ($family in 'IPv4', 'IPv6') {
        $filter = @{ DestinationAddress = $lab.Public[$family]; DestinationPort = 5001; NetworkNamespace = $lab.Router }
        Clear-ConntrackTable -NetworkNamespace $lab.Router -Confirm:$false
        $started = [Diagnostics.Stopwatch]::StartNew()
        $flood = Start-LabTraffic $lab $lab.Outside flood $lab.Public[$family] 5001 $Flow
        Start-Sleep 5
        $rate = (Stop-LabTraffic $flood) / $started.Elapsed.TotalSeconds
        "{0}: {1:N0} packets/s over {2:N0} flows" -f $family, $rate, $Flow

        $flood = Start-LabTraffic $lab $lab.Outside flood $lab.Public[$family] 5001 $Flow
        $started.Restart()
        @(
            Measure-Deletion 'conntrack -D' {
                ip netns exec $lab.Router conntrack -D -f $family.ToLowerInvariant() -p udp -d $lab.Public[$family] --dport 5001 2>&1 | Out-Null
            } {}
            Measure-Deletion 'Remove-ConntrackEntry' { Remove-ConntrackEntry @filter } {}
            Measure-Deletion 'Remove-ConntrackEntry -Block' { Remove-ConntrackEntry @filter -Block } {}
            Measure-Deletion 'Block-ConntrackTraffic, Remove-ConntrackEntry -Block' {
                $block = Block-ConntrackTraffic @filter
                Remove-ConntrackEntry @filter -Block
            } { $block | Unblock-ConntrackTraffic }
        ) | Format-Table | Out-String -Width 100
        "{0:N0} packets/s meanwhile" -f ((Stop-LabTraffic $flood) / $started.Elapsed.TotalSeconds)
    }
}
finally {
    Remove-BlockLab $lab
}
