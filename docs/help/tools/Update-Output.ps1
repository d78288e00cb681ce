<#
.SYNOPSIS
    Runs the examples of the help, and writes their output below the commands. Needs root.
.EXAMPLE
    ./docs/help/tools/Update-Output.ps1 Get-ConntrackEntry
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [string] $Page = '*',

    [string] $Package = (Get-ChildItem "$PSScriptRoot/../../../out/ConntrackPS" | Select-Object -Last 1).FullName
)

$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/HelpSource.psm1" -Force

foreach ($source in Invoke-HelpExample $Package $Page) {
    $text = [System.Collections.Generic.List[string]] (Get-Content $source.Path)
    # From the end, so that the line numbers of earlier examples stay right.
    foreach ($example in $source.Examples | Where-Object NotRun -EQ '' | Sort-Object Line -Descending) {
        $session = foreach ($command in $example.Commands) {
            $code = $command.Code -split "`n"
            "PS> $($code[0])"
            $code | Select-Object -Skip 1 | ForEach-Object { ">> $_" }
            $command.Actual
        }
        $text.RemoveRange($example.Line, $example.Text.Count)
        $text.InsertRange($example.Line, [string[]] @($session | ForEach-Object { "    $_" }))
    }
    Set-Content $source.Path $text
}
