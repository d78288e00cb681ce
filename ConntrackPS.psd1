@{
    RootModule           = 'ConntrackPS.dll'
    # Loaded before the types file, which names enums of it.
    RequiredAssemblies   = @('ConntrackPS.Core.dll')
    ModuleVersion        = '0.1.0'
    GUID                 = '5d6d8f0a-3a4e-4c0e-9a55-0d3b6b8f6c21'
    Author               = 'The ConntrackPS contributors'
    CompanyName          = 'The ConntrackPS contributors'
    Copyright            = 'Copyright (c) 2026 The ConntrackPS contributors. MIT License.'
    Description          = 'The Linux kernel''s connection-tracking table as objects: list, filter, group and delete connections without text munging. Speaks netlink itself and needs no other program.'
    CompatiblePSEditions = @('Core')
    PowerShellVersion    = '7.4'
    FormatsToProcess     = @('ConntrackPS.format.ps1xml')
    TypesToProcess       = @('ConntrackPS.types.ps1xml')
    CmdletsToExport      = @(
        'Add-ConntrackHistory'
        'Block-ConntrackTraffic'
        'Clear-ConntrackTable'
        'ConvertFrom-ConntrackText'
        'ConvertTo-ConntrackText'
        'Disable-ConntrackHelper'
        'Disable-ConntrackTracking'
        'Enable-ConntrackHelper'
        'Enable-ConntrackTracking'
        'Export-ConntrackMetric'
        'Export-ConntrackReport'
        'Get-ConntrackBlock'
        'Get-ConntrackEntry'
        'Get-ConntrackExpectation'
        'Get-ConntrackHelper'
        'Get-ConntrackHistory'
        'Get-ConntrackRule'
        'Get-ConntrackSetting'
        'Get-ConntrackStat'
        'Get-ConntrackTimeout'
        'Get-ConntrackTimeoutPolicy'
        'Limit-ConntrackSource'
        'Measure-ConntrackEntry'
        'New-ConntrackEntry'
        'New-ConntrackExpectation'
        'New-ConntrackTimeoutPolicy'
        'Register-ConntrackAlert'
        'Register-ConntrackEvent'
        'Remove-ConntrackEntry'
        'Remove-ConntrackExpectation'
        'Remove-ConntrackRule'
        'Remove-ConntrackTimeoutPolicy'
        'Repair-ConntrackHealth'
        'Set-ConntrackEntry'
        'Set-ConntrackSetting'
        'Set-ConntrackTimeout'
        'Set-ConntrackTimeoutPolicy'
        'Show-ConntrackTop'
        'Test-ConntrackHealth'
        'Unblock-ConntrackTraffic'
        'Watch-ConntrackEvent'
    )
    FunctionsToExport    = @()
    VariablesToExport    = @()
    AliasesToExport      = @()
    FileList             = @(
        'CHANGELOG.md'
        'ConntrackPS.Core.dll'
        'ConntrackPS.Core.pdb'
        'ConntrackPS.dll'
        'ConntrackPS.format.ps1xml'
        'ConntrackPS.pdb'
        'ConntrackPS.psd1'
        'ConntrackPS.types.ps1xml'
        'LICENSE'
        'en-US/about_ConntrackPS.help.txt'
        'en-US/about_ConntrackPS_Errors.help.txt'
        'en-US/about_ConntrackPS_Filters.help.txt'
        'en-US/about_ConntrackPS_Recipes.help.txt'
        'en-US/about_ConntrackPS_Safety.help.txt'
        'en-US/ConntrackPS.dll-Help.xml'
        'runtimes/linux-arm/lib/netstandard2.0/Tmds.LibC.dll'
        'runtimes/linux-arm64/lib/netstandard2.0/Tmds.LibC.dll'
        'runtimes/linux-x64/lib/netstandard2.0/Tmds.LibC.dll'
        'ThirdPartyNotices.txt'
    )
    PrivateData          = @{
        PSData = @{
            Tags         = @('PSEdition_Core', 'Linux', 'conntrack', 'netfilter', 'netlink', 'router', 'firewall', 'NAT')
            LicenseUri   = 'https://opensource.org/license/mit'
            ProjectUri   = 'https://github.com/ConntrackPS/ConntrackPS'
            ReleaseNotes = 'The first release. Changes: https://github.com/ConntrackPS/ConntrackPS/blob/main/CHANGELOG.md'
        }
    }
}
