# One round of what an administrator's scripts do all day.

function Invoke-SoakRound([string] $Namespace, [int] $Round) {
    $here = @{ NetworkNamespace = $Namespace }

    # Look: whole, first, filtered, grouped; settings and health.
    $null = Get-ConntrackEntry @here | Measure-Object -Property TotalBytes -Sum
    $null = Get-ConntrackEntry @here | Select-Object -First 1
    $null = Get-ConntrackEntry 10.77.0.0/16 -Protocol tcp, icmp @here | Group-Object SourceAddress, State -NoElement
    $null = Get-ConntrackStat @here
    $null = Get-ConntrackTimeout @here
    $null = Get-ConntrackSetting @here
    $null = Get-ConntrackExpectation @here
    if ($Round % 10 -eq 0) {
        $null = Test-ConntrackHealth -SampleTime 0 @here
    }

    # Text, out and in.
    $null = Get-ConntrackEntry @here | Select-Object -First 100 | ConvertTo-ConntrackText -Format Xml | ConvertFrom-ConntrackText

    # Change: marks, entries of our own, and a refused one.
    Get-ConntrackEntry -Protocol udp @here | Select-Object -First 100 | Set-ConntrackEntry -NewMark ($Round % 100) @here -ErrorAction Ignore
    foreach ($port in 1..20) {
        New-ConntrackEntry 192.0.2.1 192.0.2.2 -Protocol tcp -SourcePort (1000 + $port) -DestinationPort 80 -State Established -Timeout 60 @here
    }
    New-ConntrackEntry 192.0.2.1 192.0.2.2 -Protocol tcp -SourcePort 1001 -DestinationPort 80 -State Established -Timeout 60 @here -ErrorAction Ignore

    # Remove: by filter, from the pipeline, and what is gone already.
    Remove-ConntrackEntry 192.0.2.0/24 @here
    $old = @(Get-ConntrackEntry -Protocol udp @here | Select-Object -First 300)
    $old | Remove-ConntrackEntry @here
    $old | Remove-ConntrackEntry @here
    if ($Round % 5 -eq 0) {
        Remove-ConntrackEntry -Unreplied @here
    }
}
