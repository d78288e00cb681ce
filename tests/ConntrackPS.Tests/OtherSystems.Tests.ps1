<#
    The module where there is no Linux: on the Windows or macOS machine of someone who reads what a router printed.
    A PowerShell of its own, in which the module's check for Linux says no. There our assemblies get no native library, and every
    attempt to load one, or Tmds.LibC, is written down with the step that made it.
#>
BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $converters = 'ConvertFrom-ConntrackText', 'ConvertTo-ConntrackText', 'Get-ConntrackHistory'
    $kernelCommands = (Get-Command -Module ConntrackPS).Name | Where-Object { $_ -notin $converters }
    $piped = $kernelCommands | Where-Object { $_ -notin 'Measure-ConntrackEntry', 'Export-ConntrackReport' -and (Get-Command $_).Parameters.Values.Attributes.Where{ $_.ValueFromPipeline } }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    $package = Get-PackagePath
    $lines = @(
        'tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=40001 dport=443 packets=10 bytes=1000 src=198.51.100.7 dst=203.0.113.5 sport=443 dport=40001 packets=8 bytes=5000 [ASSURED] mark=7 use=1 labels=1,3'
        'udp      17 28 src=192.0.2.1 dst=198.51.100.53 sport=5000 dport=53 packets=1 bytes=60 [UNREPLIED] src=198.51.100.53 dst=192.0.2.1 sport=53 dport=5000 packets=0 bytes=0 mark=0 use=1'
        'icmpv6   58 29 src=2001:db8::1 dst=2001:db8::2 type=128 code=0 id=9 packets=1 bytes=64 src=2001:db8::2 dst=2001:db8::1 type=129 code=0 id=9 packets=1 bytes=64 mark=0 use=1'
        'gre      47 17999 src=192.0.2.9 dst=198.51.100.9 srckey=0x0 dstkey=0x5 packets=3 bytes=300 src=198.51.100.9 dst=192.0.2.9 srckey=0x5 dstkey=0x0 packets=3 bytes=300 [ASSURED] mark=0 use=1'
    )

    # What each child begins with. Seen is what was loaded, or asked for.
    $watch = @'
        Add-Type -TypeDefinition @"
            using System;
            using System.Collections.Generic;
            using System.Reflection;
            using System.Runtime.InteropServices;
            using System.Runtime.Loader;
            public static class Loads
            {
                public static readonly List<string> Seen = new();
                public static bool Refuses;
                public static string Step = "";
                public static void Watch(bool refuses)
                {
                    Refuses = refuses;
                    AssemblyLoadContext.Default.Resolving += (context, name) => { if (name.Name == "Tmds.LibC") Add("asked for " + name.Name); return null; };
                    AppDomain.CurrentDomain.AssemblyLoad += (sender, load) =>
                    {
                        string name = load.LoadedAssembly.GetName().Name;
                        if (name == "Tmds.LibC") Add("loaded " + name);
                        if (name == "Tmds.LibC" || name.StartsWith("ConntrackPS")) NativeLibrary.SetDllImportResolver(load.LoadedAssembly, Find);
                    };
                }
                private static IntPtr Find(string name, Assembly asking, DllImportSearchPath? path)
                {
                    Add("library " + name);
                    return Refuses ? throw new DllNotFoundException(name) : IntPtr.Zero;
                }
                private static void Add(string what) { lock (Seen) Seen.Add(Step + ": " + what); }
            }
"@
        $PSStyle.OutputRendering = 'PlainText'
        # What a cmdlet writes is in $Error.
        $ErrorActionPreference = 'SilentlyContinue'
        $result = [ordered]@{}
        function Step([string] $Name, [scriptblock] $Script) {
            [Loads]::Step = $Name
            $Error.Clear()
            $result[$Name] = try { @(& $Script) } catch { "failed: $_ $($_.ScriptStackTrace)" }
            if ($Error) { $result["$Name, errors"] = @($Error | ForEach-Object { "$($_.FullyQualifiedErrorId) $_" }) }
        }
