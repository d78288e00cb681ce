<#
    Events as text: logs of conntrack -E in each of its forms, compared with what Watch-ConntrackEvent saw of the same events,
    and taken through files and back to text.
#>
BeforeDiscovery {
    $forms = @(
        @{ Option = 'timestamp'; Format = 'List'; Include = @('EventTime'); Tells = 'EventTime' }
        @{ Option = 'timestamp,id'; Format = 'List'; Include = 'EventTime', 'Id'; Tells = 'EventTime', 'Id' }
        @{ Option = 'extended,timestamp,id'; Format = 'Extended'; Include = 'EventTime', 'Id'; Tells = 'EventTime', 'Id' }
        @{ Option = 'extended,timestamp,ktimestamp,id,labels'; Format = 'Extended'; Include = 'EventTime', 'Timestamp', 'Id', 'Label'; Tells = 'EventTime', 'Id' }
        @{ Option = 'xml,timestamp'; Format = 'Xml'; Include = @('EventTime'); Tells = 'EventTime', 'Id' }
        @{ Option = 'xml,timestamp,ktimestamp,labels,id'; Format = 'Xml'; Include = 'EventTime', 'Timestamp', 'Label'; Tells = 'EventTime', 'Id' }
        @{ Option = 'extended'; Format = 'Extended'; Include = @('None'); Tells = @() }
    )
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# What every form tells of an event but XML, which has no ICMP type, code and id. #>
    function Get-Description($Happened, [switch] $Xml) {
        $icmp = $Xml ? '' : "$($Happened.IcmpType) $($Happened.IcmpCode) $($Happened.IcmpId)"
        "$($Happened.EventType) $($Happened.Protocol) $($Happened.State) $($Happened.SourceAddress) $($Happened.SourcePort) " +
        "$($Happened.DestinationAddress) $($Happened.DestinationPort) $($Happened.ReplySourceAddress) $($Happened.ReplyDestinationAddress) " +
        "$($Happened.Mark) $($Happened.PortId) $icmp"
    }

    $new = '[1427392756.120001]	    [NEW] tcp      6 120 SYN_SENT src=192.0.2.21 dst=198.51.100.80 sport=40010 dport=443 [UNREPLIED] src=198.51.100.80 dst=203.0.113.1 sport=443 dport=40010'
    $update = $new.Replace('    [NEW]', ' [UPDATE]').Replace('120 SYN_SENT', '432000 ESTABLISHED').Replace('[UNREPLIED] ', '').Replace('56.12', '57.12')
    $destroy = $new.Replace('    [NEW]', '[DESTROY]').Replace('120 SYN_SENT ', '').Replace('[UNREPLIED] ', '').Replace('56.12', '99.12')
    $loss = 'WARNING: We have hit ENOBUFS! We are losing events.'
    $advice = 'This message means that the current netlink socket buffer size is too small.', 'Please, check --buffer-size in conntrack(8) manpage.'
}

