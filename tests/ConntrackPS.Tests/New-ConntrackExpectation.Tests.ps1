BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force
    $namespace = New-TestNamespace
    $other = New-TestNamespace
    $global:PSDefaultParameterValues['*-ConntrackExpectation:NetworkNamespace'] = $namespace
    $master = New-Master $namespace
    $six = New-Master $namespace -IPv6
    $new = @{ SourceAddress = '198.51.100.7'; DestinationAddress = '192.0.2.1'; DestinationPort = 5000; Master = $master }
}

AfterAll {
    Remove-TestNamespace $namespace, $other
}

Describe 'New-ConntrackExpectation' {
    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F expect
    }

    It 'makes what was said' {
        New-ConntrackExpectation 198.51.0.0/16 192.0.2.1 -DestinationPort 5000 -SourcePort 20 -Flag Permanent -Timeout 90 -Master $master |
            Should -BeNullOrEmpty
        $made = Get-KernelExpectation $namespace
        "$($made.SourceAddress) $($made.SourceMask) $($made.SourcePort) $($made.SourcePortMask) $($made.DestinationPort)" |
            Should -Be '198.51.0.0 255.255.0.0 20 65535 5000'
        $made.Flags | Should -Be 'PERMANENT'
        $made.TimeoutSeconds | Should -BeGreaterThan 60
        $made.TimeoutSeconds | Should -BeLessOrEqual 90
    }

    It 'takes a mask that is no prefix' {
        New-ConntrackExpectation @new -SourceMask 0.0.0.255 -SourcePort 256 -SourcePortMask 0xff00
        $made = Get-KernelExpectation $namespace
        "$($made.SourceMask) $($made.SourcePortMask)" | Should -Be '0.0.0.255 65280'
    }

    It 'takes the master from the pipeline, and emits the kernel''s view with -PassThru' {
        $made = $six | New-ConntrackExpectation ::/0 2001:db8::1 -DestinationPort 5003 -PassThru
        $made.Helper | Should -Be 'ftp'
        $made.TimeoutSeconds | Should -BeIn 299, 300
        $made.Id | Should -Not -BeNullOrEmpty
        Get-KernelPort $namespace | Should -Be 5003
    }

    It 'makes expectations again, also in another namespace: <Way>' -ForEach @(
        @{ Way = 'live'; Convert = { $input } }
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/n.xml; Import-Clixml TestDrive:/n.xml } }
        @{ Way = 'Export-Csv'; Convert = { $input | Export-Csv TestDrive:/n.csv; Import-Csv TestDrive:/n.csv } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
    ) {
        New-ConntrackExpectation @new -Flag Permanent -Timeout 2h -Function nat-follow-master -NatAddress 10.0.0.7 -NatPort 99 -NatDirection Reply
        $six | New-ConntrackExpectation 2001:db8:1::/64 2001:db8::1 -DestinationPort 5003
        $before = @(Get-ConntrackExpectation | Sort-Object DestinationPort)
        $saved = @($before | & $Convert)
        Clear-ConntrackTable -Expectation -Confirm:$false -NetworkNamespace $namespace
        $saved | New-ConntrackExpectation
        $after = @(Get-ConntrackExpectation | Sort-Object DestinationPort)
        $after.Count | Should -Be 2
        foreach ($name in $before[0].PSObject.Properties.Name | Where-Object { $_ -notin 'Id', 'TimeoutSeconds' }) {
            "$($after.$name)" | Should -Be "$($before.$name)" -Because $name
        }
        $after[0].TimeoutSeconds | Should -BeGreaterThan 7000

        $null = Clear-ConntrackTable -NetworkNamespace $other -Confirm:$false
        $null = New-Master $other
        $saved[0] | New-ConntrackExpectation -NetworkNamespace $other -DestinationPort 6000
        Get-KernelPort $other | Should -Be 6000
    }

    It 'renews the timeout of an equal one with -Force' {
        New-ConntrackExpectation @new
        New-ConntrackExpectation @new -Timeout 1000 -Force
        (Get-KernelExpectation $namespace).TimeoutSeconds | Should -BeGreaterThan 900
    }

    It 'makes nothing with -WhatIf' {
        New-ConntrackExpectation @new -WhatIf
        Get-KernelPort $namespace | Should -BeNullOrEmpty
    }

    It 'says what is wrong and what to do: <Id>' -ForEach @(
        @{ Id = 'ExpectationExists'; Category = 'ResourceExists'; Remedy = '-Force'; Change = @{} }
        @{ Id = 'ExpectationClashes'; Category = 'ResourceBusy'; Remedy = 'remove it first'; Change = @{ SourceAddress = '0.0.0.0/0' } }
        @{ Id = 'MasterNotFound'; Category = 'ObjectNotFound'; Remedy = 'Get-ConntrackEntry'; Change = @{ Zone = 7; DestinationPort = 5001 } }
        @{ Id = 'InvalidExpectation'; Category = 'InvalidArgument'; Remedy = '-Function'; Change = @{ Function = 'no-such'; DestinationPort = 5001 } }
        @{ Id = 'InvalidExpectation'; Category = 'InvalidArgument'; Remedy = '-Class'; Change = @{ Class = 9; Helper = 'ftp'; DestinationPort = 5001 } }
        @{ Id = 'InvalidExpectation'; Category = 'InvalidArgument'; Remedy = 'family'; Change = @{ SourceAddress = '2001:db8::1'; DestinationPort = 5001 } }
    ) {
        New-ConntrackExpectation @new
        $arguments = $new + @{}
        $Change.Keys | ForEach-Object { $arguments[$_] = $Change[$_] }
        $failure = Get-Failure { New-ConntrackExpectation @arguments }
        $failure.FullyQualifiedErrorId | Should -BeLike "$Id,*"
        $failure.CategoryInfo.Category | Should -Be $Category
        "$failure" | Should -BeLike "*$Remedy*"
        Get-KernelPort $namespace | Should -Be 5000
    }

    It 'says that a master has no helper' {
        Add-KernelEntry $namespace @{ plain = '-s 192.0.2.9 -d 198.51.100.7 -p tcp --sport 9 --dport 21 --state ESTABLISHED' }
        $failure = Get-Failure { Get-ConntrackEntry 192.0.2.9 -NetworkNamespace $namespace | New-ConntrackExpectation 198.51.100.7 192.0.2.9 -DestinationPort 5000 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'MasterWithoutHelper,*'
        "$failure" | Should -BeLike '*record 1*ct helper*'
    }

    It 'names all that is missing at once: <Expected>' -ForEach @(
        @{ Command = { New-ConntrackExpectation }; Expected = 'Master, SourceAddress, DestinationAddress, DestinationPort' }
        @{ Command = { New-ConntrackExpectation 198.51.100.7 -Protocol esp }; Expected = 'Master, DestinationAddress' }
        @{ Command = { New-ConntrackExpectation -Master $master }; Expected = 'SourceAddress, DestinationAddress, DestinationPort' }
        @{ Command = { $master | New-ConntrackExpectation -Destination 192.0.2.1 }; Expected = 'SourceAddress, DestinationPort' }
        @{ Command = { $master, $six | ConvertTo-Csv | ConvertFrom-Csv | New-ConntrackExpectation -DPort 7 }; Expected = 'SourceAddress, DestinationAddress'; Objects = 2 }
    ) {
        $failure = @(Get-Failure $Command)
        $failure.FullyQualifiedErrorId | Should -Match '^MissingMandatoryParameter'
        "$($failure[0])" | Should -BeLike "*missing mandatory parameters: $Expected. Add -$($Expected -replace ', ', ', -')."
        $failure.Count | Should -BeLessOrEqual 2
        Get-KernelPort $namespace | Should -BeNullOrEmpty
    }

    It 'asks for what is missing: <Missing>' -ForEach @(
        @{ Missing = 'Master' }, @{ Missing = 'SourceAddress' }, @{ Missing = 'DestinationAddress' }, @{ Missing = 'DestinationPort' }
    ) {
        $arguments = $new + @{}
        $arguments.Remove($Missing)
        $failure = Get-Failure { New-ConntrackExpectation @arguments }
        $failure.FullyQualifiedErrorId | Should -BeLike 'MissingMandatoryParameter,*'
        "$failure" | Should -BeLike "*-$Missing*"
        Get-KernelPort $namespace | Should -BeNullOrEmpty
    }

    It 'continues after a bad record' {
        New-ConntrackExpectation @new
        $saved = Get-ConntrackExpectation
        Clear-ConntrackTable -Expectation -Confirm:$false -NetworkNamespace $namespace
        $failure = Get-Failure { [pscustomobject]@{ SourceMask = '255.0.0.0' }, $saved | New-ConntrackExpectation -ErrorAction Continue }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidExpectation,*'
        "$failure" | Should -BeLike '*record 1*'
        Get-KernelPort $namespace | Should -Be 5000
    }

    It 'says that there are as many as may be' {
        $maximum = [int] (Get-Content /proc/sys/net/netfilter/nf_conntrack_expect_max)
        $count = [Math]::Ceiling($maximum / 8) + 1
        Clear-ConntrackTable -NetworkNamespace $other -Confirm:$false
        $irc = 1..$count | ForEach-Object { [pscustomobject]@{ Protocol = 'tcp'; SourceAddress = '192.0.2.1'; SourcePort = $_; DestinationAddress = '198.51.100.7'; DestinationPort = 6667; State = 'Established'; TimeoutSeconds = 600; Helper = 'irc' } } |
            New-ConntrackEntry -NetworkNamespace $other -PassThru
        $made = foreach ($i in 0..($maximum - 1)) {
            [pscustomobject]@{ Protocol = 'tcp'; SourceAddress = '198.51.100.7'; SourcePort = 0; SourceMask = '255.255.255.255'; DestinationAddress = '192.0.2.1'; DestinationPort = $i + 1
                MasterProtocol = 'tcp'; MasterSourceAddress = '192.0.2.1'; MasterSourcePort = 1 + [Math]::Floor($i / 8); MasterDestinationAddress = '198.51.100.7'; MasterDestinationPort = 6667 }
        }
        $made | New-ConntrackExpectation -NetworkNamespace $other
        $failure = Get-Failure { $irc[-1] | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 60000 -NetworkNamespace $other }
        $failure.FullyQualifiedErrorId | Should -BeLike 'TooManyExpectations,*'
        "$failure" | Should -BeLike '*ExpectationMaximum*'
    }
}
