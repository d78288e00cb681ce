<# Which assemblies the module loads, and from where. Each test runs in its own pwsh. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    $package = Get-PackagePath
    $namespace = New-TestNamespace ([ordered]@{ dns = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 5000 --dport 53' })
    $list = 'Import-Module $Package/ConntrackPS.psd1; (Get-ConntrackEntry -NetworkNamespace $Namespace).SourceAddress;'

    # Runs PowerShell without the module; $Package and $Namespace are set.
    function Invoke-Bare([string] $Script, [string] $Package = $package) {
        Invoke-PowerShell '-NoProfile', '-NonInteractive', '-Command', "`$PSStyle.OutputRendering = 'PlainText'; `$Package = '$Package'; `$Namespace = '$namespace'; $Script" 2>&1
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Assemblies in the process' {
    It 'are our two and Tmds.LibC, which comes with the first call into libc' {
        $said = Invoke-Bare (
            '$before = [AppDomain]::CurrentDomain.GetAssemblies().Location; $runtime = Split-Path ([object].Assembly.Location);' +
            'Import-Module $Package/ConntrackPS.psd1; function Show { [AppDomain]::CurrentDomain.GetAssemblies().Location |' +
            ' Where-Object { $_ -and $_ -notin $before -and -not $_.StartsWith($PSHOME) -and -not $_.StartsWith($runtime) } | Sort-Object };' +
            'Show; "used"; $null = Get-ConntrackEntry -NetworkNamespace $Namespace; Show')
        $used = [array]::IndexOf($said, 'used')
        $said[0..($used - 1)] | Should -Be "$package/ConntrackPS.Core.dll", "$package/ConntrackPS.dll"
        $platform = [System.Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture.ToString().ToLower()
        $said[($used + 1)..$said.Count] | Should -Be "$package/ConntrackPS.Core.dll", "$package/ConntrackPS.dll", "$package/runtimes/linux-$platform/lib/netstandard2.0/Tmds.LibC.dll"
    }

    It 'meet no other version of Tmds.LibC that is there already' {
        $other = "$TestDrive/Tmds.LibC.dll"
        $said = Invoke-Bare (
            "`$builder = [System.Reflection.Emit.PersistedAssemblyBuilder]::new('Tmds.LibC, Version=0.4.0.0', [object].Assembly);" +
            '$null = $builder.DefineDynamicModule("Tmds.LibC").DefineType("Tmds.Linux.LibC", "Public").CreateType();' +
            "`$builder.Save('$other'); Add-Type -Path '$other';" + $list +
            '[AppDomain]::CurrentDomain.GetAssemblies() | Where-Object FullName -Like Tmds.LibC* | ForEach-Object { $_.GetName().Version.ToString() } | Sort-Object')
        $said | Should -Be '192.0.2.1', '0.4.0.0', '0.5.0.0'
    }

    It 'serve every runspace, and after the module was removed' {
        $said = Invoke-Bare (
            $list + 'Remove-Module ConntrackPS;' + $list +
            '$shell = [powershell]::Create(); $shell.AddScript("Import-Module $Package/ConntrackPS.psd1; (Get-ConntrackEntry -NetworkNamespace $Namespace).DestinationPort").Invoke();' +
            'Remove-Module ConntrackPS; $shell.Commands.Clear(); $shell.AddScript("(Get-ConntrackEntry -NetworkNamespace $Namespace).SourcePort").Invoke()')
        $said | Should -Be '192.0.2.1', '192.0.2.1', '53', '5000'
    }
}

Describe 'A processor for which there is no assembly' {
    It 'is one error, and import and help are none' {
        $copy = "$TestDrive/ConntrackPS"
        Copy-Item $package $copy -Recurse
        Remove-Item "$copy/runtimes" -Recurse
        $said = Invoke-Bare -Package $copy (
            'Import-Module $Package/ConntrackPS.psd1; (Get-Command -Module ConntrackPS).Count -gt 20;' +
            'foreach ($command in "Get-ConntrackEntry -NetworkNamespace $Namespace", "Get-ConntrackEntry", "Clear-ConntrackTable -Confirm:`$false", "Watch-ConntrackEvent -Timeout 1") {' +
            ' try { Invoke-Expression $command } catch { "$($_.FullyQualifiedErrorId) $_" } }')
        $said | Should -HaveCount 5
        $said[0] | Should -Be 'True'
        $said[1..4] | ForEach-Object { $_ | Should -BeLike 'ProcessorNotSupported,ConntrackPS.Commands.*The module has no code for this processor*x64, arm64 or arm*' }
    }
}
