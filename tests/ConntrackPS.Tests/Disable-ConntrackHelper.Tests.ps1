BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $namespace = New-TestNamespace
    $other = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace }
    @'
table inet filter {
    ct helper std-tftp { type "tftp" protocol udp; }
    chain prerouting {
        type filter hook prerouting priority 0;
        udp dport 69 ct helper set "std-tftp"
    }
}
'@ | Set-Content "$TestDrive/rules.nft"
    Invoke-InNamespace $namespace nft -f "$TestDrive/rules.nft"
    $before = Invoke-InNamespace $namespace nft -a list ruleset

    function Get-Table([string] $Namespace = $namespace) {
        @(Invoke-InNamespace $Namespace nft list tables) -match 'conntrackps' -replace '^table inet '
    }
}

AfterAll {
    Get-ConntrackRule -NetworkNamespace $namespace, $other | Remove-ConntrackRule
    Remove-TestNamespace $namespace, $other
}

Describe 'Disable-ConntrackHelper' {
    BeforeEach {
        $ftp = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 @here
        $second = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.2 @here
        $tftp = Enable-ConntrackHelper tftp -DestinationAddress 192.0.2.1 @here
        $null = $second
    }

    AfterEach {
        Get-ConntrackRule @here | Remove-ConntrackRule
        Invoke-InNamespace $namespace nft -a list ruleset | Should -Be $before
    }

    It 'removes all rules of the helper, and no others' {
        Disable-ConntrackHelper FTP @here | Should -BeNullOrEmpty
        Get-Table | Should -Be $tftp.Name
    }

    It 'emits the removed rules with -PassThru' {
        (Disable-ConntrackHelper ftp -PassThru @here).Name | Should -Be $ftp.Name, $second.Name
    }

    It 'names the rules of others that attach the helper, and keeps them' {
        Disable-ConntrackHelper tftp @here -WarningVariable said -WarningAction SilentlyContinue
        "$said" | Should -Match '^The helper tftp is still attached by rules that this command does not remove: inet filter prerouting handle \d+\.$'
        (Get-ConntrackHelper tftp @here).RuleCount | Should -Be 1
    }

    It 'names the rules of other processes, which end with these' {
        $said = Invoke-Child {
            Disable-ConntrackHelper ftp -NetworkNamespace $Namespace -WarningVariable said -WarningAction SilentlyContinue -ErrorVariable failure -ErrorAction SilentlyContinue
            "$said", $failure.FullyQualifiedErrorId
        } -Namespace $namespace
        $said[0] | Should -BeLike "*$($ftp.Name) of process $PID; $($second.Name) of process $PID.*"
        $said[1] | Should -Be 'HelperNotEnabled,ConntrackPS.Commands.DisableConntrackHelperCommand'
        @(Get-Table).Count | Should -Be 3
    }

    It 'says that a helper is not enabled, and continues' {
        Disable-ConntrackHelper irc, ftp @here -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure.FullyQualifiedErrorId | Should -Be 'HelperNotEnabled,ConntrackPS.Commands.DisableConntrackHelperCommand'
        $failure[0].CategoryInfo.Category | Should -Be ObjectNotFound
        "$($failure[0])" | Should -BeLike "*Get-ConntrackHelper 'irc'*"
        Get-Table | Should -Be $tftp.Name
    }

    It 'refuses an unknown name' {
        Disable-ConntrackHelper nosuch @here -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure.FullyQualifiedErrorId | Should -Be 'HelperNotFound,ConntrackPS.Commands.DisableConntrackHelperCommand'
        @(Get-Table).Count | Should -Be 3
    }

    It 'takes wildcards, and then no rule is no error' {
        Disable-ConntrackHelper * @here -WarningAction SilentlyContinue
        Get-Table | Should -BeNullOrEmpty
        Disable-ConntrackHelper x* @here
    }

    It 'takes helpers from the pipeline, in their namespace' {
        $null = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -NetworkNamespace $other
        Get-ConntrackHelper ftp -NetworkNamespace $other | Disable-ConntrackHelper
        Get-Table $other | Should -BeNullOrEmpty
        @(Get-Table).Count | Should -Be 3
    }

    It 'changes nothing with -WhatIf' {
        Disable-ConntrackHelper ftp -WhatIf @here
        @(Get-Table).Count | Should -Be 3
    }
}
