#!/usr/bin/env pwsh
#Requires -Version 7.4
<#
.SYNOPSIS
    Draws the pictures of README.md anew: terminals on which the packaged module works, on a router with traffic, and a report in a browser.
.DESCRIPTION
    Keys go into tmux, and its screen becomes SVG (TerminalSvg.psm1) and then PNG: nothing is drawn that was not on a screen.
    The report is a screenshot of Chromium, at twice the size too. Needs root, what samples/Lab needs, and the Debian packages tmux,
    librsvg2-bin, pngquant, fonts-jetbrains-mono, chromium and chromium-driver.
.EXAMPLE
    ./build.ps1 Build; ./docs/images/tools/Update-Image.ps1
#>
[CmdletBinding()]
param()

$ErrorActionPreference = 'Stop'
$support = "$PSScriptRoot/../../../tests/ConntrackPS.Tests/Support"
Import-Module "$support/TestSupport.psm1", "$support/TerminalSupport.psm1", "$support/BrowserSupport.psm1" -Force
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

# An invented history of a day with a peak, since a lab does not run for a day.
function New-DayHistory([string] $Path) {
    $random = [Random]::new(7)
    $maximum = (Get-ConntrackStat -NetworkNamespace $router).Maximum
    $sums = @{ Drop = 0; EarlyDrop = 0 }
    foreach ($minute in 0..1440) {
        $count = [int] ($maximum / 262144 * (52000 + 26000 * [Math]::Sin(($minute - 500) / 229) + 3500 * [Math]::Sin($minute / 17) + $random.Next(2500)))
        $count += $minute -in 980..1080 ? [int] ($maximum / 125 * ($minute - 980)) : 0
        if ($count -ge $maximum) {
            $count = $maximum
            $sums.Drop += $random.Next(3000, 9000)
            $sums.EarlyDrop += $random.Next(500, 2500)
        }
        [pscustomobject]@{
            Time = [datetime]::Now.AddMinutes($minute - 1441); BootId = 'lab'; Uptime = 90000 + 60 * $minute; FillPercent = 0; Count = $count; Maximum = $maximum
            Drop = $sums.Drop; EarlyDrop = $sums.EarlyDrop; InsertFailed = 0; TopSources = @{ '10.77.1.11' = [int] ($count * .62); '10.77.1.34' = 1800 + $random.Next(900) }
        } | Add-ConntrackHistory $Path
    }
}

# The upper part of a page, as a browser shows it.
function Save-Report([string] $Name, [string] $Path, [int] $Height) {
    Start-Browser
    try {
        Open-Page $Path -Width 1180 -Height $Height -Scale 1.6
        Save-Page "$Path.png"
    }
    finally {
        Stop-Browser
    }
    pngquant --strip 128 --output "$PSScriptRoot/../$Name.png" --force "$Path.png"
    if ($LASTEXITCODE -ne 0) {
        throw 'pngquant failed.'
    }
}

$prefix = "images$PID"
$folder = [IO.Directory]::CreateTempSubdirectory('ctps-images-').FullName
try {
    $router = Start-OfficeLab $prefix
    Import-Module "$(Get-PackagePath)/ConntrackPS.psd1"
    # The session of the plots begins while the table is still small.
    Open-Session -Lines 32
    Send-Text 'Show-ConntrackTop -Page Plot'
    Send-Key Enter
    Wait-Screen '^Entries'
    Wait-Until { [int] (Invoke-InNamespace $router cat /proc/sys/net/netfilter/nf_conntrack_count) -gt 6000 } 'the table stays small' -Seconds 120

    Save-Screen plots
    Stop-Terminal

    New-DayHistory "$folder/history.csv"
    $command = "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Export-ConntrackReport '$folder/report.html' -History '$folder/history.csv' -Title 'Connection tracking of gateway1'"
    $null = Invoke-PowerShell '-NoProfile', '-Command', $command ip, netns, exec, $router
    Save-Report report "$folder/report.html" -Height 1370

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
    Remove-Item $folder -Recurse
}
