BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force

    $namespace = New-TestNamespace
    $masters = 1000..1002 | ForEach-Object { New-Master $namespace -SourcePort $_ }
    $six = New-Master $namespace -IPv6
    $zoned = New-Master $namespace -Zone 5
    $masters[0] | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
    $masters[1] | New-ConntrackExpectation 198.51.100.0/24 192.0.2.1 -DestinationPort 5001 -SourcePort 20 -Flag Permanent, Inactive -Timeout 1h
    $masters[2] | New-ConntrackExpectation 0.0.0.0/0 192.0.2.1 -DestinationPort 5002 -Protocol udp -Function nat-follow-master -NatAddress 10.0.0.7 -NatPort 99 -NatDirection Reply
    $six | New-ConntrackExpectation 2001:db8:1::/64 2001:db8::1 -DestinationPort 5003
    $zoned | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
    $global:PSDefaultParameterValues['Get-ConntrackExpectation:NetworkNamespace'] = $namespace
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Get-ConntrackExpectation' {
    It 'lists what conntrack lists: <Name>' -ForEach (
        'SourceAddress', 'DestinationAddress', 'SourcePort', 'DestinationPort', 'SourceMask', 'SourcePortMask', 'MasterSourceAddress',
        'MasterSourcePort', 'MasterDestinationPort', 'Class', 'Helper' | ForEach-Object { @{ Name = $_ } }
    ) {
        $ours = @(Get-ConntrackExpectation)
        $ours.Count | Should -Be 5
        $ours | ForEach-Object { "$($_.$Name)" } | Sort-Object | Should -Be (Get-KernelExpectation $namespace | ForEach-Object { "$($_.$Name)" } | Sort-Object)
    }

    It 'shows flags, timeout, translation, function, zone and id' {
        $permanent = Get-ConntrackExpectation -DestinationPort 5001
        $permanent.Flags | Should -Be 'Permanent, Inactive'
        (Get-KernelExpectation $namespace | Where-Object DestinationPort -EQ 5001).Flags | Should -Be 'PERMANENT,INACTIVE'
        $permanent.TimeoutSeconds | Should -BeGreaterThan 3500
        $permanent.TimeoutSeconds | Should -BeLessOrEqual 3600
        $translated = Get-ConntrackExpectation -DestinationPort 5002
        "$($translated.Function) $($translated.NatAddress) $($translated.NatPort) $($translated.NatDirection)" | Should -Be 'nat-follow-master 10.0.0.7 99 Reply'
        (Get-ConntrackExpectation).Id | Select-Object -Unique | Should -HaveCount 5
        (Get-ConntrackExpectation).Zone | Sort-Object | Should -Be 0, 0, 0, 0, 5
        (Get-ConntrackExpectation).Namespace | Select-Object -Unique | Should -Be $namespace
    }

    It 'filters: <Filter>' -ForEach @(
        @{ Filter = @{ SourceAddress = '198.51.100.0/25' }; Ports = 5000, 5000, 5001 }
        @{ Filter = @{ DestinationAddress = '2001:db8::/32' }; Ports = @(5003) }
        @{ Filter = @{ DestinationPort = '5001-5003' }; Ports = 5001, 5002, 5003 }
        @{ Filter = @{ SourcePort = 20 }; Ports = @(5001) }
        @{ Filter = @{ Protocol = 'udp' }; Ports = @(5002) }
        @{ Filter = @{ Helper = 'ftp'; AddressFamily = 'IPv6' }; Ports = @(5003) }
        @{ Filter = @{ Helper = 'sip' }; Ports = @() }
        @{ Filter = @{ MasterSourceAddress = '192.0.2.1'; Zone = 0 }; Ports = 5000, 5001, 5002 }
        @{ Filter = @{ MasterDestinationAddress = '2001:db8:1::7' }; Ports = @(5003) }
        @{ Filter = @{ Zone = 5 }; Ports = @(5000) }
    ) {
        @(Get-ConntrackExpectation @Filter | ForEach-Object DestinationPort | Sort-Object) | Should -Be $Ports
    }

    It 'takes the connections that announced them from the pipeline, live or exported' {
        ($masters[1] | Get-ConntrackExpectation).DestinationPort | Should -Be 5001
        ($zoned | Get-ConntrackExpectation).Zone | Should -Be 5
        $masters[1], $six | Export-Csv TestDrive:/masters.csv
        (Import-Csv TestDrive:/masters.csv | Get-ConntrackExpectation).DestinationPort | Should -Be 5001, 5003
        (Get-ConntrackEntry -Helper ftp -NetworkNamespace $namespace | Get-ConntrackExpectation).Count | Should -Be 5
        (Get-Failure { 7 | Get-ConntrackExpectation }).FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
    }

    It 'takes a part of the tuple from the pipeline, and groups of masters: <Name>' -ForEach @(
        @{ Name = 'text'; Objects = { '198.51.100.7' }; Ports = 5000, 5000 }
        @{ Name = 'several texts, each expectation once'; Objects = { '198.51.100.0/24', '198.51.100.7', '2001:db8:1::/64' }; Ports = 5000, 5000, 5001, 5003 }
        @{ Name = 'rows of a CSV file'; Objects = { 'DestinationPort,Protocol', '5002,udp', '5003,udp', '5001,' | ConvertFrom-Csv }; Ports = 5001, 5002 }
        @{ Name = 'groups of Measure-ConntrackEntry'; Objects = { Measure-ConntrackEntry -GroupBy AddressFamily -NetworkNamespace $namespace | Where-Object AddressFamily -EQ IPv6 }; Ports = @(5003) }
        @{ Name = 'groups of Group-Object'; Objects = { Get-ConntrackEntry -NetworkNamespace $namespace | Group-Object AddressFamily | Where-Object Name -EQ IPv6 }; Ports = @(5003) }
    ) {
        @(& $Objects | Get-ConntrackExpectation).DestinationPort | Sort-Object | Should -Be $Ports
        (Get-Failure { 'nonsense' | Get-ConntrackExpectation }).FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
        (Get-Failure { [pscustomobject]@{ ReplySourceAddress = '192.0.2.1' } | Get-ConntrackExpectation }).FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
    }

    It 'shows with -Exact which one a connection would meet' {
        (Get-ConntrackExpectation 198.51.100.77 -SourcePort 20 -DestinationAddress 192.0.2.1 -DestinationPort 5001 -Protocol tcp -Exact).SourceAddress | Should -Be 198.51.100.0
        (Get-ConntrackExpectation 203.0.113.9 -DestinationAddress 192.0.2.1 -DestinationPort 5002 -Protocol udp -Exact).SourceMask | Should -Be 0.0.0.0
        (Get-Failure { Get-ConntrackExpectation 198.51.100.77 -DestinationAddress 192.0.2.1 -DestinationPort 5001 -Protocol tcp -Exact }).FullyQualifiedErrorId |
            Should -BeLike 'ExpectationNotFound,*'
        (Get-Failure { Get-ConntrackExpectation 198.51.100.77 -Exact }).FullyQualifiedErrorId | Should -BeLike 'InexactTuple,*'
    }

    It 'shows a table of one line each, and a list without empty values' {
        $lines = (Get-ConntrackExpectation -AddressFamily IPv4 | Out-String -Width 120).Trim() -split "`n"
        $lines.Count | Should -Be 6
        -split $lines[0] | Should -Be 'Protocol', 'SourceAddress', 'DestinationAddress', 'DPort', 'Helper', 'Timeout'
        (Get-ConntrackExpectation -DestinationPort 5000 | Format-List | Out-String) | Should -Not -Match '(?m)^\w+\s*:\s*$'
        (Get-ConntrackExpectation -Zone 5 | Format-Table -View Master | Out-String) | Should -Match '198\.51\.100\.7 +21'
    }

    It 'survives files with its enums' {
        Get-ConntrackExpectation -DestinationPort 5001, 5002 | Export-Clixml TestDrive:/expectations.xml
        (Import-Clixml TestDrive:/expectations.xml | Where-Object Flags -EQ 'Permanent, Inactive').DestinationPort | Should -Be 5001
        (Import-Clixml TestDrive:/expectations.xml | Where-Object NatDirection -EQ Reply).DestinationPort | Should -Be 5002
    }
}
