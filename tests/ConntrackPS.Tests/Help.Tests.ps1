# Every example runs here, in one child process with a lab in its own namespaces: docs/help/tools/HelpLab.psm1.
BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/../../docs/help/tools/HelpSource.psm1" -Force
    Import-PackagedModule
    $commands = Get-Command -Module ConntrackPS | ForEach-Object { @{ Name = $_.Name } }
    $topics = 'about_ConntrackPS', 'about_ConntrackPS_Errors', 'about_ConntrackPS_Filters', 'about_ConntrackPS_Recipes', 'about_ConntrackPS_Safety' | ForEach-Object { @{ Name = $_ } }
    $examples = foreach ($page in Get-HelpPage) {
        $number = 0
        foreach ($example in $page.Examples) {
            @{ Page = $page.Name; Title = $example.Title; Number = $number++ }
        }
    }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/../../docs/help/tools/HelpSource.psm1" -Force
    Import-PackagedModule
    $package = Get-PackagePath
    $pages = @{}
    foreach ($page in Invoke-HelpExample $package) {
        $pages[$page.Name] = $page
    }
    $common = [System.Management.Automation.PSCmdlet]::CommonParameters
    $targets = @((Get-Command -Module ConntrackPS).Name) + @($pages.Keys)

    function Get-Text($Paragraphs) {
        (@($Paragraphs.Text) -join ' ').Trim()
    }
}

Describe 'The help of <Name>' -ForEach $commands {
    BeforeAll {
        $command = Get-Command $Name
        $help = Get-Help $Name -Full
    }

    It 'has a page in docs/help, a synopsis and a description' {
        $pages.Keys | Should -Contain $Name -Because "docs/help/$Name.md must be written (docs/help/README.md tells how)"
        $help.Synopsis | Should -Match '^[A-Z].{20,}\.$'
        Get-Text $help.description | Should -Match '\w{3,}.*\.$'
    }

    It 'has at least three examples, with titles of their own' {
        @($help.examples.example).Count | Should -BeGreaterOrEqual 3
        @($help.examples.example.title | Sort-Object -Unique).Count | Should -Be @($help.examples.example).Count
        $help.examples.example.code | Where-Object { $_ -notlike 'PS> *' } | Should -BeNullOrEmpty
        @($help.examples.example).Count | Should -Be $pages[$Name].Examples.Count
    }

    It 'describes every parameter, and none that is not there' {
        $shown = @($help.parameters.parameter)
        $offered = $command.Parameters.Values | Where-Object {
            $_.Name -notin $common -and $_.Attributes.Where({ $_ -is [Parameter] }).DontShow -notcontains $true
        }
        $shown.name | Sort-Object | Should -Be ($offered.Name | Sort-Object)
        $undescribed = $shown | Where-Object { (Get-Text $_.description) -notmatch '^\S.{7,}\.$' }
        $undescribed.name | Should -BeNullOrEmpty -Because 'each parameter needs a doc comment'
    }

    It 'shows the aliases of every parameter, and no default that nobody set' {
        foreach ($shown in $help.parameters.parameter) {
            $parameter = $command.Parameters[$shown.name]
            $shown.aliases | Should -Be ($parameter.Aliases ? $parameter.Aliases -join ', ' : 'none') -Because "of -$Name"
            if ($shown.required -eq 'true' -and $command.ParameterSets.Count -eq 1) {
                $shown.defaultValue | Should -Be 'None' -Because "-$($shown.name) must be given"
            }
            $shown.defaultValue | Should -Not -BeIn '0', 'Ip' -Because "a type's zero is no default of -$($shown.name)"
        }
    }

    It 'shows each example on 80 columns as it was written' {
        $lines = @((Get-Help $Name -Examples | Out-String -Width 80) -split "`n" | ForEach-Object TrimEnd)
        $written = @($pages[$Name].Examples.Text)
        $written.Count | Should -BeGreaterThan 3
        $written | Where-Object { "    $_" -notin $lines } | Should -BeNullOrEmpty -Because 'Get-Help indents by 4'
    }

    It 'has paragraphs in its text, and no signs of Markdown' {
        $texts = @($help.description.Text) + @($help.alertSet.alert.Text) + @($help.examples.example.remarks.Text)
        $texts | Where-Object { $_ -match '`|\*\*|\|-|^\|' } | Should -BeNullOrEmpty
    }

    It 'shows every parameter set' {
        @($help.syntax.syntaxItem).Count | Should -Be $command.ParameterSets.Count
    }

    It 'names types for input and output that exist, and all that the cmdlet declares' {
        $inputs, $outputs = @($help.inputTypes.inputType.type.name), @($help.returnValues.returnValue.type.name)
        $inputs.Count, $outputs.Count | ForEach-Object { $_ | Should -BeGreaterThan 0 }
        $inputs + $outputs | Where-Object { $_ -ne 'None' -and -not ($_ -as [type]) } | Should -BeNullOrEmpty -Because 'each must be the full name of a type'
        $command.OutputType | ForEach-Object Name | Where-Object { $_ -notin $outputs } | Should -BeNullOrEmpty
    }

    It 'has notes on privileges, and links that lead somewhere' {
        Get-Text $help.alertSet.alert | Should -Match 'CAP_|privilege'
        $links = @($help.relatedLinks.navigationLink)
        $links.Count | Should -BeGreaterThan 0
        $links | Where-Object { -not $_.uri -and $_.linkText -notin $targets } | ForEach-Object linkText |
            Should -BeNullOrEmpty -Because 'a link is a cmdlet, a topic, or has an address'
    }
}

