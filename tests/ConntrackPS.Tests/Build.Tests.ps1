<# The build on a bare machine: build.sh, build/install-packages.sh, and the one way to start PowerShell. #>
BeforeAll {
    Import-Module "$PSScriptRoot/../../build/ChildPowerShell.psm1" -Force
    $root = (Resolve-Path "$PSScriptRoot/../..").Path
    $work = (Get-PSDrive TestDrive).Root

    <# Creates a folder that is the whole PATH: links to commands of this machine, and scripts. #>
    function New-CommandFolder([string] $Name, [string[]] $Link, [hashtable] $Script = @{}) {
        $folder = (New-Item "$work/$Name" -ItemType Directory -Force).FullName
        foreach ($command in $Link) {
            $null = New-Item "$folder/$command" -ItemType SymbolicLink -Target (Get-Command $command -CommandType Application | Select-Object -First 1).Source -Force
        }
        foreach ($command in $Script.Keys) {
            Set-Content "$folder/$command" "#!/bin/sh`n$($Script[$command])"
            chmod +x "$folder/$command"
        }
        $folder
    }
}

Describe 'build/install-packages.sh' {
    BeforeAll {
        # A list beside the script: a package found by its command, one found by its file, and one that does not exist.
        $folder = (New-Item "$work/build" -ItemType Directory -Force).FullName
        Copy-Item "$root/build/install-packages.sh" $folder
        Set-Content "$folder/packages" @(
            'Demo,Test  there-by-command  sh'
            'Demo,Test  there-by-file     /etc/passwd'
            'Demo,Test  for-both          no-such-command-1'
            'Test       for-test          no-such-command-2'
            'Test       header            /no/such/header.h'
        )
        $tools = 'sh', 'dirname', 'id', 'env'
        $installer = @{ 'apt-get' = "echo `"`$DEBIAN_FRONTEND`" `"`$@`" >> '$work/asked'" }
    }

    BeforeEach {
        Remove-Item "$work/asked" -ErrorAction Ignore
    }

    It 'installs what <Task> lacks, and nothing else' -ForEach @(
        @{ Task = 'Demo'; Packages = 'for-both' }
        @{ Task = 'Test'; Packages = 'for-both for-test header' }
    ) {
        $path = New-CommandFolder with-apt $tools $installer
        $said = env "PATH=$path" "$folder/install-packages.sh" $Task 2>&1
        $LASTEXITCODE | Should -Be 0
        $said | Should -BeLike "*installing: $Packages"
        $asked = Get-Content "$work/asked"
        $asked[0] | Should -BeLike '* update -qq'
        $asked[1] | Should -BeLike "noninteractive install * $Packages"
    }

    It 'says nothing and asks nothing where all is there' {
        $said = env "PATH=$(New-CommandFolder with-apt $tools $installer)" "$folder/install-packages.sh" Build 2>&1
        $LASTEXITCODE | Should -Be 0
        $said | Should -BeNullOrEmpty
        "$work/asked" | Should -Not -Exist
    }

    It 'names what is missing, and ends, where there is no apt' {
        $said = env "PATH=$(New-CommandFolder without-apt $tools)" "$folder/install-packages.sh" Test 2>&1
        $LASTEXITCODE | Should -Be 1
        "$said" | Should -BeLike '*no apt-get*: for-both for-test header'
    }

    It 'fails where the installation does' {
        $path = New-CommandFolder broken-apt $tools @{ 'apt-get' = 'exit 100' }
        $null = env "PATH=$path" "$folder/install-packages.sh" Test 2>&1
        $LASTEXITCODE | Should -Be 100
    }
}

