#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Builds, tests, shows, measures and packs ConntrackPS.
.EXAMPLE
    ./build.ps1 Build
.EXAMPLE
    ./build.ps1 Build, Test
.EXAMPLE
    ./build.ps1 Test -Exhaustive
.NOTES
    build.sh installs PowerShell and Pester first. Test, Demo and Bench need root for network namespaces.
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Demo', 'Bench', 'Pack', 'Clean')]
    [string[]] $Task = 'Build',

    [ValidateSet('Debug', 'Release')]
    [string] $Configuration = 'Release',

    # Test draws ten times as many random cases.
    [switch] $Exhaustive
)

$ErrorActionPreference = 'Stop'
$root = $PSScriptRoot
Import-Module "$root/build/ChildPowerShell.psm1"
$version = (Import-PowerShellDataFile "$root/ConntrackPS.psd1").ModuleVersion
$package = "$root/out/ConntrackPS/$version"

function Write-Step([string] $Text) {
    Write-Host "==> $Text"
}

function Invoke-Native([scriptblock] $Command) {
    & $Command
    if ($LASTEXITCODE -ne 0) {
        throw "'$("$Command".Trim())' failed with exit code $LASTEXITCODE."
    }
}

# Runs a script of the repository in its own process, because assemblies never unload.
function Invoke-Script([string] $Path) {
    Invoke-PowerShell (@('-NoProfile', '-NonInteractive', '-File', $Path) + $args)
    if ($LASTEXITCODE -ne 0) {
        throw "'$Path' failed with exit code $LASTEXITCODE."
    }
}

# For programs whose warnings do not apply to our packages.
function Invoke-Quietly([scriptblock] $Command) {
    $said = & $Command 2>&1 | Out-String
    if ($LASTEXITCODE -ne 0) {
        throw "'$("$Command".Trim())' failed with exit code $LASTEXITCODE`: $said"
    }
}

function Invoke-Build {
    Write-Step "Build: compile ($Configuration) and lay out $package"
    Invoke-Native { dotnet build "$root/ConntrackPS.sln" --configuration $Configuration --nologo -v quiet }
    if (Test-Path $package) {
        Remove-Item $package -Recurse
    }
    $null = New-Item $package -ItemType Directory -Force
    $binaries = "$root/src/ConntrackPS/bin/$Configuration/net8.0"
    Copy-Item "$binaries/ConntrackPS*.dll", "$binaries/ConntrackPS*.pdb" $package
    Copy-Item "$binaries/runtimes" $package -Recurse
    Copy-Item "$root/ConntrackPS.psd1", "$root/LICENSE", "$root/CHANGELOG.md" $package
    Copy-Item "$root/module/*" $package -Recurse
    Invoke-Script "$root/docs/help/tools/Build-Help.ps1" -Package $package -Documentation "$binaries/ConntrackPS.xml"
    Write-Step "Build: done, Import-Module ./out/ConntrackPS"
}

function Invoke-Xunit {
    Write-Step 'Test: xunit'
    $log = dotnet test "$root/tests/ConntrackPS.Core.Tests" --configuration $Configuration --nologo 2>&1 | Tee-Object -Variable lines | Out-String
    $failed = $LASTEXITCODE -ne 0
    $lines | Write-Host
    $total = [regex]::Match($log, 'Failed:\s+(?<failed>\d+), Passed:\s+(?<passed>\d+)')
    if (-not $total.Success) {
        throw 'xunit ran no test.'
    }
    [pscustomobject]@{
        Line     = "xunit: $($total.Groups['passed'].Value) passed, $($total.Groups['failed'].Value) failed"
        Failed   = $failed
        # From the "Failed" line of a test to its stack trace.
        Failures = [regex]::Matches($log, '(?ms)^\s*Failed (?!:).+?(?=^\s*Stack Trace:|^\s*$)').Value
    }
}

function Invoke-PesterSuite {
    Write-Step 'Test: Pester, in a fresh pwsh, against the package'
    $result = "$root/out/pester.json"
    Remove-Item $result -ErrorAction Ignore
    # The machine's own modules are not changed.
    $env:PSModulePath = "$root/.tools/modules:$env:PSModulePath"
    Invoke-Script "$root/tests/ConntrackPS.Tests/Invoke-Suite.ps1" -ResultPath $result | Write-Host
    if (-not (Test-Path $result)) {
        throw 'The Pester suite ended without a result.'
    }
    $count = Get-Content $result -Raw | ConvertFrom-Json
    [pscustomobject]@{
        Line     = "pester: $($count.Passed) passed, $($count.Failed) failed, $($count.Skipped) skipped"
        Failed   = $count.Failed -gt 0 -or $count.Passed -eq 0
        Failures = $count.Failures
    }
}

function Invoke-Test {
    $env:CONNTRACKPS_EXHAUSTIVE = $Exhaustive ? '1' : $null
    Invoke-Pack
    $results = @(Invoke-Xunit) + @(Invoke-PesterSuite)
    # Repeated at the end, where they are easy to find.
    $results.Failures | Write-Host
    $results.Line | Write-Host
    if ($results.Failed -contains $true) {
        Write-Host 'Test: failed'
        exit 1
    }
}

function Invoke-Demo {
    Invoke-Build
    Write-Step 'Demo: a NAT router made of network namespaces'
    Invoke-Script "$root/samples/Demo.ps1"
    Write-Step 'Demo: done'
}

function Invoke-Bench {
    Invoke-Build
    Write-Step 'Bench: races against the raw receive loop and the usual tools'
    Invoke-Script "$root/bench/Race.ps1"
    Write-Step 'Bench: done'
}

function Invoke-Pack {
    Invoke-Build
    Write-Step 'Pack: the module for the PowerShell Gallery, the core library for NuGet'
    $nuspec = "$root/out/ConntrackPS.nuspec"
    & "$root/build/Write-Nuspec.ps1" -Package $package -Path $nuspec
    Invoke-Quietly { dotnet pack $nuspec --output "$root/out" }
    Remove-Item $nuspec
    Invoke-Native { dotnet pack "$root/src/ConntrackPS.Core" --configuration $Configuration --no-build --output "$root/out" -v quiet }
    Write-Step "Pack: done, out/ConntrackPS.$version.nupkg, out/ConntrackPS.Core.$version.nupkg"
}

function Invoke-Clean {
    Write-Step 'Clean: out, bin and obj'
    Invoke-Native { dotnet clean "$root/ConntrackPS.sln" --configuration $Configuration --nologo -v quiet }
    Remove-Item "$root/out" -Recurse -ErrorAction Ignore
    Write-Step 'Clean: done'
}

foreach ($name in $Task) {
    & "Invoke-$name"
}
