<# The help of a cmdlet's parameters, from doc comments, attributes, and a new instance of the cmdlet. #>
$ErrorActionPreference = 'Stop'

$comments = @{}
$common = [System.Management.Automation.PSCmdlet]::CommonParameters
$standard = @{
    WhatIf  = 'Shows what would be changed, and changes nothing.'
    Confirm = 'Asks before each change.'
}

<# Reads the compiler's XML file: the summaries of properties. #>
function Read-DocComment([string] $Path) {
    foreach ($member in ([xml] (Get-Content $Path -Raw)).doc.members.member) {
        if ($member.name -match '^(P|F):' -and $member['summary']) {
            # A reference is shown by the last part of its name.
            $text = $member['summary'].InnerXml -replace '<(see|paramref) \w+="([^"]*\.)?([^".]+)" ?/>', '$3' -replace '</?\w+>'
            $comments[$member.name.Substring(2)] = [System.Net.WebUtility]::HtmlDecode($text).Trim() -replace '\s+', ' '
        }
    }
}

<# The error ids as list items, each with its cause from the doc comment. #>
function Get-ErrorCause {
    $prefix = 'ConntrackPS.Errors.ErrorId.'
    $comments.Keys | Where-Object { $_.StartsWith($prefix) } | Sort-Object | ForEach-Object { "- $($_.Substring($prefix.Length)): $($comments[$_])" }
}

<# The parameters of a cmdlet. Dynamic parameters have the given text. #>
function Get-HelpParameter([System.Management.Automation.CmdletInfo] $Command, [string[]] $StateText) {
    $fresh = [Activator]::CreateInstance($Command.ImplementingType)
    $other = [Activator]::CreateInstance($Command.ImplementingType)
    foreach ($parameter in $Command.Parameters.Values | Where-Object Name -NotIn $common) {
        $attributes = @($parameter.Attributes | Where-Object { $_ -is [Parameter] })
        if ($attributes.DontShow -contains $true) {
            continue
        }
        # A parameter can hide one of a base class.
        $property = $Command.ImplementingType.GetProperties() | Where-Object { $_.Name -eq $parameter.Name -and $_.PropertyType -eq $parameter.ParameterType } | Select-Object -First 1
        $text = $parameter.IsDynamic ? ($StateText -join ' ') :
            $standard[$parameter.Name] ?? $comments["$($property.DeclaringType.FullName).$($parameter.Name)"]
        $choices = @(Get-Choice $parameter)
        if ($choices -and $parameter.ParameterType -ne [switch]) {
            $text += " Possible values: $($choices -join ', ')."
        }
        [pscustomobject]@{
            Name          = $parameter.Name
            Description   = $text.Trim()
            Type          = Get-TypeName $parameter.ParameterType
            Choices       = $choices
            Aliases       = $parameter.Aliases.Count ? $parameter.Aliases -join ', ' : 'none'
            Default       = Get-Default $property $fresh $other $choices
            Required      = $attributes.Mandatory -contains $true
            Globbing      = [bool] ($parameter.Attributes | Where-Object { $_ -is [SupportsWildcards] })
            PipelineInput = Get-PipelineInput $attributes
            Position      = @($attributes.Position | Where-Object { $_ -ge 0 } | ForEach-Object { "$_" }) + 'named' | Select-Object -First 1
        }
    }
}

<# The parameters of a set: by position, then the mandatory ones. #>
function Select-InSet([object[]] $Parameter, [System.Management.Automation.CommandParameterSetInfo] $Set) {
    $byName = $Parameter | Group-Object Name -AsHashTable
    foreach ($inSet in $Set.Parameters | Sort-Object { $_.Position -lt 0 }, Position, { -not $_.IsMandatory } -Stable) {
        if ($byName.ContainsKey($inSet.Name)) {
            $copy = $byName[$inSet.Name][0].PSObject.Copy()
            $copy.Required = $inSet.IsMandatory
            $copy
        }
    }
}

<# The possible values: names of an enumeration, of a ValidateSet, or in several spellings. #>
function Get-Choice([System.Management.Automation.ParameterMetadata] $Parameter) {
    $set = $Parameter.Attributes | Where-Object { $_ -is [ValidateSet] }
    if ($set) {
        return $set.ValidValues
    }
    $spelled = $Parameter.Attributes | Where-Object { $_ -is [ConntrackPS.Arguments.SpellingArgumentAttribute] }
    if ($spelled) {
        return @($spelled.Spellings)
    }
    $type = $Parameter.ParameterType
    $type = $type.IsArray ? $type.GetElementType() : [Nullable]::GetUnderlyingType($type) ?? $type
    if ($type.IsEnum) {
        [Enum]::GetNames($type)
    }
}

function Get-TypeName([type] $Type) {
    $inner = [Nullable]::GetUnderlyingType($Type)
    $inner ? $inner.Name : $Type.IsGenericType ? 'IDictionary' : $Type.Name
}

<# The value in a new cmdlet. It is no default if another new cmdlet has another value, if a user could not give it, or if it is the
    type's zero, which means that none was given. #>
function Get-Default($Property, $Fresh, $Other, [string[]] $Choices) {
    $value = $Property ? $Property.GetValue($Fresh) : $null
    if ($null -eq $value -or $value -is [switch] -or ($value -is [valuetype] -and $value.Equals([Activator]::CreateInstance($value.GetType()))) -or "$value" -ne "$($Property.GetValue($Other))") {
        return 'None'
    }
    $text = $value -is [timespan] ? "$($value.TotalSeconds)" : $value -join ', '
    $strange = @($value | Where-Object { "$_" -notin $Choices }).Count -gt 0
    $text -and -not ($Choices -and $strange) ? $text : 'None'
}

function Get-PipelineInput([object[]] $Attributes) {
    $ways = @(
        if ($Attributes.ValueFromPipeline -contains $true) { 'ByValue' }
        if ($Attributes.ValueFromPipelineByPropertyName -contains $true) { 'ByPropertyName' }
    )
    $ways ? "True ($($ways -join ', '))" : 'False'
}

Export-ModuleMember -Function Read-DocComment, Get-ErrorCause, Get-HelpParameter, Select-InSet
