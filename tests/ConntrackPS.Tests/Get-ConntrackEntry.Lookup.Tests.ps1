BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace ([ordered]@{
            web4  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'
            zone4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state SYN_SENT -w 5'
            dns6  = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
            ping4 = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
            gre4  = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
        })
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Get-ConntrackEntry -Exact' {
    It 'finds <Name> by its tuple, in one zone' -ForEach @(
        @{ Name = 'web4'; With = @{ Protocol = 'tcp'; SourceAddress = '192.0.2.1'; SourcePort = 40001; DestinationAddress = '198.51.100.7'; DestinationPort = 80 } }
        @{ Name = 'web4'; With = @{ Protocol = 'tcp'; SourceAddress = '198.51.100.7'; SourcePort = 80; DestinationAddress = '192.0.2.1'; DestinationPort = 40001 } }
        @{ Name = 'zone4'; With = @{ Protocol = 'tcp'; SourceAddress = '192.0.2.1'; SourcePort = 40001; DestinationAddress = '198.51.100.7'; DestinationPort = 80; Zone = 5 } }
        @{ Name = 'dns6'; With = @{ Protocol = 'udp'; SourceAddress = '2001:db8::1'; SourcePort = 2001; DestinationAddress = '2001:db8:1::53'; DestinationPort = 53 } }
        @{ Name = 'ping4'; With = @{ Protocol = 'icmp'; SourceAddress = '192.0.2.3'; DestinationAddress = '198.51.100.7'; IcmpType = 8; IcmpCode = 0; IcmpId = 4660 } }
        @{ Name = 'gre4'; With = @{ Protocol = 'gre'; SourceAddress = '192.0.2.6'; DestinationAddress = '198.51.100.6'; GreSourceKey = 80; GreDestinationKey = 81 } }
    ) {
        $found = @(Get-ConntrackEntry -NetworkNamespace $namespace -Exact @With)
        Resolve-EntryName $namespace $found | Should -Be $Name
    }

    It 'says that there is none' {
        $failure = Get-Failure { Get-ConntrackEntry -NetworkNamespace $namespace -Exact -Protocol udp -SourceAddress 192.0.2.1 -SourcePort 1 -DestinationAddress 192.0.2.2 -DestinationPort 2 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        $failure.CategoryInfo.Category | Should -Be 'ObjectNotFound'
    }

    It 'refuses a tuple that is not whole' {
        $failure = Get-Failure { Get-ConntrackEntry -NetworkNamespace $namespace -Exact -Protocol udp -SourceAddress 192.0.2.0/24 -DestinationAddress 192.0.2.2 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InexactTuple,*'
    }
}

Describe 'Get-ConntrackEntry of objects' {
    It 'looks each up again' {
        $old = Get-ConntrackEntry -NetworkNamespace $namespace -Zone 5
        Set-ConntrackEntry -NetworkNamespace $namespace -Zone 5 -NewMark 77
        (Get-KernelEntry $namespace | Where-Object Zone -EQ 5).Mark | Should -Be 77
        ($old | Get-ConntrackEntry).Mark | Should -Be 77
        $old | Export-Clixml TestDrive:/old.xml
        (Import-Clixml TestDrive:/old.xml | Get-ConntrackEntry).Mark | Should -Be 77
    }
}

Describe 'Get-ConntrackEntry -Table' {
    It 'reads the lists that are normally empty' {
        Get-ConntrackEntry -NetworkNamespace $namespace -Table Dying | Should -BeNullOrEmpty
        Get-ConntrackEntry -NetworkNamespace $namespace -Table Unconfirmed | Should -BeNullOrEmpty
        @(Get-ConntrackEntry -NetworkNamespace $namespace -Table Main).Count | Should -Be 5
    }
}
