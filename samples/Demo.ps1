#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Shows the module's main job on a NAT router with 98,636 connections: find the client that fills the table, and remove its
    entries.
.DESCRIPTION
    Makes the lab of Lab/scenario.sh (root, iproute2, nft, conntrack), works on its router's table, and removes the lab.
    Every line after "PS>" is the command that runs.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'

# Prints a command and runs it. The output has no empty lines.
function Show([scriptblock] $Command) {
    Write-Host "PS> $($Command.ToString().Trim() -replace '\r?\n +', "`n>>  ")"
    & $Command | Out-String -Width 100 -Stream | Where-Object { $_ } | Write-Host
    Write-Host
}

# The scenario ends when its standard input ends, so it also ends if this process is killed.
function Start-Scenario([string] $Prefix) {
    $start = [Diagnostics.ProcessStartInfo]::new('sh', [string[]] ("$PSScriptRoot/Lab/scenario.sh", $Prefix))
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    [Diagnostics.Process]::Start($start)
}

# Prints the scenario's output. True at "ready", false if it has ended. It waits in short steps, so that Ctrl+C works.
function Read-Scenario([Diagnostics.Process] $Scenario) {
    while ($true) {
        $script:nextLine ??= $Scenario.StandardOutput.ReadLineAsync()
        if (-not $script:nextLine.Wait(100)) {
            continue
        }
        $line = $script:nextLine.Result
        $script:nextLine = $null
        if ($null -eq $line -or $line -eq 'ready') {
            return $null -ne $line
        }
        Write-Host $line
    }
}

function Stop-Scenario([Diagnostics.Process] $Scenario) {
    $Scenario.StandardInput.Close()
    while (Read-Scenario $Scenario) {
        # It may become ready later, and only then notice that nothing waits for it.
    }
    $Scenario.WaitForExit()
}

Import-Module "$PSScriptRoot/../out/ConntrackPS" -Force
$prefix = "demo$PID"
$router = "$prefix-router"
$interrupted = $true
$rendering = $PSStyle.OutputRendering
$PSStyle.OutputRendering = 'PlainText'
$scenario = Start-Scenario $prefix
try {
    if (-not (Read-Scenario $scenario)) {
        throw 'The lab could not be made.'
    }
    Write-Host

    # On the router itself no namespace would be given.
    Show { $global:PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $router }
    Show { Get-ConntrackStat }
    Show {
        'Tcp', 'Udp', 'Icmp', 'IcmpV6' |
            ForEach-Object { Get-ConntrackEntry -Protocol $_ -Status SeenReply | Select-Object -First 2 }
    }
    Show {
        Get-ConntrackEntry -State Established | Group-Object DestinationPort, AddressFamily |
            ForEach-Object { $_.Group[0] } | Format-Table -View Nat
    }
    Show {
        Get-ConntrackEntry | Group-Object SourceAddress -NoElement |
            Sort-Object Count -Descending | Select-Object -First 5
    }
    Show { (Get-ConntrackEntry -SourceAddress 10.77.1.11 | Measure-Object).Count }
    Show { Get-ConntrackEntry -SourceAddress 10.77.1.11 | Remove-ConntrackEntry -Verbose }
    Show { Get-ConntrackStat }
    # An independent check of the count.
    Show { ip netns exec $router conntrack -C }
    $interrupted = $false
}
catch {
    # Ctrl+C does not reach this line.
    $interrupted = $false
    throw
}
finally {
    Stop-Scenario $scenario
    $PSStyle.OutputRendering = $rendering
    $global:PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
    # In an interactive session, exit would end the session.
    if ($interrupted -and [Environment]::GetCommandLineArgs() -contains '-NonInteractive') {
        $Host.SetShouldExit(130)
    }
}
