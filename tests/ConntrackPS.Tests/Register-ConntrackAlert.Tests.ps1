BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    function Get-Alert {
        @(Get-Event ctps-alert -ErrorAction Ignore).SourceEventArgs.Alert
    }

    <# Gives the engine the time that it takes to run actions. #>
    function Wait-Action([scriptblock] $Condition, [string] $Problem) {
        Wait-Until { $null = Wait-Event -SourceIdentifier never -Timeout 0; & $Condition } $Problem -Seconds 60
    }
}

Describe 'Register-ConntrackAlert' {
    BeforeAll {
        $namespace = New-TestNamespace
        $maximum = [int] (Invoke-InNamespace $namespace cat /proc/sys/net/netfilter/nf_conntrack_max)
        $register = @{ NetworkNamespace = $namespace; SourceIdentifier = 'ctps-alert'; Interval = 1 }
        # The maximum is the machine's. So the limits are small, and a few entries pass them.
        $above = 100 * 30 / $maximum
        $below = 100 * 10 / $maximum
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F
    }

    AfterEach {
        Unregister-Event ctps-alert -ErrorAction SilentlyContinue
        Get-Event ctps-alert -ErrorAction SilentlyContinue | Remove-Event
        Get-Job ctps-alert -ErrorAction SilentlyContinue | Remove-Job -Force
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'raises the fill above a limit, and clears it below the lower one' {
        Register-ConntrackAlert @register -FillAbove $above -FillBelow $below | Should -BeNullOrEmpty
        $source = (Get-EventSubscriber ctps-alert).SourceObject
        Add-KernelLine $namespace (New-ManyLine 40)
        Wait-Until { (Get-Alert).Count -eq 1 } 'no alert came'
        $raised = (Get-Alert)[0]
        $raised.State, $raised.Kind, $raised.Namespace | Should -Be 'Raised', 'Fill', $namespace
        $raised.Evidence | Should -BeLike "40 of $maximum entries, * %, above * %"
        $raised.Limit | Should -Be $above
        $source.Active | Should -HaveCount 1
        # Between the limits it stays raised.
        $null = Invoke-InNamespace $namespace conntrack -F
        Add-KernelLine $namespace (New-ManyLine 20)
        $alive = Get-Alert
        Wait-Until { (Get-Alert).Count -eq 2 -or (Get-KernelCount $namespace) -eq 20 } 'the table is not as it should be'
        $null = Invoke-InNamespace $namespace conntrack -F
        Wait-Until { @(Get-Alert)[-1].State -eq 'Cleared' } 'it was not cleared'
        Wait-Until { $source.Active.Count -eq 0 } 'it is still active'
        $alive | Should -HaveCount 1
    }

    It 'runs an action, which has the alert, the message data and the source' {
        $seen = [System.Collections.Generic.List[object]]::new()
        Add-KernelLine $namespace (New-ManyLine 40)
        $job = Register-ConntrackAlert @register -FillAbove $above -MessageData $seen -Action {
            $Event.MessageData.Add([pscustomobject]@{ Alert = $EventArgs.Alert; Source = $Sender; Exception = $EventArgs.Exception })
        }
        $job | Should -BeOfType System.Management.Automation.PSEventJob
        Wait-Action { $seen.Count -eq 1 } 'the action did not run'
        "$($seen[0].Alert)" | Should -BeLike "Raised Fill in $($namespace): 40 of *"
        $seen[0].Source.RaisedCount | Should -Be 1
        $seen[0].Exception | Should -BeNullOrEmpty
    }

    It 'raises a finding that appears, and clears it when it is gone' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
        Register-ConntrackAlert @register -Finding AccountingOff
        Wait-Until { (Get-Alert).Count -eq 1 } 'no alert came'
        (Get-Alert).Finding, (Get-Alert).Evidence | Should -Be 'AccountingOff', 'nf_conntrack_acct is 0.'
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1
        Wait-Until { @(Get-Alert)[-1].State -eq 'Cleared' } 'it was not cleared'
    }

    It 'takes what is only information by name, and not by a pattern' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
        Register-ConntrackAlert @register -Finding Accounting*, EventsAuto
        Wait-Until { (Get-Alert).Count -ge 1 } 'no alert came'
        (Get-Alert).Finding | Should -Be 'EventsAuto'
    }

    It 'goes on when a namespace is deleted and created again' {
        $gone = New-TestNamespace
        Register-ConntrackAlert ctps-alert -Interval 1 -FillAbove $above -Drop -NetworkNamespace $gone, $namespace
        Invoke-Program ip netns delete $gone
        Wait-Until { (Get-Alert).Count -eq 1 } 'no alert came'
        (Get-Alert).Kind, (Get-Alert).State, (Get-Alert).Namespace | Should -Be 'Reading', 'Raised', $gone
        Add-KernelLine $namespace (New-ManyLine 40)
        Wait-Until { (Get-Alert).Count -eq 2 } 'the other namespace is not watched'
        Invoke-Program ip netns add $gone
        Wait-Until { (Get-Alert).Count -eq 3 } 'it was not seen again'
        (Get-Alert)[2].Kind, (Get-Alert)[2].State, (Get-Alert)[2].Namespace | Should -Be 'Reading', 'Cleared', $gone
        Remove-TestNamespace $gone
    }

    It 'ends after -MaxTriggerCount' {
        Add-KernelLine $namespace (New-ManyLine 40)
        Register-ConntrackAlert @register -FillAbove $above -Finding EventsAuto -MaxTriggerCount 1
        Wait-Until { -not (Get-EventSubscriber ctps-alert -ErrorAction Ignore) } 'it is still subscribed'
        @(Get-Event ctps-alert).Count | Should -Be 1
    }

    It 'is refused with the reason: <Command>' -ForEach @(
        @{ Command = ''; Id = 'InvalidThreshold'; Message = '*-FillAbove*-Drop*-Finding*' }
        @{ Command = '-FillBelow 50'; Id = 'InvalidThreshold'; Message = '*-FillBelow works with -FillAbove*' }
        @{ Command = '-FillAbove 70 -FillBelow 80'; Id = 'InvalidThreshold'; Message = '*-FillBelow 80 is above -FillAbove 70*' }
        @{ Command = '-Drop -FillBelow 5'; Id = 'InvalidThreshold'; Message = '*-FillAbove*' }
        @{ Command = '-Finding Nonsense'; Id = 'FindingNotKnown'; Message = "*no finding 'Nonsense'*HalfOpenFlood*" }
        @{ Command = '-Finding Table*, Nonsense*'; Id = 'FindingNotKnown'; Message = "*'Nonsense*" }
        @{ Command = '-Drop -Action { } -Forward'; Id = 'ForwardWithAction'; Message = '*' }
        @{ Command = '-Drop -NetworkNamespace nowhere'; Id = 'NetworkNamespaceNotFound'; Message = '*nowhere*' }
        @{ Command = '-FillAbove 101'; Id = 'ParameterArgumentValidationError'; Message = '*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Register-ConntrackAlert ctps-alert $Command")) })
        $failure.Count | Should -Be 1
        ($failure.FullyQualifiedErrorId -split ',')[0] | Should -Be $Id
        "$failure" | Should -BeLike $Message
        Get-EventSubscriber ctps-alert -ErrorAction Ignore | Should -BeNullOrEmpty
    }

    It 'refuses a name that is taken' {
        Register-ConntrackAlert @register -Drop
        (Get-Failure { Register-ConntrackAlert @register -Drop }).FullyQualifiedErrorId | Should -BeLike 'SubscriberExists*'
        @(Get-EventSubscriber ctps-alert).Count | Should -Be 1
    }

    It 'completes the names of findings' {
        $line = 'Register-ConntrackAlert -Finding Half'
        ([System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null)).CompletionMatches.CompletionText | Should -Be 'HalfOpenFlood'
    }
}