Describe 'build/packages' {
    It 'names tasks of build.ps1 only, a package and its sign on each line' {
        $tasks = (Get-Command "$root/build.ps1").Parameters.Task.Attributes.ValidValues
        foreach ($line in Get-Content "$root/build/packages" | Where-Object { $_ -notlike '#*' }) {
            $words = -split $line
            $words.Count | Should -Be 3 -Because $line
            $words[0] -split ',' | Should -BeIn $tasks
        }
    }

    It 'is the one list of packages' {
        $names = Get-Content "$root/build/packages" | Where-Object { $_ -notlike '#*' } | ForEach-Object { (-split $_)[1] }
        Get-Content "$root/.ci/run", "$root/.github/workflows/ci.yml" | Where-Object { $line = $_; $names | Where-Object { $line -match "install.*\b$_\b" } } |
            Should -BeNullOrEmpty
    }
}

Describe 'build.sh' {
    It 'says that the SDK is missing' {
        $said = env "PATH=$(New-CommandFolder no-sdk 'sh', 'dirname', 'id')" "$root/build.sh" Build 2>&1
        $LASTEXITCODE | Should -Be 1
        "$said" | Should -BeLike '*.NET 10 SDK is missing*'
    }

    It 'takes <Taken>' -ForEach @(
        @{ Taken = 'the PowerShell on PATH'; Version = '7.4.0'; Told = 'this one ran build.ps1 Clean' }
        @{ Taken = 'its own where the one on PATH is older than 7.4'; Version = '7.3.9'; Told = '*"Unknown" does not belong to the set "Build,Test,*' }
    ) {
        # Its -Command is the question for the version, its -File the task.
        $path = New-CommandFolder old-pwsh @() @{ pwsh = "case `"`$*`" in *-Command*) $($Version -ge '7.4' ? 'exit 0' : 'exit 1') ;; *) echo this one ran build.ps1 Clean ;; esac" }
        $said = env "PATH=$path`:$env:PATH" NO_COLOR=1 "$root/build.sh" Unknown 2>&1
        ($said -join ' ') | Should -BeLike $Told
    }
}

Describe 'PowerShell' {
    It 'is started only by build/ChildPowerShell.psm1' {
        $scripts = (Get-ChildItem $root -Recurse -File -Include *.ps1, *.psm1).FullName -notmatch "^$root/(out|\.tools)/" -notlike '*/build/ChildPowerShell.psm1'
        $scripts.Count | Should -BeGreaterThan 50
        $found = foreach ($file in $scripts) {
            $ast = [System.Management.Automation.Language.Parser]::ParseFile($file, [ref] $null, [ref] $null)
            $ast.FindAll({
                    param($node)
                    ($node -is [System.Management.Automation.Language.CommandAst] -and ($node.CommandElements | Where-Object { "$_".Trim("'`"") -cmatch '^pwsh$' })) -or
                    ($node -is [System.Management.Automation.Language.MemberExpressionAst] -and "$($node.Member)" -eq 'ProcessPath')
                }, $true) | ForEach-Object { "$file`:$($_.Extent.StartLineNumber): $_" }
        }
        # The folder of the runtime is read once, to give it to another user.
        $found | Where-Object { $_ -notlike '*/UnprivilegedSupport.psm1:*: `[Environment`]::ProcessPath' } | Should -BeNullOrEmpty
    }

    It 'gets its words as they are: <Name>' -ForEach @(
        @{ Name = 'no word but the script'; Words = @() }
        @{ Name = 'one word'; Words = @('one') }
        @{ Name = 'blanks, quotes, wildcards'; Words = @('a b', "it's", '"', '*', '$HOME', '') }
    ) {
        Set-Content "$work/echo.ps1" '$args.Count; $args'
        $said = Invoke-PowerShell (@('-NoProfile', '-File', "$work/echo.ps1") + $Words)
        $said | Should -Be (@("$($Words.Count)") + $Words)
        $process = Start-PowerShell (@('-NoProfile', '-File', "$work/echo.ps1") + $Words) -Redirect
        $process.StandardOutput.ReadToEnd() -replace "`n\z" -split "`n" | Should -Be $said
    }

    It 'gets its input, and its exit code comes back' {
        'one', 'two' | Invoke-PowerShell '-NoProfile', '-Command', '$input | ForEach-Object { "<$_>" }; exit 3' | Should -Be '<one>', '<two>'
        $LASTEXITCODE | Should -Be 3
    }
}
