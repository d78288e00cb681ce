<# Converts Markdown to plain text: paragraphs for MAML, whole topics for about_*.help.txt. #>
$ErrorActionPreference = 'Stop'

<# Joins lines of Markdown to paragraphs of one line, without markup and comments. #>
function Split-Paragraph {
    param([Parameter(ValueFromPipeline)] [AllowNull()] [AllowEmptyString()] [string] $Line)

    begin { $words = @() }
    process {
        $isItem = $Line -like '- *'
        if ($words -and ($isItem -or -not $Line)) {
            $words -join ' '
            $words = @()
        }
        if ($Line -and $Line -notlike '<!--*') {
            $words += ($isItem ? $Line.Substring(2) : $Line).Trim() -replace '`'
        }
    }
    end { if ($words) { $words -join ' ' } }
}

<# A topic as text of at most 80 columns: headings in capitals, paragraphs indented, sessions as they are. #>
function ConvertTo-HelpText {
    param([Parameter(ValueFromPipeline)] [AllowEmptyString()] [string] $Line)

    begin { $paragraph = @() }
    process {
        if ($paragraph -and ($Line -match '^($|- |#|    )')) {
            Format-Wrapped ($paragraph -join ' ')
            $paragraph = @()
        }
        switch -Regex ($Line) {
            '^<!--' { break }
            '^# (.+)' { 'TOPIC', "    $($Matches[1])"; break }
            '^##+ (.+)' { $Matches[1].ToUpperInvariant(); break }
            '^(    .*)?$' { $Line; break }
            default { $paragraph += $Line.Trim() -replace '`' }
        }
    }
    end { if ($paragraph) { Format-Wrapped ($paragraph -join ' ') } }
}

function Format-Wrapped([string] $Text) {
    $hanging = $Text -like '- *' ? '      ' : '    '
    $row = '   '
    foreach ($word in $Text -split ' ') {
        if ($row.Length + 1 + $word.Length -gt 80) {
            $row
            $row = $hanging.Substring(1)
        }
        $row += " $word"
    }
    $row
}

Export-ModuleMember -Function Split-Paragraph, ConvertTo-HelpText