'@

    # Runs a script: what its steps gave, by name, and Loads.
    function Invoke-Watched([string] $Script, [switch] $AsLinux) {
        $file = "$TestDrive/child-$(New-Guid).ps1"
        $head = "`$Package = '$package'; `$Folder = '$TestDrive'; `$lines = ConvertFrom-Json @'`n$(ConvertTo-Json $lines)`n'@"
        $start = $AsLinux ? '[Loads]::Watch($false)' : '[AppContext]::SetSwitch("ConntrackPS.PretendNotLinux", $true); [Loads]::Watch($true)'
        Set-Content $file "$head`n$watch`n$start`n$Script`n`$result.Loads = @([Loads]::Seen); `$result.Ours = @([AppDomain]::CurrentDomain.GetAssemblies().ForEach{ `$_.GetName().Name } -match '^(ConntrackPS|Tmds)'); `$result | ConvertTo-Json -Depth 6"
        $output = @(Invoke-PowerShell '-NoProfile', '-NonInteractive', '-File', $file 2>&1)
        try {
            $output | Out-String | ConvertFrom-Json -AsHashtable
        }
        catch {
            throw "The child said: $output"
        }
    }
}

Describe 'On another system' {
    BeforeAll {
        foreach ($i in 1..2) {
            [pscustomobject]@{ Time = [datetime]::Now.AddSeconds($i); BootId = 'b'; Uptime = 10 * $i; Count = $i; FillPercent = 0; Drop = 20 * $i } | Add-ConntrackHistory "$TestDrive/kept.csv"
        }
        $seen = Invoke-Watched @'
            Step Import { Import-Module $Package/ConntrackPS.psd1 }
            Step Read { $script:entries = @($lines | ConvertFrom-ConntrackText); $entries.Count; $entries.SourceAddress }
            Step Path { $lines | Set-Content $Folder/list.txt; (ConvertFrom-ConntrackText -Path $Folder/list*.txt).DestinationAddress }
            Step LiteralPath { Get-Item $Folder/list.txt | ForEach-Object { ConvertFrom-ConntrackText -LiteralPath $_ } | Measure-Object | ForEach-Object Count }
            Step Folder { ConvertFrom-ConntrackText -Path $Folder }
            Step Labels { $entries[0].Labels }
            Step List { $entries | ConvertTo-ConntrackText -Include Label }
            foreach ($format in [Enum]::GetNames([ConntrackPS.Text.ConntrackTextFormat])) { Step "To $format" { $entries | ConvertTo-ConntrackText -Format $format } }
            # conntrack's XML has no type and code of ICMP.
            Step Xml { $entries | Where-Object Protocol -NE IcmpV6 | ConvertTo-ConntrackText -Format Xml -Include Label | ConvertFrom-ConntrackText | ConvertTo-ConntrackText -Include Label }
            Step Clixml { $entries | Export-Clixml $Folder/e.xml; Import-Clixml $Folder/e.xml | ConvertTo-ConntrackText -Include Label }
            Step Csv { $entries | Export-Csv $Folder/e.csv; Import-Csv $Folder/e.csv | ConvertTo-ConntrackText -Include Label }
            Step Json { $entries | ConvertTo-Json > $Folder/e.json; Get-Content $Folder/e.json -Raw | ConvertFrom-Json | ConvertTo-ConntrackText -Include Label }
            Step Measure { $entries | Measure-ConntrackEntry -GroupBy SourceAddress | ForEach-Object { "$($_.Name) $($_.Count) $($_.TotalBytes)" } }
            foreach ($way in 'Clixml', 'Csv', 'Json') {
                Step "Measure $way" {
                    $read = switch ($way) { Clixml { Import-Clixml $Folder/e.xml } Csv { Import-Csv $Folder/e.csv } Json { Get-Content $Folder/e.json -Raw | ConvertFrom-Json } }
                    $read | Measure-ConntrackEntry -GroupBy SourceAddress | ForEach-Object { "$($_.Name) $($_.Count) $($_.TotalBytes)" }
                }
            }
            Step 'Measure -InputObject' { (Measure-ConntrackEntry -InputObject $entries -GroupBy Protocol -Top 1).Count }
            Step 'Measure nothing' { @() | Measure-ConntrackEntry | Measure-Object | ForEach-Object Count }
            Step Group { $entries | Group-Object SourceAddress | Measure-ConntrackEntry -GroupBy SourceAddress | ForEach-Object { "$($_.Name) $($_.Count) $($_.TotalBytes)" } }
            Step 'Group to text' { $entries | Group-Object AddressFamily | ConvertTo-ConntrackText -Include Label }
            Step Where { ($entries | Where-Object DPort -EQ 443).Translation }
            Step History {
                Copy-Item $Folder/kept.csv $Folder/history.csv
                Get-ConntrackHistory $Folder/history.csv | ForEach-Object { "$($_.Count) $($_.DropPerSecond)" }
            }
            Step Report { $entries | Export-ConntrackReport $Folder/report.html; (Get-Content $Folder/report.html -Raw) -match '192.0.2.9' }
            Step Service { ($entries | Measure-ConntrackEntry -GroupBy DestinationPort -ResolveService).ServiceName | Where-Object { $_ } | Sort-Object }
            Step Table { ($entries | Out-String).Contains('198.51.100.53'); ($entries | Format-List | Out-String).Contains('198.51.100.53') }
            foreach ($view in 'Nat', 'Counter', 'Reply', 'Direction', 'Status') { Step "View $view" { ($entries | Format-Table -View $view | Out-String).Contains('192.0.2.1') } }
            Step 'Measure table' { ($entries | Measure-ConntrackEntry | Out-String) -match 'Established' }
            Step Completers {
                foreach ($command in Get-Command -Module ConntrackPS) {
                    foreach ($parameter in $command.Parameters.Values) {
                        foreach ($attribute in $parameter.Attributes.Where{ $_ -is [System.Management.Automation.ArgumentCompleterAttribute] -and $_.Type }) {
                            try { $null = @([Activator]::CreateInstance($attribute.Type).CompleteArgument($command.Name, $parameter.Name, '', $null, @{ NetworkNamespace = 'x'; Name = 'Maximum' })) }
                            catch { "$($command.Name) -$($parameter.Name): $_" }
                        }
                    }
                }
            }
            Step TabExpansion2 {
                (TabExpansion2 'Get-ConntrackEntry -SourceA').CompletionMatches.CompletionText
                (TabExpansion2 'Measure-ConntrackEntry -GroupBy SourceA').CompletionMatches.CompletionText
                (TabExpansion2 'Get-ConntrackEntry -State Syn').CompletionMatches.Count -gt 1
                (TabExpansion2 'ConvertTo-ConntrackText -Format X').CompletionMatches.CompletionText
            }
            Step Help { foreach ($command in Get-Command -Module ConntrackPS) { if ((Get-Help $command -Full).examples.example.Count -lt 3) { $command.Name } }; (Get-Help about_ConntrackPS).Length -gt 1000 }
            Step Core {
                $calls = [ordered]@{
                    'ConntrackTable.Read'        = { @([ConntrackPS.Conntrack.Table.ConntrackTable]::new().Read()) }
                    'NetworkNamespace.Parse'     = { [ConntrackPS.Linux.NetworkNamespace]::Parse('1') }
                    'EventStream'                = { [ConntrackPS.Events.EventStream]::new([ConntrackPS.Events.EventOptions]::new()) }
                    'ExpectationTable.Read'      = { [ConntrackPS.Expectations.ExpectationTable]::new($null).Read($null) }
                    'TrafficBlock.Open'          = { [ConntrackPS.Blocking.TrafficBlock]::Open([ConntrackPS.Blocking.BlockTarget]::Of([ConntrackPS.Conntrack.ConntrackEntry[]]$entries), $null) }
                    'ExpectationWatcher'         = { [ConntrackPS.Expectations.Events.ExpectationWatcher]::new($null, [ConntrackPS.Events.ConntrackEventType[]]'New') }
                    'HealthCheck.Run'            = { [ConntrackPS.Diagnosis.Health.HealthCheck]::new($null, [timespan]::Zero).Run() }
                    'GroupMeasurement.Read'      = { [ConntrackPS.Diagnosis.Grouping.GroupMeasurement]::new([ConntrackPS.Diagnosis.Grouping.GroupOptions]::new()).Read([ConntrackPS.Conntrack.Table.ConntrackTable]::new()) }
                    'ConntrackCpuStat.Read'      = { [ConntrackPS.Diagnosis.ConntrackCpuStat]::Read($null) }
                    'ConntrackSetting.Read'      = { [ConntrackPS.Tuning.Settings.ConntrackSetting]::Read($null) }
                    'ConntrackStat.Read'         = { [ConntrackPS.Diagnosis.ConntrackStat]::Read($null) }
                    'ConntrackTimeout.Read'      = { [ConntrackPS.Tuning.Timeouts.ConntrackTimeout]::Read($null) }
                    'ConntrackTimeoutPolicy'     = { [ConntrackPS.Tuning.Policies.ConntrackTimeoutPolicy]::Read($null) }
                }
                foreach ($name in $calls.Keys) { try { $null = & $calls[$name]; "$name gave an answer" } catch { "$name $($_.Exception.GetBaseException().GetType().Name)" } }
                "NetworkNamespace.Names $([ConntrackPS.Linux.NetworkNamespace]::Names().Count)"
            }
            Step Remove { Remove-Module ConntrackPS; Import-Module $Package/ConntrackPS.psd1; ($lines | ConvertFrom-ConntrackText).Count }
'@
        $counts = '192.0.2.1 2 6060', '192.0.2.9 1 600', '2001:db8::1 1 128'
    }

    It 'imports, and neither Tmds.LibC nor the C library is asked for by anything' {
        $seen.Loads | Should -BeNullOrEmpty
        $seen.Ours | Sort-Object | Should -Be 'ConntrackPS', 'ConntrackPS.Core'
        $seen.Keys | Where-Object { $_ -like '*, errors' -and $_ -notin 'Folder, errors', 'To Delete, errors', 'Core, errors' } | ForEach-Object { "$_ $($seen[$_])" } | Should -BeNullOrEmpty
        $seen.Values | Where-Object { "$_" -like 'failed:*' } | Should -BeNullOrEmpty
    }

    It 'reads text of the pipeline and of files' {
        $seen.Read | Should -Be 4, '192.0.2.1', '192.0.2.1', '2001:db8::1', '192.0.2.9'
        $seen.Path | Should -Be '198.51.100.7', '198.51.100.53', '2001:db8::2', '198.51.100.9'
        $seen.LiteralPath | Should -Be 4
        $seen.Labels | Should -Be '1,3'
        $seen.'Folder, errors' | Should -HaveCount 1
        $seen.'Folder, errors' | Should -BeLike 'UnreadableFile,*'
    }

    It 'writes every form of text: <_>' -ForEach ([Enum]::GetNames([ConntrackPS.Text.ConntrackTextFormat])) {
        $seen."To $_" | Should -Be ($lines | ConvertFrom-ConntrackText | ConvertTo-ConntrackText -Format $_ -ErrorAction SilentlyContinue)
    }

    It 'reads a history, and writes a report of objects' {
        $seen.History | Should -Be '1 ', '2 2'
        $seen.Report | Should -BeTrue
    }

    It 'keeps each entry through <_>' -ForEach 'List', 'Xml', 'Clixml', 'Csv', 'Json', 'Group to text' {
        $way = $_
        $expected = switch ($way) { 'Group to text' { $lines[0, 1, 3, 2] } 'Xml' { $lines[0, 1, 3] } default { $lines } }
        $seen.$way | Should -Be $expected
    }

    It 'counts objects: <_>' -ForEach 'Measure', 'Measure Clixml', 'Measure Csv', 'Measure Json', 'Group' {
        $seen.$_ | Should -Be $counts
    }

    It 'counts what is given as an argument, and nothing where nothing comes' {
        $seen.'Measure -InputObject' | Should -Be 1
        $seen.'Measure nothing' | Should -Be 0
    }

    It 'knows the services that this machine has names for, and addresses' {
        $seen.Service | Should -Be (($lines | ConvertFrom-ConntrackText | Measure-ConntrackEntry -GroupBy DestinationPort -ResolveService).ServiceName | Where-Object { $_ } | Sort-Object)
        $seen.Where | Should -Be ($lines[0] | ConvertFrom-ConntrackText).Translation
    }

    It 'shows tables, lists and every view' {
        $shown = $seen.Keys | Where-Object { $_ -like 'View *' -or $_ -in 'Table', 'Measure table' }
        $shown.Count | Should -Be 7
        foreach ($name in $shown) { $seen.$name | Should -Not -Contain $false -Because $name; $seen.$name | Should -Contain $true -Because $name }
    }

    It 'completes, and no completer fails' {
        $seen.Completers | Should -BeNullOrEmpty
        $seen.TabExpansion2 | Should -Be '-SourceAddress', 'SourceAddress', $true, 'Xml'
    }

    It 'shows all help' {
        $seen.Help | Should -Be $true
    }

    It 'ends each call of the library that needs the kernel by PlatformNotSupportedException' {
        $seen.Core.Count | Should -Be 14
        $seen.Core[0..12] | Should -Match '^\S+ PlatformNotSupportedException$'
        $seen.Core[13] | Should -Be 'NetworkNamespace.Names 0'
    }

    It 'removes the module, and imports it again' {
        $seen.Remove | Should -Be 4
    }
}

