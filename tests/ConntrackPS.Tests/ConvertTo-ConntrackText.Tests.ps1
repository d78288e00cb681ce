BeforeAll {
    $version = (Import-PowerShellDataFile "$PSScriptRoot/../../ConntrackPS.psd1").ModuleVersion
    Import-Module "$PSScriptRoot/../../out/ConntrackPS/$version/ConntrackPS.psd1"

    function New-Table([string] $Namespace, [int] $Accounting) {
        ip netns add $Namespace
        ip netns exec $Namespace ip link set lo up
        ip netns exec $Namespace sysctl -qw net.netfilter.nf_conntrack_acct=$Accounting net.netfilter.nf_conntrack_timestamp=$Accounting
        $create = { ip netns exec $Namespace conntrack -I @args 2>$null }
        & $create -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 80 --state ESTABLISHED -u 'ASSURED,SEEN_REPLY' -t 5000
        & $create -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 80 --state SYN_SENT -t 5000
        & $create -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 4 --dport 80 --reply-port-src 8080 --reply-port-dst 4 -r 10.8.8.8 -q 10.0.0.1 --state ESTABLISHED -t 4990 -w 3 -u SEEN_REPLY
        & $create -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 5 --dport 80 -g 10.8.8.8:8080 --state ESTABLISHED -t 4990 -w 3 -u 'SEEN_REPLY,ASSURED'
        & $create -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 6 --dport 80 -n 203.0.113.5:7777 --state CLOSE_WAIT -t 4990 -u 'SEEN_REPLY,ASSURED'
        & $create -p tcp -s fd00::1 -d fd00::2 --sport 6 --dport 80 -n '[fd00::9]:7777' --state LAST_ACK -t 4990 -u 'SEEN_REPLY,ASSURED'
        & $create -p tcp -s fd00::1 -d fd00::2 --sport 7 --dport 80 -g '[fd00::9]:7777' --state TIME_WAIT -t 4990 -u 'SEEN_REPLY,ASSURED,FIXED_TIMEOUT'
        & $create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 53 -t 5000 --orig-zone 5
        & $create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 53 -t 5000 --reply-zone 6
        & $create -p udplite -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 53 -t 5000
        & $create -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 53 -t 5000 --state COOKIE_ECHOED --orig-vtag 11 --reply-vtag 4294967295
        & $create -p sctp -s fd00::1 -d fd00::2 --sport 1001 --dport 53 -t 5000 --state ESTABLISHED --orig-vtag 11 --reply-vtag 12 -u 'SEEN_REPLY,ASSURED'
        & $create -p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 0x1001 --dstkey 53 -t 5000
        & $create -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 777 -t 5000
        & $create -p icmp -s 10.0.0.1 -d 10.0.0.3 --icmp-type 13 --icmp-code 0 --icmp-id 777 -t 5000 -n 203.0.113.5
        & $create -p icmpv6 -s fd00::1 -d fd00::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 777 -t 5000
        & $create -p 2 -s 10.0.0.1 -d 10.0.0.2 -t 5000
        & $create -p 50 -s fd00::1 -d ::ffff:1.2.3.4 -t 5000
        & $create -p 50 -s fd00:0:0:1::5efe:1.2.3.4 -d '1:0:0:2::' -t 5000
        ip netns exec $Namespace ping -c 2 -i 0.2 127.0.0.1 > $null
        ip netns exec $Namespace ping -c 1 ::1 > $null
    }

    <# Removes timeouts and ages, which change between two readings of the table. #>
    filter Hide-Clock {
        $_ -split "`n" -replace '^((?:ipv\d +\d+ )?\w+ +\d+) \d+ ', '$1 TIMEOUT ' -replace '^-A -t \d+', '-A -t TIMEOUT' -replace '<timeout>\d+', '<timeout>TIMEOUT' `
            -replace '(delta-time=|<deltatime>)\d+', '$1AGE'
    }
}

Describe 'ConvertTo-ConntrackText' {
    Context 'of a real table, counters and timestamps <accounting>' -ForEach @{ accounting = 0 }, @{ accounting = 1 } {
        BeforeAll {
            $namespace = "ctps-to$accounting-$PID"
            New-Table $namespace $accounting
        }

        AfterAll {
            ip netns del $namespace
        }

        It 'writes <format> with <include> as <command> does' -ForEach @(
            @{ format = 'List'; include = 'None'; command = 'conntrack -L' }
            @{ format = 'List'; include = 'Id, Timestamp'; command = 'conntrack -L -o id,ktimestamp' }
            @{ format = 'Extended'; include = 'None'; command = 'conntrack -L -o extended' }
            @{ format = 'Save'; include = 'None'; command = 'conntrack -L -o save' }
            @{ format = 'Xml'; include = 'None'; command = 'conntrack -L -o xml' }
            @{ format = 'Xml'; include = 'Timestamp'; command = 'conntrack -L -o xml,ktimestamp' }
        ) {
            $words = $command -split ' '
            $expected = ip netns exec $namespace @words 2>$null | Hide-Clock
            $expected.Count | Should -BeGreaterThan 18
            Get-ConntrackEntry -NetworkNamespace $namespace | ConvertTo-ConntrackText -Format $format -Include $include | Hide-Clock | Should -Be $expected
        }

        It 'gives <command> back as it was' -ForEach @(
            @{ format = 'List'; include = 'None'; command = 'conntrack -L' }
            @{ format = 'List'; include = 'Id, Timestamp'; command = 'conntrack -L -o id,ktimestamp' }
            @{ format = 'Extended'; include = 'Id'; command = 'conntrack -L -o extended,id' }
            @{ format = 'Proc'; include = 'None'; command = 'cat /proc/net/nf_conntrack' }
            @{ format = 'Save'; include = 'None'; command = 'conntrack -L -o save' }
            @{ format = 'Xml'; include = 'None'; command = 'conntrack -L -o xml' }
            @{ format = 'Xml'; include = 'Timestamp'; command = 'conntrack -L -o xml,ktimestamp' }
        ) {
            $words = $command -split ' '

            # Ages are in whole seconds, so both texts must be from the same second.
            do {
                $at = Get-Date
                $text = ip netns exec $namespace @words 2>$null
            } until ((Get-Date).Second -eq $at.Second)

            # The two timeouts of GRE are not the entry's, and 0 where no packet made it.
            $text = $text -replace 'timeout=0, stream_timeout=0', 'timeout=30, stream_timeout=180'
            $text.Count | Should -BeGreaterThan 18
            $text | ConvertFrom-ConntrackText -CapturedAt $at | ConvertTo-ConntrackText -Format $format -Include $include -CapturedAt $at |
                ForEach-Object { $_ -split "`n" } | Should -Be $text
        }

        It 'writes objects that have been through <way> the same' -ForEach @(
            @{ way = 'CLIXML'; through = { $input | ForEach-Object { [Management.Automation.PSSerializer]::Deserialize([Management.Automation.PSSerializer]::Serialize($_)) } } }
            @{ way = 'JSON'; through = { $input | ConvertTo-Json | ConvertFrom-Json } }
            @{ way = 'CSV'; through = { $input | ConvertTo-Csv | ConvertFrom-Csv } }
            @{ way = 'Select-Object'; through = { $input | Select-Object * } }
        ) {
            $entries = Get-ConntrackEntry -NetworkNamespace $namespace
            $at = Get-Date
            foreach ($format in 'List', 'Extended', 'Proc', 'Save', 'Xml') {
                # CSV has times without fractions of seconds.
                $expected = $entries | ConvertTo-ConntrackText -Format $format -CapturedAt $at | Hide-Clock
                $entries | & $through | ConvertTo-ConntrackText -Format $format -CapturedAt $at | Hide-Clock | Should -Be $expected
            }
        }

        It 'writes commands that conntrack -R takes, and that make the same table again' {
            $other = "ctps-back$accounting-$PID"
            ip netns add $other
            try {
                ip netns exec $namespace conntrack -U -p tcp --sport 1001 -s 10.0.0.1 -d 10.0.0.2 -m 77 *>$null
                Get-ConntrackEntry -NetworkNamespace $namespace | ConvertTo-ConntrackText -Format Save | Set-Content "$TestDrive/save"
                ip netns exec $other conntrack -R "$TestDrive/save" 2>&1 | Should -BeNullOrEmpty
                $LASTEXITCODE | Should -Be 0

                # All values except those that change over time, and the ICMP id after translation.
                $restorable = { $_ -replace '(packets|bytes|delta-time)=\w+ ', '' }
                $expected = ip netns exec $namespace conntrack -L -o extended 2>$null | Hide-Clock | ForEach-Object $restorable | Sort-Object
                ip netns exec $other conntrack -L -o extended 2>$null | Hide-Clock | ForEach-Object $restorable | Sort-Object | Should -Be $expected
                $expected | Where-Object { $_ -like '*mark=77*' } | Should -HaveCount 1

                # Status and verification tags, which the lists do not show.
                $properties = 'Protocol', 'SourceAddress', 'SourcePort', 'State', 'OriginalVerificationTag', 'ReplyVerificationTag', 'Zone'
                $expected = Get-ConntrackEntry -NetworkNamespace $namespace | Sort-Object Protocol, SourceAddress, SourcePort, IcmpType, DestinationAddress |
                    Select-Object ($properties + @{ Name = 'Nat'; Expression = { "$($_.Status)" -split ', ' -match 'Nat$' -join ' ' } }) | ConvertTo-Csv
                Get-ConntrackEntry -NetworkNamespace $other | Sort-Object Protocol, SourceAddress, SourcePort, IcmpType, DestinationAddress |
                    Select-Object ($properties + @{ Name = 'Nat'; Expression = { "$($_.Status)" -split ', ' -match 'Nat$' -join ' ' } }) | ConvertTo-Csv |
                    Should -Be $expected
            }
            finally {
                ip netns del $other
            }
        }
    }

    Context 'what conntrack -o save loses or conntrack -R refuses of it (fault 8)' {
        BeforeAll {
            $namespace = "ctps-nat-$PID"
            $other = "ctps-natback-$PID"
            ip netns add $namespace
            ip netns add $other
            ip netns exec $namespace conntrack -I -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 8 --dport 80 -g 10.8.8.8:8080 -n 203.0.113.5:7777 --state ESTABLISHED -t 499 -u 'SEEN_REPLY,ASSURED' -m 7 *>$null
            ip netns exec $namespace conntrack -I -p udp -s 10.0.0.1 -d 198.51.100.7 --sport 8 --dport 80 -n 10.0.0.1:7778 -t 499 *>$null
            ip netns exec $namespace conntrack -I -p tcp -s fd00::1 -d fd00::2 --sport 8 --dport 80 -n '[fd00::1]:7777' -g '[fd00::3]:99' --state ESTABLISHED -t 499 *>$null
            ip netns exec $namespace conntrack -I -p dccp -s 10.0.0.1 -d 10.0.0.2 --sport 0 --dport 0 --state OPEN --role client -t 499 *>$null
            $view = { "$($args[0].ReplySourceAddress) $($args[0].ReplySourcePort) $($args[0].ReplyDestinationAddress) $($args[0].ReplyDestinationPort) $($args[0].Mark) $($args[0].Status)" }
        }

        AfterAll {
            ip netns del $namespace
            ip netns del $other
        }

        It 'is kept: ports translated alone or both ways, marks, DCCP where the kernel does not know it' {
            Get-ConntrackEntry -NetworkNamespace $namespace | ConvertTo-ConntrackText -Format Save | Set-Content "$TestDrive/save"
            ip netns exec $other conntrack -R "$TestDrive/save" 2>&1 | Should -BeNullOrEmpty

            $expected = Get-ConntrackEntry -NetworkNamespace $namespace | ForEach-Object { & $view $_ } | Sort-Object
            $expected | Should -HaveCount 4
            Get-ConntrackEntry -NetworkNamespace $other | ForEach-Object { & $view $_ } | Sort-Object | Should -Be $expected
        }
    }

    Context 'objects' {
        BeforeAll {
            $bag = [pscustomobject]@{
                Protocol = 'tcp'; State = 'SYN_SENT'; SourceAddress = '10.0.0.1'; SourcePort = 1; DestinationAddress = '10.0.0.2'; DestinationPort = '2'
                TimeoutSeconds = 9; Status = 'Confirmed'; Mark = ''; Zone = $null; Color = 'blue'
            }
        }

        It 'need no more than a flow' {
            $bag | ConvertTo-ConntrackText | Should -Be 'tcp      6 9 SYN_SENT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 use=1'
        }

        It 'that are none are errors for themselves only' {
            $broken = $bag | Select-Object *
            $broken.SourcePort = 'http'
            $text = $bag, 'text', $broken, $bag | ConvertTo-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue

            $text.Count | Should -Be 2
            $problems.Count | Should -Be 2
            $problems[1].FullyQualifiedErrorId | Should -Be 'NotAnEntry,ConntrackPS.Commands.ConvertToConntrackTextCommand'
            "$($problems[1])" | Should -BeLike "*its SourcePort 'http' is not a number from 0 to 65535.*"
        }

        It 'make one XML document, also of none' {
            $xml = [xml] ($bag, $bag | ConvertTo-ConntrackText -Format Xml)
            $xml.conntrack.flow.Count | Should -Be 2
            $xml.conntrack.flow[0].meta[0].layer4.sport | Should -Be 1
            ([xml] (@() | ConvertTo-ConntrackText -Format Xml)).conntrack | Should -Be ''
        }
    }

    Context 'expectations' {
        BeforeAll {
            $namespace = "ctps-expect-$PID"
            ip netns add $namespace
            ip netns exec $namespace conntrack -L *> $null
            $PSDefaultParameterValues = @{
                'New-ConntrackEntry:NetworkNamespace' = $namespace; 'New-ConntrackExpectation:NetworkNamespace' = $namespace; 'Get-ConntrackExpectation:NetworkNamespace' = $namespace
                'New-ConntrackEntry:Timeout' = 600; 'New-ConntrackEntry:PassThru' = $true
            }
            $four = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7' }
            $ftp = New-ConntrackEntry @four -Protocol tcp -SourcePort 1000 -DestinationPort 21 -State Established -Helper ftp
            $zoned = New-ConntrackEntry @four -Protocol tcp -SourcePort 1000 -DestinationPort 21 -State Established -Helper ftp -Zone 5
            $sip = New-ConntrackEntry @four -Protocol udp -SourcePort 5060 -DestinationPort 5060 -Helper sip
            $pptp = New-ConntrackEntry @four -Protocol tcp -SourcePort 1001 -DestinationPort 1723 -State Established -Helper pptp
            $six = New-ConntrackEntry 2001:db8::1 2001:db8:1::7 -Protocol tcp -SourcePort 1000 -DestinationPort 21 -State Established -Helper ftp
            $ftp, $zoned | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
            $sip | New-ConntrackExpectation 198.51.100.0/24 192.0.2.1 -DestinationPort 5002 -Class 1 -Helper sip -Flag Permanent, Inactive
            $sip | New-ConntrackExpectation 0.0.0.0/0 192.0.2.1 -SourcePort 7 -DestinationPort 5004 -Flag Permanent
            $pptp | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -Protocol gre -SourcePort 0x12 -DestinationPort 0xbeef
            $six | New-ConntrackExpectation 2001:db8:1::/48 2001:db8::1 -DestinationPort 5001

            # The zone is no part of conntrack's text, for the kernel doesn't tell it.
            $read = { Get-ConntrackExpectation | Select-Object * -ExcludeProperty Zone, Extra }
            $hide = { $_ -split "`n" -replace '^\d+ ', 'TIMEOUT ' -replace '<timeout>\d+', '<timeout>TIMEOUT' }
        }

        AfterAll {
            ip netns del $namespace
        }

        It 'are written in <format> as <command> does' -ForEach @(
            @{ format = 'List'; command = 'conntrack -L expect -f ipv4'; family = 'IPv4' }
            @{ format = 'List'; command = 'conntrack -L expect -f ipv6'; family = 'IPv6' }
            @{ format = 'Extended'; command = 'conntrack -L expect -f ipv4 -o extended'; family = 'IPv4' }
            @{ format = 'Xml'; command = 'conntrack -L expect -f ipv4 -o xml'; family = 'IPv4' }
            @{ format = 'Xml'; command = 'conntrack -L expect -f ipv6 -o xml'; family = 'IPv6' }
            @{ format = 'Proc'; command = 'cat /proc/net/nf_conntrack_expect'; family = 'IPv4', 'IPv6' }
        ) {
            $words = $command -split ' '
            $expected = ip netns exec $namespace @words 2>$null | ForEach-Object $hide
            $expected.Count | Should -BeGreaterThan 0
            $found = & $read | Where-Object { "$($_.AddressFamily)" -in $family }
            $found | ConvertTo-ConntrackText -Format $format | ForEach-Object $hide | Sort-Object | Should -Be ($expected | Sort-Object)
        }

        It 'that have been through <way> are written the same' -ForEach @(
            @{ way = 'CLIXML'; through = { $input | ForEach-Object { [Management.Automation.PSSerializer]::Deserialize([Management.Automation.PSSerializer]::Serialize($_)) } } }
            @{ way = 'JSON'; through = { $input | ConvertTo-Json | ConvertFrom-Json } }
            @{ way = 'CSV'; through = { $input | ConvertTo-Csv | ConvertFrom-Csv } }
            @{ way = 'Group-Object'; through = { $input | Group-Object { 1 } } }
        ) {
            $expectations = Get-ConntrackExpectation
            foreach ($format in 'List', 'Proc', 'Xml') {
                $expected = $expectations | ConvertTo-ConntrackText -Format $format
                $expectations | & $through | ConvertTo-ConntrackText -Format $format | Should -Be $expected
            }
        }

        It 'have no form <format>' -ForEach @{ format = 'Save' }, @{ format = 'Delete' } {
            Get-ConntrackExpectation | Select-Object -First 1 | ConvertTo-ConntrackText -Format $format -ErrorVariable problems -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problems[0].FullyQualifiedErrorId | Should -Be 'NoTextForm,ConntrackPS.Commands.ConvertToConntrackTextCommand'
            "$($problems[0])" | Should -BeLike '*List, Extended, Proc or Xml*'
        }

        It 'and entries make two XML documents' {
            $text = Get-ConntrackExpectation | Select-Object -First 1 | ForEach-Object { $_; $ftp } | ConvertTo-ConntrackText -Format Xml -ErrorVariable problems -ErrorAction SilentlyContinue
            ([xml] $text).expect.flow | Should -HaveCount 1
            $problems[0].FullyQualifiedErrorId | Should -Be 'NoTextForm,ConntrackPS.Commands.ConvertToConntrackTextCommand'
            Get-ConntrackExpectation | Select-Object -First 1 | ForEach-Object { $_; $ftp } | ConvertTo-ConntrackText | Should -HaveCount 2
        }

        It 'without mask and master have the form of /proc alone' {
            $bag = [pscustomobject]@{ Protocol = 'Udp'; SourceAddress = '198.51.100.10'; SourcePort = 0; DestinationAddress = '203.0.113.9'; DestinationPort = 49170; SourceMask = $null; Helper = 'sip'; Class = 1 }
            $bag | ConvertTo-ConntrackText -Format Proc | Should -Be '- l3proto = 2 proto=17 src=198.51.100.10 dst=203.0.113.9 sport=0 dport=49170 sip/audio'
            $bag | ConvertTo-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $problems[0].FullyQualifiedErrorId | Should -Be 'NotAnExpectation,ConntrackPS.Commands.ConvertToConntrackTextCommand'
            "$($problems[0])" | Should -BeLike '*no SourceMask*-Format Proc*'
        }
    }
}
