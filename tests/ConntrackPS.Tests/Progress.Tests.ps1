<# Work that takes longer than a second shows its progress. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Runs a script in a new runspace. Returns its progress records. #>
    function Get-Progress([string] $Script) {
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript('param($Package, $Namespace) Import-Module $Package; ' + $Script).AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($namespace).Invoke()
            $shell.Streams.Error | Should -BeNullOrEmpty
            , @($shell.Streams.Progress | Where-Object Activity -Like '*conntrack entries')
        }
        finally {
            $shell.Dispose()
        }
    }
}

Describe 'Progress' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F
        Add-KernelLine $namespace (New-ManyLine 5)
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'is shown after a second, with count and rate, and taken away: <Activity>' -ForEach @(
        @{ Activity = 'Removing'; Command = 'Remove-ConntrackEntry' }
        @{ Activity = 'Changing'; Command = 'Set-ConntrackEntry -NewMark 1' }
        @{ Activity = 'Creating'; Command = 'New-ConntrackEntry -Force' }
    ) {
        $records = Get-Progress "`$entries = Get-ConntrackEntry -NetworkNamespace `$Namespace; `$entries | ForEach-Object { Start-Sleep -Milliseconds 400; `$_ } | $Command"
        $records.Count | Should -BeGreaterThan 1
        $records.Activity | Select-Object -Unique | Should -Be "$Activity conntrack entries"
        $records[0].StatusDescription | Should -Match '^[2-5] entries, [1-5] a second$'
        $records[-1].RecordType | Should -Be 'Completed'
    }

    It 'is not shown for what is done within a second, or under -ProgressAction SilentlyContinue' {
        Get-Progress '$null = Get-ConntrackEntry -NetworkNamespace $Namespace | Set-ConntrackEntry -NewMark 2' | Should -BeNullOrEmpty
        Get-Progress 'Get-ConntrackEntry -NetworkNamespace $Namespace | ForEach-Object { Start-Sleep -Milliseconds 400; $_ } | Remove-ConntrackEntry -ProgressAction SilentlyContinue' |
            Should -BeNullOrEmpty
    }

    It 'is not written to output that is redirected' {
        $said = Invoke-Child -Namespace $namespace {
            Get-ConntrackEntry -NetworkNamespace $Namespace | ForEach-Object { Start-Sleep -Milliseconds 400; $_ } | Remove-ConntrackEntry
            'done'
        }
        $said | Should -Be 'done'
    }
}