Describe 'A cmdlet that needs the kernel, on another system' {
    BeforeAll {
        $seen = Invoke-Watched @'
            Import-Module $Package/ConntrackPS.psd1
            $entry = @($lines | ConvertFrom-ConntrackText)[0]
            # What is mandatory. A new cmdlet whose parameters are mandatory comes here; all others are called without any.
            $arguments = @{
                'Add-ConntrackHistory'           = @{ Path = "$Folder/history.csv" }
                'Block-ConntrackTraffic'         = @{ SourceAddress = '192.0.2.1' }
                'Clear-ConntrackTable'           = @{ Confirm = $false }
                'Disable-ConntrackHelper'        = @{ Name = 'ftp' }
                'Disable-ConntrackTracking'      = @{ Protocol = 'Udp'; DestinationPort = 9 }
                'Enable-ConntrackTracking'       = @{ Name = '*' }
                'Enable-ConntrackHelper'         = @{ Name = 'ftp'; DestinationAddress = '192.0.2.1' }
                'Export-ConntrackReport'         = @{ Path = "$Folder/report.html" }
                'Get-ConntrackHistory'           = @{ Path = "$Folder/none.csv" }
                'Limit-ConntrackSource'          = @{ Maximum = 5 }
                'New-ConntrackEntry'             = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Timeout = 60 }
                'New-ConntrackExpectation'       = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; DestinationPort = 2; Master = $entry }
                'New-ConntrackTimeoutPolicy'     = @{ Name = 'p'; Protocol = 'udp'; Replied = 5 }
                'Register-ConntrackAlert'        = @{ FillAbove = 80 }
                'Register-ConntrackEvent'        = @{ SourceIdentifier = 'x' }
                'Remove-ConntrackRule'           = @{ Name = 'x' }
                'Remove-ConntrackTimeoutPolicy'  = @{ Name = 'p' }
                'Repair-ConntrackHealth'         = @{ Confirm = $false; InputObject = $entry }
                'Set-ConntrackEntry'             = @{ SourceAddress = '192.0.2.1'; NewMark = 1 }
                'Set-ConntrackSetting'           = @{ Name = 'Maximum'; Value = 1 }
                'Set-ConntrackTimeout'           = @{ Protocol = 'udp'; Timeout = 30 }
                'Set-ConntrackTimeoutPolicy'     = @{ Name = 'p'; Timeout = 5 }
                'Unblock-ConntrackTraffic'       = @{ Id = 1 }
            }
            function Attempt([string] $Name, [scriptblock] $Script) {
                [Loads]::Step = $Name
                $Error.Clear()
                $output = @()
                # What a cmdlet throws gets here; what it writes is silent, and left in $Error.
                try { $output = @(& $Script); $thrown = $null } catch { $thrown = $_ }
                $result[$Name] = [ordered]@{
                    Id = "$($thrown.FullyQualifiedErrorId)"; Category = "$($thrown.CategoryInfo.Category)"; Target = "$($thrown.TargetObject)"
                    Message = "$thrown"; Errors = $Error.Count; Output = @($output | ForEach-Object { "$_" })
                }
            }
            foreach ($command in Get-Command -Module ConntrackPS | Where-Object Verb -NotLike 'Convert*') {
                $given = $arguments[$command.Name] ?? @{}
                Attempt $command.Name { & $command @given }
                $pipeable = $command.Parameters.Values.Where{ $_.Attributes.ValueFromPipeline -contains $true }
                if ($pipeable) {
                    $others = @{}
                    $given.Keys.Where{ $_ -in 'NewMark', 'Confirm', 'DestinationPort', 'Path' -or ($command.Verb -eq 'New' -and $_ -in 'SourceAddress', 'DestinationAddress') }.Where{ $command.Name -ne 'New-ConntrackEntry' }.ForEach{ $others[$_] = $given[$_] }
                    Attempt "$($command.Name) piped" { $entry | & $command @others }
                }
                if ($command.Parameters.ContainsKey('NetworkNamespace')) { Attempt "$($command.Name) in a namespace" { & $command @given -NetworkNamespace '1' } }
            }
            Attempt 'Measure an address' { '192.0.2.1' | Measure-ConntrackEntry }
            Attempt 'Measure a group of the table' { ConvertFrom-Json '{ "Count": 1, "Percent": 1, "GroupBy": "Protocol", "Filter": "-SourceAddress 192.0.2.1", "Protocol": "Tcp" }' | Measure-ConntrackEntry }
            Attempt 'Show once' { Show-ConntrackTop -Once }
            Attempt 'WhatIf' { Remove-ConntrackEntry 192.0.2.1 -WhatIf }
            Attempt 'Several namespaces' { Get-ConntrackEntry -NetworkNamespace 1, 2 }
            Attempt 'All namespaces' { Get-ConntrackEntry -NetworkNamespace * }
