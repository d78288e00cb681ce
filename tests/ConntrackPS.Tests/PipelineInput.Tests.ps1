BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'
        web2 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40002 --dport 80 --state SYN_SENT'
        mail = '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 40003 --dport 25 --state ESTABLISHED'
        dns  = '-s 192.0.2.3 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        dns6 = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
    }
    $namespace = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace }
    $package = "$(Get-PackagePath)/ConntrackPS.psd1"

    <# Every way for an object to come: live, by remoting, from a file. #>
    $journeys = @{
        Live   = { $args[0] }
        Clixml = { $args[0] | Export-Clixml "$TestDrive/objects.xml" -Depth 5; Import-Clixml "$TestDrive/objects.xml" }
        Json   = { ConvertTo-Json @($args[0]) -Depth 5 -EnumsAsStrings | ConvertFrom-Json }
        Csv    = { $args[0] | ConvertTo-Csv | ConvertFrom-Csv }
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Objects of the pipeline' {
    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    Context 'Arrays as -InputObject' {
        It 'are taken by <_>' -ForEach 'Get', 'Measure', 'Set', 'Remove', 'Block', 'ConvertTo', 'New' {
            $entries = @(Get-ConntrackEntry -Protocol tcp @here)
            switch ($_) {
                Get { @(Get-ConntrackEntry -InputObject $entries @here).Count | Should -Be 3 }
                Measure { (Measure-ConntrackEntry -InputObject $entries -GroupBy Protocol).Count | Should -Be 3 }
                Set {
                    Set-ConntrackEntry -InputObject $entries -NewMark 9 @here
                    @(Get-KernelEntry $namespace | Where-Object Mark -EQ 9).Count | Should -Be 3
                }
                Remove {
                    Remove-ConntrackEntry -InputObject $entries @here
                    Get-KernelName $namespace | Should -Be 'dns', 'dns6'
                }
                Block {
                    $block = Block-ConntrackTraffic -InputObject $entries @here
                    $block | Unblock-ConntrackTraffic
                    @($block).Count | Should -Be 1
                }
                ConvertTo { @(ConvertTo-ConntrackText -InputObject $entries).Count | Should -Be 3 }
                New {
                    $null = Invoke-InNamespace $namespace conntrack -F
                    New-ConntrackEntry -InputObject $entries @here
                    Get-KernelCount $namespace | Should -Be 3
                }
            }
        }

        It 'are expectations for Remove-ConntrackExpectation' {
            $failures = $null
            Remove-ConntrackExpectation -InputObject @([pscustomobject]@{ A = 1 }, [pscustomobject]@{ A = 2 }) @here -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures.FullyQualifiedErrorId | Should -Match '^NotAnExpectation,'
            $failures[-1].Exception.Data['Count'] | Should -Be 1
        }

        It 'are refused where they are empty: <_>' -ForEach 'Get', 'Measure', 'Set', 'Remove', 'Block' {
            $noun = $_ -eq 'Block' ? 'ConntrackTraffic' : 'ConntrackEntry'
            $more = $_ -eq 'Set' ? @{ NewMark = 1 } : @{}
            (Get-Failure { & "$_-$noun" -InputObject @() @here @more -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'GroupNamesNoEntries,*'
            Get-KernelCount $namespace | Should -Be 5
        }
    }

    Context 'Groups of Group-Object' {
        It 'are removed entry by entry: <_>' -ForEach 'Live', 'Clixml', 'Json' {
            $groups = Get-ConntrackEntry @here | Group-Object DestinationPort | Where-Object Name -EQ 80
            $read = & $journeys[$_] $groups

            # Entries that are newer than the groups are not in them.
            Add-KernelLine $namespace '-s 192.0.2.9 -d 198.51.100.7 -p tcp --sport 40009 --dport 80 --state ESTABLISHED'
            $read | Remove-ConntrackEntry @here
            @(Get-KernelEntry $namespace | Where-Object DestinationPort -EQ 80).SourceAddress | Should -Be '192.0.2.9'
            Get-KernelCount $namespace | Should -Be 4
        }

        It 'are changed, counted, blocked and listed' {
            $groups = Get-ConntrackEntry @here | Group-Object SourceAddress | Where-Object Count -GT 1
            $groups | Set-ConntrackEntry -NewMark 3 @here
            @(Get-KernelEntry $namespace | Where-Object Mark -EQ 3).Count | Should -Be 2
            ($groups | Measure-ConntrackEntry -GroupBy SourceAddress).Count | Should -Be 2
            @($groups | Get-ConntrackEntry @here).Count | Should -Be 2
            $block = $groups | Block-ConntrackTraffic @here
            $block | Unblock-ConntrackTraffic
            @($block).Count | Should -Be 1
        }

        It 'that hold no objects are refused, and nothing happens' {
            $groups = Get-ConntrackEntry @here | Group-Object DestinationPort -NoElement
            $failures = $null
            $groups | Remove-ConntrackEntry @here -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'GroupNamesNoEntries,*'
            "$($failures[0])" | Should -BeLike '*-NoElement*'
            Get-KernelCount $namespace | Should -Be 5
        }

        It 'that lost their objects to the depth of a file are refused, and nothing happens' {
            Get-ConntrackEntry @here | Group-Object DestinationPort | Export-Clixml "$TestDrive/flat.xml" -Depth 1
            $failures = $null
            Import-Clixml "$TestDrive/flat.xml" | Remove-ConntrackEntry @here -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures | Should -Not -BeNullOrEmpty
            Get-KernelCount $namespace | Should -Be 5
        }
    }

    Context 'Groups of Measure-ConntrackEntry' {
        It 'still carry their filter: <_>' -ForEach 'Live', 'Clixml', 'Json', 'Csv' {
            $groups = Measure-ConntrackEntry -Protocol tcp -GroupBy DestinationPort, State @here | Where-Object State -EQ Established
            $read = & $journeys[$_] $groups | Where-Object DestinationPort -EQ 80
            @($read | Get-ConntrackEntry).SourcePort | Should -Be 40001
            $read | Remove-ConntrackEntry
            Get-KernelName $namespace | Should -Be 'dns', 'dns6', 'mail', 'web2'
        }

        It 'still carry prefixes, and that there is no such thing: <_>' -ForEach 'Clixml', 'Json', 'Csv' {
            $read = @(& $journeys[$_] (Measure-ConntrackEntry -GroupBy SourceAddress, State -Prefix 24 -PrefixIPv6 64 @here))
            $found = $read | Where-Object { $_.SourceAddress -eq '192.0.2.0/24' -and -not $_.State } | Get-ConntrackEntry
            $found.SourceAddress | Should -Be '192.0.2.3'
            ($read | Where-Object SourceAddress -EQ '2001:db8::/64' | Get-ConntrackEntry).SourceAddress | Should -Be '2001:db8::1'
        }

        It 'are exact for <By>' -ForEach @(
            @{ By = 'Status' }, @{ By = 'Protocol' }, @{ By = 'AddressFamily' }, @{ By = 'Mark' }, @{ By = 'Zone' }, @{ By = 'SourcePort' }, @{ By = 'DestinationAddress' }, @{ By = 'Helper' }, @{ By = 'IcmpType' }
        ) {
            Add-KernelLine $namespace '-s 192.0.2.8 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80 -w 4 -m 6'
            $groups = @(Measure-ConntrackEntry -GroupBy $By, Protocol @here)
            foreach ($journey in 'Clixml', 'Json', 'Csv') {
                foreach ($group in & $journeys[$journey] $groups) {
                    @($group | Get-ConntrackEntry).Count | Should -Be $group.Count -Because "$journey $($group.Name)"
                }
            }
        }

        It 'that were counted from objects are refused: <_>' -ForEach 'Live', 'Clixml', 'Json', 'Csv' {
            $read = & $journeys[$_] (Get-ConntrackEntry @here | Measure-ConntrackEntry -GroupBy Protocol)
            $failures = $null
            $read | Remove-ConntrackEntry @here -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'GroupNamesNoEntries,*'
            Get-KernelCount $namespace | Should -Be 5
        }

        It 'that have an unreadable value, or lost one, are refused: <Name>' -ForEach @(
            @{ Name = 'a state'; Change = { $_.State = 'Nonsense' } }
            @{ Name = 'a filter'; Change = { $_.Filter = '-Protocol $(Remove-Item x)' } }
            @{ Name = 'a lost property'; Change = { $_.PSObject.Properties.Remove('State') } }
            @{ Name = 'what it was made by'; Change = { $_.GroupBy = 'Everything' } }
        ) {
            $read = & $journeys.Clixml (Measure-ConntrackEntry -Protocol tcp -GroupBy State @here)
            $read | ForEach-Object $Change
            $failures = $null
            $read | Remove-ConntrackEntry -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures | Should -Not -BeNullOrEmpty
            Get-KernelCount $namespace | Should -Be 5
        }

        It 'choose entries of the table for Measure-ConntrackEntry' {
            $groups = Measure-ConntrackEntry -GroupBy DestinationPort @here | Where-Object DestinationPort -EQ 80
            ($groups | Measure-ConntrackEntry -GroupBy SourceAddress).Count | Should -Be 2
            (& $journeys.Clixml $groups | Measure-ConntrackEntry -GroupBy SourceAddress).Count | Should -Be 2
        }
    }

    Context 'Groups piped into Block-ConntrackTraffic' {
        BeforeAll {
            <# The sources that nft shows in a block's own table. #>
            function Get-BlockedSource($Block) {
                @([regex]::Matches("$(Invoke-InNamespace $namespace nft list table inet $Block.Table)", '\b192\.0\.2\.\d+\b').Value | Sort-Object -Unique)
            }
        }

        AfterEach {
            Get-ConntrackBlock | Unblock-ConntrackTraffic
        }

        It 'are blocked by their filter: <_>' -ForEach 'Live', 'Clixml', 'Json', 'Csv', 'Job' {
            $group = if ($_ -eq 'Job') {
                # As from another machine: what Invoke-Command returns has gone through the same serialisation.
                Start-Job { Import-Module $using:package; Measure-ConntrackEntry -GroupBy SourceAddress -First 1 -NetworkNamespace $using:namespace } |
                    Receive-Job -Wait -AutoRemoveJob
            }
            else {
                & $journeys[$_] (Measure-ConntrackEntry -GroupBy SourceAddress -First 1 @here)
            }
            $group.Name | Should -Be '192.0.2.1'
            $block = @($group | Block-ConntrackTraffic)
            $block.Count | Should -Be 1
            $block[0].Namespace | Should -Be $namespace
            Get-BlockedSource $block[0] | Should -Be '192.0.2.1'

            # The group is blocked, and not only the entries that it has now.
            $block[0].CoversNewFlows | Should -BeTrue
            Get-KernelCount $namespace | Should -Be 5
        }

        It 'are told of by -WhatIf, and nothing is blocked' {
            $script = "Import-Module $package; Measure-ConntrackEntry -GroupBy SourceAddress -First 1 -NetworkNamespace $namespace | Block-ConntrackTraffic -WhatIf"
            $text = Invoke-PowerShell '-NoProfile', '-Command', $script
            "$text" | Should -BeLike 'What if: Performing the operation "Block conntrack traffic until*" on target "entries with source address 192.0.2.1".'
            Get-ConntrackBlock | Should -BeNullOrEmpty
        }

        It 'are blocked entry by entry where they are of Group-Object: <_>' -ForEach 'Live', 'Clixml', 'Json' {
            $groups = & $journeys[$_] (Get-ConntrackEntry @here | Group-Object SourceAddress | Where-Object Count -GT 1)
            $block = @($groups | Block-ConntrackTraffic)
            $block.Count | Should -Be 1
            $block[0].CoversNewFlows | Should -BeFalse
            "$(Invoke-InNamespace $namespace nft list table inet $block[0].Table)" | Should -Match '40001'
        }

        It 'are one block each' {
            $blocks = @(Measure-ConntrackEntry -GroupBy SourceAddress -Top 2 -AddressFamily IPv4 @here | Block-ConntrackTraffic)
            $blocks.Count | Should -Be 2
            $blocks | ForEach-Object { Get-BlockedSource $_ } | Should -Be '192.0.2.1', '192.0.2.2'
        }

        It 'that were counted from objects, or contain everything, are refused' {
            (Get-Failure { Get-ConntrackEntry @here | Measure-ConntrackEntry -GroupBy Protocol | Select-Object -First 1 | Block-ConntrackTraffic }).FullyQualifiedErrorId |
                Should -BeLike 'GroupNamesNoEntries,*'
            Get-ConntrackBlock | Should -BeNullOrEmpty
        }
    }

    Context 'A part of a tuple' {
        It 'is a filter of what reads: text' {
            @('192.0.2.1' | Get-ConntrackEntry @here).SourcePort | Sort-Object | Should -Be 40001, 40002
            @('192.0.2.1', '192.0.2.2', '192.0.2.1' | Get-ConntrackEntry @here).SourcePort | Sort-Object | Should -Be 40001, 40002, 40003
            @([ipaddress]'192.0.2.3' | Get-ConntrackEntry @here).Count | Should -Be 1
            @('192.0.2.0/24', '2001:db8::/32' | Get-ConntrackEntry @here).Count | Should -Be 5
            ('192.0.2.1' | Measure-ConntrackEntry -GroupBy SourceAddress @here).Count | Should -Be 2
        }

        It 'is a filter of what reads: a list of addresses in CSV' {
            'SourceAddress,Comment', '192.0.2.1,mine', '2001:db8::1,yours' | Set-Content "$TestDrive/ips.csv"
            @(Import-Csv "$TestDrive/ips.csv" | Get-ConntrackEntry @here).Count | Should -Be 3
            Import-Csv "$TestDrive/ips.csv" | Measure-ConntrackEntry -GroupBy AddressFamily @here | ForEach-Object Count | Should -Be 2, 1
        }

        It 'is a filter of what reads: several properties, of which each object has its own' {
            $rows = 'SourceAddress,DestinationPort', '192.0.2.1,80', '192.0.2.2,80', '192.0.2.2,25', ',53' | ConvertFrom-Csv
            @($rows | Get-ConntrackEntry @here).SourcePort | Sort-Object | Should -Be 2000, 2001, 40001, 40002, 40003
            @($rows | Select-Object -First 2 | Get-ConntrackEntry @here).SourcePort | Sort-Object | Should -Be 40001, 40002
        }

        It 'is never one of what changes or resets: <_>' -ForEach 'Remove-ConntrackEntry', 'Set-ConntrackEntry -NewMark 1', 'Block-ConntrackTraffic', 'Get-ConntrackEntry -ResetCounter' {
            $command = [scriptblock]::Create("`$input | $_ -NetworkNamespace $namespace -ErrorAction Continue 2>&1")
            foreach ($object in '192.0.2.1', [pscustomobject]@{ SourceAddress = '192.0.2.1' }) {
                $failures = @($object | & $command)
                $failures.Count | Should -Be 1
                $failures.FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
                "$failures" | Should -BeLike "*Get-ConntrackEntry -SourceAddress 192.0.2.1 | $(($_ -split ' ')[0])*"
            }
            Get-KernelName $namespace | Should -Be 'dns', 'dns6', 'mail', 'web', 'web2'
            @(Get-KernelEntry $namespace | Where-Object Mark -EQ 1).Count | Should -Be 0
            Get-ConntrackBlock | Should -BeNullOrEmpty
        }

        It 'that is no address, or an entry that lost something, is an error' {
            foreach ($object in 'nonsense', [pscustomobject]@{ SourceAddress = 'x' }, [pscustomobject]@{ A = 1 }, [pscustomobject]@{ Id = 5; SourceAddress = '192.0.2.1' }) {
                (Get-Failure { $object | Get-ConntrackEntry @here -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
            }
        }
    }

    Context 'Objects piped into cmdlets that read' {
        It 'are filters of Watch-ConntrackEvent: <Name>' -ForEach @(
            @{ Name = 'text'; Objects = { '192.0.2.1' }; Expected = 'web', 'web2' }
            @{ Name = 'several texts'; Objects = { '192.0.2.2', '2001:db8::1', '192.0.2.2' }; Expected = 'dns6', 'mail' }
            @{ Name = 'an address'; Objects = { [ipaddress]'192.0.2.3' }; Expected = @('dns') }
            @{ Name = 'rows of a CSV file'; Objects = { 'SourceAddress,DestinationPort', '192.0.2.1,80', ',53' | ConvertFrom-Csv }; Expected = 'dns', 'dns6', 'web', 'web2' }
            @{ Name = 'entries'; Objects = { Get-ConntrackEntry -DestinationPort 80, 25 @here }; Expected = 'mail', 'web', 'web2' }
            @{ Name = 'entries of a CSV file'; Objects = { Get-ConntrackEntry -DestinationPort 25 @here | ConvertTo-Csv | ConvertFrom-Csv }; Expected = @('mail') }
            @{ Name = 'groups of Measure-ConntrackEntry'; Objects = { Measure-ConntrackEntry -GroupBy SourceAddress @here | Where-Object Count -EQ 2 }; Expected = 'web', 'web2' }
            @{ Name = 'groups from JSON'; Objects = { & $journeys.Json (Measure-ConntrackEntry -GroupBy SourceAddress @here | Where-Object Count -EQ 2) }; Expected = 'web', 'web2' }
            @{ Name = 'groups of Group-Object'; Objects = { Get-ConntrackEntry @here | Group-Object DestinationPort | Where-Object Name -EQ 53 }; Expected = 'dns', 'dns6' }
        ) {
            $objects = @(& $Objects)
            $events = @($objects | Watch-ConntrackEvent -IncludeExisting -Timeout 0.3 @here -WarningAction SilentlyContinue)
            Resolve-EntryName $namespace $events | Should -Be $Expected
            Resolve-EntryName $namespace @(Watch-ConntrackEvent -InputObject $objects -IncludeExisting -Timeout 0.3 @here -WarningAction SilentlyContinue) | Should -Be $Expected
        }

        It 'are filters of what happens later, by each in its own network namespace' {
            $other = New-TestNamespace
            try {
                $rows = @([pscustomobject]@{ SourceAddress = '10.0.0.1'; Namespace = $namespace }, [pscustomobject]@{ SourceAddress = '10.0.0.2'; Namespace = $other })
                $add = 'sleep 0.7; for s in 10.0.0.1 10.0.0.2 10.0.0.3; do conntrack -I -s $s -d 10.9.9.9 -p udp --sport 1 --dport 2 -t 60; done'
                $adders = foreach ($name in $namespace, $other) { Start-Process ip -ArgumentList 'netns', 'exec', $name, "sh -c `"$add`"" -PassThru -RedirectStandardOutput /dev/null -RedirectStandardError "$TestDrive/$name.err" }
                $events = @($rows | Watch-ConntrackEvent -EventType New -MaxEvents 2 -Timeout 20 -WarningAction SilentlyContinue)
                $adders | Wait-Process
                $events | Sort-Object SourceAddress | ForEach-Object { "$($_.SourceAddress) $($_.Namespace)" } | Should -Be "10.0.0.1 $namespace", "10.0.0.2 $other"
                $events[0].PSTypeNames[0] | Should -BeLike '*#Namespaced' -Because 'events of two namespaces show which'
            }
            finally {
                Remove-TestNamespace $other
            }
        }

        It 'are filters of Register-ConntrackEvent' {
            $name = 'ctps-pipe'
            try {
                '10.0.0.1', '10.0.0.3' | Register-ConntrackEvent -EventType New -SourceIdentifier $name @here -WarningAction SilentlyContinue
                1..4 | ForEach-Object { Add-KernelLine $namespace "-s 10.0.0.$_ -d 10.9.9.9 -p udp --sport 1 --dport 2" }
                Wait-Until { @(Get-Event $name -ErrorAction Ignore).Count -ge 2 } 'no events came'
                (Get-Event $name).SourceEventArgs.Event.SourceAddress | Should -Be '10.0.0.1', '10.0.0.3'
            }
            finally {
                Unregister-Event $name -ErrorAction Ignore
                Get-Event $name -ErrorAction Ignore | Remove-Event
            }
        }

        It 'that are nothing, or no filters, watch nothing: <Name>' -ForEach @(
            @{ Name = 'none'; Objects = @(); Id = $null }
            @{ Name = 'nonsense'; Objects = @('nonsense'); Id = 'NotAnEntry,*' }
            @{ Name = 'an object of something else'; Objects = @([pscustomobject]@{ A = 1 }); Id = 'NotAnEntry,*' }
        ) {
            $failures = $null
            $Objects | Watch-ConntrackEvent -IncludeExisting -Timeout 2 @here -ErrorVariable failures -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            if ($Id) { $failures.FullyQualifiedErrorId | Should -BeLike $Id } else { $failures | Should -BeNullOrEmpty }
        }

        It 'are filters of Show-ConntrackTop' {
            $top = { @($input | Show-ConntrackTop -Once -Width 120 -Height 20 @here) -match '^(192|2001)' }
            @('192.0.2.1' | & $top).Count | Should -Be 2
            @('192.0.2.1', '2001:db8::1' | & $top).Count | Should -Be 3
            @(Measure-ConntrackEntry -GroupBy DestinationPort @here | Where-Object DestinationPort -EQ 53 | & $top).Count | Should -Be 2
            @(Get-ConntrackEntry -DestinationPort 25 @here | & $top).Count | Should -Be 1
        }

        It 'are names for <Command>' -ForEach @(
            @{ Command = 'Get-ConntrackHelper'; Objects = 'FTP', 'netbios*'; Property = 'Name'; Expected = 'ftp', 'netbios-ns' }
            @{ Command = 'Get-ConntrackSetting'; Objects = 'Maximum', 'Bucket*'; Property = 'Name'; Expected = 'Maximum', 'Buckets' }
            @{ Command = 'Get-ConntrackTimeout'; Objects = 'icmp', 'Generic'; Property = 'Protocol'; Expected = 'Icmp', 'Generic' }
        ) {
            @($Objects | & $Command @here).$Property | Should -Be $Expected
            @($Objects | ForEach-Object { [pscustomobject]@{ $Property = $_; Namespace = $namespace } } | ConvertTo-Csv | ConvertFrom-Csv | & $Command).$Property | Should -Be $Expected

            # What it emitted is read again, in the network namespace that it is of.
            $once = @($Objects | & $Command @here)
            $again = @($once | & $Command)
            $again.Namespace | Should -Be $once.Namespace
            ($again | ForEach-Object { "$($_.Protocol) $($_.State) $($_.Name) $($_.Value)" }) | Should -Be ($once | ForEach-Object { "$($_.Protocol) $($_.State) $($_.Name) $($_.Value)" })
        }

        It 'are told what to write where nothing of them can be used: <_>' -ForEach 'Get-ConntrackStat', 'Test-ConntrackHealth', 'Clear-ConntrackTable -Confirm:$false', 'Watch-ConntrackEvent -Expectation -Timeout 1', 'Disable-ConntrackTracking -DestinationPort 9 -Protocol Udp', 'Limit-ConntrackSource -Maximum 9', 'Export-ConntrackMetric', 'Register-ConntrackAlert -FillAbove 80', 'Get-ConntrackHistory none.csv' {
            $command = [scriptblock]::Create("`$input | $_ -NetworkNamespace $namespace")
            $failure = @(Get-Failure { '192.0.2.1' | & $command })
            $failure.Count | Should -Be 1
            $failure.FullyQualifiedErrorId | Should -BeLike 'NoPipelineInput,*'
            "$failure" | Should -BeLike "*Write*$(($_ -split ' ')[0] -replace 'Clear-ConntrackTable', 'Remove-ConntrackEntry')*"
            Get-KernelCount $namespace | Should -Be 5 -Because 'an object that can not be used must not empty the table'
        }

        It 'are used, or refused by name, by every cmdlet' {
            # A cmdlet without pipeline input is in the test above, so that PowerShell's own error never comes.
            $without = Get-Command -Module ConntrackPS -CommandType Cmdlet | Where-Object { -not ($_.Parameters.Values.Attributes | Where-Object { $_.ValueFromPipeline -or $_.ValueFromPipelineByPropertyName }) }
            $without.Name | Sort-Object | Should -Be 'Clear-ConntrackTable', 'Disable-ConntrackTracking', 'Export-ConntrackMetric', 'Get-ConntrackHistory', 'Get-ConntrackStat', 'Limit-ConntrackSource', 'Register-ConntrackAlert', 'Test-ConntrackHealth'
        }
    }

    Context 'Errors about many objects' {
        It 'are two, the first at once and the others counted: <_>' -ForEach 'Get-ConntrackEntry', 'Measure-ConntrackEntry', 'Remove-ConntrackEntry', 'Set-ConntrackEntry -NewMark 1',
        'Block-ConntrackTraffic', 'Watch-ConntrackEvent', 'Register-ConntrackEvent', 'Show-ConntrackTop -Once', 'New-ConntrackEntry', 'ConvertTo-ConntrackText', 'Remove-ConntrackExpectation', 'New-ConntrackExpectation', 'Repair-ConntrackHealth -Confirm:$false', 'Add-ConntrackHistory none.csv', 'Export-ConntrackReport TestDrive:/none.html' {
            $namespaceText = $_ -match '^(ConvertTo|Add|Export)' ? '' : "-NetworkNamespace $namespace"
            $command = [scriptblock]::Create("`$input | $_ $namespaceText -ErrorAction Continue 2>&1")
            $failures = @(1..1000 | ForEach-Object { [pscustomobject]@{ Number = $_ } } | & $command | Where-Object { $_ -is [System.Management.Automation.ErrorRecord] })
            $failures.Count | Should -Be 2
            $failures[1].FullyQualifiedErrorId | Should -Be $failures[0].FullyQualifiedErrorId
            $failures[0].Exception.Data['Count'] | Should -BeNullOrEmpty
            $failures[1].Exception.Data['Count'] | Should -Be 999
            "$($failures[1])" | Should -BeLike '*999 more objects*'
        }

        It 'are known of every cmdlet that takes objects' {
            $taking = Get-Command -Module ConntrackPS | Where-Object { $_.Parameters.InputObject.ParameterType -eq [psobject] }
            $taking.Name | Sort-Object | Should -Be @(
                'Add-ConntrackHistory', 'Block-ConntrackTraffic', 'ConvertTo-ConntrackText', 'Export-ConntrackReport', 'Get-ConntrackEntry', 'Measure-ConntrackEntry', 'New-ConntrackEntry', 'New-ConntrackExpectation'
                'Register-ConntrackEvent', 'Remove-ConntrackEntry', 'Remove-ConntrackExpectation', 'Repair-ConntrackHealth', 'Set-ConntrackEntry', 'Show-ConntrackTop', 'Watch-ConntrackEvent') -Because 'the test above must name it'
        }

        It 'keep different reasons apart' {
            $failures = @([pscustomobject]@{ Protocol = 'x' }, [pscustomobject]@{ A = 1 }, [pscustomobject]@{ Protocol = 'x' }, [pscustomobject]@{ A = 1 }, [pscustomobject]@{ Protocol = 'y' } |
                    Remove-ConntrackEntry @here -ErrorAction Continue 2>&1)
            $failures.Count | Should -Be 5
        }

        It 'stop at the first with -ErrorAction Stop' {
            $seen = [System.Collections.Generic.List[object]]::new()
            $failure = Get-Failure { 1..10 | ForEach-Object { $seen.Add($_); [pscustomobject]@{ A = $_ } } | Remove-ConntrackEntry @here -ErrorAction Stop }
            $failure.FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
            $seen.Count | Should -Be 1
        }
    }
}
