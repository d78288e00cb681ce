#!/usr/bin/env pwsh
#Requires -Version 7.4
<#
.SYNOPSIS
    Draws the pictures of README.md anew: terminals on which the packaged module works, on a router with traffic.
.DESCRIPTION
    Keys go into tmux, and its screen becomes SVG (TerminalSvg.psm1) and then PNG: nothing is drawn that was not on a screen.
    Needs root, what samples/Lab needs, and the Debian packages tmux, librsvg2-bin, pngquant and fonts-jetbrains-mono.
.EXAMPLE
    ./build.ps1 Build; ./docs/images/tools/Update-Image.ps1
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$support = "$PSScriptRoot/../../../tests/ConntrackPS.Tests/Support"
Import-Module "$support/TestSupport.psm1", "$support/TerminalSupport.psm1" -Force
Import-Module "$PSScriptRoot/OfficeLab.psm1", "$PSScriptRoot/TerminalSvg.psm1" -Force
$columns = 104

# Opens a PowerShell on the router, as after a login.
function Open-Session([int] $Lines) {
    $begin = @(
        "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'"
        'Remove-Module PSReadLine -ErrorAction Ignore'
        "function prompt { 'PS> ' }"
        'Clear-Host'
    ) -join '; '
    Start-Terminal (Get-PowerShellCommand '-NoProfile', '-NoLogo', '-NoExit', '-Command', $begin ip, netns, exec, $router) $columns $Lines
    Wait-Screen '^PS>'
}

# Types a command, and waits for the prompt after its output.
function Invoke-Typed([string] $Command) {
    Send-Text $Command
    Wait-Screen "^PS> $([regex]::Escape($Command))$"
    Send-Key Enter
    Wait-Until { @((Get-Screen) -match '\S')[-1] -eq 'PS>' } "'$Command' has not ended"
}

function Save-Screen([string] $Name) {
    $screen = Invoke-Terminal capture-pane -p -e -N -t it
    # Twice the size: sharp on screens of any density.
    ConvertTo-TerminalSvg $screen $columns | rsvg-convert --zoom 2 | pngquant --strip 64 - > "$PSScriptRoot/../$Name.png"
    if ($LASTEXITCODE -ne 0) {
        throw 'rsvg-convert or pngquant failed.'
    }
}

$prefix = "images$PID"
try {
    $router = Start-OfficeLab $prefix
    Wait-Until { [int] (Invoke-InNamespace $router cat /proc/sys/net/netfilter/nf_conntrack_count) -gt 6000 } 'the table stays small' -Seconds 120

    Open-Session -Lines 32
    Send-Text 'Show-ConntrackTop -SortBy Rate'
    Send-Key Enter
    Wait-Screen 'q quit'
    # Rates are of the time since the refresh before.
    Wait-Screen '^Shown .*bit/s'
    Wait-Screen 'SynSent'
    Save-Screen top
    foreach ($key in 'v', '1', 'x') {
        Send-Key $key
    }
    Invoke-Terminal resize-window -t it -x $columns -y 24
    Wait-Screen '^Delete [\d,]+ entries of 10\.77\.1\.11\?'
    Save-Screen sources
    Stop-Terminal

    Open-Session -Lines 39
    Invoke-Typed 'Get-ConntrackStat'
    Invoke-Typed 'Measure-ConntrackEntry -GroupBy SourceAddress -Top 3'
    Invoke-Typed 'Get-ConntrackEntry -SourceAddress 10.77.1.11 | Select-Object -First 3'
    Invoke-Typed 'Get-ConntrackEntry -State SynSent | Group-Object SourceAddress, DestinationPort -NoElement'
    Invoke-Typed 'Get-ConntrackEntry -SourceAddress 10.77.1.11 | Remove-ConntrackEntry -Verbose'
    Invoke-Typed 'Get-ConntrackStat'
    Save-Screen pipeline
}
finally {
    Stop-Terminal
    Stop-OfficeLab $prefix
}
