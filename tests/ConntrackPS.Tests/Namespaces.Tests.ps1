<# Several network namespaces at once: reading cmdlets accept them, changing cmdlets do not. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Several network namespaces' {
    BeforeAll {
        $first, $second = 1..2 | ForEach-Object { New-TestNamespace }
        $both = $first, $second
        $pattern = "ctps-$PID-*"
        foreach ($namespace in $both) {
            Add-KernelLine $namespace @(
                '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
                '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 2 --dport 80 --state SYN_SENT'
            )
        }
        Add-KernelLine $second '-s 2001:db8::1 -d 2001:db8::2 -p udp --sport 5 --dport 53'
    }

    AfterAll {
        Remove-TestNamespace $both
        Remove-Item "$([IO.Path]::GetTempPath())/ctps-$PID.csv" -ErrorAction Ignore
    }

    It '<Name> reads them, and says of which each object is' -ForEach @(
        @{ Name = 'Get-ConntrackEntry'; Expected = 2, 3; With = @{} }
        @{ Name = 'Get-ConntrackEntry'; Expected = 1, 1; With = @{ State = 'SynSent' } }
        @{ Name = 'Measure-ConntrackEntry'; Expected = 1, 2; With = @{ GroupBy = 'SourceAddress' } }
        @{ Name = 'Get-ConntrackStat'; Expected = 1, 1; With = @{} }
        @{ Name = 'Add-ConntrackHistory'; Expected = 1, 1; With = @{ Path = "$([IO.Path]::GetTempPath())/ctps-$PID.csv"; PassThru = $true } }
        @{ Name = 'Get-ConntrackHelper'; Expected = 1, 1; With = @{ Name = 'ftp' } }
        @{ Name = 'Get-ConntrackSetting'; Expected = 1, 1; With = @{ Name = 'Maximum' } }
        @{ Name = 'Get-ConntrackTimeout'; Expected = 2, 2; With = @{ Protocol = 'Udp' } }
    ) {
        $objects = & $Name @With -NetworkNamespace $both
        foreach ($i in 0, 1) {
            @($objects | Where-Object Namespace -EQ $both[$i]).Count | Should -Be $Expected[$i]
        }
        $objects = & $Name @With -NetworkNamespace $pattern
        @($objects | Where-Object Namespace -In $both).Count | Should -Be ($Expected[0] + $Expected[1])
    }

    It 'groups are of one namespace each, and pipe back to it' {
        $removed = Measure-ConntrackEntry -GroupBy State -NetworkNamespace $both |
            Where-Object { $_.State -eq 'SynSent' -and $_.Namespace -eq $second } | Remove-ConntrackEntry -PassThru
        $removed.Namespace | Should -Be $second
        Get-KernelCount $first | Should -Be 2
        Get-KernelCount $second | Should -Be 2
        Add-KernelLine $second '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 2 --dport 80 --state SYN_SENT'
    }

    It 'entries pipe back to where they are from' {
        $entries = Get-ConntrackEntry -NetworkNamespace $both
        $entries | Set-ConntrackEntry -NewMark 9
        foreach ($namespace in $both) {
            (Get-KernelEntry $namespace).Mark | Select-Object -Unique | Should -Be 9
        }
        @($entries | Get-ConntrackEntry).Count | Should -Be 5
    }

    It 'reads policies and expectations in both' {
        foreach ($namespace in $both) {
            New-ConntrackTimeoutPolicy -Name both -Protocol Udp -Unreplied 5 -NetworkNamespace $namespace
        }
        (Get-ConntrackTimeoutPolicy both -NetworkNamespace $both).Namespace | Should -Be $both
        (Get-ConntrackTimeoutPolicy -NetworkNamespace $pattern | Where-Object Name -EQ both).Namespace | Sort-Object | Should -Be ($both | Sort-Object)
        Get-ConntrackExpectation -NetworkNamespace $both | Should -BeNullOrEmpty
    }

    It 'watches them' {
        $events = Watch-ConntrackEvent -NetworkNamespace $both -IncludeExisting -MaxEvents 5 -Timeout 30 -WarningAction SilentlyContinue
        $events | Group-Object Namespace | Sort-Object Count | ForEach-Object Name | Should -Be $both
    }

    It 'one that is not there is an error of its own, and the others follow: <_>' -ForEach 'Get-ConntrackEntry', 'Measure-ConntrackEntry', 'Get-ConntrackStat', 'Get-ConntrackHelper', 'Get-ConntrackSetting', 'Get-ConntrackTimeout', 'Get-ConntrackTimeoutPolicy', 'Test-ConntrackHealth' {
        $objects = & $_ -NetworkNamespace $first, nowhere, $second -ErrorVariable failed -ErrorAction SilentlyContinue -WarningAction SilentlyContinue
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeLike 'NetworkNamespaceNotFound*'
        "$($failed[0])" | Should -BeLike "*'nowhere'*"
        if ($_ -notlike 'Test-*') {
            $objects.Namespace | Select-Object -Unique | Should -Be $both
        }
    }

    It 'whether one is missing or several, -ErrorAction decides: <Name>' -ForEach @(
        @{ Name = 'Add-ConntrackHistory'; With = @{ Path = "$([IO.Path]::GetTempPath())/never.csv" }; IsReader = $true }
        @{ Name = 'Block-ConntrackTraffic'; With = @{ SourceAddress = '192.0.2.1' } }
        @{ Name = 'Clear-ConntrackTable'; With = @{ Confirm = $false } }
        @{ Name = 'Disable-ConntrackHelper'; With = @{ Name = 'ftp' }; IsReader = $true }
        @{ Name = 'Disable-ConntrackTracking'; With = @{ Protocol = 'Udp'; DestinationPort = 9 } }
        @{ Name = 'Enable-ConntrackTracking'; With = @{ Name = '*' }; IsReader = $true }
        @{ Name = 'Enable-ConntrackHelper'; With = @{ Name = 'ftp'; DestinationAddress = '192.0.2.1' } }
        @{ Name = 'Export-ConntrackMetric'; With = @{ SampleTime = 0 }; IsReader = $true }
        @{ Name = 'Export-ConntrackReport'; With = @{ Path = "$([IO.Path]::GetTempPath())/never.html"; SampleTime = 0 } }
        @{ Name = 'Get-ConntrackEntry'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackExpectation'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackHelper'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackSetting'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackStat'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackTimeout'; With = @{}; IsReader = $true }
        @{ Name = 'Get-ConntrackTimeoutPolicy'; With = @{}; IsReader = $true }
        @{ Name = 'Limit-ConntrackSource'; With = @{ Maximum = 1000 } }
        @{ Name = 'Measure-ConntrackEntry'; With = @{}; IsReader = $true }
        @{ Name = 'New-ConntrackEntry'; With = @{ Protocol = 'Udp'; SourceAddress = '192.0.2.9'; SourcePort = 1; DestinationAddress = '192.0.2.8'; DestinationPort = 2; TimeoutSeconds = 60 } }
        @{ Name = 'New-ConntrackTimeoutPolicy'; With = @{ Name = 'p'; Protocol = 'Udp'; Replied = 5 } }
        @{ Name = 'Register-ConntrackAlert'; With = @{ FillAbove = 80 }; IsReader = $true }
        @{ Name = 'Register-ConntrackEvent'; With = @{ SourceIdentifier = 'never' }; IsReader = $true }
        @{ Name = 'Remove-ConntrackEntry'; With = @{ SourceAddress = '192.0.2.1' } }
        @{ Name = 'Remove-ConntrackExpectation'; With = @{ SourceAddress = '192.0.2.1' } }
        @{ Name = 'Remove-ConntrackTimeoutPolicy'; With = @{ Name = 'p' } }
        @{ Name = 'Repair-ConntrackHealth'; With = @{ InputObject = [pscustomobject]@{ Severity = 'Warning'; Name = 'x'; Remedy = 'x' }; SampleTime = 0; Confirm = $false } }
        @{ Name = 'Set-ConntrackEntry'; With = @{ SourceAddress = '192.0.2.1'; NewMark = 77 } }
        @{ Name = 'Set-ConntrackSetting'; With = @{ Name = 'Accounting'; Value = $true } }
        @{ Name = 'Set-ConntrackTimeout'; With = @{ Protocol = 'Udp'; State = 'Replied'; TimeoutSeconds = 600 } }
        @{ Name = 'Set-ConntrackTimeoutPolicy'; With = @{ Name = 'p'; Replied = 5 } }
        @{ Name = 'Show-ConntrackTop'; With = @{ Once = $true } }
        @{ Name = 'Test-ConntrackHealth'; With = @{ SampleTime = 0 }; IsReader = $true }
        @{ Name = 'Watch-ConntrackEvent'; With = @{ TimeoutSeconds = 5 }; IsReader = $true }
    ) {
        foreach ($names in @(, @('nowhere')) + ($IsReader ? @(, @('nowhere', 'nowhere-else')) : @())) {
            # A thrown error would end this script block, and fail the test.
            $value = $names.Count -eq 1 ? $names[0] : $names
            $said = & $Name @With -NetworkNamespace $value -ErrorAction SilentlyContinue -ErrorVariable failed 2>&1
            $said | Should -BeNullOrEmpty
            $failed.Count | Should -Be $names.Count
            $failed.FullyQualifiedErrorId | ForEach-Object { $_ | Should -Be "NetworkNamespaceNotFound,ConntrackPS.Commands.$($Name.Replace('-', ''))Command" }
            { & $Name @With -NetworkNamespace $value -ErrorAction Stop } | Should -Throw -ErrorId 'NetworkNamespaceNotFound*'
        }
    }

    It 'one that a parameter names is reported once, however many objects come: <Name>' -ForEach @(
        @{ Name = 'Remove-ConntrackEntry'; With = @{} }
        @{ Name = 'Set-ConntrackEntry'; With = @{ NewMark = 77 } }
        @{ Name = 'New-ConntrackEntry'; With = @{} }
    ) {
        $entries = Get-ConntrackEntry -NetworkNamespace $first
        $entries.Count | Should -BeGreaterThan 1
        $entries | & $Name @With -NetworkNamespace nowhere -ErrorAction SilentlyContinue -ErrorVariable failed
        $failed.Count | Should -Be 1
    }

    It 'objects of a namespace that is gone are errors, and those of others are dealt with' {
        $gone = New-TestNamespace
        Add-KernelLine $gone (New-ManyLine 2)
        $entries = @(Get-ConntrackEntry -NetworkNamespace $gone) + @(Get-ConntrackEntry -NetworkNamespace $first)
        Remove-TestNamespace $gone
        $changed = $entries | Set-ConntrackEntry -NewMark 78 -PassThru -ErrorAction SilentlyContinue -ErrorVariable failed
        $failed.Count | Should -Be 2
        $changed.Count | Should -Be ($entries.Count - 2)
        @(Get-KernelEntry $first).Mark | Should -Be (@(78) * $changed.Count)
        $changed | Set-ConntrackEntry -NewMark 0
    }

    It 'watching needs one at least' {
        (Get-Failure { Watch-ConntrackEvent -NetworkNamespace 'nothing-*' }).FullyQualifiedErrorId | Should -BeLike 'NetworkNamespaceNotFound*'
    }

    It 'the command line of an error names it, whatever its name holds: <_>' -ForEach "it's", "it’s; Get-Date", "‘a‚b‛", '$(1)', '"`' {
        $name = $_
        $line = (Get-Failure { Remove-ConntrackEntry -NetworkNamespace $name }).ErrorDetails.Message -replace '^.*whole table: '
        $script = [System.Management.Automation.Language.Parser]::ParseInput($line, [ref]$null, [ref]$null)
        $script.EndBlock.Statements.Count | Should -Be 1
        $elements = $script.EndBlock.Statements[0].PipelineElements[0].CommandElements
        "$($elements[0..1].Extent.Text)" | Should -Be 'Clear-ConntrackTable -NetworkNamespace'
        $elements.Count | Should -Be 3
        $elements[2].Value | Should -BeExactly $name
    }

    It '<Name> takes one, and changes nothing' -ForEach @(
        @{ Name = 'Remove-ConntrackEntry'; With = @{ SourceAddress = '192.0.2.1' } }
        @{ Name = 'Set-ConntrackEntry'; With = @{ SourceAddress = '192.0.2.1'; NewMark = 77 } }
        @{ Name = 'Clear-ConntrackTable'; With = @{ Confirm = $false } }
        @{ Name = 'Set-ConntrackTimeout'; With = @{ Protocol = 'Udp'; State = 'Replied'; TimeoutSeconds = 600 } }
        @{ Name = 'Set-ConntrackSetting'; With = @{ Name = 'Accounting'; Value = $true } }
        @{ Name = 'New-ConntrackEntry'; With = @{ Protocol = 'Udp'; SourceAddress = '192.0.2.9'; SourcePort = 1; DestinationAddress = '192.0.2.8'; DestinationPort = 2; TimeoutSeconds = 60 } }
        @{ Name = 'Block-ConntrackTraffic'; With = @{ SourceAddress = '192.0.2.1' } }
        @{ Name = 'Disable-ConntrackTracking'; With = @{ Protocol = 'Udp'; DestinationPort = 9 } }
        @{ Name = 'Enable-ConntrackHelper'; With = @{ Name = 'ftp'; DestinationAddress = '192.0.2.1' } }
        @{ Name = 'Limit-ConntrackSource'; With = @{ Maximum = 1000 } }
        @{ Name = 'New-ConntrackTimeoutPolicy'; With = @{ Name = 'p'; Protocol = 'Udp'; Replied = 5 } }
        @{ Name = 'Remove-ConntrackExpectation'; With = @{ SourceAddress = '192.0.2.1' } }
    ) {
        $before = $both | ForEach-Object { Invoke-InNamespace $_ sh -c 'conntrack -L -o id 2>/dev/null | sed -E "s/ [0-9]+ (ESTAB|SYN|src)/ \1/" | sort; sysctl net.netfilter' }
        (Get-Command $Name).Parameters['NetworkNamespace'].ParameterType | Should -Be ([string])
        $failure = @(Get-Failure { & $Name @With -NetworkNamespace $both })
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'CannotConvertArgument,*'
        "$($failure[0])" | Should -BeLike "*NetworkNamespace*"
        $failure = @(Get-Failure { & $Name @With -NetworkNamespace $pattern })
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'SeveralNamespaces*'
        "$($failure[0])" | Should -BeLike "$Name works in one network namespace at a time*"
        $after = $both | ForEach-Object { Invoke-InNamespace $_ sh -c 'conntrack -L -o id 2>/dev/null | sed -E "s/ [0-9]+ (ESTAB|SYN|src)/ \1/" | sort; sysctl net.netfilter' }
        ($after -replace ' \d+ (?=(ESTAB|SYN|src))', ' ') | Should -Be ($before -replace ' \d+ (?=(ESTAB|SYN|src))', ' ')
    }
}
