# The State and the Status of an object are values of parameters, also if they have no name: Export-Csv writes their numbers.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace ([ordered]@{
            web = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
            new = '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 40002 --dport 80 --state SYN_SENT'
            dns = '-s 192.0.2.9 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        })
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    $csv = Join-Path $TestDrive entries.csv

    # Rows of a file, one with values that a newer kernel may have.
    $odd = Get-ConntrackEntry -State Established | Select-Object *
    $odd.State = [Enum]::ToObject([ConntrackPS.Conntrack.ConntrackState], 140)
    $odd.Status = [Enum]::ToObject([ConntrackPS.Conntrack.ConntrackStatus], 65540)
    @(Get-ConntrackEntry) + $odd | Select-Object SourceAddress, State, Status | Export-Csv $csv
    $rows = @(Import-Csv $csv)

    function Get-Source([string] $Line) {
        @(& ([scriptblock]::Create($Line)) | ForEach-Object SourceAddress | Sort-Object)
    }

    function Get-Listing {
        (ip netns exec $namespace conntrack -L -o id 2> $null) -replace '^(\w+ +\d+ )\d+' | Sort-Object
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Values of a file' {
    It 'are states and status bits of filters: row <_>' -ForEach 0, 1, 2 {
        $row = $rows[$_]
        if ($row.State) {
            (Get-ConntrackEntry -State $row.State).SourceAddress | Should -Be $row.SourceAddress
            (Get-ConntrackEntry -Protocol tcp -ExcludeState $row.State).SourceAddress | Should -Not -Be $row.SourceAddress
        }
        $row.Status | Should -Not -BeNullOrEmpty
        (Get-ConntrackEntry -Status $row.Status).SourceAddress | Should -Contain $row.SourceAddress
        (Get-ConntrackEntry -ExcludeStatus $row.Status).SourceAddress | Should -Not -Contain $row.SourceAddress
    }

    It 'can have no name: <Line>' -ForEach @(
        @{ Line = 'Get-ConntrackEntry -State $rows[-1].State'; Source = @() }
        @{ Line = 'Get-ConntrackEntry -State 140, SynSent'; Source = @('192.0.2.2') }
        @{ Line = 'Get-ConntrackEntry -ExcludeState 140'; Source = '192.0.2.1', '192.0.2.2', '192.0.2.9' }
        @{ Line = 'Get-ConntrackEntry -State ([Enum]::ToObject([ConntrackPS.Conntrack.ConntrackState], 140))'; Source = @() }
        @{ Line = 'Get-ConntrackEntry -Status $rows[-1].Status'; Source = @() }
        @{ Line = 'Get-ConntrackEntry -Status 65536'; Source = @() }
        @{ Line = 'Get-ConntrackEntry -Status 0x10000, Assured'; Source = @() }
        @{ Line = 'Get-ConntrackEntry -ExcludeStatus 65536'; Source = '192.0.2.1', '192.0.2.2', '192.0.2.9' }
        @{ Line = 'Get-ConntrackEntry -ExcludeStatus $rows[-1].Status'; Source = '192.0.2.2', '192.0.2.9' }
        @{ Line = 'Get-ConntrackEntry -Status ([Enum]::ToObject([ConntrackPS.Conntrack.ConntrackStatus], 65540))'; Source = @() }
        @{ Line = 'Get-ConntrackEntry | Where-Object State -eq 140'; Source = @() }
    ) {
        Get-Source $Line | Should -Be $Source
    }

    It 'match nothing for a cmdlet that deletes: <_>' -ForEach '-State 140', '-Status 65540' {
        $before = Get-Listing
        & ([scriptblock]::Create("Remove-ConntrackEntry $_"))
        Get-Listing | Should -Be $before
    }

    It 'are judged as new values by the kernel, not by the parameter: <_>' -ForEach @(
        'Set-ConntrackEntry -Protocol tcp -NewState 140'
        'Set-ConntrackEntry -Protocol udp -NewState 140'
        'Set-ConntrackEntry -Protocol tcp -NewState 131'
        'Set-ConntrackEntry -Protocol tcp -SetStatus 65536'
        'New-ConntrackEntry -Protocol tcp -SourceAddress 192.0.2.77 -SourcePort 1 -DestinationAddress 192.0.2.78 -DestinationPort 2 -State 140'
        'New-ConntrackEntry -Protocol tcp -SourceAddress 192.0.2.77 -SourcePort 1 -DestinationAddress 192.0.2.78 -DestinationPort 2 -State SynSent -Status 65536'
    ) {
        $before = Get-Listing
        $failures = @(try { & ([scriptblock]::Create($_)) 2>&1 } catch { $_ })
        $failures.Count | Should -BeGreaterThan 0
        foreach ($failure in $failures) {
            $failure | Should -BeOfType ([System.Management.Automation.ErrorRecord])
            $failure.FullyQualifiedErrorId | Should -Not -BeLike 'Parameter*'
        }
        Get-Listing | Should -Be $before
    }

    It 'are refused if they are neither: <Line>' -ForEach @(
        foreach ($value in 'Bad', '3', '128', '256', '-1', 'Established,Bad') {
            @{ Line = "Get-ConntrackEntry -State '$value'"; Parameter = 'State'; Accepted = 'SynSent, SynRecv, Established' }
            @{ Line = "Set-ConntrackEntry -Protocol tcp -NewState '$value'"; Parameter = 'NewState'; Accepted = 'SynSent, SynRecv, Established' }
            @{ Line = "Remove-ConntrackEntry -SourceAddress 192.0.2.1 -ExcludeState '$value'"; Parameter = 'ExcludeState'; Accepted = 'SynSent, SynRecv, Established' }
        }
        foreach ($value in 'Bad', '0', '4', '0x6', '-4', '4294967296', 'Assured,Bad') {
            @{ Line = "Remove-ConntrackEntry -Status '$value'"; Parameter = 'Status'; Accepted = 'Expected, SeenReply, Assured' }
            @{ Line = "Set-ConntrackEntry -Protocol tcp -SetStatus '$value'"; Parameter = 'SetStatus'; Accepted = 'Expected, SeenReply, Assured' }
        }
    ) {
        $before = Get-Listing
        $failure = try { & ([scriptblock]::Create($Line)) } catch { $_ }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        "$failure" | Should -BeLike "*'$Parameter'*Write *$Accepted*"
        Get-Listing | Should -Be $before
    }
}