'@
        function Assert-NotLinux($Result, [string] $Because) {
            $Result.Id | Should -BeLike 'NotLinux,ConntrackPS.Commands.*' -Because "$Because`: $($Result.Message)"
            $Result.Category | Should -Be 'NotImplemented' -Because $Because
            $Result.Message | Should -BeLike '*not Linux*Invoke-Command -HostName*ConvertFrom-ConntrackText*' -Because $Because
            $Result.Errors | Should -Be 1 -Because $Because
            $Result.Output | Should -BeNullOrEmpty -Because $Because
        }
    }

    It '<_> is one error, which ends it' -ForEach $kernelCommands {
        Assert-NotLinux $seen.$_ $_
        Assert-NotLinux $seen."$_ in a namespace" "$_ in a namespace"
    }

    It '<_> is one error with an object piped in' -ForEach $piped {
        Assert-NotLinux $seen."$_ piped" "$_ piped"
    }

    It '<_> is one error' -ForEach 'Measure an address', 'Measure a group of the table', 'Show once', 'WhatIf', 'Several namespaces', 'All namespaces' {
        Assert-NotLinux $seen.$_ $_
    }

    It 'loads nothing for it' {
        $seen.Loads | Should -BeNullOrEmpty
        $seen.Ours | Sort-Object | Should -Be 'ConntrackPS', 'ConntrackPS.Core'
    }
}

Describe 'On Linux' {
    It 'text and objects of the pipeline load no Tmds.LibC; what needs libc does' {
        $seen = Invoke-Watched -AsLinux @'
            $lines = $lines -replace ' labels=1,3'
            Step Import { Import-Module $Package/ConntrackPS.psd1 }
            Step Text { $lines | ConvertFrom-ConntrackText | ConvertTo-ConntrackText }
            Step Measure { ($lines | ConvertFrom-ConntrackText | Measure-ConntrackEntry).Count }
            Step Table { ($lines | ConvertFrom-ConntrackText | Out-String).Contains('192.0.2.9') }
            Step Before { [Loads]::Seen.Count }
            Step Kernel { (Get-ConntrackSetting Maximum).Count }
'@
        $seen.Text | Should -Be ($lines -replace ' labels=1,3')
        $seen.Measure | Should -Be 4
        $seen.Table | Should -BeTrue
        $seen.Before | Should -Be 0 -Because "$($seen.Loads)"
        $seen.Loads | Should -Match '^Kernel: (asked for|loaded) Tmds\.LibC|^Kernel: library libc' -Because 'what watches can see'
        $seen.Loads | Should -Contain 'Kernel: loaded Tmds.LibC'
    }
}
