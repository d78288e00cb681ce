BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        zone4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        ping4 = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 1'
        web6  = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        zone6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        ping6 = '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 1'
    }
}

Describe 'Clear-ConntrackTable' {
    BeforeAll {
        $namespace = New-TestNamespace
        $other = New-TestNamespace $table
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterEach {
        Get-KernelCount $other | Should -Be $table.Count
    }

    AfterAll {
        Remove-TestNamespace $namespace, $other
    }

    It 'empties the table of the namespace' {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'empties an empty table' {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'removes only <Family>, in every zone' -ForEach @(
        @{ Family = 'IPv4'; Left = 'ping6', 'web6', 'zone6' }
        @{ Family = 'IPv6'; Left = 'ping4', 'web4', 'zone4' }
    ) {
        Clear-ConntrackTable -AddressFamily $Family -NetworkNamespace $namespace -Confirm:$false | Should -BeNullOrEmpty
        Get-KernelName $namespace | Should -Be $Left
    }

    It 'takes a namespace by <Way>' -ForEach @(
        @{ Way = 'path'; Name = { "/run/netns/$namespace" } }
        @{ Way = 'process id'; Name = { Start-NamespaceProcess $namespace } }
    ) {
        Clear-ConntrackTable -AddressFamily IPv6 -NetworkNamespace (& $Name) -Confirm:$false
        Get-KernelName $namespace | Should -Be 'ping4', 'web4', 'zone4'
    }

    It 'empties its own table without the parameter' {
        $said = Invoke-Child -Prefix ip, netns, exec, $namespace { Clear-ConntrackTable -Confirm:$false }
        $said | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'asks without -Confirm:$false, says what it would do with -WhatIf, and does nothing' {
        (Get-Command Clear-ConntrackTable).ImplementingType.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false).ConfirmImpact |
            Should -Be 'High'
        $said = Invoke-Child -Namespace $namespace -Answer n, n, n {
            'whatif:'
            Clear-ConntrackTable -WhatIf -NetworkNamespace $Namespace
            Clear-ConntrackTable -WhatIf -AddressFamily IPv6 -NetworkNamespace $Namespace
            'asks:'
            Clear-ConntrackTable -NetworkNamespace $Namespace
            Clear-ConntrackTable -AddressFamily IPv4 -NetworkNamespace $Namespace
        }
        Get-KernelName $namespace | Should -Be ($table.Keys | Sort-Object)
        $said | Should -Contain "What if: Performing the operation `"Remove`" on target `"all entries of network namespace $namespace`"."
        $said | Should -Contain "What if: Performing the operation `"Remove`" on target `"all IPv6 entries of network namespace $namespace`"."
        # The host wraps the question.
        $asked = ("$said" -split 'asks:')[1] -replace '\s+', ' '
        $asked | Should -BeLike "*Are you sure*`"all entries of network namespace $namespace`"*Are you sure*`"all IPv4 entries of network namespace $namespace`"*"
    }

    It 'does it when the answer is yes' {
        $null = Invoke-Child -Namespace $namespace -Answer y { Clear-ConntrackTable -AddressFamily IPv4 -NetworkNamespace $Namespace }
        Get-KernelName $namespace | Should -Be 'ping6', 'web6', 'zone6'
    }

    It 'takes no pipeline and no positional argument' {
        (Get-Failure { Get-ConntrackEntry -NetworkNamespace $namespace | Clear-ConntrackTable -Confirm:$false -NetworkNamespace $namespace -ErrorAction Stop }).FullyQualifiedErrorId |
            Should -Be 'NoPipelineInput,ConntrackPS.Commands.ClearConntrackTableCommand'
        (Get-Failure { Clear-ConntrackTable $namespace -Confirm:$false }).FullyQualifiedErrorId |
            Should -Be 'PositionalParameterNotFound,ConntrackPS.Commands.ClearConntrackTableCommand'
        Get-KernelCount $namespace | Should -Be $table.Count
    }
}
