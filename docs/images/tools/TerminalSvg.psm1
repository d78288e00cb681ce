<#
    Draws a terminal's screen, as "tmux capture-pane -e -N" prints it, as SVG. Each character has its own place, so that no
    font's kerning or ligature moves it.
#>
$ErrorActionPreference = 'Stop'

$cellWidth, $cellHeight, $fontSize, $baseline, $margin = 9, 20, 15, 15, 18
$font = 'JetBrains Mono'
$background, $foreground, $border = '#0d1117', '#e6edf3', '#30363d'

# The colours of SGR, Select Graphic Rendition (ECMA-48), from black to white, and the bright ones.
$palette = @(
    '#484f58', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#b1bac4'
    '#6e7681', '#ffa198', '#56d364', '#e3b341', '#79c0ff', '#d2a8ff', '#56d4dd', '#ffffff'
)

<# The SVG of a screen. #>
function ConvertTo-TerminalSvg {
    param(
        [Parameter(Mandatory)] [AllowEmptyString()] [string[]] $Line,
        [Parameter(Mandatory)] [int] $Columns
    )

    $width, $height = ($Columns * $cellWidth + 2 * $margin), ($Line.Count * $cellHeight + 2 * $margin)
    $style = New-Style
    @(
        "<svg xmlns='http://www.w3.org/2000/svg' width='$width' height='$height' font-family='$font' font-size='$fontSize'>"
        "<rect x='.5' y='.5' width='$($width - 1)' height='$($height - 1)' rx='8' fill='$background' stroke='$border'/>"
        for ($row = 0; $row -lt $Line.Count; $row++) {
            $column = 0
            foreach ($token in [regex]::Matches($Line[$row], '\e\[(?<code>[\d;]*)m|(?<text>[^\e]+)')) {
                if ($token.Groups['text'].Success) {
                    ConvertTo-Run $token.Value $row $column $style
                    $column += $token.Length
                }
                else {
                    $token.Groups['code'].Value -split ';' | ForEach-Object { Set-Style $style ([int] $_) }
                }
            }
        }
        '</svg>'
    ) -join "`n"
}

function New-Style {
    @{ Foreground = $foreground; Background = $background; Bold = $false; Faint = $false; Italic = $false; Underline = $false; Inverse = $false }
}

function Set-Style([hashtable] $Style, [int] $Code) {
    switch ($Code) {
        0 { (New-Style).GetEnumerator() | ForEach-Object { $Style[$_.Key] = $_.Value } }
        1 { $Style.Bold = $true }
        2 { $Style.Faint = $true }
        3 { $Style.Italic = $true }
        4 { $Style.Underline = $true }
        7 { $Style.Inverse = $true }
        22 { $Style.Bold = $Style.Faint = $false }
        23 { $Style.Italic = $false }
        24 { $Style.Underline = $false }
        27 { $Style.Inverse = $false }
        39 { $Style.Foreground = $foreground }
        49 { $Style.Background = $background }
        { $_ -in 30..37 } { $Style.Foreground = $palette[$_ - 30] }
        { $_ -in 40..47 } { $Style.Background = $palette[$_ - 40] }
        { $_ -in 90..97 } { $Style.Foreground = $palette[$_ - 82] }
        { $_ -in 100..107 } { $Style.Background = $palette[$_ - 92] }
        default { throw "SGR $Code is not known here." }
    }
}

<# Characters of one style, and what lies below them. #>
function ConvertTo-Run([string] $Text, [int] $Row, [int] $Column, [hashtable] $Style) {
    $ink, $paper = $Style.Foreground, $Style.Background
    if ($Style.Inverse) {
        $ink, $paper = $paper, $ink
    }
    $x, $y = ($margin + $Column * $cellWidth), ($margin + $Row * $cellHeight)
    if ($paper -ne $background) {
        "<rect x='$x' y='$y' width='$($Text.Length * $cellWidth)' height='$cellHeight' fill='$paper'/>"
    }
    if ($Style.Underline) {
        "<rect x='$x' y='$($y + $cellHeight - 1)' width='$($Text.Length * $cellWidth)' height='1' fill='$ink'/>"
    }
    $weight, $slope, $opacity = ($Style.Bold ? 'bold' : 'normal'), ($Style.Italic ? 'italic' : 'normal'), ($Style.Faint ? .6 : 1)
    "<g fill='$ink' font-weight='$weight' font-style='$slope' fill-opacity='$opacity'>"
    for ($i = 0; $i -lt $Text.Length; $i++) {
        if ($Text[$i] -ne ' ') {
            "<text x='$($x + $i * $cellWidth)' y='$($y + $baseline)'>$([System.Security.SecurityElement]::Escape($Text[$i]))</text>"
        }
    }
    '</g>'
}

Export-ModuleMember -Function ConvertTo-TerminalSvg
