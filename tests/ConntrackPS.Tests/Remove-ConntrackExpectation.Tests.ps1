BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force
    $namespace = New-TestNamespace
    $global:PSDefaultParameterValues['*-ConntrackExpectation:NetworkNamespace'] = $namespace
    $global:PSDefaultParameterValues['Clear-ConntrackTable:NetworkNamespace'] = $namespace
    $masters = 1000..1002 | ForEach-Object { New-Master $namespace -SourcePort $_ }
    $six = New-Master $namespace -IPv6
    $zoned = New-Master $namespace -Zone 5
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Remove-ConntrackExpectation' {
    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F expect
        foreach ($i in 0..2) {
            $masters[$i] | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort (5000 + $i)
        }
        $six | New-ConntrackExpectation 2001:db8:1::/64 2001:db8::1 -DestinationPort 5003
        $zoned | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
        Get-KernelPort $namespace | Should -Be 5000, 5000, 5001, 5002, 5003
    }

    It 'removes what was piped and nothing else: <Way>' -ForEach @(
        @{ Way = 'live objects'; Convert = { $input } }
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/e.xml; Import-Clixml TestDrive:/e.xml } }
        @{ Way = 'Export-Csv'; Convert = { $input | Export-Csv TestDrive:/e.csv; Import-Csv TestDrive:/e.csv } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ Way = 'without a zone'; Convert = { $input | Select-Object * -ExcludeProperty Zone } }
    ) {
        Get-ConntrackExpectation | Where-Object { $_.DestinationPort -in 5001, 5003 -or $_.Zone -eq 5 } | & $Convert | Remove-ConntrackExpectation
        Get-KernelPort $namespace | Should -Be 5000, 5002
        (Get-ConntrackExpectation -DestinationPort 5000).Zone | Should -Be 0
    }

    It 'removes what a filter names: <Filter>' -ForEach @(
        @{ Filter = @{ Helper = 'ftp' }; Rest = @() }
        @{ Filter = @{ Helper = 'sip' }; Rest = 5000, 5000, 5001, 5002, 5003 }
        @{ Filter = @{ DestinationPort = '5001-5002' }; Rest = 5000, 5000, 5003 }
        @{ Filter = @{ AddressFamily = 'IPv6' }; Rest = 5000, 5000, 5001, 5002 }
        @{ Filter = @{ Zone = 5 }; Rest = 5000, 5001, 5002, 5003 }
    ) {
        Remove-ConntrackExpectation @Filter
        Get-KernelPort $namespace | Should -Be $Rest
    }

    It 'removes all of one master or of several' {
        Remove-ConntrackExpectation -Master $masters[0], $six
        Get-KernelPort $namespace | Should -Be 5000, 5001, 5002
        (Get-ConntrackExpectation -DestinationPort 5000).Zone | Should -Be 5
        $masters[1] | Get-ConntrackExpectation | Remove-ConntrackExpectation
        Get-KernelPort $namespace | Should -Be 5000, 5002
    }

    It 'refuses to remove what was not named: <Text>' -ForEach @(
        @{ Text = 'nothing'; Command = { Remove-ConntrackExpectation } }
        @{ Text = 'any address'; Command = { Remove-ConntrackExpectation 0.0.0.0/0 } }
        @{ Text = 'any port'; Command = { Remove-ConntrackExpectation -DestinationPort 0-65535 } }
        @{ Text = 'an empty variable'; Command = { Remove-ConntrackExpectation -Helper $null } }
        @{ Text = 'no master'; Command = { Remove-ConntrackExpectation -Master @() } }
        @{ Text = 'a number'; Command = { 7 | Remove-ConntrackExpectation } }
        @{ Text = 'an entry'; Command = { $masters[0] | Remove-ConntrackExpectation } }
        @{ Text = 'the master of one without a zone'; Command = { Remove-ConntrackExpectation -Master (Get-ConntrackExpectation -Zone 5 | Select-Object * -ExcludeProperty Zone) } }
        @{ Text = 'one that says nothing of masks, as text of /proc'; Command = { Get-ConntrackExpectation | Select-Object Protocol, *Address, *Port, SourceMask -ExcludeProperty Master* | Remove-ConntrackExpectation } }
        @{ Text = 'one without an id'; Command = { Get-ConntrackExpectation | Select-Object * -ExcludeProperty Id | Remove-ConntrackExpectation } }
    ) {
        Get-Failure $Command | Should -Not -BeNullOrEmpty
        Get-KernelPort $namespace | Should -Be 5000, 5000, 5001, 5002, 5003
    }

    It 'points to Clear-ConntrackTable -Expectation' {
        $failure = Get-Failure { Remove-ConntrackExpectation }
        $failure.FullyQualifiedErrorId | Should -BeLike 'NoFilter,*'
        "$failure" | Should -BeLike '*Clear-ConntrackTable -Expectation*'
    }

    It 'changes nothing with -WhatIf, emits with -PassThru, counts what was gone' {
        Get-ConntrackExpectation | Remove-ConntrackExpectation -WhatIf
        Remove-ConntrackExpectation -Helper ftp -WhatIf
        Get-KernelPort $namespace | Should -Be 5000, 5000, 5001, 5002, 5003
        $old = @(Get-ConntrackExpectation -DestinationPort 5001, 5002)
        ($old | Remove-ConntrackExpectation -PassThru).DestinationPort | Sort-Object | Should -Be 5001, 5002
        $old | Remove-ConntrackExpectation -PassThru | Should -BeNullOrEmpty
        ($old | Remove-ConntrackExpectation -Verbose 4>&1)[-1] | Should -Be '0 expectations removed, 2 already gone, 0 failed.'
    }
}

Describe 'Clear-ConntrackTable -Expectation' {
    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F expect
        $masters[0] | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
        $six | New-ConntrackExpectation 2001:db8:1::/64 2001:db8::1 -DestinationPort 5003
    }

    It 'removes expectations and no entries' {
        $count = Get-KernelCount $namespace
        Clear-ConntrackTable -Expectation -WhatIf
        Get-KernelPort $namespace | Should -Be 5000, 5003
        Clear-ConntrackTable -Expectation -AddressFamily IPv4 -Confirm:$false
        Get-KernelPort $namespace | Should -Be 5003
        Clear-ConntrackTable -Expectation -Confirm:$false
        Get-KernelPort $namespace | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be $count
    }
}
