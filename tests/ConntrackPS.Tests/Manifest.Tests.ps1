BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $commands = Get-Command -Module ConntrackPS | ForEach-Object { @{ Name = $_.Name } }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $package = Get-PackagePath
    $data = Import-PowerShellDataFile "$package/ConntrackPS.psd1"
    $expected = @(
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
}

Describe 'The manifest' {
    It 'is valid' {
        $manifest = Test-ModuleManifest "$package/ConntrackPS.psd1" -ErrorAction Stop
        $manifest.Version | Should -Be (Split-Path $package -Leaf)
        $manifest.CompatiblePSEditions | Should -Be 'Core'
        $manifest.PowerShellVersion | Should -Be '7.4'
    }

    It 'exports exactly the cmdlets, by name' {
        $data.CmdletsToExport | Sort-Object | Should -Be $expected
        (Get-Module ConntrackPS).ExportedCmdlets.Keys | Sort-Object | Should -Be $expected
        Get-Command -Module ConntrackPS | ForEach-Object { $_.CommandType | Should -Be 'Cmdlet' }
    }

    It 'exports nothing else' {
        foreach ($kind in 'FunctionsToExport', 'AliasesToExport', 'VariablesToExport') {
            $data.ContainsKey($kind) | Should -BeTrue -Because "an absent $kind means everything"
            $data[$kind] | Should -BeNullOrEmpty
        }
        $module = Get-Module ConntrackPS
        $module.ExportedFunctions.Count + $module.ExportedAliases.Count + $module.ExportedVariables.Count | Should -Be 0
    }

    It 'exports every cmdlet that the assembly has' {
        $classes = [ConntrackPS.Commands.GetConntrackEntryCommand].Assembly.GetExportedTypes() |
            ForEach-Object { $_.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false) }
        $classes | ForEach-Object { "$($_.VerbName)-$($_.NounName)" } | Sort-Object | Should -Be $expected
    }

    It 'names files that are there' {
        $files = @($data.RootModule) + $data.RequiredAssemblies + $data.FormatsToProcess + $data.TypesToProcess | Where-Object { $_ }
        $files.Count | Should -BeGreaterOrEqual 3
        $files | ForEach-Object { Join-Path $package $_ | Should -Exist }
    }

    It 'says what a gallery shows' {
        foreach ($name in 'Author', 'Description', 'Copyright', 'GUID') {
            $data[$name] | Should -Not -BeNullOrEmpty
        }
        $data.PrivateData.PSData.Tags | Should -Contain 'Linux'
        $data.PrivateData.PSData.Tags | Should -Contain 'PSEdition_Core'
        $data.PrivateData.PSData.LicenseUri | Should -Not -BeNullOrEmpty
        $data.PrivateData.PSData.ProjectUri | Should -Match '^https://'
        $data.PrivateData.PSData.ReleaseNotes | Should -Not -BeNullOrEmpty
    }

    It 'lists the files of the package, each of them and no other' {
        $files = (Get-ChildItem $package -Recurse -File).FullName | ForEach-Object { [System.IO.Path]::GetRelativePath($package, $_) }
        $files | Sort-Object | Should -Be ($data.FileList | Sort-Object)
    }

    It 'has the version of the newest release in CHANGELOG.md' {
        $newest = Get-Content "$package/CHANGELOG.md" | Select-String '^## \[(\d.*?)\]' | Select-Object -First 1
        $newest.Matches[0].Groups[1].Value | Should -Be $data.ModuleVersion
    }
}

Describe 'The package' {
    It 'holds our assemblies, Tmds.LibC for each processor, and no other' {
        Get-ChildItem $package -Recurse -File | Where-Object Extension -In '.dll', '.exe', '.so' |
            ForEach-Object { [System.IO.Path]::GetRelativePath($package, $_) } | Sort-Object |
            Should -Be @(
                'ConntrackPS.Core.dll', 'ConntrackPS.dll'
                'arm', 'arm64', 'x64' | ForEach-Object { "runtimes/linux-$_/lib/netstandard2.0/Tmds.LibC.dll" }
            )
    }

    It 'holds nothing left over from the build' {
        Get-ChildItem $package -Recurse -File | Where-Object Name -Match '\.(deps\.json|runtimeconfig\.json|cs|csproj)$' | Should -BeNullOrEmpty
    }

    It 'refers to no PowerShell assembly but System.Management.Automation' {
        [ConntrackPS.Commands.GetConntrackEntryCommand].Assembly.GetReferencedAssemblies().Name |
            Where-Object { $_ -notmatch '^(System|netstandard|ConntrackPS\.Core)' } | Should -BeNullOrEmpty
        [ConntrackPS.Conntrack.ConntrackEntry].Assembly.GetReferencedAssemblies().Name |
            Where-Object { $_ -notlike 'System.*' -or $_ -eq 'System.Management.Automation' } | Should -Be 'Tmds.LibC' -Because 'the core knows nothing of PowerShell'
    }

    It 'has the licence and the changes' {
        "$package/LICENSE" | Should -Exist
        "$package/CHANGELOG.md" | Should -Exist
    }

    It 'imports in a fresh pwsh by the folder above its version, without a word' {
        $folder = Split-Path $package
        $said = Invoke-PowerShell '-NoProfile', '-Command', "`$ErrorActionPreference = 'Stop'; Import-Module '$folder' -Verbose:`$false; (Get-Module ConntrackPS).Version.ToString(); Remove-Module ConntrackPS" 2>&1
        $said | Should -Be (Split-Path $package -Leaf)
    }
}

