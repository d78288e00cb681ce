<#
.SYNOPSIS
    Runs the Pester suite against the packaged module and writes its counts as JSON.
.NOTES
    Run it in a fresh process: assemblies never unload.
#>
[CmdletBinding()]
param(
    [string] $Path = $PSScriptRoot,

    [string] $ResultPath,

    [ValidateSet('Normal', 'Detailed', 'Diagnostic')]
    [string] $Output = 'Normal'
)

$ErrorActionPreference = 'Stop'
$env:NO_COLOR = '1'
Import-Module Pester -MinimumVersion 5.0
$configuration = New-PesterConfiguration
$configuration.Run.Path = $Path
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = $Output
$run = Invoke-Pester -Configuration $configuration
if ($ResultPath) {
    # A file that fails to load counts as a failure too: its tests did not run.
    $failures = @($run.Failed) + @($run.FailedContainers) + @($run.FailedBlocks) | ForEach-Object {
        "$($_.ExpandedPath ?? $_.Path ?? $_.Item): $($_.ErrorRecord | ForEach-Object { $_.Exception.Message })"
    }
    [ordered]@{
        Passed   = $run.PassedCount
        Failed   = $run.FailedCount + $run.FailedContainersCount + $run.FailedBlocksCount
        Skipped  = $run.SkippedCount
        Failures = @($failures)
    } | ConvertTo-Json | Set-Content $ResultPath
}