Describe 'The topic <Name>' -ForEach $topics {
    It 'is shown by Get-Help, with a short description' {
        $text = Get-Help $Name | Out-String
        $text | Should -Match 'SHORT DESCRIPTION\s+\S+'
        $text.Length | Should -BeGreaterThan 1500
    }

    It 'has lines of at most 80 columns' {
        Get-Content "$package/en-US/$Name.help.txt" | Where-Object Length -GT 80 | Should -BeNullOrEmpty
    }
}

Describe 'The example "<Title>" of <Page>' -ForEach $examples {
    BeforeAll {
        $example = $pages[$Page].Examples[$Number]
    }

    It 'parses, and uses parameters that exist' {
        foreach ($part in $example.Commands) {
            $errors = $null
            $tree = [System.Management.Automation.Language.Parser]::ParseInput($part.Code, [ref] $null, [ref] $errors)
            $errors.Message | Should -BeNullOrEmpty
            foreach ($call in $tree.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)) {
                $called = $call.GetCommandName()
                if ($called -notlike '*-Conntrack*') {
                    continue
                }
                $parameters = (Get-Command $called -Module ConntrackPS -ErrorAction Stop).Parameters.Values.ForEach{ $_.Name; $_.Aliases }
                $call.CommandElements.Where({ $_ -is [System.Management.Automation.Language.CommandParameterAst] }).ParameterName |
                    Where-Object { $_ -notin $parameters } | Should -BeNullOrEmpty -Because "$called has no such parameter"
            }
        }
    }

    It 'prints what it shows, where it can be run' {
        foreach ($part in $example.NotRun ? @() : $example.Commands) {
            # The order of rows and the numbers can differ.
            $actual, $shown = foreach ($lines in $part.Actual, $part.Output) {
                , @(Get-OutputShape $lines | Sort-Object -Unique)
            }
            $actual -join "`n" | Should -Be ($shown -join "`n") -Because "'$($part.Code)' printed:`n$($part.Actual -join "`n")`n(docs/help/tools/Update-Output.ps1 refreshes the page)"
        }
    }
}

Describe 'The examples' {
    It 'run, but for a few that say why not' {
        $all = $pages.Values.Examples
        $all.Count | Should -BeGreaterThan 80
        $notRun = @($all | Where-Object NotRun)
        $notRun.Count | Should -BeLessOrEqual 8
        $notRun.NotRun | ForEach-Object { $_.Length | Should -BeGreaterThan 10 }
    }

    It 'show output, most of them' {
        $silent = @($pages.Values.Examples | Where-Object { -not $_.NotRun -and -not ($_.Commands.Output | Where-Object { $_ }) })
        $silent | ForEach-Object { "$($_.Page): $($_.Title)" } | Should -BeNullOrEmpty
    }
}

