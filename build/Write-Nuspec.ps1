<#
.SYNOPSIS
    Writes the nuspec of the module's package from its manifest, as Compress-PSResource of Microsoft.PowerShell.PSResourceGet does.
.DESCRIPTION
    Not by Compress-PSResource itself, since PowerShell 7.4 came with a version that has none. The gallery finds modules by the
    tag PSModule, and cmdlets by tags of theirs.
.PARAMETER Package
    The folder of the packaged module.
.PARAMETER Path
    The file to write.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Package,
    [Parameter(Mandatory)] [string] $Path
)

$ErrorActionPreference = 'Stop'
$manifest = Import-PowerShellDataFile "$Package/ConntrackPS.psd1"
$shown = $manifest.PrivateData.PSData
$metadata = [ordered]@{
    id                       = 'ConntrackPS'
    version                  = $manifest.ModuleVersion
    authors                  = $manifest.Author
    owners                   = $manifest.CompanyName
    description              = $manifest.Description
    copyright                = $manifest.Copyright
    releaseNotes             = $shown.ReleaseNotes
    projectUrl               = $shown.ProjectUri
    licenseUrl               = $shown.LicenseUri
    requireLicenseAcceptance = 'false'
    tags                     = @(
        'PSModule'
        $shown.Tags
        'PSIncludes_Cmdlet'
        $manifest.CmdletsToExport | ForEach-Object { "PSCmdlet_$_", "PSCommand_$_" }
    ) -join ' '
}

$name = [System.Xml.Linq.XNamespace] 'http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd'
$elements = $metadata.GetEnumerator() | ForEach-Object { [System.Xml.Linq.XElement]::new($name + $_.Key, $_.Value) }
$file = [System.Xml.Linq.XElement]::new($name + 'file', [object[]] @(
        [System.Xml.Linq.XAttribute]::new('src', "$Package/**"), [System.Xml.Linq.XAttribute]::new('target', '')))
[System.Xml.Linq.XElement]::new($name + 'package', [object[]] @(
        [System.Xml.Linq.XElement]::new($name + 'metadata', [object[]] $elements)
        [System.Xml.Linq.XElement]::new($name + 'files', [object[]] $file))).Save($Path)