Describe '<Name>' -ForEach $commands {
    BeforeAll {
        $command = Get-Command $Name
        $own = $command.Parameters.Values | Where-Object Name -NotIn ([System.Management.Automation.PSCmdlet]::CommonParameters + [System.Management.Automation.PSCmdlet]::OptionalCommonParameters)
    }

    It 'has an approved verb and a singular noun with our prefix' {
        (Get-Verb).Verb | Should -Contain $command.Verb
        $command.Noun | Should -Match '^Conntrack[A-Z]\w*[^s]$'
        $command.ImplementingType.Name | Should -Be "$($command.Verb)$($command.Noun)Command"
    }

    It 'has singular parameter names in PascalCase' {
        foreach ($parameter in $own) {
            $parameter.Name | Should -Match '^[A-Z][A-Za-z0-9]+$'
            # Amounts are named with their unit: -MinimumBytes. So was -Timeout, which Set-ConntrackEntry refuses.
            $parameter.Name | Should -Match '([^s]|ss|us|Dns|Retrans|^(Timeout|Minimum|Max)[A-Z][a-z]+s)$' -Because "$($parameter.Name) is singular"
        }
    }

    It 'has switches, not booleans' {
        $own | Where-Object ParameterType -In ([bool], [Nullable[bool]]) | Should -BeNullOrEmpty
    }

    It 'has an OutputType where it outputs' {
        if ($command.Verb -eq 'Clear') {
            $command.OutputType | Should -BeNullOrEmpty
        }
        else {
            $command.OutputType.Type | Should -Not -BeNullOrEmpty
        }
    }

    It 'supports ShouldProcess if it changes something, and not otherwise' {
        $attribute = $command.ImplementingType.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false)
        # -ResetCounter changes entries on a reading cmdlet, and a key of the live view deletes them. Add and Export write files, as Export-Csv does.
        $changes = $command.Verb -in 'Add', 'Block', 'Clear', 'Disable', 'Enable', 'Export', 'Limit', 'New', 'Remove', 'Repair', 'Set', 'Unblock' -or $command.Parameters.ContainsKey('ResetCounter') -or $command.Name -eq 'Show-ConntrackTop'
        $attribute.SupportsShouldProcess | Should -Be $changes
        if ($changes) {
            $attribute.ConfirmImpact | Should -Be ($command.Verb -in 'Clear', 'Repair' ? 'High' : 'Medium')
        }
    }

    It 'takes a network namespace, unless it only converts text' {
        $command.Parameters.ContainsKey('NetworkNamespace') | Should -Be ($command.Verb -notlike 'Convert*')
    }

    It 'takes at most one parameter from the pipeline' {
        $attributes = $own | ForEach-Object { $_.Attributes } | Where-Object { $_ -is [System.Management.Automation.ParameterAttribute] }
        @($attributes | Where-Object ValueFromPipeline).Count | Should -BeLessOrEqual 1
    }

    It 'has no aliases of parameters that hide what they mean' {
        # PSPath is what takes the files of Get-ChildItem from the pipeline. Some are short for one name each, everywhere, and some are
        # the names that times had once. -First is what Select-Object calls -Top.
        $own.Aliases | Where-Object {
            $_ -notin 'PSPath', 'First', 'Source', 'Destination', 'SPort', 'DPort', 'Namespace', 'TimeoutSeconds', 'BlockSeconds', 'RefreshSeconds', 'SampleSeconds'
        } | Should -BeNullOrEmpty
    }
}

Describe 'The cmdlets' {
    It 'have the parameters that are approved' {
        $approved = "$PSScriptRoot/Commands.txt"
        $received = "$PSScriptRoot/Commands.received.txt"
        Get-Command -Module ConntrackPS | Sort-Object Name |
            ForEach-Object { (Get-Command $_ -Syntax).Trim() -split '\r?\n' -ne '' -replace ' (?=\[{0,2}-)', "`n    " } | Set-Content $received
        Get-Content $received -Raw | Should -BeExactly (Get-Content $approved -Raw) -Because "scripts use them; if the change is meant, approve it (mv $received $approved) and tell of it in CHANGELOG.md"
        Remove-Item $received
    }
}

Describe 'The cmdlets that select entries' {
    It 'have the same filters, -SourceAddress first' {
        $get, $remove, $block = foreach ($name in 'Get-ConntrackEntry', 'Remove-ConntrackEntry', 'Block-ConntrackTraffic') {
            , (Get-Command $name).Parameters.Values.Where({ $_.Attributes.ParameterSetName -eq 'Filter' }).Name
        }
        $remove | Should -Contain 'SourceAddress'
        $get | Where-Object { $_ -notin 'Exact', 'Table' } | Sort-Object | Should -Be ($remove | Sort-Object)
        $block | Sort-Object | Should -Be ($remove | Sort-Object)
        (Get-Command Get-ConntrackEntry).Parameters.SourceAddress.Attributes.Position | Should -Contain 0
    }
}

Describe 'The cmdlets that select expectations' {
    It 'have the same filters, -SourceAddress first' {
        $get, $remove = foreach ($name in 'Get-ConntrackExpectation', 'Remove-ConntrackExpectation') {
            , (Get-Command $name).Parameters.Values.Where({ $_.Attributes.ParameterSetName -eq 'Filter' }).Name
        }
        $remove | Should -Contain 'Master'
        $get | Where-Object { $_ -ne 'Exact' } | Sort-Object | Should -Be ($remove | Sort-Object)
        (Get-Command Get-ConntrackExpectation).Parameters.SourceAddress.Attributes.Position | Should -Contain 0
    }
}
