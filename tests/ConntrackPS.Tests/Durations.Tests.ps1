BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'A time of a parameter' {
    It 'may be <Name>' -ForEach @(
        @{ Name = 'a number'; Value = 300 }
        @{ Name = 'the text of a number'; Value = '300' }
        @{ Name = 'a span as people write it'; Value = '5m' }
        @{ Name = 'hours, minutes and seconds'; Value = '00:05:00' }
        @{ Name = 'a TimeSpan'; Value = [timespan]::FromMinutes(5) }
        @{ Name = 'a Double without parts'; Value = 300.0 }
        @{ Name = 'a TimeSpan that came through JSON'; Value = ([timespan]::FromMinutes(5) | ConvertTo-Json | ConvertFrom-Json) }
        @{ Name = 'a TimeSpan that came through JSON as a table'; Value = ([timespan]::FromMinutes(5) | ConvertTo-Json | ConvertFrom-Json -AsHashtable) }
        @{ Name = 'a TimeSpan that came through Clixml'; Value = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize([timespan]::FromMinutes(5))) }
    ) {
        $flow = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 }
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry @flow -Timeout $Value
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (297..300)
        Set-ConntrackEntry -Protocol udp -NewTimeout 900
        Set-ConntrackEntry -Protocol udp -NewTimeout $Value
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (297..300)
        Set-ConntrackTimeout icmp -Timeout $Value
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_icmp_timeout | Should -Be 300
        @(Get-ConntrackEntry -TimeoutAbove $Value -Protocol udp).Count | Should -Be 0
        @(Get-ConntrackEntry -TimeoutBelow $Value -Protocol udp).Count | Should -BeIn 0, 1
        New-ConntrackTimeoutPolicy p udp -Timeout @{ Replied = $Value } -WhatIf
        New-ConntrackTimeoutPolicy p icmp -Timeout $Value
        "$(Invoke-InNamespace $namespace nfct list timeout)" | Should -BeLike '*TIMEOUT = 300,*'
        Remove-ConntrackTimeoutPolicy p
    }

    It 'comes back from what <_> wrote' -ForEach 'Csv', 'Json', 'Clixml' {
        Set-ConntrackTimeout tcp Established -Timeout 00:10:00 -WarningAction Ignore
        $timeouts = Get-ConntrackTimeout tcp Established
        $spans = [pscustomobject]@{ Protocol = 'Udp'; State = 'Replied'; TimeoutSeconds = [timespan]::FromMinutes(7) }
        $kept = switch ($_) {
            'Csv' { $timeouts, $spans | ForEach-Object { $_ | ConvertTo-Csv | ConvertFrom-Csv } }
            'Json' { $timeouts, $spans | ForEach-Object { $_ | ConvertTo-Json | ConvertFrom-Json } }
            'Clixml' { $timeouts, $spans | Export-Clixml TestDrive:/kept.xml; Import-Clixml TestDrive:/kept.xml }
        }
        Set-ConntrackTimeout tcp Established -Reset
        $kept | Set-ConntrackTimeout -WarningAction Ignore
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established net.netfilter.nf_conntrack_udp_timeout_stream | Should -Be 600, 420
    }

    It 'is read by <Command> -<Parameter>, as every time is' -ForEach @(
        @{ Command = 'Get-ConntrackEntry'; Parameter = 'OlderThan'; More = @{} }
        @{ Command = 'Get-ConntrackEntry'; Parameter = 'TimeoutBelow'; More = @{} }
        @{ Command = 'Watch-ConntrackEvent'; Parameter = 'Timeout'; More = @{ MaxEvents = 1; IncludeExisting = $true; Protocol = 'udp' } }
        @{ Command = 'Measure-ConntrackEntry'; Parameter = 'Interval'; More = @{} }
        @{ Command = 'Get-ConntrackStat'; Parameter = 'Interval'; More = @{ Count = 1 } }
        @{ Command = 'Test-ConntrackHealth'; Parameter = 'SampleTime'; More = @{} }
        @{ Command = 'Export-ConntrackMetric'; Parameter = 'SampleTime'; More = @{ WhatIf = $true } }
        @{ Command = 'Remove-ConntrackEntry'; Parameter = 'BlockTime'; More = @{ SourceAddress = '192.0.2.77'; WhatIf = $true } }
        @{ Command = 'New-ConntrackExpectation'; Parameter = 'Timeout'; More = @{ WhatIf = $true; SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; DestinationPort = 1; Master = [pscustomobject]@{ Protocol = 'tcp'; SourceAddress = '192.0.2.1'; SourcePort = 1; DestinationAddress = '192.0.2.2'; DestinationPort = 21 } } }
        @{ Command = 'Show-ConntrackTop'; Parameter = 'Interval'; More = @{ Once = $true } }
        @{ Command = 'Show-ConntrackTop'; Parameter = 'SampleTime'; More = @{ Once = $true; Page = 'Plot' } }
    ) {
        $time = [timespan]::FromSeconds(1) | ConvertTo-Json | ConvertFrom-Json
        $arguments = $More + @{ $Parameter = $time }
        { & $Command @arguments -WarningAction Ignore -ErrorAction Stop } | Should -Not -Throw
    }

    It 'that is another object is refused: <Name>' -ForEach @(
        @{ Name = 'without ticks'; Value = [pscustomobject]@{ Days = 1 } }
        @{ Name = 'with text for ticks'; Value = [pscustomobject]@{ Ticks = 'many' } }
        @{ Name = 'with parts of a second'; Value = ([timespan]::FromMilliseconds(1500) | ConvertTo-Json | ConvertFrom-Json) }
        @{ Name = 'negative'; Value = ([timespan]::FromSeconds(-5) | ConvertTo-Json | ConvertFrom-Json) }
    ) {
        (Get-Failure { Set-ConntrackTimeout icmp -Timeout $Value }).FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        (Get-Failure { New-ConntrackTimeoutPolicy p icmp -Timeout $Value }).FullyQualifiedErrorId | Should -Match '^(ParameterArgumentTransformationError|TimeoutNotFound|ValueOutOfRange|InvalidValue)'
    }

    It 'comes back from JSON into entries: <Depth>' -ForEach @{ Depth = 1 }, @{ Depth = 4 } {
        Clear-ConntrackTable -Confirm:$false
        $flow = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 2 }
        New-ConntrackEntry @flow -Timeout 300
        $kept = ConvertTo-Json @(Get-ConntrackEntry) -Depth $Depth -EnumsAsStrings | ConvertFrom-Json
        Clear-ConntrackTable -Confirm:$false
        $kept | New-ConntrackEntry
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (295..300)
        $kept = ConvertTo-Json @(Get-ConntrackEntry) -Depth $Depth | ConvertFrom-Json
        $kept | Set-ConntrackEntry -NewTimeout ([timespan]::FromMinutes(9) | ConvertTo-Json | ConvertFrom-Json)
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (535..540)
        $kept | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'has its old name too: <Command> -<Old>' -ForEach @(
        @{ Command = 'New-ConntrackEntry'; Name = 'Timeout'; Old = 'TimeoutSeconds' }
        @{ Command = 'New-ConntrackExpectation'; Name = 'Timeout'; Old = 'TimeoutSeconds' }
        @{ Command = 'Watch-ConntrackEvent'; Name = 'Timeout'; Old = 'TimeoutSeconds' }
        @{ Command = 'Set-ConntrackTimeout'; Name = 'Timeout'; Old = 'TimeoutSeconds' }
        @{ Command = 'Remove-ConntrackEntry'; Name = 'BlockTime'; Old = 'BlockSeconds' }
        @{ Command = 'Show-ConntrackTop'; Name = 'Interval'; Old = 'RefreshSeconds' }
        @{ Command = 'Test-ConntrackHealth'; Name = 'SampleTime'; Old = 'SampleSeconds' }
    ) {
        (Get-Command $Command).Parameters[$Name].Aliases | Should -Contain $Old
    }

    It 'is read in one way by every cmdlet, but for Register-ConntrackEvent and the like that have none' {
        foreach ($command in Get-Command -Module ConntrackPS) {
            foreach ($parameter in $command.Parameters.Values.Where{ $_.Name -match 'Timeout$|Time$|Interval$|Seconds$|^TimeoutBelow$|^TimeoutAbove$|^OlderThan$' -and $_.ParameterType -notin [object], [System.Collections.Generic.Dictionary[string, timespan]] }) {
                ($parameter.ParameterType -eq [timespan] -or $parameter.ParameterType -eq [Nullable[timespan]]) | Should -BeTrue -Because "$command -$($parameter.Name)"
                @($parameter.Attributes.Where{ $_ -is [ConntrackPS.Arguments.DurationArgumentAttribute] }).Count | Should -Be 1 -Because "$command -$($parameter.Name)"
            }
        }
    }

    It 'is refused with the forms there are: <Command>' -ForEach @(
        @{ Command = 'Set-ConntrackTimeout icmp -Timeout 5:00' }
        @{ Command = 'Set-ConntrackTimeout icmp -Timeout 1.5' }
        @{ Command = 'Set-ConntrackTimeout icmp -Timeout 00:00:01.5' }
        @{ Command = 'Set-ConntrackEntry -Protocol udp -NewTimeout ([timespan]::FromMilliseconds(1500))' }
        @{ Command = 'Watch-ConntrackEvent -Timeout soon' }
        @{ Command = 'Remove-ConntrackEntry 192.0.2.1 -BlockTime 0' }
        @{ Command = 'Remove-ConntrackEntry 192.0.2.1 -BlockTime 8d' }
        @{ Command = 'Show-ConntrackTop -Once -Interval 0.05' }
        @{ Command = 'Show-ConntrackTop -Once -Interval 2h' }
        @{ Command = 'Test-ConntrackHealth -SampleTime 2h' }
        @{ Command = 'Get-ConntrackStat -Interval 0' }
        @{ Command = 'Export-ConntrackMetric -SampleTime 2h' }
        @{ Command = 'Register-ConntrackAlert -Drop -Interval 0' }
        @{ Command = 'Register-ConntrackAlert -Drop -QuietTime soon' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create($Command)) })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        "$($failure[0])" | Should -BeLike '*seconds such as 600, or a span such as 90s, 5m, 2h4m, 1d, 00:05:00*'
    }

    It 'may have parts of a second where this side keeps it' {
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Watch-ConntrackEvent -Timeout 0.3 -WarningAction Ignore
        Watch-ConntrackEvent -Timeout 00:00:00.3 -WarningAction Ignore
        $watch.ElapsedMilliseconds | Should -BeIn (600..5000)
        Show-ConntrackTop -Once -Interval 0.2 | Should -Not -BeNullOrEmpty
    }
}
