<#
.SYNOPSIS
    Writes the module's help: MAML of every cmdlet's page, plain text of every topic's.
.DESCRIPTION
    The texts of parameters are the doc comments of the cmdlets. The rest is Markdown (docs/help/README.md). Run it in its own
    process, because it loads the module.
.PARAMETER Package
    The folder of the packaged module; the help goes to en-US below it.
.PARAMETER Documentation
    The compiler's XML file of the doc comments.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Package,
    [Parameter(Mandatory)] [string] $Documentation
)

$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/HelpSource.psm1", "$PSScriptRoot/HelpText.psm1", "$PSScriptRoot/HelpParameter.psm1", "$Package/ConntrackPS.psd1"
Read-DocComment $Documentation
$online = "$((Import-PowerShellDataFile "$Package/ConntrackPS.psd1").PrivateData.PSData.ProjectUri)/blob/main/docs/help"

<# An element as text. Its content is escaped text or elements. #>
function New-Element([string] $Name, [object[]] $Content, [System.Collections.IDictionary] $Attribute = @{}) {
    $attributes = -join ($Attribute.GetEnumerator() | ForEach-Object { " $($_.Key)=`"$([System.Security.SecurityElement]::Escape($_.Value))`"" })
    "<$Name$attributes>$(-join $Content)</$Name>"
}

function Format-Text([string] $Text) {
    [System.Security.SecurityElement]::Escape($Text)
}

<# Paragraphs, list items and blocks of code as MAML's paragraphs, without Markdown's signs. #>
function Format-Paragraph([string[]] $Lines) {
    $Lines | Split-Paragraph | ForEach-Object { New-Element maml:para (Format-Text $_) }
}

function Format-Parameter($Parameter, [switch] $InSyntax) {
    $content = @(New-Element maml:name $Parameter.Name)
    if (-not $InSyntax) {
        $content += New-Element maml:description (Format-Paragraph $Parameter.Description)
    }
    if ($InSyntax -and $Parameter.Choices.Count -in 1..8) {
        $content += New-Element command:parameterValueGroup @($Parameter.Choices | ForEach-Object {
                New-Element command:parameterValue (Format-Text $_) ([ordered]@{ required = 'false'; variableLength = 'false' })
            })
    }
    elseif (-not ($InSyntax -and $Parameter.Type -eq 'SwitchParameter')) {
        $content += New-Element command:parameterValue (Format-Text $Parameter.Type) ([ordered]@{ required = 'true'; variableLength = 'false' })
    }
    $content += New-Element dev:type (New-Element maml:name (Format-Text $Parameter.Type))
    $content += New-Element dev:defaultValue (Format-Text $Parameter.Default)
    New-Element command:parameter $content ([ordered]@{
            required = "$($Parameter.Required)".ToLowerInvariant()
            variableLength = 'true'
            globbing = "$($Parameter.Globbing)".ToLowerInvariant()
            pipelineInput = $Parameter.PipelineInput
            position = $Parameter.Position
            aliases = $Parameter.Aliases
        })
}

<# Items of a list: "- Name: text". #>
function Format-Types([string] $Outer, [string] $Inner, [string[]] $Lines) {
    New-Element $Outer @(foreach ($item in $Lines | Split-Paragraph) {
            $name, $text = $item -split ': ', 2
            New-Element $Inner @((New-Element dev:type (New-Element maml:name (Format-Text $name))), (New-Element maml:description (Format-Paragraph $text)))
        })
}

function Format-Example($Example, [int] $Number, [string[]] $Remarks) {
    New-Element command:example @(
        New-Element maml:title (Format-Text "Example $Number`: $($Example.Title)")
        New-Element dev:code (Format-Text ($Example.Text -join "`n"))
        # The empty paragraph separates the next example.
        New-Element dev:remarks @((Format-Paragraph $Remarks) + (New-Element maml:para ''))
    )
}

<# The text around the block of an example. #>
function Get-Remark([string[]] $Lines, [string] $Title) {
    $isInside = $false
    foreach ($line in $Lines) {
        if ($line -like '### *') {
            $isInside = $line -eq "### $Title"
        }
        elseif ($isInside -and $line -notlike '    *' -and $line -notlike '<!--*') {
            $line
        }
    }
}

function Format-Link([string] $Name) {
    $text, $uri = if ($Name -match '^\[(.+)\]\((.+)\)$') { $Matches[1], $Matches[2] } else { $Name, '' }
    New-Element maml:navigationLink @((New-Element maml:linkText (Format-Text $text)), (New-Element maml:uri (Format-Text $uri)))
}

function Format-Command($Command, $Page) {
    $sections = $Page.Sections
    $parameters = @(Get-HelpParameter $Command $sections['State parameters'])
    New-Element command:command @(
        New-Element command:details @(
            New-Element command:name $Command.Name
            New-Element command:verb $Command.Verb
            New-Element command:noun $Command.Noun
            New-Element maml:description (Format-Paragraph $sections.Synopsis)
        )
        New-Element maml:description (Format-Paragraph $sections.Description)
        New-Element command:syntax @(foreach ($set in $Command.ParameterSets) {
                New-Element command:syntaxItem @(
                    New-Element maml:name $Command.Name
                    Select-InSet $parameters $set | ForEach-Object { Format-Parameter $_ -InSyntax }
                )
            })
        New-Element command:parameters @($parameters | Sort-Object Name | ForEach-Object { Format-Parameter $_ })
        Format-Types command:inputTypes command:inputType $sections.Inputs
        Format-Types command:returnValues command:returnValue $sections.Outputs
        New-Element maml:alertSet (New-Element maml:alert (Format-Paragraph $sections.Notes))
        New-Element command:examples @(for ($i = 0; $i -lt $Page.Examples.Count; $i++) {
                Format-Example $Page.Examples[$i] ($i + 1) (Get-Remark $sections.Examples $Page.Examples[$i].Title)
            })
        # Get-Help -Online opens the first link with an address.
        New-Element command:relatedLinks @(
            Format-Link "[Online version]($online/$($Command.Name).md)"
            $sections.Links | Split-Paragraph | ForEach-Object { Format-Link $_ }
        )
    )
}

$pages = Get-HelpPage
$folder = New-Item "$Package/en-US" -ItemType Directory -Force
$commands = foreach ($command in Get-Command -Module ConntrackPS) {
    $page = $pages | Where-Object Name -EQ $command.Name
    if (-not $page) {
        Write-Warning "docs/help/$($command.Name).md is missing: the cmdlet has no help but its parameters."
        $page = [pscustomobject]@{ Sections = @{}; Examples = @() }
    }
    Format-Command $command $page
}
$namespaces = 'xmlns:maml="http://schemas.microsoft.com/maml/2004/10" xmlns:command="http://schemas.microsoft.com/maml/dev/command/2004/10" xmlns:dev="http://schemas.microsoft.com/maml/dev/2004/10"'
$document = [xml] "<helpItems schema=`"maml`" xmlns=`"http://msh`" $namespaces>$($commands -join '')</helpItems>"
$document.PreserveWhitespace = $true
$document.Save("$folder/ConntrackPS.dll-Help.xml")

foreach ($page in $pages | Where-Object Name -Like 'about_*') {
    Get-Content $page.Path | ForEach-Object { $_ -eq '<!-- error ids -->' ? (Get-ErrorCause) : $_ } | ConvertTo-HelpText | Set-Content "$folder/$($page.Name).help.txt"
}
