<# Every parameter that takes text, with strings that break programs: a clean result or one error record with an id, and
   nothing deleted. All of it in one child process, which must live to tell. Each parameter gets some of the strings, those
   that may delete more, so that all together get all; -Stride 1 gives all to each (some minutes):
   Invoke-Pester -Container (New-PesterContainer HostileInput.Tests.ps1 -Data @{ Stride = 1 }) #>
param([int] $Stride = 12)

BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $commands = (Get-Command -Module ConntrackPS).Name
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    # Values that are not in the list, and a zone, because 0 is a valid number.
    $table = [ordered]@{
        web4 = '-s 192.0.2.77 -d 198.51.100.77 -p tcp --sport 40077 --dport 8077 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 77 -w 77'
        web6 = '-s 2001:db8::77 -d 2001:db8:1::77 -p tcp --sport 40077 --dport 8077 --state ESTABLISHED -m 78 -w 77'
        dns4 = '-s 192.0.2.77 -d 198.51.100.53 -p udp --sport 40078 --dport 5377 -m 79 -w 77'
    }
    $namespace = New-TestNamespace $table
    $folder = Join-Path ([System.IO.Path]::GetTempPath()) "ctps-$PID-$(New-Guid)"
    $null = New-Item $folder -ItemType Directory
    $null = New-Item "$folder/empty" -ItemType Directory
    Copy-Item "$PSScriptRoot/Support/NaughtyStrings.json" "$folder/strings.json"
    Set-Content "$folder/stride" $Stride

    # The process runs in the test's namespace, so a command without a valid namespace cannot reach the machine's table.
    $output = @(Invoke-Child -Namespace $namespace -Folder $folder -Prefix 'timeout', '600', 'ip', 'netns', 'exec', $namespace {
            Set-Location "$PSScriptRoot/empty"
            $stride = [int] (Get-Content "$PSScriptRoot/stride")
            $strings = @(Get-Content "$PSScriptRoot/strings.json" -Raw | ConvertFrom-Json) + ('x' * 100000) + (', ' * 1000)
            $entry = Get-ConntrackEntry -Protocol udp

            # The other parameters that each command needs, and those that prevent waiting and questions.
            $complete = @{
                'Add-ConntrackHistory'        = @{ Path = "$PSScriptRoot/empty/history.csv"; WhatIf = $true }
                'Clear-ConntrackTable'        = @{ Confirm = $false; AddressFamily = 'IPv6'; WhatIf = $true }
                'ConvertFrom-ConntrackText'   = @{ InputObject = '' }
                'ConvertTo-ConntrackText'     = @{ InputObject = $entry }
                'Disable-ConntrackHelper'     = @{ Name = '*'; WhatIf = $true }
                'Disable-ConntrackTracking'   = @{ Protocol = 'Udp'; DestinationPort = 9; WhatIf = $true }
                'Enable-ConntrackTracking'    = @{ Name = '*'; WhatIf = $true }
                'Enable-ConntrackHelper'      = @{ Name = 'ftp'; DestinationAddress = '192.0.2.1'; WhatIf = $true }
                'Export-ConntrackMetric'      = @{ SampleTime = 0; WhatIf = $true }
                'Export-ConntrackReport'      = @{ Path = "$PSScriptRoot/empty/report.html"; SampleTime = 0; WhatIf = $true }
                'Get-ConntrackEntry'          = @{}
                'Get-ConntrackHistory'        = @{ Path = "$PSScriptRoot/empty/none.csv" }
                'Get-ConntrackStat'           = @{}
                'Limit-ConntrackSource'       = @{ Maximum = 1000; WhatIf = $true }
                'New-ConntrackEntry'          = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; Timeout = 60; WhatIf = $true }
                'New-ConntrackExpectation'    = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; DestinationPort = 2; Master = $entry }
                'New-ConntrackTimeoutPolicy'  = @{ Name = 'hostile'; Protocol = 'udp'; Unreplied = 10; WhatIf = $true }
                'Register-ConntrackAlert'     = @{ SourceIdentifier = 'hostile'; FillAbove = 99 }
                'Register-ConntrackEvent'     = @{ SourceIdentifier = 'hostile'; WarningAction = 'Ignore' }
                'Remove-ConntrackEntry'       = @{}
                'Remove-ConntrackExpectation' = @{}
                'Remove-ConntrackTimeoutPolicy' = @{ Name = 'hostile' }
                'Repair-ConntrackHealth'      = @{ InputObject = [pscustomobject]@{ Severity = 'Warning'; Name = 'Nothing'; Remedy = 'Get-Date' }; SampleTime = 0; Confirm = $false }
                'Set-ConntrackEntry'          = @{ SourceAddress = '192.0.2.66'; NewMark = 5 }
                'Set-ConntrackSetting'        = @{ Name = 'Accounting'; Value = $true; WhatIf = $true }
                'Set-ConntrackTimeout'        = @{ Protocol = 'udp'; State = 'Replied'; Timeout = 120; WhatIf = $true }
                'Set-ConntrackTimeoutPolicy'  = @{ Name = 'hostile'; Unreplied = 10 }
                'Test-ConntrackHealth'        = @{ SampleTime = 0 }
                'Watch-ConntrackEvent'        = @{ Timeout = 0; WarningAction = 'Ignore' }
            }
            $takesNone = 'SwitchParameter', 'ScriptBlock'
            # A number would be used here, as a time to wait or as a limit that every entry meets.
            $obeys = 'Get-ConntrackStat -Interval', 'Test-ConntrackHealth -SampleTime', 'Export-ConntrackMetric -SampleTime', 'Repair-ConntrackHealth -SampleTime', 'Watch-ConntrackEvent -Timeout',
            'Remove-ConntrackEntry -TimeoutAbove', 'Remove-ConntrackEntry -TimeoutBelow', 'Remove-ConntrackEntry -BlockTime', 'Set-ConntrackEntry -NewTimeout'

            function Invoke-One([string] $Command, [Management.Automation.ParameterMetadata] $Parameter, [string] $Value) {
                # It has its own parameter set, so parameters of other sets are left out.
                $sets = $Parameter.ParameterSets.Keys
                $arguments = @{ ErrorAction = 'SilentlyContinue'; ErrorVariable = 'errors' }
                foreach ($pair in ($complete[$Command] ?? @{}).GetEnumerator()) {
                    $beside = (Get-Command $Command).Parameters[$pair.Key].ParameterSets.Keys
                    if ('__AllParameterSets' -in $sets -or '__AllParameterSets' -in $beside -or @($beside | Where-Object { $_ -in $sets })) {
                        $arguments[$pair.Key] = $pair.Value
                    }
                }
                $arguments[$Parameter.Name] = $Parameter.ParameterType.Name -like 'Dictionary*' ? @{ $Value = $Value } : $Value
                $errors = @()
                try {
                    $null = & $Command @arguments 3>&1 4>&1 6>&1
                }
                catch {
                    # A terminating error is in the variable too, possibly wrapped.
                    $errors = @($_)
                }
                $records = @($errors | ForEach-Object { $_ -is [Management.Automation.ErrorRecord] ? $_ : $_.ErrorRecord } | Where-Object { $_ })
                if ($Command -like 'Register-*') {
                    Get-EventSubscriber -Force | Unregister-Event -Force
                }
                $ids = @($records | ForEach-Object { ($_.FullyQualifiedErrorId -split ',')[0] } | Select-Object -Unique)
                if ($records.Count -gt 1 -or @($ids | Where-Object { $_ -eq 'Unexpected' -or $_ -notmatch '^[A-Z]\w+$' -or $_ -like '*Exception' })) {
                    "-$($Parameter.Name): $($records.Count) $($ids -join ', '), $($records[0].Exception.GetType().Name): '$($Value.Substring(0, [Math]::Min($Value.Length, 40)))'"
                }
            }

            $seen = [ordered]@{}
            $turn = 0
            foreach ($command in Get-Command -Module ConntrackPS) {
                $calls = 0
                $step = $command.Verb -in 'Remove', 'Clear' ? [Math]::Max(1, $stride / 3) : $stride
                $problems = foreach ($parameter in $command.Parameters.Values) {
                    if ($parameter.Name -in [Management.Automation.PSCmdlet]::CommonParameters + [Management.Automation.PSCmdlet]::OptionalCommonParameters) { continue }
                    if ($parameter.ParameterType.Name -in $takesNone) { continue }
                    for ($i = $turn++ % $step; $i -lt $strings.Count; $i += $step) {
                        $string = $strings[$i]
                        if ("$command -$($parameter.Name)" -in $obeys -and $string -match '^\W*\d') { continue }
                        # Digits would be a process id and lead into the namespace of that process.
                        if ($parameter.Name -in 'NetworkNamespace', 'Namespace' -and $string -match '^\s*\d+\s*$') { continue }
                        $calls++
                        Invoke-One $command.Name $parameter $string
                    }
                    if (($left = (Get-ConntrackStat).Count) -ne 3) {
                        "-$($parameter.Name): $left entries are left"
                    }
                }
                $seen[$command.Name] = [ordered]@{ Calls = $calls; Problems = @($problems); Count = [int] (conntrack -C) }
            }
            $seen | ConvertTo-Json -Depth 4 -Compress
        })
    try {
        $seen = $output[-1] | ConvertFrom-Json
    }
    catch {
        throw "The child did not live to tell: $($output | Select-Object -Last 5)"
    }
}

AfterAll {
    Remove-TestNamespace $namespace
    Remove-Item $folder -Recurse -Force
}

Describe 'Strings that break programs' {
    It '<_>: a result, or one error record with an id' -ForEach $commands {
        $seen.$_.Calls | Should -BeGreaterThan 10
        $seen.$_.Problems | Should -BeNullOrEmpty
    }

    It '<_>: nothing is deleted' -ForEach $commands {
        $seen.$_.Count | Should -Be $table.Count
    }

    It 'leaves the table as it was' {
        Get-KernelName $namespace | Should -Be ($table.Keys | Sort-Object)
        (Get-KernelEntry $namespace).Mark | Sort-Object | Should -Be 77, 78, 79
    }
}
