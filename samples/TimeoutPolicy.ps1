#!/usr/bin/env pwsh
#Requires -Version 7.4

<#
.SYNOPSIS
    Gives the connections of one service their own timeout, with a policy and a rule that attaches it.
.DESCRIPTION
    Creates a network namespace (root, iproute2, iptables), and removes it at the end. Two datagrams go to two ports. The rule names
    one of them. Every line after "PS>" is the command that runs.
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$PSStyle.OutputRendering = 'PlainText'

# Prints a command and runs it.
function Show([scriptblock] $Command) {
    Write-Host "PS> $($Command.ToString().Trim())"
    & $Command | Out-String -Width 120 -Stream | Where-Object { $_ } | Write-Host
    if ($LASTEXITCODE) {
        throw "It failed with exit code $LASTEXITCODE."
    }
    Write-Host
}

Import-Module "$PSScriptRoot/../out/ConntrackPS" -Force
$namespace = "policy-demo-$PID"
$null = ip netns add $namespace
$PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
try {
    ip -n $namespace link set lo up

    Show { New-ConntrackTimeoutPolicy -Name game -Protocol Udp -Unreplied 5 -Replied 10m -PassThru }
    Show { ip netns exec $namespace iptables -t raw -A OUTPUT -p udp --dport 9999 -j CT --timeout game }
    Show { ip netns exec $namespace iptables -A OUTPUT -m conntrack --ctstate NEW }
    Show { ip netns exec $namespace bash -c 'echo hello > /dev/udp/127.0.0.1/9999; echo hello > /dev/udp/127.0.0.1/9998' }
    Show { Get-ConntrackEntry -Protocol udp | Sort-Object DestinationPort -Descending | Format-Table Protocol, SourceAddress, DestinationPort, TimeoutSeconds }

    # The rule uses the policy, so it must be deleted first.
    Show { Remove-ConntrackTimeoutPolicy -Name game -ErrorAction SilentlyContinue -ErrorVariable refused; "$refused" }
    Show { ip netns exec $namespace iptables -t raw -F }
    Show { Remove-ConntrackTimeoutPolicy -Name game; @(Get-ConntrackTimeoutPolicy).Count }
}
finally {
    ip netns del $namespace
}
