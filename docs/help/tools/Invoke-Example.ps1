<#
.SYNOPSIS
    Runs examples of the help in a lab. A line "<page> <example> <command>" in angle brackets comes before each one's output.
.DESCRIPTION
    Start it in its own namespaces, so that it changes nothing on the machine. It must be process 1 there, so that the files that
    boot reads apply to its network namespace:

        unshare --net --mount --pid --fork --mount-proc pwsh -NoProfile -NonInteractive -File Invoke-Example.ps1 -Package out/ConntrackPS/0.1.0
.PARAMETER Package
    The folder of the packaged module.
.PARAMETER Page
    Only the examples of these pages.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Package,
    [string] $Page = '*'
)

$ErrorActionPreference = 'Stop'
if ($PID -ne 1 -or (Test-Path /proc/sys/net/nf_conntrack_max)) {
    throw 'This empties the table and mounts over folders: start it by "unshare --net --mount --pid --fork --mount-proc".'
}
$PSStyle.OutputRendering = 'PlainText'
# PowerShell wraps at words only in some languages. English has AM and PM, which would differ between runs.
$culture = [cultureinfo] [cultureinfo]::GetCultureInfo('en-US').Clone()
$culture.DateTimeFormat = [cultureinfo]::InvariantCulture.DateTimeFormat
[cultureinfo]::CurrentCulture = $culture
Import-Module "$PSScriptRoot/HelpSource.psm1", "$PSScriptRoot/HelpLab.psm1", "$Package/ConntrackPS.psd1"

<# Runs the commands of an example in one scope. Errors are part of the output. #>
function Invoke-Example([object] $__Example, [int] $__Number) {
    $ErrorActionPreference = 'Continue'
    for ($__index = 0; $__index -lt $__Example.Commands.Count; $__index++) {
        "<$($__Example.Page) $__Number $__index>"
        try {
            . ([scriptblock]::Create($__Example.Commands[$__index].Code)) 2>&1 | Out-String -Stream -Width $HelpWidth | Where-Object { $_.Trim() }
        }
        catch {
            $_ | Out-String -Stream -Width $HelpWidth | Where-Object { $_.Trim() }
        }
    }
}

Initialize-Lab
foreach ($source in Get-HelpPage $Page) {
    for ($number = 0; $number -lt $source.Examples.Count; $number++) {
        $example = $source.Examples[$number]
        if (-not $example.NotRun) {
            Reset-Lab $example.Prepare
            Invoke-Example $example $number
        }
    }
}
