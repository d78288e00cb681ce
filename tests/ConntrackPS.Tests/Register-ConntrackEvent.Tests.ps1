BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Gives the engine the time that it takes to run actions. #>
    function Wait-Action([scriptblock] $Condition, [string] $Problem) {
        Wait-Until { $null = Wait-Event -SourceIdentifier never -Timeout 0; & $Condition } $Problem -Seconds 60
    }
}

Describe 'Register-ConntrackEvent' {
    BeforeAll {
        $namespace = New-TestNamespace
        $register = @{ NetworkNamespace = $namespace; SourceIdentifier = 'ctps-test'; WarningAction = 'SilentlyContinue' }
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F
    }

    AfterEach {
        Unregister-Event ctps-test -ErrorAction SilentlyContinue
        Get-Event ctps-test -ErrorAction SilentlyContinue | Remove-Event
        Get-Job ctps-test -ErrorAction SilentlyContinue | Remove-Job -Force
        Wait-Until { -not (Test-Listening $namespace) } 'somebody still listens'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'queues events for Get-Event, in their order' {
        Register-ConntrackEvent @register -EventType New, Destroy | Should -BeNullOrEmpty
        Add-KernelLine $namespace (New-ManyLine 200)
        $null = Invoke-InNamespace $namespace conntrack -D -s 10.0.0.3
        Wait-Until { @(Get-Event ctps-test -ErrorAction Ignore).Count -eq 201 } 'not all events came'
        $events = (Get-Event ctps-test).SourceEventArgs.Event
        $events.Sequence | Should -Be (1..201)
        $events.SourceAddress[0..199] | Should -Be (0..199 | ForEach-Object { "10.0.0.$_" })
        $events[200].EventType, $events[200].SourceAddress | Should -Be 'Destroy', '10.0.0.3'
    }

    It 'runs an action, which has the event, the message data and the source' {
        $seen = [System.Collections.Generic.List[object]]::new()
        $job = Register-ConntrackEvent @register -EventType New -DestinationPort 80 -MessageData $seen -Action {
            $Event.MessageData.Add([pscustomobject]@{ From = $EventArgs.Event.SourceAddress; Source = $Sender; Number = $EventArgs.Events.Count })
        }
        $job | Should -BeOfType System.Management.Automation.PSEventJob
        Add-KernelLine $namespace "-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED", '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 1 --dport 53', "-s 2001:db8::1 -d 2001:db8::2 -p tcp --sport 1 --dport 80 --state ESTABLISHED"
        Wait-Action { $seen.Count -eq 2 } 'the action did not run'
        $seen.From | Should -Be '192.0.2.1', '2001:db8::1'
        $seen.Number | Should -Be 1, 1
        $seen[1].Source.ReceivedCount | Should -BeGreaterOrEqual 2
        $seen[1].Source.LostCount | Should -Be 0
    }

    It 'logs translations to a CSV file: which host had which address and port, and when' {
        $file = "$TestDrive/nat.csv"
        $null = Register-ConntrackEvent @register -EventType New, Destroy -SourceNat -MessageData $file -Action {
            $EventArgs.Event |
                Select-Object EventTime, EventType, Protocol, SourceAddress, SourcePort, DestinationAddress, DestinationPort,
                @{ Name = 'TranslatedSource'; Expression = { $_.ReplyDestinationAddress } },
                @{ Name = 'TranslatedPort'; Expression = { $_.ReplyDestinationPort } } |
                Export-Csv $Event.MessageData -Append
        }
        Add-KernelLine $namespace "-s 10.0.0.5 -d 198.51.100.7 -p tcp --sport 4000 --dport 80 --state ESTABLISHED --src-nat 203.0.113.1:50000", "-s 10.0.0.6 -d 198.51.100.7 -p tcp --sport 4000 --dport 80 --state ESTABLISHED"
        $null = Invoke-InNamespace $namespace conntrack -F
        Wait-Action { (Test-Path $file) -and @(Import-Csv $file).Count -eq 2 } 'the log is not written'
        $log = Import-Csv $file
        $log.EventType | Should -Be 'New', 'Destroy'
        $log.TranslatedSource | Select-Object -Unique | Should -Be '203.0.113.1'
        $log.TranslatedPort | Select-Object -Unique | Should -Be '50000'
        $log.SourceAddress | Select-Object -Unique | Should -Be '10.0.0.5'
    }

    It 'hands over several events at once under -BatchSize' {
        $seen = [System.Collections.Generic.List[object]]::new()
        $null = Register-ConntrackEvent @register -IncludeExisting -EventType New -BatchSize 100 -MessageData $seen -Action { $Event.MessageData.Add($EventArgs.Events) }
        Add-KernelLine $namespace (New-ManyLine 1000)
        Wait-Action { ($seen | Measure-Object Count -Sum).Sum -eq 1000 } 'not all events came'
        $seen.Count | Should -BeLessThan 1000
        ($seen | Measure-Object Count -Maximum).Maximum | Should -BeLessOrEqual 100
        @($seen | ForEach-Object { $_ }).Sequence | Should -Be (1..1000)
    }

    It 'ends after -MaxTriggerCount' {
        Register-ConntrackEvent @register -EventType New -MaxTriggerCount 2
        Add-KernelLine $namespace (New-ManyLine 5)
        Wait-Until { -not (Get-EventSubscriber ctps-test -ErrorAction Ignore) } 'it is still subscribed'
        Wait-Until { -not (Test-Listening $namespace) } 'it still listens'
        @(Get-Event ctps-test).Count | Should -Be 2
    }

    It 'can end itself from its action' {
        $null = Register-ConntrackEvent @register -EventType New -Action { Unregister-Event ctps-test }
        Add-KernelLine $namespace (New-ManyLine 1)
        Wait-Action { -not (Get-EventSubscriber ctps-test -ErrorAction Ignore) } 'it is still subscribed'
    }

    It 'stops listening when its action fails' {
        $null = Register-ConntrackEvent @register -EventType New -Action { throw 'broken' }
        Add-KernelLine $namespace (New-ManyLine 1)
        Wait-Action { -not (Test-Listening $namespace) } 'it still listens'
        (Get-Job ctps-test).State | Should -Be 'Failed'
    }

    It 'keeps the engine''s queue short, and counts what is lost' {
        Register-ConntrackEvent @register -EventType New -ReceiveBufferSize 4MB -BacklogSize 64KB
        $source = (Get-EventSubscriber ctps-test).SourceObject
        Add-KernelLine $namespace (New-ManyLine 50000)
        $taken = 0
        Wait-Until {
            $waiting = @(Get-Event ctps-test -ErrorAction Ignore)
            $waiting.Count | Should -BeLessOrEqual 1100
            $taken += $waiting.Count
            $waiting | Remove-Event
            $source.ReceivedCount + $source.LostCount -eq 50000 -and $taken -gt 0
        } 'some events are neither received nor counted as lost' -Seconds 120
        $source.LostCount | Should -BeGreaterThan 0
        $source.WaitingCountWhenFull | Should -BeGreaterThan 0
        $source.WaitingCount | Should -Be 0
    }

    It 'keeps what a slow action can''t take in the backlog, and loses nothing' {
        Register-ConntrackEvent @register -EventType New
        $source = (Get-EventSubscriber ctps-test).SourceObject
        Add-KernelLine $namespace (New-ManyLine 20000)
        Wait-Until { $source.WaitingCount -gt 5000 } 'nothing waits'
        Wait-Until {
            Get-Event ctps-test -ErrorAction Ignore | Remove-Event
            $source.ReceivedCount -eq 20000
        } 'not all events came' -Seconds 120
        $source.LostCount | Should -Be 0
        $source.WaitingCountWhenFull | Should -BeNullOrEmpty
    }

    It 'ends with an exception when the namespace is deleted' {
        $gone = New-TestNamespace
        Register-ConntrackEvent -NetworkNamespace $gone -SourceIdentifier ctps-test -WarningAction SilentlyContinue
        Remove-TestNamespace $gone
        $last = Wait-Event ctps-test -Timeout 30
        $last.SourceEventArgs.Event | Should -BeNullOrEmpty
        $last.SourceEventArgs.Exception.Message | Should -BeLike "*'$gone' was deleted*"
    }

    It 'refuses a name that is taken, and -Action with -Forward' {
        Register-ConntrackEvent @register
        (Get-Failure { Register-ConntrackEvent @register }).FullyQualifiedErrorId | Should -BeLike 'SubscriberExists*'
        (Get-Failure { Register-ConntrackEvent @register -Action { } -Forward }).FullyQualifiedErrorId | Should -BeLike 'ForwardWithAction*'
        @(Get-EventSubscriber).Count | Should -Be 1
    }

    It 'ends with its runspace' {
        $shell = [powershell]::Create()
        $null = $shell.AddScript('param($Package, $With) Import-Module $Package; Register-ConntrackEvent @With').AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($register).Invoke()
        Test-Listening $namespace | Should -BeTrue
        $shell.Runspace.Dispose()
        Wait-Until { -not (Test-Listening $namespace) } 'it still listens'
    }
}
