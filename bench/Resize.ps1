#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Resizes the hash table continuously while entries are listed, removed and changed, and checks that none is missed silently.
.DESCRIPTION
    Makes a network namespace of its own with the entries to work on, and some that no filter names. It resizes at
    several rates while each kind of work removes, changes or lists the entries. The conntrack tool shows what is left: nothing, or
    as much as a warning said. Prints Markdown. The exit code is 1 if anything else is found.

    Every network namespace of the machine uses the same hash table. Its size is halved and restored repeatedly, and is
    restored at the end. Needs root in the initial network namespace, iproute2, conntrack-tools and the packaged module.
.EXAMPLE
    ./build.ps1 Build; ./bench/Resize.ps1 -Minutes 10
#>
[CmdletBinding()]
param(
    [ValidateRange(0.1, 1440)]
    [double] $Minutes = 10,

    # Entries to work on.
    [ValidateRange(1000, 1000000)]
    [int] $Count = 60000,

    # The folder of the packaged module; the default is the one that was built here.
    [string] $ModulePath
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
$support = "$PSScriptRoot/../tests/ConntrackPS.Tests/Support"
Import-Module "$support/TestSupport.psm1", "$support/ResizeStorm.psm1"
if ($ModulePath) {
    Import-Module $ModulePath
}
else {
    Import-PackagedModule
}
if ($obstacle = Get-ResizeObstacle) {
    throw "$($obstacle.Substring(0, 1).ToUpperInvariant())$($obstacle.Substring(1))"
}

# Each returns the number of entries that it processed, or nothing if the conntrack tool shows it.
$works = [ordered]@{
    'Remove-ConntrackEntry'            = { Remove-ConntrackEntry -SourcePort 4000-4001 @here }
    'Remove-ConntrackEntry -PassThru'  = { @(Remove-ConntrackEntry -SourcePort 4000-4001 -PassThru @here).Count }
    'Remove-ConntrackEntry -Block'     = { Remove-ConntrackEntry -SourcePort 4000-4001 -Block @here }
    'Remove-ConntrackEntry, a group'   = { $group | Remove-ConntrackEntry @here }
    'Remove-ConntrackEntry by request' = { Remove-ConntrackEntry -Protocol Tcp -AddressFamily IPv4 @here }
    'Set-ConntrackEntry'               = { Set-ConntrackEntry -SourcePort 4000-4001 -NewMark 7 @here }
    'Get-ConntrackEntry'               = { @(Get-ConntrackEntry -SourcePort 4000-4001 @here).Count }
    'Measure-ConntrackEntry'           = { (Measure-ConntrackEntry -SourcePort 4000-4001 -GroupBy Protocol @here | Measure-Object Count -Sum).Sum }
}
$pauses = 0, 0.01, 0.05, 0.25
$others = 500
$lines = New-ManyLine $Count
$strangers = 1..$others | ForEach-Object { "-s 192.0.2.1 -d 198.51.100.7 -p udp --sport $_ --dport 80" }
$before = Get-Content /proc/sys/net/netfilter/nf_conntrack_buckets
$seen = [ordered]@{}
$problems = [Collections.Generic.List[string]]::new()
$namespace = New-TestNamespace
$end = [DateTime]::UtcNow.AddMinutes($Minutes)
try {
    for ($i = 0; [DateTime]::UtcNow -lt $end; $i++) {
        $name = @($works.Keys)[$i % $works.Count]
        $work = $works[$name]
        $pause = $pauses[[Math]::Floor($i / $works.Count) % $pauses.Count]
        $warnings = @()
        $here = @{ NetworkNamespace = $namespace; WarningVariable = 'warnings'; WarningAction = 'SilentlyContinue' }
        Invoke-InNamespace $namespace conntrack -F
        Add-KernelLine $namespace ($strangers + $lines)
        $group = if ($name -match 'group') { Measure-ConntrackEntry -SourcePort 4000-4001 -GroupBy Mark -NetworkNamespace $namespace -WarningAction SilentlyContinue }
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $results = @(Invoke-InStorm { . $work; $watch.Stop(); , @($warnings) } -Pause $pause)
        $resizes, $warnings = $results[-1], @($results[-2])
        $listing = @(Invoke-InNamespace $namespace conntrack -L)
        $left = switch -Regex ($name) {
            '^Remove' { @($listing -match 'tcp').Count }
            '^Set' { @($listing -match 'tcp' -notmatch ' mark=7 ').Count }
            default { $Count - $results[0] }
        }
        $row = $seen[$name] ??= [pscustomobject]@{ Runs = 0; Resizes = 0; Whole = 0; Warned = 0; Left = 0; Silent = 0; Seconds = 0.0 }
        $row.Runs++
        $row.Resizes += $resizes
        $row.Seconds = [Math]::Max($row.Seconds, $watch.Elapsed.TotalSeconds)
        if ($warnings.Count) {
            $row.Warned++
            $row.Left += [Math]::Abs($left)
            if ("$warnings" -notlike "$($Count - $left) entries were *") {
                $problems.Add("$name, pause $pause`: $left left, but it said: $warnings")
            }
        }
        elseif ($left -eq 0) {
            $row.Whole++
        }
        else {
            $row.Silent++
            $problems.Add("$name, pause $pause`: $left left, and not a word, after $resizes resizes")
        }
        if (@($listing -match 'udp').Count -ne $others) {
            $problems.Add("$name, pause $pause`: of $others entries that nobody named $(@($listing -match 'udp').Count) are left")
        }
    }
}
finally {
    Remove-TestNamespace $namespace
}

"| $Count entries | runs | resizes | all dealt with | warned | left then, on average | missed silently | longest, s |"
'|---|---|---|---|---|---|---|---|'
foreach ($name in $seen.Keys) {
    $row = $seen[$name]
    $average = $row.Warned ? [Math]::Round($row.Left / $row.Warned) : 0
    "| ``$name`` | $($row.Runs) | $($row.Resizes) | $($row.Whole) | $($row.Warned) | $average | $($row.Silent) | $($row.Seconds.ToString('0.0')) |"
}
if ((Get-Content /proc/sys/net/netfilter/nf_conntrack_buckets) -ne $before) {
    $problems.Add('the size of the hash table is not what it was')
}
''
"$($problems.Count) problems."
$problems | Group-Object -NoElement | ForEach-Object { "$($_.Count) x $($_.Name)" }
if ($problems.Count) {
    exit 1
}
