BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4    = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
        web4b   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40002 --dport 443 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        syn4    = '-s 192.0.2.1 -d 198.51.100.8 -p tcp --sport 40003 --dport 443 --state SYN_SENT'
        dns4    = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        near4   = '-s 192.0.2.200 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -u SEEN_REPLY'
        far4    = '-s 192.0.3.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -u SEEN_REPLY'
        zone4   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        ping4   = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
        snat4   = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
        web6    = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED'
        dns6    = '-s 2001:db8::2 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
        sctp4   = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
    }

    <# Groups as "value value: count", sorted. #>
    function Get-Line([object[]] $Group, [string[]] $Property) {
        $Group | ForEach-Object { $one = $_; (@($Property | ForEach-Object { "$($one.$_)" }) -join ' ') + ": $($one.Count)" } | Sort-Object
    }

    <# The same from the output of conntrack. #>
    function Get-KernelLine([string] $Namespace, [scriptblock] $Of) {
        Get-KernelEntry $Namespace | Group-Object $Of | ForEach-Object { "$($_.Name): $($_.Count)" } | Sort-Object
    }
}

Describe 'Measure-ConntrackEntry' {
    BeforeAll {
        $namespace = New-TestNamespace $table
        $here = @{ NetworkNamespace = $namespace }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'counts by <Property> as conntrack does' -ForEach @(
        @{ Property = 'SourceAddress'; Of = { $_.SourceAddress } }
        @{ Property = 'DestinationPort'; Of = { $_.DestinationPort } }
        @{ Property = 'Zone'; Of = { $_.Zone } }
        @{ Property = 'Mark'; Of = { $_.Mark } }
        @{ Property = 'AddressFamily'; Of = { $_.AddressFamily } }
        @{ Property = 'ReplyDestinationAddress'; Of = { $_.ReplyDestinationAddress } }
    ) {
        Get-Line (Measure-ConntrackEntry -GroupBy $Property @here) $Property | Should -Be (Get-KernelLine $namespace $Of)
    }

    It 'counts by several properties' {
        Get-Line (Measure-ConntrackEntry -GroupBy SourceAddress, Zone @here) SourceAddress, Zone |
            Should -Be (Get-KernelLine $namespace { "$($_.SourceAddress) $($_.Zone)" })
    }

    It 'counts by protocol and state unless told otherwise' {
        Get-Line (Measure-ConntrackEntry @here) Protocol, State |
            Should -Be ('Icmp : 1', 'Sctp CookieWait: 1', 'Tcp Established: 4', 'Tcp SynSent: 1', 'Tcp TimeWait: 1', 'Udp : 4' | Sort-Object)
    }

    It 'makes groups of networks' {
        Get-Line (Measure-ConntrackEntry -GroupBy SourceAddress -Prefix 24 -PrefixIPv6 64 @here) SourceAddress |
            Should -Be ('10.1.2.0/24: 1', '192.0.2.0/24: 8', '192.0.3.0/24: 1', '2001:db8::/64: 2' | Sort-Object)
    }

    It 'reports what else is in a group' {
        $group = Measure-ConntrackEntry -GroupBy SourceAddress -Top 1 @here
        $group.SourceAddress | Should -Be 192.0.2.1
        $group.Name | Should -Be 192.0.2.1
        $group | Select-Object Count, Percent, Assured, Unreplied, SynSent, Established, Stateless, OtherState, TotalBytes, Oldest, BitsPerSecond, Namespace | ConvertTo-Json -Compress |
            Should -Be "{`"Count`":5,`"Percent`":41.67,`"Assured`":2,`"Unreplied`":3,`"SynSent`":1,`"Established`":3,`"Stateless`":1,`"OtherState`":0,`"TotalBytes`":null,`"Oldest`":null,`"BitsPerSecond`":null,`"Namespace`":`"$namespace`"}"
    }

    It 'has the properties that make the group first' {
        (Measure-ConntrackEntry -GroupBy Protocol, SourceAddress -Top 1 @here | ConvertTo-Csv)[0] | Should -BeLike '"Protocol","SourceAddress","Name","Count",*'
    }

    It 'sorts by <SortBy>' -ForEach @(
        @{ SortBy = 'Count'; First = '192.0.2.1' }
        @{ SortBy = 'Unreplied'; First = '192.0.2.1' }
        @{ SortBy = 'SynSent'; First = '192.0.2.1' }
        @{ SortBy = 'time_wait'; First = '2001:db8::1' }
    ) {
        $groups = @(Measure-ConntrackEntry -GroupBy SourceAddress -SortBy $SortBy @here)
        $groups[0].SourceAddress | Should -Be $First
        $groups.Count | Should -Be 8
        $reversed = @(Measure-ConntrackEntry -GroupBy SourceAddress -SortBy $SortBy -Ascending @here)
        $reversed[-1].SourceAddress | Should -Be $First
    }

    It 'takes the filters of Get-ConntrackEntry: <Filter>' -ForEach @(
        @{ Filter = @{ Protocol = 'tcp' } }
        @{ Filter = @{ SourceAddress = '192.0.2.0/24', '2001:db8::/32'; Unreplied = $true } }
        @{ Filter = @{ State = 'SYN_SENT' } }
        @{ Filter = @{ Zone = 5 } }
        @{ Filter = @{ SourceNat = $true } }
    ) {
        $expected = @(Get-ConntrackEntry @Filter @here)
        $expected.Count | Should -BeGreaterThan 0
        (Measure-ConntrackEntry -GroupBy SourceAddress @Filter @here | Measure-Object Count -Sum).Sum | Should -Be $expected.Count
    }

    It 'counts what comes through the pipeline: <Way>' -ForEach @(
        @{ Way = 'live objects'; Convert = { $input } }
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/measured.xml; Import-Clixml TestDrive:/measured.xml } }
        @{ Way = 'Export-Csv'; Convert = { $input | Export-Csv TestDrive:/measured.csv; Import-Csv TestDrive:/measured.csv } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ Way = 'text'; Convert = { ip netns exec $namespace conntrack -L -o extended,id 2>$null | ConvertFrom-ConntrackText } }
    ) {
        foreach ($property in 'SourceAddress', 'Protocol', 'State', 'Status', 'DestinationPort', 'Mark', 'Zone', 'TranslatedSourceAddress') {
            # conntrack's text has only these two status bits, and no names for zones.
            if ($Way -eq 'text' -and $property -eq 'Status') {
                continue
            }
            Get-Line (Get-ConntrackEntry @here | & $Convert | Measure-ConntrackEntry -GroupBy $property) $property |
                Should -Be (Get-Line (Measure-ConntrackEntry -GroupBy $property @here) $property) -Because $property
        }
    }

    It 'counts events, and by what happened' {
        $events = @{ NetworkNamespace = $namespace; IncludeExisting = $true; MaxEvents = $table.Count; TimeoutSeconds = 60; WarningAction = 'SilentlyContinue' }
        Get-Line (Watch-ConntrackEvent @events | Measure-ConntrackEntry -GroupBy EventType, SourceAddress) SourceAddress |
            Should -Be (Get-KernelLine $namespace { $_.SourceAddress })
        Watch-ConntrackEvent @events | Export-Clixml TestDrive:/events.xml
        Get-Line (Import-Clixml TestDrive:/events.xml | Measure-ConntrackEntry -GroupBy EventType) EventType |
            Should -Be "Existing: $($table.Count)"
    }

    It 'counts nothing when nothing comes' {
        Get-ConntrackEntry 192.0.2.99 @here | Measure-ConntrackEntry -GroupBy Protocol | Should -BeNullOrEmpty
    }

    It 'continues after an object that is no entry' {
        $errors = $null
        $groups = @(@(Get-ConntrackEntry -Protocol sctp @here) + 'no entry' + @(Get-ConntrackEntry -Protocol icmp @here) | Measure-ConntrackEntry -GroupBy Protocol -ErrorVariable errors -ErrorAction SilentlyContinue)
        $groups.Count | Should -Be 2
        $errors.FullyQualifiedErrorId | Should -BeLike 'NotAnEntry,*'
    }

    It 'names what entries can be grouped by when asked for something else' {
        $failure = Get-Failure { Measure-ConntrackEntry -GroupBy Colour @here }
        "$failure" | Should -BeLike '*''Colour''*SourceAddress*Protocol*Helper*'
    }

    It 'warns where bytes are asked for and not counted' {
        $null = Measure-ConntrackEntry -GroupBy Protocol -SortBy Bytes @here -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*nf_conntrack_acct=0*Set-ConntrackSetting -Name Accounting*'
        $null = Get-ConntrackEntry @here | Measure-ConntrackEntry -GroupBy Protocol -SortBy TotalPackets -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*accounting (nf_conntrack_acct) was off*'
        $null = Measure-ConntrackEntry -GroupBy Protocol -SortBy Count @here -WarningVariable warnings -WarningAction SilentlyContinue
        $warnings | Should -BeNullOrEmpty
    }

    It 'lets itself be stopped while it waits for the interval to pass' {
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript("Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; 'ready'; Measure-ConntrackEntry -Interval 1h -NetworkNamespace $namespace")
            $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
            $running = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until { $output.Count -gt 0 } 'it has not begun'
            Start-Sleep -Milliseconds 300
            $shell.Stop()
            $running.AsyncWaitHandle.WaitOne(0) | Should -BeTrue
            $shell.InvocationStateInfo.State | Should -Be Stopped
            $output | Should -Be 'ready'
        }
        finally {
            $shell.Dispose()
        }
    }

    It 'refuses to sort by a rate without an interval' {
        (Get-Failure { Measure-ConntrackEntry -SortBy BitsPerSecond @here }).FullyQualifiedErrorId | Should -BeLike 'NoInterval,*'
    }
}

Describe 'Measure-ConntrackEntry of traffic' {
    BeforeAll {
        $namespace = New-TestNamespace
        Enable-Tracking $namespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
        $began = Get-Date
        $ping = Start-Process ip -ArgumentList 'netns', 'exec', $namespace, 'ping', '-q', '-i', '0.1', '127.0.0.1' -PassThru -RedirectStandardOutput /dev/null
        Wait-Until { (Get-KernelCount $namespace) -gt 0 } 'no packet has come'
        $here = @{ NetworkNamespace = $namespace }
    }

    AfterAll {
        $ping.Kill()
        $ping.WaitForExit()
        Remove-TestNamespace $namespace
    }

    It 'sums up packets, bytes and times' {
        $group = Measure-ConntrackEntry -GroupBy Protocol -SortBy Bytes @here -WarningVariable warnings
        $warnings | Should -BeNullOrEmpty
        $group.Protocol | Should -Be Icmp
        $group.TotalBytes | Should -Be ($group.TotalPackets * 84)
        $group.OriginalPackets + $group.ReplyPackets | Should -Be $group.TotalPackets
        $group.Oldest | Should -BeGreaterThan $began
        $group.Oldest | Should -BeLessThan (Get-Date)
    }

    It 'reports how many started and ended' {
        $job = Start-ThreadJob {
            Import-Module "$using:PSScriptRoot/Support/TestSupport.psm1"
            Start-Sleep -Milliseconds 700
            Add-KernelLine $using:namespace (New-ManyLine 20)
        }
        $group = Measure-ConntrackEntry -GroupBy Protocol -Interval 3 -Protocol tcp @here
        $job | Receive-Job -Wait -AutoRemoveJob
        $group.Count | Should -Be 20
        $group.NewPerSecond * 3 | Should -BeGreaterThan 0
        $group.NewPerSecond * 3 | Should -BeLessOrEqual 20.1 -Because "rates are rounded"
        $group.ClosedPerSecond | Should -Be 0
        $job = Start-ThreadJob {
            Start-Sleep -Milliseconds 700
            ip netns exec $using:namespace conntrack -D -p tcp 2>&1
        }
        $group = Measure-ConntrackEntry -GroupBy Protocol -Interval 3 -Protocol tcp @here
        $null = $job | Receive-Job -Wait -AutoRemoveJob -ErrorAction SilentlyContinue
        $group.Count | Should -Be 0
        $group.NewPerSecond | Should -Be 0
        $group.ClosedPerSecond * 3 | Should -BeGreaterThan 0
    }

    It 'reports rates' {
        $group = Measure-ConntrackEntry -GroupBy Protocol -Interval 2 -SortBy BitsPerSecond @here
        $group.PacketsPerSecond | Should -BeGreaterThan 1
        $group.PacketsPerSecond | Should -BeLessThan 30
        [math]::Round($group.BitsPerSecond / $group.PacketsPerSecond) | Should -Be (84 * 8) -Because 'each packet has 84 bytes'
        $group.NewPerSecond | Should -Be 0
        $group.ClosedPerSecond | Should -Be 0
    }
}

Describe 'A group in the pipeline' {
    BeforeAll {
        $namespace = New-TestNamespace
        $here = @{ NetworkNamespace = $namespace }
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'is removed, and nothing else: <Name>' -ForEach @(
        @{ Name = 'the largest source'; Measure = @{ GroupBy = 'SourceAddress'; Top = 1 }; Gone = 'web4', 'web4b', 'syn4', 'dns4', 'zone4' }
        @{ Name = 'a source under a filter'; Measure = @{ GroupBy = 'SourceAddress'; Top = 1; Protocol = 'tcp'; Zone = 0 }; Gone = 'web4', 'web4b', 'syn4' }
        @{ Name = 'a network'; Measure = @{ GroupBy = 'SourceAddress'; Prefix = 24; Top = 1; Protocol = 'udp' }; Gone = 'dns4', 'near4' }
        @{ Name = 'a network under a narrower filter'; Measure = @{ GroupBy = 'SourceAddress'; Prefix = 24; Top = 1; SourceAddress = '192.0.2.192/26' }; Gone = 'near4' }
        @{ Name = 'an exact status'; Measure = @{ GroupBy = 'Status'; Top = 1; Protocol = 'udp' }; Gone = 'dns4', 'dns6' }
        @{ Name = 'what has no state'; Measure = @{ GroupBy = 'State'; Top = 1; SourceAddress = '192.0.2.0/24'; SortBy = 'Unreplied'; ExcludeStatus = 'Assured'; AddressFamily = 'IPv4'; DestinationPort = 53 }; Gone = 'dns4', 'near4' }
        @{ Name = 'a translated source'; Measure = @{ GroupBy = 'TranslatedSourceAddress'; SourceNat = $true }; Gone = 'snat4' }
        @{ Name = 'several properties'; Measure = @{ GroupBy = 'SourceAddress', 'State', 'Zone'; Top = 1 }; Gone = 'web4', 'web4b' }
        @{ Name = 'an IPv6 network'; Measure = @{ GroupBy = 'SourceAddress'; PrefixIPv6 = 127; AddressFamily = 'IPv6'; Top = 1; Ascending = $true }; Gone = 'web6' }
    ) {
        $groups = @(Measure-ConntrackEntry @Measure @here)
        $groups.Count | Should -BeGreaterThan 0
        $entries = @($groups[0] | Get-ConntrackEntry)
        Resolve-EntryName $namespace $entries | Should -Be ($Gone | Sort-Object)
        $groups[0].Count | Should -Be $Gone.Count

        $groups[0] | Remove-ConntrackEntry -WhatIf
        Get-KernelCount $namespace | Should -Be $table.Count

        $groups[0] | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be @($table.Keys | Where-Object { $_ -notin $Gone } | Sort-Object)
    }

    It 'says with -WhatIf what it would remove' {
        $said = Invoke-Child -Namespace $namespace {
            Measure-ConntrackEntry -GroupBy SourceAddress -Top 1 -NetworkNamespace $Namespace | Remove-ConntrackEntry -WhatIf
        }
        $said | ForEach-Object { [regex]::Match($_, 'target "(?<flow>.*)"').Groups['flow'].Value } | Sort-Object | Should -Be (
            'tcp 192.0.2.1:40001 -> 198.51.100.7:80', 'tcp 192.0.2.1:40001 -> 198.51.100.7:80 zone 5', 'tcp 192.0.2.1:40002 -> 198.51.100.7:443',
            'tcp 192.0.2.1:40003 -> 198.51.100.8:443', 'udp 192.0.2.1:2000 -> 198.51.100.53:53' | Sort-Object)
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It 'is changed, and nothing else' {
        Measure-ConntrackEntry -GroupBy DestinationPort -Protocol udp @here | Set-ConntrackEntry -NewMark 42
        Get-KernelEntry $namespace | Where-Object Mark -EQ 42 | ForEach-Object Name | Sort-Object | Should -Be ('dns4', 'dns6', 'far4', 'near4')
    }

    It 'names its network namespace itself' {
        $other = New-TestNamespace $table
        try {
            Measure-ConntrackEntry -GroupBy Protocol -NetworkNamespace $other | Remove-ConntrackEntry
            Get-KernelCount $other | Should -Be 0
            Get-KernelCount $namespace | Should -Be $table.Count
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'is refused where it names nothing: <Name>' -ForEach @(
        @{ Name = 'a prefix of no length'; Make = { Measure-ConntrackEntry -GroupBy SourceAddress -Prefix 0 -PrefixIPv6 0 @here } }
        @{ Name = 'what a table does not differ in'; Make = { Measure-ConntrackEntry -GroupBy Namespace @here } }
        @{ Name = 'what a table does not have'; Make = { Measure-ConntrackEntry -GroupBy EventType @here } }
        @{ Name = 'objects that came from elsewhere'; Make = { Get-ConntrackEntry -Unreplied @here | Measure-ConntrackEntry -GroupBy SourceAddress } }
    ) {
        $groups = @(& $Make)
        $groups.Count | Should -BeGreaterThan 0
        $failures = @(Get-Failure { $groups | Remove-ConntrackEntry @here -ErrorAction Continue })
        ($failures | ForEach-Object { $_.Exception.Data['Count'] ?? 1 } | Measure-Object -Sum).Sum | Should -Be $groups.Count
        $failures.FullyQualifiedErrorId | Select-Object -Unique | Should -BeLike 'GroupNamesNoEntries,*'
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It 'is made and sorted by the names of Show-ConntrackTop too: <Ours>' -ForEach @(
        @{ Theirs = @{ GroupBy = 'Source' }; Ours = @{ GroupBy = 'SourceAddress' } }
        @{ Theirs = @{ GroupBy = 'Destination', 'Port' }; Ours = @{ GroupBy = 'DestinationAddress', 'DestinationPort' } }
        @{ Theirs = @{ SortBy = 'Rate'; Interval = 0 }; Ours = @{ SortBy = 'BitsPerSecond'; Interval = 0 } }
        @{ Theirs = @{ SortBy = 'PacketRate'; Interval = 0 }; Ours = @{ SortBy = 'PacketsPerSecond'; Interval = 0 } }
    ) {
        (Measure-ConntrackEntry @here @Theirs -WarningAction Ignore | ForEach-Object Name) | Should -Be (Measure-ConntrackEntry @here @Ours -WarningAction Ignore | ForEach-Object Name)
    }

    It 'says what is possible, with the names of Show-ConntrackTop' {
        "$(Get-Failure { Measure-ConntrackEntry -GroupBy Nonsense })" | Should -BeLike '*SourceAddress*Source (SourceAddress)*'
        "$(Get-Failure { Measure-ConntrackEntry -SortBy Nonsense })" | Should -BeLike '*TotalBytes*Rate (BitsPerSecond), Bytes (TotalBytes)*'
    }

    It 'is still a filter once it was written to a file: <Way>' -ForEach @(
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/group.xml; Import-Clixml TestDrive:/group.xml } }
        @{ Way = 'ConvertTo-Json'; Convert = { ConvertTo-Json @($input) | ConvertFrom-Json } }
        @{ Way = 'Select-Object'; Convert = { $input | Select-Object * } }
    ) {
        $group = Measure-ConntrackEntry -GroupBy SourceAddress -Top 1 @here
        $found = $group | & $Convert | Get-ConntrackEntry
        @($found).Count | Should -Be $group.Count
        $found.SourceAddress | Select-Object -Unique | Should -Be $group.SourceAddress
    }
}
