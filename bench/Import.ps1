#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Measures what importing the module, reading a first line of text and listing a first entry add to the start of pwsh, and prints Markdown.
.DESCRIPTION
    Every measurement is a new pwsh process, in a network namespace whose table has a few entries. It is compared with a binary
    module that has one cmdlet without work: every binary module costs that much. Needs root and iproute2.
.EXAMPLE
    ./bench/Import.ps1
.EXAMPLE
    ./bench/Import.ps1 -Other ../other/out/ConntrackPS/0.1.0
#>
[CmdletBinding()]
param(
    # The number of rounds of each contestant, after one round to warm up.
    [ValidateRange(1, 1000)]
    [int] $Rounds = 21,

    # The folder of the packaged module.
    [string] $ModulePath = "$PSScriptRoot/../out/ConntrackPS",

    # Another build of the module, to compare with.
    [string] $Other
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
. "$PSScriptRoot/Race/Contest.ps1"
Import-Module "$PSScriptRoot/../build/ChildPowerShell.psm1"

$ns = "ctps-import-$PID"
$work = [IO.Directory]::CreateTempSubdirectory('ctps-import-').FullName

$line = '"udp 17 28 src=192.0.2.1 dst=198.51.100.53 sport=5000 dport=53 src=198.51.100.53 dst=192.0.2.1 sport=53 dport=5000 mark=0 use=1"'

function New-TrivialModule([string] $Path) {
    Add-Type -OutputAssembly $Path -TypeDefinition @'
        [System.Management.Automation.Cmdlet("Get", "Trivial")]
        public sealed class GetTrivialCommand : System.Management.Automation.PSCmdlet
        {
            protected override void EndProcessing() { WriteObject(1); }
        }
'@
}

function Measure-PowerShell([string] $Command) {
    Measure-Shell "$(Get-PowerShellCommand '-NoProfile', '-NonInteractive', '-Command', "'$Command'" ip, netns, exec, $ns) >/dev/null"
}

function Get-Starter {
    New-Contestant 'bare pwsh' { Measure-PowerShell '$null = 1' }
    New-Contestant 'a trivial binary module, and its cmdlet' {
        Measure-PowerShell "Import-Module $work/Trivial.dll; `$null = Get-Trivial"
    }
    foreach ($path in @($ModulePath) + $Other | Where-Object { $_ }) {
        $build = $path -eq $ModulePath ? '' : ', the other build'
        New-Contestant "``Import-Module ConntrackPS``$build" { Measure-PowerShell "Import-Module $path" }.GetNewClosure()
        New-Contestant "``Import-Module ConntrackPS; `$null = ConvertFrom-ConntrackText (a line)``$build" {
            Measure-PowerShell "Import-Module $path; `$null = ConvertFrom-ConntrackText ($line)"
        }.GetNewClosure()
        New-Contestant "``Import-Module ConntrackPS; `$null = Get-ConntrackEntry``$build" {
            Measure-PowerShell "Import-Module $path; `$null = Get-ConntrackEntry"
        }.GetNewClosure()
        New-Contestant "the same with the entry shown$build" {
            Measure-PowerShell "Import-Module $path; Get-ConntrackEntry"
        }.GetNewClosure()
    }
}

function Write-Start([object[]] $Starter) {
    $bare, $trivial = $Starter | Select-Object -First 2
    '| | median ms | over bare | fastest ms | over bare | ratio to the trivial module |'
    '|---|---:|---:|---:|---:|---:|'
    foreach ($one in $Starter) {
        '| {0} | {1:0} | {2:0} | {3:0} | {4:0} | {5:0.00} |' -f @(
            $one.Name.Replace('|', '\|'), $one.Median, ($one.Median - $bare.Median), $one.Fastest, ($one.Fastest - $bare.Fastest)
            ($one.Median / $trivial.Median))
    }
}

ip netns add $ns
try {
    ip -n $ns link set lo up
    New-TrivialModule "$work/Trivial.dll"
    Import-Module $ModulePath
    New-ConntrackEntry -Protocol Udp 192.0.2.1 198.51.100.53 -SourcePort 46011 -DestinationPort 53 -Timeout 1h -NetworkNamespace $ns
    $starters = @(Get-Starter)
    Invoke-Contest $starters $Rounds -WarmUpRounds 1
    "### Starting pwsh $($PSVersionTable.PSVersion), $Rounds rounds`n"
    Write-Start $starters
}
finally {
    ip netns del $ns
    Remove-Item $work -Recurse
}