Describe 'What the help points to' {
    It 'is in the package, or has an absolute path: no text names a file of the sources' {
        $folders = (Get-ChildItem "$PSScriptRoot/../.." -Directory).Name -join '|'
        $named = foreach ($file in Get-ChildItem "$package/en-US" -File) {
            $text = Get-Content $file -Raw
            if ($file.Extension -eq '.xml') {
                $text = ([xml] $text).SelectNodes('//text()[not(ancestor::*[local-name() = "uri"])]').Value -join "`n"
            }
            # Names of files, and anything below a folder of the repository. Text after a slash is an absolute path or an address.
            [regex]::Matches($text, "(?<![\w/.:~-])(?:(?:[\w.-]+/)*[\w-]+\.(?:md|ps1|psm1|psd1|cs|csproj|sh)\b|(?:$folders)/[\w./-]+)") | ForEach-Object Value
        }
        $named | Sort-Object -Unique | Where-Object { -not (Test-Path "$package/$_") } | Should -BeNullOrEmpty
    }

    It 'is opened by Get-Help -Online: the page of the sources that the manifest''s project has' {
        $project = (Import-PowerShellDataFile "$package/ConntrackPS.psd1").PrivateData.PSData.ProjectUri
        foreach ($name in (Get-Command -Module ConntrackPS).Name) {
            $uri = (Get-Help $name).relatedLinks.navigationLink.Where{ $_.uri }[0].uri
            $uri | Should -Be "$project/blob/main/docs/help/$name.md"
            "$PSScriptRoot/../../docs/help/$name.md" | Should -Exist
            # PowerShell prefers an address of the cmdlet itself.
            (Get-Command $name).HelpUri | Should -BeIn '', $uri
        }
        # The browser is a script that writes its arguments to a file.
        $folder = (New-Item "TestDrive:/browser" -ItemType Directory).FullName
        Set-Content "$folder/xdg-open" "#!/bin/sh`necho `"`$@`" > '$folder/opened'"
        chmod +x "$folder/xdg-open"
        $said = Invoke-Child -Folder $folder -Prefix 'env', "PATH=${folder}:$env:PATH" { Get-Help Register-ConntrackEvent -Online }
        Wait-Until { Test-Path "$folder/opened" } "nothing was opened: $said"
        Wait-Until { (Get-Content "$folder/opened" -Raw) -match '\S' } 'nothing was opened'
        (Get-Content "$folder/opened" -Raw).Trim() | Should -Be "$project/blob/main/docs/help/Register-ConntrackEvent.md"
    }

    It 'has only addresses that a browser can open, below the project''s or another https site' {
        $project = (Import-PowerShellDataFile "$package/ConntrackPS.psd1").PrivateData.PSData.ProjectUri
        $project | Should -Match '^https://github\.com/[\w-]+/[\w-]+$'
        $links = (Get-Command -Module ConntrackPS).Name | ForEach-Object { (Get-Help $_).relatedLinks.navigationLink.Where{ $_.uri }.uri }
        $links.Count | Should -BeGreaterThan 20
        $links | Where-Object { -not [uri]::IsWellFormedUriString($_, 'Absolute') -or ([uri] $_).Scheme -ne 'https' } | Should -BeNullOrEmpty
    }

    It 'exists: the cmdlets and topics that "See also" of a topic lists' {
        foreach ($page in $pages.Values | Where-Object Name -Like 'about_*') {
            $named = @($page.Sections['See also'] -match '^- ' -replace '^- ')
            $named.Count | Should -BeGreaterThan 0 -Because $page.Name
            $named | Where-Object { $_ -notin $targets } | Should -BeNullOrEmpty
        }
    }

    It 'are recipes whose JSON has names, not numbers' {
        $root = "$PSScriptRoot/../.."
        $files = @(Get-Item "$root/README.md") + @(Get-ChildItem "$root/docs", "$root/samples" -Recurse -Include *.md, *.ps1 | Where-Object FullName -NotMatch '/(bin|obj|tools)/')
        $written = $files | Select-String '\|\s*ConvertTo-Json\b'
        $written.Count | Should -BeGreaterThan 1
        $written | Where-Object { $_.Line -notmatch 'EnumsAsStrings' } | ForEach-Object { "$($_.Path): $($_.Line)" } | Where-Object { $_ -notmatch 'comes back as' } | Should -BeNullOrEmpty
    }
}
