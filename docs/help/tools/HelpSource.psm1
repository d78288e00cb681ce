<#
    Reads the Markdown pages of the help, and runs their examples. docs/help/README.md describes the format.
#>
$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../../../build/ChildPowerShell.psm1"

# Get-Help indents examples by four columns of a terminal that has eighty.
$HelpWidth = 76

<# The pages of cmdlets and topics, by name. #>
function Get-HelpPage {
    param([string] $Name = '*')

    Get-ChildItem "$PSScriptRoot/.." -Filter *.md | Where-Object { $_.BaseName -ne 'README' -and $_.BaseName -like $Name } |
        Sort-Object Name | ForEach-Object { Read-HelpPage $_.FullName }
}

<# One page: its sections by heading, and its examples. #>
function Read-HelpPage([string] $Path) {
    $lines = Get-Content $Path
    $sections = [ordered]@{}
    $heading = 'Synopsis'
    $titled = $false
    foreach ($line in $lines) {
        if ($line -match '^## (.+)') {
            $heading = $Matches[1]
            $sections[$heading] = @()
        }
        elseif (-not $titled -and $line -match '^# ') {
            $titled = $true
        }
        else {
            $sections[$heading] = @($sections[$heading]) + $line
        }
    }
    $name = [System.IO.Path]::GetFileNameWithoutExtension($Path)
    [pscustomobject]@{
        Name     = $name
        Path     = $Path
        Sections = $sections
        Examples = @(Read-Example $name $lines)
    }
}

<# The blocks of a page that begin with a prompt: commands, each with the output that is shown. #>
function Read-Example([string] $Page, [string[]] $Lines) {
    $title = $notRun = $prepare = ''
    $block = @()
    $number = -1
    # A last empty line ends the last block.
    foreach ($line in $Lines + '') {
        $number++
        if ($line -like '    *') {
            $block += $line.Substring(4)
            continue
        }
        if ($block -and $block[0] -like 'PS> *') {
            [pscustomobject]@{
                Page     = $Page
                Title    = $title
                NotRun   = $notRun
                Prepare  = $prepare
                Text     = $block
                Line     = $number - $block.Count
                Commands = @(Split-Session $block)
            }
            $notRun = $prepare = ''
        }
        $block = @()
        switch -Regex ($line) {
            '^##+ (.+)' { $title = $Matches[1] }
            '^<!-- not run: (.+) -->' { $notRun = $Matches[1] }
            '^<!-- prepare: (.+) -->' { $prepare = $Matches[1] }
        }
    }
}

<# The commands after each prompt, with the output below. #>
function Split-Session([string[]] $Block) {
    $commands = [System.Collections.Generic.List[object]]::new()
    foreach ($line in $Block) {
        if ($line -match '^PS> (.*)') {
            $commands.Add([pscustomobject]@{ Code = $Matches[1]; Output = @() })
        }
        elseif ($line -match '^>> (.*)') {
            $commands[-1].Code += "`n" + $Matches[1]
        }
        else {
            $commands[-1].Output += $line
        }
    }
    $commands
}

<# Wraps a message. All lines but the first are indented, which Join-Message expects. #>
function Split-Message([string] $Text) {
    $row = ''
    foreach ($word in $Text -split ' ') {
        if ($row.Trim() -and $row.Length + 1 + $word.Length -gt $HelpWidth) {
            $row
            $row = '   '
        }
        $row += $row ? " $word" : $word
    }
    $row
}

<# Joins wrapped messages again, because a longer number changes where they wrap. #>
function Join-Message([string[]] $Line) {
    $isMessage = $false
    $message = ''
    foreach ($row in $Line) {
        if ($message -and $row -match '^    \S') {
            $message += ' ' + $row.Trim()
            continue
        }
        if ($message) { $message }
        $message = ''
        if ($row -match '^(What if|VERBOSE|WARNING|Persisted in|[A-Z]\w+-Conntrack\w+): ?') {
            $message = $row
        }
        else {
            $row
        }
    }
    if ($message) { $message }
}

<# The part of an output that must not change: columns, names of properties, texts without their numbers. #>
function Get-OutputShape([string[]] $Line) {
    $Line = @(Join-Message $Line)
    $inTable = $false
    for ($i = 0; $i -lt $Line.Count; $i++) {
        if ($i + 1 -lt $Line.Count -and $Line[$i + 1] -match '^\s*-[- ]*$') {
            'table: ' + ($Line[$i].Trim() -replace '\s+', ' ')
            $inTable = $true
            $i++
        }
        elseif (-not $inTable -and $Line[$i] -match '^(\w+) +: ') {
            "property: $($Matches[1])"
        }
        elseif (-not $inTable -and $Line[$i] -notmatch '^ ') {
            'text: ' + ($Line[$i] -replace '\b(0x[0-9a-f]+|[0-9a-f]{8})\b|\d[\d.,:]*', '#' -replace '\s+', ' ')
        }
    }
}

<# Runs the examples of pages in the lab, in a child process. Adds to each command the lines that it printed. #>
function Invoke-HelpExample {
    param(
        [Parameter(Mandatory)] [string] $Package,
        [string] $Page = '*'
    )

    $pages = @(Get-HelpPage $Page)
    $words = '-NoProfile', '-NonInteractive', '-File', "$PSScriptRoot/Invoke-Example.ps1", '-Package', $Package, '-Page', $Page
    $lines = Invoke-PowerShell $words unshare, --net, --mount, --pid, --fork, --kill-child, --mount-proc 2>&1
    $outputs = @{}
    $key = ''
    foreach ($line in $lines | Where-Object { "$_".Trim() }) {
        if ("$line" -match '^<(\S+ \d+ \d+)>$') {
            $key = $Matches[1]
            $outputs[$key] = @()
        }
        else {
            $text = "$line".TrimEnd()
            $outputs[$key] += $text.Length -gt $HelpWidth ? @(Split-Message $text) : @($text)
        }
    }
    if ($outputs['']) {
        throw "The lab could not be made: $($outputs[''] -join "`n")"
    }
    foreach ($source in $pages) {
        for ($number = 0; $number -lt $source.Examples.Count; $number++) {
            $example = $source.Examples[$number]
            for ($index = 0; $index -lt $example.Commands.Count; $index++) {
                $example.Commands[$index] | Add-Member Actual $outputs["$($source.Name) $number $index"]
            }
        }
        $source
    }
}

Export-ModuleMember -Function Get-HelpPage, Get-OutputShape, Invoke-HelpExample -Variable HelpWidth