Describe 'A log of conntrack -E' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1 net.netfilter.nf_conntrack_timestamp=1 net.netfilter.nf_conntrack_acct=1
        $root = (Get-PSDrive TestDrive).Root
        $logs = @{}
        $loggers = foreach ($option in 'timestamp', 'timestamp,id', 'extended,timestamp,id', 'extended,timestamp,ktimestamp,id,labels',
            'xml,timestamp', 'xml,timestamp,ktimestamp,labels,id', 'extended') {
            $logs[$option] = "$root/$($option.Replace(',', '-')).log"
            $command = "exec ip netns exec $namespace conntrack -E -o $option >'$($logs[$option])' 2>/dev/null"
            [System.Diagnostics.Process]::Start([System.Diagnostics.ProcessStartInfo]::new('sh', [string[]] ('-c', $command)))
        }
        $watch = Start-ThreadJob -ArgumentList $namespace, (Get-PackagePath) {
            param($namespace, $package)
            Import-Module "$package/ConntrackPS.psd1"
            Watch-ConntrackEvent -NetworkNamespace $namespace -MaxEvents 7 -Timeout 60
        }
        try {
            # Seven programs and the cmdlet listen.
            Wait-Until { @(Get-Content /proc/$($loggers[-1].Id)/net/netlink | Where-Object { $_ -match '^\S+ 12 .* [0-9a-f]{7}7 ' }).Count -ge 8 } 'not all listen'
            $change = { $null = ip netns exec $namespace conntrack @args 2>&1 }
            & $change -I -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 4 --dport 80 -g 10.8.8.8:8080 --state ESTABLISHED -t 499 -u 'SEEN_REPLY,ASSURED' -m 7
            & $change -I -p udp -s fd00::1 -d fd00::2 --sport 6 --dport 53 -t 499
            & $change -I -p icmp -s 10.0.0.1 -d 10.0.0.3 --icmp-type 8 --icmp-code 0 --icmp-id 777 -t 500
            & $change -U -p tcp -s 10.0.0.1 -m 9
            & $change -D -p tcp -s 10.0.0.1
            & $change -D -f ipv6 -p udp
            & $change -D -p icmp
            $seen = @($watch | Receive-Job -Wait -AutoRemoveJob)
            Wait-Until { $logs.Values.Where({ @((Get-Content $_) -match 'DESTROY|"destroy"').Count -lt 3 }).Count -eq 0 } 'not all is logged'
        }
        finally {
            foreach ($logger in $loggers) {
                kill -INT $logger.Id
                $logger.WaitForExit()
            }
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'with -o <Option> is the events that Watch-ConntrackEvent saw' -ForEach $forms {
        $read = @(ConvertFrom-ConntrackText -Path $logs[$Option] -ErrorVariable problems -WarningVariable warnings)
        @($problems) + @($warnings) | Should -BeNullOrEmpty
        $read | Should -BeOfType ConntrackPS.Events.ConntrackEvent
        $seen.Count | Should -Be 7
        $read.ForEach({ Get-Description $_ -Xml:($Format -eq 'Xml') }) | Should -Be $seen.ForEach({ Get-Description $_ -Xml:($Format -eq 'Xml') })
        $read.PortId.Count | Should -Be 7
        if ('Id' -in $Tells) {
            $read.Id | Should -Be $seen.Id
        }
        foreach ($i in 0..6) {
            if ('EventTime' -in $Tells) {
                [Math]::Abs(($read[$i].EventTime - $seen[$i].EventTime).TotalSeconds) | Should -BeLessThan 2
            }
            else {
                $read[$i].EventTime | Should -BeNullOrEmpty
            }
        }
    }

    It 'with -o <Option> is the same text again, also through CLIXML, CSV and JSON' -ForEach $forms {
        $written = Get-Content $logs[$Option] | Where-Object { $_ -notmatch 'have been shown' }
        $events = ConvertFrom-ConntrackText -Path $logs[$Option]
        $events | Export-Clixml TestDrive:/events.xml
        $events | Export-Csv TestDrive:/events.csv
        $ways = @{
            Direct = $events
            Clixml = Import-Clixml TestDrive:/events.xml
            Csv    = Import-Csv TestDrive:/events.csv
            Json   = $events | ConvertTo-Json | ConvertFrom-Json
        }
        foreach ($way in $ways.Keys) {
            $lines = ($ways[$way] | ConvertTo-ConntrackText -Format $Format -Include $Include) -split "`n"
            $lines | Should -BeExactly $written -Because $way
        }
    }

    It 'counts each connection once' {
        $groups = ConvertFrom-ConntrackText -Path $logs['timestamp,id'] | Measure-ConntrackEntry -GroupBy Protocol | Sort-Object Name
        $groups.ForEach({ "$($_.Name) $($_.Count)" }) | Should -Be 'Icmp 1', 'Tcp 1', 'Udp 1'
        $types = ConvertFrom-ConntrackText -Path $logs['timestamp,id'] | Measure-ConntrackEntry -GroupBy EventType | Sort-Object Name
        $types.ForEach({ "$($_.Name) $($_.Count)" }) | Should -Be 'Destroy 3', 'New 3', 'Update 1'
    }
}

