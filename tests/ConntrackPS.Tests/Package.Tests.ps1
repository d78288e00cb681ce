<# The packages of "build.ps1 Pack": the module for the PowerShell Gallery, and the core library for NuGet. #>
BeforeDiscovery {
    $noGallery = -not (Get-Command Compress-PSResource -ErrorAction Ignore)
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    $package = Get-PackagePath
    $version = Split-Path $package -Leaf
    $repository = Resolve-Path "$PSScriptRoot/../.."
    $data = Import-PowerShellDataFile "$package/ConntrackPS.psd1"
    $module = "$repository/out/ConntrackPS.$version.nupkg"
    $library = "$repository/out/ConntrackPS.Core.$version.nupkg"
    foreach ($file in $module, $library) {
        if (-not (Test-Path $file)) {
            throw "There is no $file. Run './build.ps1 Pack' first."
        }
    }

    function Expand-Package([string] $File, [string] $Name) {
        $folder = Join-Path $TestDrive $Name
        [System.IO.Compression.ZipFile]::ExtractToDirectory($File, $folder)
        $folder
    }

    # The hash of every file below a folder, by relative name, without files that packing adds.
    function Get-PackagedFile([string] $Folder) {
        Get-ChildItem $Folder -Recurse -File |
            ForEach-Object { "$([System.IO.Path]::GetRelativePath($Folder, $_)) $((Get-FileHash -LiteralPath $_).Hash)" } |
            Where-Object { $_ -notmatch '^(_rels/|package/|\[Content_Types\]|ConntrackPS\.nuspec)' } | Sort-Object
    }

    # Runs a pwsh for a user without files. Its module path is one folder and PowerShell's own. Returns the output.
    function Invoke-Stranger([string] $UserHome, [string] $Modules, [string] $Command) {
        # If the data folder does not exist, PowerShell uses the current folder.
        $null = New-Item "$UserHome/.local/share", "$UserHome/.config", $Modules -ItemType Directory -Force
        $words = Get-PowerShellCommand '-NoProfile', '-NonInteractive', '-Command', "`$ErrorActionPreference = 'Stop'; $Command" `
            "HOME=$UserHome", "XDG_DATA_HOME=$UserHome/.local/share", "XDG_CONFIG_HOME=$UserHome/.config", "PSModulePath=$Modules"
        Invoke-Program @words
    }

    # The first commands of a user, who imports the module by name.
    function Assert-Usable([string] $UserHome, [string] $Modules) {
        $said = Invoke-Stranger $UserHome $Modules (
            "Import-Module ConntrackPS; (Get-Module ConntrackPS).ModuleBase; " +
            "(Get-ConntrackEntry -NetworkNamespace $namespace | Format-Table SourceAddress, DestinationPort -HideTableHeaders | Out-String).Trim(); " +
            "Remove-ConntrackEntry 192.0.2.1 -NetworkNamespace $namespace; (Get-ConntrackStat -NetworkNamespace $namespace).Count; " +
            "(Get-Help Get-ConntrackEntry).Synopsis; (Get-Help about_ConntrackPS_Safety).Length -gt 1000")
        $said[0] | Should -Be "$Modules/ConntrackPS/$version"
        $said[1] | Should -Match '^192\.0\.2\.1\s+53$'
        $said[2] | Should -Be '0'
        $said[3] | Should -Not -Match 'Get-ConntrackEntry' -Because 'without help Get-Help shows the syntax'
        $said[4] | Should -Be 'True'
        Get-KernelCount $namespace | Should -Be 0
    }
}

Describe 'The package for the gallery' {
    BeforeAll {
        $folder = Expand-Package $module 'module'
        $metadata = ([xml](Get-Content "$folder/ConntrackPS.nuspec" -Raw)).package.metadata
    }

    BeforeEach {
        $namespace = New-TestNamespace ([ordered]@{ dns = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53' })
    }

    AfterEach {
        Remove-TestNamespace $namespace
    }

    It 'holds what the built module holds, and what the manifest lists' {
        Get-PackagedFile $folder | Should -Be (Get-PackagedFile $package)
        (Get-PackagedFile $folder) -replace ' \w+$' | Should -Be ($data.FileList | Sort-Object)
    }

    It 'has the same data for the gallery as the manifest' {
        $metadata.id | Should -Be 'ConntrackPS'
        $metadata.version | Should -Be $data.ModuleVersion
        $metadata.authors | Should -Be $data.Author
        $metadata.description | Should -Be $data.Description
        $metadata.projectUrl | Should -Be $data.PrivateData.PSData.ProjectUri
        $metadata.licenseUrl | Should -Be $data.PrivateData.PSData.LicenseUri
        $metadata.releaseNotes | Should -Be $data.PrivateData.PSData.ReleaseNotes
        $tags = $metadata.tags -split ' '
        $tags | Should -Contain 'PSModule'
        $tags -match '^PSCmdlet_' -replace 'PSCmdlet_' | Should -Be $data.CmdletsToExport
    }

    It 'works where it was unpacked by hand' {
        $modules = "$TestDrive/unpacked"
        [System.IO.Compression.ZipFile]::ExtractToDirectory($module, "$modules/ConntrackPS/$version")
        Assert-Usable "$TestDrive/someone" $modules
    }

    It 'is published to a repository, and works where it was installed from there' -Skip:$noGallery {
        $userHome = "$TestDrive/user"
        $gallery = (New-Item "$TestDrive/gallery" -ItemType Directory).FullName
        $own = Split-Path (Get-Module Microsoft.PowerShell.PSResourceGet -ListAvailable)[0].Path | Split-Path
        Invoke-Stranger $userHome $own (
            "Import-Module Microsoft.PowerShell.PSResourceGet; Register-PSResourceRepository -Name ours -Uri '$gallery' -Trusted; " +
            "Publish-PSResource -NupkgPath '$module' -Repository ours; Install-PSResource ConntrackPS -Repository ours -Scope CurrentUser")
        Get-ChildItem $gallery | ForEach-Object Name | Should -Be "ConntrackPS.$version.nupkg"
        Assert-Usable $userHome "$userHome/.local/share/powershell/Modules"
    }

    It 'is what PowerShell itself would have packed' -Skip:$noGallery {
        Compress-PSResource -Path $package -DestinationPath $TestDrive
        $theirs = Expand-Package "$TestDrive/ConntrackPS.$version.nupkg" 'compressed'
        $ours = Expand-Package $module 'ours'
        Get-PackagedFile $theirs | Should -Be (Get-PackagedFile $ours)
        $metadata = foreach ($one in $theirs, $ours) {
            , (([xml](Get-Content "$one/ConntrackPS.nuspec" -Raw)).package.metadata)
        }
        foreach ($element in $metadata[0].ChildNodes | Where-Object Name -NotIn 'tags') {
            $metadata[1][$element.Name].InnerText | Should -Be $element.InnerText -Because $element.Name
        }
        # Tags with the names of cmdlets: Publish-Module of PowerShellGet wrote them, and the gallery still searches by them.
        $metadata[0].tags -split ' ' | ForEach-Object { $metadata[1].tags -split ' ' | Should -Contain $_ }
    }
}

Describe 'The package of the core library' {
    It 'holds the library, its documentation, its own README, and depends on Tmds.LibC alone' {
        $folder = Expand-Package $library 'library'
        (Get-FileHash "$folder/lib/net8.0/ConntrackPS.Core.dll").Hash | Should -Be (Get-FileHash "$package/ConntrackPS.Core.dll").Hash
        "$folder/lib/net8.0/ConntrackPS.Core.xml" | Should -Exist
        "$folder/README.md" | Should -Exist
        $metadata = ([xml](Get-Content "$folder/ConntrackPS.Core.nuspec" -Raw)).package.metadata
        $metadata.version | Should -Be $data.ModuleVersion
        $metadata.license.InnerText | Should -Be 'MIT'
        $metadata.projectUrl | Should -Be $data.PrivateData.PSData.ProjectUri
        $metadata.SelectNodes('//*[local-name()="dependency"]').id | Should -Be 'Tmds.LibC'
    }

    It 'has symbols of its own' {
        $folder = Expand-Package ([System.IO.Path]::ChangeExtension($library, 'snupkg')) 'symbols'
        (Get-FileHash "$folder/lib/net8.0/ConntrackPS.Core.pdb").Hash | Should -Be (Get-FileHash "$package/ConntrackPS.Core.pdb").Hash
    }

    It 'serves a program that is not ours, which is the example of its README' {
        $namespace = New-TestNamespace ([ordered]@{
                one   = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53'
                two   = '-s 192.0.2.9 -d 198.51.100.53 -p udp --sport 5000 --dport 53'
                other = '-s 203.0.113.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53'
            })
        try {
            $program = New-Item "$TestDrive/stranger" -ItemType Directory
            $readme = Get-Content "$repository/src/ConntrackPS.Core/README.md" -Raw
            [regex]::Match($readme, '(?s)```csharp\n(.*?)```').Groups[1].Value | Set-Content "$program/Program.cs"
            @"
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
    <UseAppHost>false</UseAppHost>
    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
    <RestorePackagesPath>$TestDrive/packages</RestorePackagesPath>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="ConntrackPS.Core" Version="$version" />
  </ItemGroup>
</Project>
"@ | Set-Content "$program/stranger.csproj"
            # The dependencies of our package were restored by the build.
            $restored = (Invoke-Program dotnet nuget locals global-packages --list) -replace '^global-packages: '
            @"
<configuration>
  <packageSources><clear /><add key="ours" value="$repository/out" /></packageSources>
  <fallbackPackageFolders><clear /><add key="restored" value="$restored" /></fallbackPackageFolders>
</configuration>
"@ | Set-Content "$program/nuget.config"
            $null = Invoke-Program dotnet build $program --nologo -v quiet
            $said = Invoke-InNamespace $namespace dotnet "$program/bin/Debug/net10.0/stranger.dll"
            $said[0] | Should -BeLike '3 entries of *'
            $said[1..2] | Sort-Object | Should -BeLike 'udp 192.0.2.*:5000 -> 198.51.100.53:53*'
            $said[3] | Should -Be '2 deleted'
            (Get-KernelEntry $namespace).Count | Should -Be 1
        }
        finally {
            Remove-TestNamespace $namespace
        }
    }
}

Describe 'The assemblies' {
    It 'are the same, bit by bit, from another folder' {
        $copy = (New-Item "$TestDrive/elsewhere" -ItemType Directory).FullName
        sh -c 'tar --exclude=./out --exclude=bin --exclude=obj -C "$1" -cf - . | tar -C "$2" -xf -' sh $repository $copy
        $null = Invoke-Program dotnet build "$copy/src/ConntrackPS" --configuration Release --nologo -v quiet
        foreach ($name in 'ConntrackPS.dll', 'ConntrackPS.Core.dll', 'ConntrackPS.pdb', 'ConntrackPS.Core.pdb') {
            (Get-FileHash "$copy/src/ConntrackPS/bin/Release/net8.0/$name").Hash | Should -Be (Get-FileHash "$package/$name").Hash -Because $name
        }
    }

    It 'have symbols beside them, which name files and lines and no folder of the builder' {
        $script = "Import-Module '$package/ConntrackPS.psd1'; try { [ConntrackPS.Conntrack.Filtering.AddressPrefix]::Parse('x') } catch { `$_.Exception.InnerException.StackTrace }"
        Invoke-PowerShell '-NoProfile', '-Command', $script | Select-Object -First 1 | Should -Match ' in /_/src/ConntrackPS\.Core/.*\.cs:line \d+$'
    }
}