Describe 'Events as text' {
    It 'of older programs have microseconds without zeros in front' {
        $line = '[1415968843.2363  ]	 [UPDATE] udp      17 30 src=192.0.2.128 dst=198.51.100.8 sport=36037 dport=53 src=198.51.100.8 dst=192.0.2.128 sport=53 dport=36037'
        $happened = $line | ConvertFrom-ConntrackText
        $happened.EventType | Should -Be Update
        $happened.EventTimestamp | Should -Be 1415968843002363000
        $happened.EventTime.ToUniversalTime().ToString('o') | Should -Be '2014-11-14T12:40:43.0023630Z'
    }

    It 'of a log without times have the log''s own' {
        $line = 'Jul 16 12:54:54 vyos-conntrack-logger[9387]: [NEW]     1411737613 udp      17 30 src=192.0.2.1 dst=192.0.2.255 sport=17500 dport=17500 [UNREPLIED] src=192.0.2.255 dst=192.0.2.1 sport=17500 dport=17500'
        $happened = $line | ConvertFrom-ConntrackText -CapturedAt 2024-08-01
        $happened.EventTime | Should -Be ([datetime] '2024-07-16T12:54:54')
        $happened.Id | Should -Be 1411737613
    }

    It 'may have been lost, which is an event of its own' {
        $read = @($new, $loss, $advice, $destroy | ForEach-Object { $_ } | ConvertFrom-ConntrackText -ErrorVariable problems)
        $problems | Should -BeNullOrEmpty
        "$($read.EventType)" | Should -Be 'New Lost Destroy'
        $read[1].LostCount | Should -BeNullOrEmpty

        $read | Measure-ConntrackEntry -GroupBy Protocol -WarningVariable warnings -WarningAction Ignore | ForEach-Object Count | Should -Be 1
        "$warnings" | Should -Be 'Events were lost and are not counted. The text doesn''t say how many.'

        $read | Export-Clixml TestDrive:/lost.xml
        foreach ($kept in $read, @(Import-Clixml TestDrive:/lost.xml), @($read | ConvertTo-Csv | ConvertFrom-Csv), @($read | ConvertTo-Json | ConvertFrom-Json)) {
            @($kept | ConvertTo-ConntrackText -Include EventTime) | Should -BeExactly $new, $loss, $destroy
        }
    }

    It 'are counted as connections: <Name>' -ForEach @(
        @{ Name = 'new, changed and ended'; Lines = { $new, $update, $destroy }; Count = 1 }
        @{ Name = 'without the start'; Lines = { $update, $destroy }; Count = 1 }
        @{ Name = 'without the end'; Lines = { $new, $update }; Count = 1 }
        @{ Name = 'the same addresses again after the end'; Lines = { $new, $destroy, $new, $destroy }; Count = 2 }
        @{ Name = 'the same addresses again, and the end is missing'; Lines = { $new, $new.Replace('56.12', '88.12') }; Count = 2 }
        @{ Name = 'the same addresses in two zones'; Lines = { $new.Replace('src=192', 'zone=5 src=192'), $new.Replace('src=192', 'zone=6 src=192') }; Count = 2 }
        @{ Name = 'two ids of one tuple'; Lines = { "$new id=1", "$update id=2" }; Count = 2 }
        @{ Name = 'one id of one tuple'; Lines = { "$new id=1", "$update id=1" }; Count = 1 }
    ) {
        $events = @((& $Lines) | ConvertFrom-ConntrackText -WarningAction Ignore)
        $events | Export-Clixml TestDrive:/counted.xml
        $events | Export-Csv TestDrive:/counted.csv
        foreach ($read in $events, @(Import-Clixml TestDrive:/counted.xml), @(Import-Csv TestDrive:/counted.csv), @($events | ConvertTo-Json | ConvertFrom-Json)) {
            $read.Count | Should -Be (& $Lines).Count
            ($read | Measure-ConntrackEntry -GroupBy Protocol).Count | Should -Be $Count
            ($read | Measure-ConntrackEntry -GroupBy EventType | Measure-Object Count -Sum).Sum | Should -Be $read.Count
        }
    }

    It 'of one tuple in several network namespaces are several connections' {
        $events = foreach ($name in 'a', 'b') {
            $new, $destroy | ConvertFrom-ConntrackText | Select-Object * | ForEach-Object { $_.Namespace = $name; $_ }
        }
        ($events | Measure-ConntrackEntry -GroupBy Protocol).Count | Should -Be 2
    }

    It 'are shown in the table of events' {
        $table = $new, $loss, $destroy | ConvertFrom-ConntrackText | Out-String -Width 100
        $table | Should -Match 'EventTime +Change +Proto +SourceAddress'
        $table | Should -Match 'New +Tcp +192\.0\.2\.21 +40010 198\.51\.100\.80'
        $table | Should -Match 'Lost'
    }

    It 'take no line behind them for the name of a program' {
        $named = "$new [USERSPACE] portid=7 progname=conntrack"
        $read = @($named, 'conntrack v1.4.7 (conntrack-tools): 1 flow events have been shown.', 'junk' | Set-Content TestDrive:/named.log -PassThru |
                ForEach-Object { } -End { ConvertFrom-ConntrackText -Path TestDrive:/named.log -ErrorVariable problems -ErrorAction SilentlyContinue })
        $read.Extra['progname'] | Should -BeExactly conntrack
        $problems.Count | Should -Be 1
        "$problems" | Should -BeLike "*Line 3, column 1: found 'junk'*"
    }
}
