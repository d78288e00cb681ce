BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $filterTable = [ordered]@{
        web4     = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
        web6     = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 0x107'
        syn4     = '-s 192.0.2.2 -d 198.51.100.8 -p tcp --sport 40002 --dport 443 --state SYN_SENT -m 0x100'
        syn6     = '-s 2001:db8::2 -d 2001:db8:1::8 -p tcp --sport 40002 --dport 443 --state SYN_SENT'
        fin4     = '-s 10.1.2.3 -d 198.51.100.7 -p tcp --sport 1000 --dport 22 --state FIN_WAIT -u SEEN_REPLY,ASSURED'
        fin6     = '-s 2001:db8:a::3 -d 2001:db8:1::7 -p tcp --sport 1999 --dport 22 --state FIN_WAIT -u SEEN_REPLY,ASSURED'
        dns4     = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -m 4294967295'
        dns6     = '-t 1500 -s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53 -u SEEN_REPLY'
        ping4    = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80'
        ping6    = '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 80'
        sctp4    = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
        sctp6    = '-s 2001:db8::4 -d 2001:db8:1::4 -p sctp --sport 5060 --dport 5061 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2'
        udplite4 = '-s 192.0.2.5 -d 198.51.100.5 -p udplite --sport 5004 --dport 5005'
        udplite6 = '-s 2001:db8::5 -d 2001:db8:1::5 -p udplite --sport 5004 --dport 5005'
        gre4     = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
        ospf4    = '-s 192.0.2.7 -d 198.51.100.9 -p 89'
        ospf6    = '-s 2001:db8::7 -d 2001:db8:1::9 -p 89'
        snat4    = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
        snat6    = '-s 2001:db8:a::5 -d 2001:db8:1::20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 2001:db8:ff::9'
        dnat4    = '-s 203.0.113.50 -d 203.0.113.9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 10.1.2.80:80'
        dnat6    = '-s 2001:db8:ee::50 -d 2001:db8:ff::9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 2001:db8:a::80'
        zone4    = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state CLOSE -w 5'
        zone6    = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state CLOSE -w 65535'
    }
}

Describe 'Get-ConntrackEntry by filter' {
    BeforeAll {
        $namespace = New-TestNamespace $filterTable
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'lists everything without a filter' {
        Resolve-EntryName $namespace @(Get-ConntrackEntry -NetworkNamespace $namespace) | Should -Be (Get-KernelName $namespace)
        Get-KernelName $namespace | Should -Be ($filterTable.Keys | Sort-Object)
    }

    It '<_>' -ForEach @(
        # Addresses
        '192.0.2.1 => dns4 web4 zone4'
        '2001:db8::1 => dns6 web6 zone6'
        '2001:DB8:0:0:0:0:0:1 => dns6 web6 zone6'
        '-SourceAddress 192.0.2.2 => syn4'
        '-SourceAddress 192.0.2.0/30 => dns4 ping4 syn4 web4 zone4'
        '-SourceAddress 192.0.2.3/30 => dns4 ping4 syn4 web4 zone4'
        '-SourceAddress 192.0.2.2/32 => syn4'
        '-SourceAddress 2001:db8::/126 => dns6 ping6 syn6 web6 zone6'
        '-SourceAddress 2001:db8::2/128 => syn6'
        '-SourceAddress 2001:db8:a::/48 => fin6 snat6'
        '-SourceAddress 10.0.0.0/8, 2001:db8:a::/48 => fin4 fin6 snat4 snat6'
        '-SourceAddress 192.0.2.2, 2001:db8::2, 192.0.2.99 => syn4 syn6'
        '-SourceAddress 0.0.0.0/0 => dnat4 dns4 fin4 gre4 ospf4 ping4 sctp4 snat4 syn4 udplite4 web4 zone4'
        '-SourceAddress ::/0 => dnat6 dns6 fin6 ospf6 ping6 sctp6 snat6 syn6 udplite6 web6 zone6'
        '-SourceAddress ::ffff:192.0.2.2 =>'
        '-SourceAddress 198.51.100.7 =>'
        '-SourceAddress ([ipaddress] "192.0.2.2"), ([ipaddress] "2001:db8::2") => syn4 syn6'
        '-DestinationAddress 198.51.100.8 => syn4'
        '-DestinationAddress 2001:db8:1::8, 198.51.100.53 => dns4 syn6'
        '-DestinationAddress 203.0.113.9 => dnat4'
        '-DestinationAddress 2001:db8:ff::/48 => dnat6'
        '-ReplySourceAddress 10.1.2.80 => dnat4'
        '-ReplySourceAddress 2001:db8:a::80 => dnat6'
        '-ReplySourceAddress 198.51.100.8, 2001:db8:1::8/128 => syn4 syn6'
        '-ReplyDestinationAddress 203.0.113.9 => snat4'
        '-ReplyDestinationAddress 2001:db8:ff::9 => snat6'
        '-ReplyDestinationAddress 192.0.2.2 => syn4'
        '-Address 203.0.113.9 => dnat4 snat4'
        '-Address 2001:db8:ff::9 => dnat6 snat6'
        '-Address 10.1.2.0/24 => dnat4 fin4 snat4'
        '-Address 192.0.2.2, 2001:db8:1::8 => syn4 syn6'
        '-Address 198.51.100.53 => dns4'
        '-TranslatedSourceAddress 203.0.113.9 => snat4'
        '-TranslatedSourceAddress 2001:db8:ff::/48, 203.0.113.0/24 => snat4 snat6'
        '-TranslatedSourceAddress 192.0.2.2 =>'
        '-TranslatedDestinationAddress 10.1.2.80 => dnat4'
        '-TranslatedDestinationAddress 2001:db8:a::80 => dnat6'
        '-TranslatedDestinationAddress 198.51.100.7 =>'
        '-TranslatedAddress 203.0.113.9 => snat4'
        '-TranslatedAddress 10.1.2.0/24 => dnat4'
        '-TranslatedAddress 203.0.113.9, 10.1.2.80, 2001:db8:a::80, 2001:db8:ff::/48 => dnat4 dnat6 snat4 snat6'
        '-TranslatedAddress 198.51.100.20, 203.0.113.50, 192.0.2.2 =>'
        '-TranslatedAddress 0.0.0.0/0 => dnat4 snat4'

        # Ports
        '-SourcePort 40002 => syn4 syn6'
        '-SourcePort 1000-2000 => dns4 fin4 fin6'
        '-SourcePort 1001-1998 =>'
        '-SourcePort 1000, 2001 => dns6 fin4'
        '-SourcePort "1000" => fin4'
        '-DestinationPort 53 => dns4 dns6'
        '-DestinationPort 22, 440-450 => fin4 fin6 syn4 syn6'
        '-DestinationPort (50..60) => dns4 dns6'
        '-DestinationPort 80 => web4 web6 zone4 zone6'
        '-DestinationPort 0 =>'
        '-Port 80 => dnat4 web4 web6 zone4 zone6'
        '-Port 80-81 => dnat4 web4 web6 zone4 zone6'
        '-Port 2000-2001 => dns4 dns6'
        '-Port 0-65535 => dnat4 dnat6 dns4 dns6 fin4 fin6 sctp4 sctp6 snat4 snat6 syn4 syn6 udplite4 udplite6 web4 web6 zone4 zone6'
        '-ReplySourcePort 80 => dnat4 web4 web6 zone4 zone6'
        '-ReplyDestinationPort 40002, 2000-2001 => dns4 dns6 syn4 syn6'
        '-TranslatedSourcePort 50005 => snat4 snat6'
        '-TranslatedSourcePort 40002 =>'
        '-TranslatedDestinationPort 80 => dnat4'
        '-TranslatedDestinationPort 8080 => dnat6'
        '-TranslatedPort 80 => dnat4'
        '-TranslatedPort 8000-8080, 50005 => dnat6 snat4 snat6'
        '-TranslatedPort 60006, 8443 =>'
        '-TranslatedPort 0-65535 => dnat4 dnat6 snat4 snat6'
        '-IcmpType 8 => ping4'
        '-IcmpType 8, 128 => ping4 ping6'
        '-IcmpCode 0 => ping4 ping6'
        '-IcmpId 80 => ping4 ping6'
        '-IcmpId 81 =>'
        '-GreSourceKey 80 => gre4'
        '-GreDestinationKey 81 => gre4'
        '-GreDestinationKey 80 =>'

        # Protocol and state
        '-Protocol udp => dns4 dns6'
        '-Protocol Icmp => ping4'
        '-Protocol icmpv6 => ping6'
        '-Protocol ipv6-icmp => ping6'
        '-Protocol 17 => dns4 dns6'
        '-Protocol 89 => ospf4 ospf6'
        '-Protocol ospf, gre => gre4 ospf4 ospf6'
        '-Protocol 132, UDPLITE => sctp4 sctp6 udplite4 udplite6'
        '-Protocol 200 =>'
        '-State SynSent => syn4 syn6'
        '-State SYN_SENT => syn4 syn6'
        '-State synsent, fin_wait => fin4 fin6 syn4 syn6'
        '-State Established => dnat4 dnat6 sctp6 snat4 snat6 web4 web6'
        '-State COOKIE_WAIT => sctp4'
        '-State Close => zone4 zone6'
        '-State Closed =>'

        # Status
        '-Status Assured => fin4 fin6 web4 web6'
        '-Status SEEN_REPLY => dns6 fin4 fin6 web4 web6'
        '-Status SeenReply, Assured => fin4 fin6 web4 web6'
        '-Status "SEEN_REPLY,ASSURED" => fin4 fin6 web4 web6'
        '-Status SRC_NAT => snat4 snat6'
        '-Status DstNat => dnat4 dnat6'
        '-ExcludeStatus SEEN_REPLY -Protocol udp => dns4'
        '-ExcludeStatus Assured -Status SeenReply => dns6'
        '-ExcludeStatus SeenReply, SrcNat, DstNat -Protocol tcp => syn4 syn6 zone4 zone6'
        '-Unreplied -Protocol udp => dns4'
        '-Unreplied -State SynSent => syn4 syn6'
        '-Unreplied:$false -State SynSent => syn4 syn6'
        '-SourceNat => snat4 snat6'
        '-DestinationNat => dnat4 dnat6'
        '-SourceNat -DestinationNat =>'
        '-AnyNat => dnat4 dnat6 snat4 snat6'
        '-AnyNat -SourceNat => snat4 snat6'
        '-AnyNat:$false -State SynSent => syn4 syn6'
        '-AnyNat -TranslatedAddress 203.0.113.9 -TranslatedPort 50005 => snat4'

        # Mark, zone, family
        '-Mark 7 => web4'
        '-Mark 0x107 => web6'
        '-Mark 0x100/0xff00 => syn4 web6'
        '-Mark 7/0xff => web4 web6'
        '-Mark 0x7, 256 => syn4 web4'
        '-Mark 0xffffffff => dns4'
        '-Mark 4294967295 => dns4'
        '-Mark 0/0xff -Protocol tcp -AddressFamily IPv4 => dnat4 fin4 snat4 syn4 zone4'
        '-Zone 5 => zone4'
        '-Zone 5, 65535 => zone4 zone6'
        '-Zone 0 -DestinationPort 80 => web4 web6'
        '-Zone 6 =>'
        '-AddressFamily IPv4 -Protocol udp => dns4'
        '-AddressFamily ipv6 -Protocol udp => dns6'
        '-TimeoutBelow 2000 => dns6'
        '-TimeoutBelow 33m20s => dns6'
        '-TimeoutBelow 5 =>'
        '-TimeoutAbove 2000 -Protocol udp => dns4'
        '-TimeoutAbove 1d =>'
        '-Label 3 =>'
        '-Helper ftp =>'

        # Together
        '192.0.2.0/24 -Protocol tcp => syn4 web4 zone4'
        '192.0.2.0/24 -Protocol tcp -State Established -DestinationPort 80 -Mark 7 => web4'
        '192.0.2.1 -DestinationAddress 198.51.100.7 -Zone 0 -Status Assured => web4'
        '-Address 203.0.113.9 -SourceNat => snat4'
        '-Address 203.0.113.9 -Port 80 => dnat4'
        '192.0.2.1, 2001:db8::1 -DestinationPort 53, 80 -ExcludeStatus Assured -Zone 0 => dns4 dns6'
    ) {
        $arguments, $expected = $_ -split ' => ?', 2
        $found = & ([scriptblock]::Create("Get-ConntrackEntry $arguments -NetworkNamespace $namespace"))
        (Resolve-EntryName $namespace @($found)) -join ' ' | Should -Be $expected
    }

    It 'finds entries by -Id' {
        $known = Get-KernelEntry $namespace
        $wanted = $known | Where-Object Name -In 'ping4', 'web6'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -Id $wanted.Id -NetworkNamespace $namespace) | Should -Be 'ping4', 'web6'
        Resolve-EntryName $namespace @(Get-ConntrackEntry -Id "$($wanted[0].Id)" -NetworkNamespace $namespace) | Should -Be $wanted[0].Name
    }

    It 'takes the values of entries as filters' {
        $entry = Get-ConntrackEntry 192.0.2.2 -NetworkNamespace $namespace
        $same = Get-ConntrackEntry $entry.SourceAddress -DestinationAddress $entry.DestinationAddress -SourcePort $entry.SourcePort -Port $entry.DestinationPort `
            -Protocol $entry.Protocol -State $entry.State -Status $entry.Status -Mark $entry.Mark -Zone $entry.Zone `
            -AddressFamily $entry.AddressFamily -Id $entry.Id -NetworkNamespace $entry.Namespace
        Resolve-EntryName $namespace @($same) | Should -Be 'syn4'
    }

    It 'counts in -Verbose' {
        $verbose = Get-ConntrackEntry -Protocol udp -NetworkNamespace $namespace -Verbose 4>&1 |
            Where-Object { $_ -is [System.Management.Automation.VerboseRecord] }
        $verbose.Message | Should -Match '^2 entries in \d+ ms\.$'
    }

    It 'changes nothing' {
        Get-KernelName $namespace | Should -Be ($filterTable.Keys | Sort-Object)
    }
}

Describe 'Get-ConntrackEntry, every property' {
    BeforeAll {
        $namespace = New-TestNamespace $filterTable
        $namesInConntrack = @{
            1 = 'Icmp'; 6 = 'Tcp'; 17 = 'Udp'; 47 = 'Gre'; 58 = 'IcmpV6'; 89 = 'Ospf'; 132 = 'Sctp'; 136 = 'UdpLite'
        }
        Add-KernelEntry $namespace ([ordered]@{
                mapped = '-s ::ffff:192.0.2.1 -d 64:ff9b::c000:201 -p udp --sport 1 --dport 65535'
                groups = '-s 2001:db8:0:1:1:1:1:1 -d 2001:0:0:1::1 -p udp --sport 1 --dport 2'
                full   = '-s 2001:db8:1111:2222:3333:4444:5555:6666 -d ff02::1:2 -p udp --sport 546 --dport 547'
                edges  = '-s 0.0.0.0 -d 255.255.255.255 -p udp --sport 68 --dport 67'
            })

        # Entries of real packets: with counters, times, zones of one direction, a mark set by a rule.
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1 net.netfilter.nf_conntrack_udp_timeout=3000
        Invoke-InNamespace $namespace ip link set lo up
        Set-Content TestDrive:/rules.nft @'
table inet t {
    chain before {
        type filter hook output priority raw
        udp dport 9003 ct zone set 3
        udp dport 9004 ct original zone set 4
        udp dport 9006 ct reply zone set 6
    }
    chain after {
        type filter hook output priority filter
        udp dport 9001 ct mark set 0x1234
    }
}
'@
        Invoke-InNamespace $namespace nft -f (Get-Item TestDrive:/rules.nft).FullName
        foreach ($port in 9001, 9003, 9004, 9006) {
            foreach ($address in '127.0.0.1', '::1') {
                Invoke-InNamespace $namespace bash -c "echo hello > /dev/udp/$address/$port"
            }
        }

        $before = Get-KernelEntry $namespace -Detailed | Group-Object Id -AsHashTable
        $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)
        $after = Get-KernelEntry $namespace | Group-Object Id -AsHashTable
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'sees the same entries as conntrack' {
        $entries.Count | Should -Be ($filterTable.Count + 4 + 8)
        $entries.Id | Sort-Object | Should -Be ($before.Keys | Sort-Object)
    }

    It 'has the same <_> for each' -ForEach @(
        'AddressFamily', 'SourceAddress', 'SourcePort', 'DestinationAddress', 'DestinationPort'
        'ReplySourceAddress', 'ReplySourcePort', 'ReplyDestinationAddress', 'ReplyDestinationPort'
        'GreSourceKey', 'GreDestinationKey', 'ReplyGreSourceKey', 'ReplyGreDestinationKey'
        'IcmpType', 'IcmpCode', 'IcmpId', 'ReplyIcmpType', 'ReplyIcmpCode', 'ReplyIcmpId'
        'Mark', 'Zone', 'OriginalZone', 'ReplyZone', 'Helper'
        'OriginalPackets', 'OriginalBytes', 'ReplyPackets', 'ReplyBytes'
    ) {
        $property = $_
        $ours = $entries | ForEach-Object { "$($_.Id): $($_.$property)" }
        $theirs = $entries | ForEach-Object { "$($_.Id): $($before[$_.Id].$property)" }
        $ours | Should -Be $theirs
    }

    It 'has every kind of value in the table it compares' {
        $known = $before.Values | ForEach-Object { $_ }
        foreach ($property in 'GreSourceKey', 'IcmpType', 'ReplyIcmpType', 'OriginalZone', 'ReplyZone', 'Mark', 'Zone', 'OriginalBytes', 'State', 'StartNanoseconds') {
            $known.$property | Where-Object { $_ } | Should -Not -BeNullOrEmpty -Because $property
        }
    }

    It 'has the same Protocol for each' {
        $entries | ForEach-Object { "$($_.Protocol)" } | Should -Be ($entries | ForEach-Object { $namesInConntrack[$before[$_.Id].Protocol] })
        $entries | ForEach-Object { [int] $_.Protocol } | Should -Be ($entries | ForEach-Object { $before[$_.Id].Protocol })
    }

    It 'has the same State for each, or none' {
        $entries | ForEach-Object { "$($_.Id): $($_.State)".ToUpperInvariant() } |
            Should -Be ($entries | ForEach-Object { "$($_.Id): $($before[$_.Id].State.Replace('_', ''))" })
    }

    It 'has the same TimeoutSeconds for each' {
        foreach ($entry in $entries) {
            $entry.TimeoutSeconds | Should -BeLessOrEqual $before[$entry.Id].TimeoutSeconds
            $entry.TimeoutSeconds | Should -BeGreaterOrEqual $after[$entry.Id].TimeoutSeconds
        }
    }

    It 'has the same UseCount for each' {
        foreach ($entry in $entries) {
            # Another process may hold it.
            $entry.UseCount | Should -BeIn $before[$entry.Id].UseCount, $after[$entry.Id].UseCount
        }
    }

    It 'has the same Status for each' {
        foreach ($entry in $entries) {
            $entry.Status.HasFlag([ConntrackPS.Conntrack.ConntrackStatus]::Assured) | Should -Be $before[$entry.Id].Assured
            $entry.Status.HasFlag([ConntrackPS.Conntrack.ConntrackStatus]::SeenReply) | Should -Be (-not $before[$entry.Id].Unreplied)
            $entry.Status.HasFlag([ConntrackPS.Conntrack.ConntrackStatus]::Confirmed) | Should -BeTrue
        }
    }

    It 'has the same StartTime for each, in local time' {
        foreach ($entry in $entries) {
            $start = $before[$entry.Id].StartNanoseconds
            if ($start) {
                $entry.StartTime.Kind | Should -Be 'Local'
                $entry.StartTime.ToUniversalTime().Ticks | Should -Be ([DateTime]::UnixEpoch.Ticks + [Math]::DivRem([long] $start, [long] 100).Item1)
            }
            else {
                $entry.StartTime | Should -BeNullOrEmpty
            }
        }
        $entries.StartTime | Should -Not -BeNullOrEmpty
    }

    It 'adds up TotalBytes, and leaves it empty without accounting' {
        $traffic = @($entries | Where-Object DestinationPort -EQ 9001)
        $traffic.Count | Should -Be 2
        $traffic.TotalBytes | Should -Be ($traffic | ForEach-Object { $_.OriginalBytes + $_.ReplyBytes })
        ($entries | Where-Object Protocol -EQ Gre).TotalBytes | Should -BeNullOrEmpty
    }

    It 'names the namespace as the user did' {
        $entries.Namespace | Sort-Object -Unique | Should -Be $namespace
    }

    It 'finds zones of one direction by -Zone' {
        (Get-ConntrackEntry -Zone 4 -NetworkNamespace $namespace).OriginalZone | Should -Be 4, 4
        (Get-ConntrackEntry -Zone 6 -NetworkNamespace $namespace).ReplyZone | Should -Be 6, 6
    }

    It 'finds entries by their traffic and their age' {
        @(Get-ConntrackEntry -MinimumBytes 1 -NetworkNamespace $namespace).Count | Should -Be 8
        (Get-ConntrackEntry -MinimumBytes 54 -NetworkNamespace $namespace).AddressFamily | Sort-Object -Unique | Should -Be IPv6
        @(Get-ConntrackEntry -MinimumBytes 55 -NetworkNamespace $namespace).Count | Should -Be 0
        # A transformation gets PowerShell's multipliers as text.
        @(Get-ConntrackEntry -MinimumBytes 0kb -MinimumPackets 1 -NetworkNamespace $namespace).Count | Should -Be 8
        @(Get-ConntrackEntry -MinimumBytes 1KB -NetworkNamespace $namespace).Count | Should -Be 0
        { Get-ConntrackEntry -MinimumBytes '9999999PB' -NetworkNamespace $namespace } | Should -Throw '*9999999PB*'
        @(Get-ConntrackEntry -MinimumPackets 1 -NetworkNamespace $namespace).Count | Should -Be 8
        @(Get-ConntrackEntry -MinimumPackets 2 -NetworkNamespace $namespace).Count | Should -Be 0
        @(Get-ConntrackEntry -OlderThan 1d -NetworkNamespace $namespace).Count | Should -Be 0
    }

    It 'agrees with /proc/net/nf_conntrack' {
        $lines = Invoke-InNamespace $namespace cat /proc/net/nf_conntrack
        $theirs = foreach ($line in $lines) {
            $pairs = [regex]::Matches($line, '(?<name>src|dst|sport|dport|mark)=(?<value>\S+)')
            $family, $protocol = ($line -split ' +')[0, 3]
            "$family $protocol " + (($pairs | ForEach-Object {
                        $value = $_.Groups['value'].Value
                        "$($_.Groups['name'])=" + ($value -match '[:.]' ? [ipaddress]::Parse($value) : $value)
                    }) -join ' ')
        }
        $ours = foreach ($entry in $entries) {
            $ports = $null -ne $entry.SourcePort ? @(" sport=$($entry.SourcePort) dport=$($entry.DestinationPort)", " sport=$($entry.ReplySourcePort) dport=$($entry.ReplyDestinationPort)") : '', ''
            "$($entry.AddressFamily) $([int] $entry.Protocol) src=$($entry.SourceAddress) dst=$($entry.DestinationAddress)$($ports[0]) ".ToLowerInvariant() +
            "src=$($entry.ReplySourceAddress) dst=$($entry.ReplyDestinationAddress)$($ports[1]) mark=$($entry.Mark)"
        }
        $ours | Sort-Object | Should -Be ($theirs | Sort-Object)
    }
}

Describe 'Get-ConntrackEntry in a network namespace' {
    BeforeAll {
        $namespace = New-TestNamespace $filterTable
        $other = New-TestNamespace ([ordered]@{ lonely = '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 2' })
        $empty = New-TestNamespace
    }

    AfterAll {
        Remove-TestNamespace $namespace, $other, $empty
    }

    It 'takes a name' {
        @(Get-ConntrackEntry -NetworkNamespace $namespace).Count | Should -Be $filterTable.Count
        Resolve-EntryName $other @(Get-ConntrackEntry -NetworkNamespace $other) | Should -Be 'lonely'
    }

    It 'takes a path' {
        $entry = Get-ConntrackEntry -NetworkNamespace "/run/netns/$other"
        Resolve-EntryName $other @($entry) | Should -Be 'lonely'
        $entry.Namespace | Should -Be "/run/netns/$other"
    }

    It 'takes a process id' {
        $process = Start-NamespaceProcess $other
        Resolve-EntryName $other @(Get-ConntrackEntry -NetworkNamespace $process) | Should -Be 'lonely'
        Resolve-EntryName $other @(Get-ConntrackEntry -NetworkNamespace "/proc/$process/ns/net") | Should -Be 'lonely'
    }

    It 'works in its own without the parameter' {
        $seen = Invoke-Child -Prefix ip, netns, exec, $other {
            Get-ConntrackEntry | Select-Object SourceAddress, SourcePort, Namespace | ConvertTo-Json -Compress
        }
        $seen | Should -Be '{"SourceAddress":"192.0.2.1","SourcePort":1,"Namespace":null}'
    }

    It 'gives nothing for an empty table' {
        $verbose = $null
        Get-ConntrackEntry -NetworkNamespace $empty -Verbose 4>&1 -OutVariable verbose | Should -BeOfType System.Management.Automation.VerboseRecord
        $verbose | Should -HaveCount 1
        "$verbose" | Should -BeLike '0 entries in *'
        Get-ConntrackEntry 192.0.2.1 -NetworkNamespace $empty | Should -BeNullOrEmpty
    }

    It 'completes names of namespaces, protocols, states and families' {
        function Complete([string] $Line) {
            (TabExpansion2 $Line $Line.Length).CompletionMatches.CompletionText
        }
        Complete "Get-ConntrackEntry -NetworkNamespace $($other.Substring(0, $other.Length - 1))" | Should -Contain $other
        Complete 'Get-ConntrackEntry -State Syn' | Should -Be 'SynSent', 'SYN_SENT', 'SynRecv', 'SYN_RECV', 'SynSent2', 'SYN_SENT2'
        Complete 'Get-ConntrackEntry -Protocol Ic' | Should -Be 'Icmp', 'IcmpV6'
        Complete 'Get-ConntrackEntry -AddressFamily ' | Should -Be 'IPv4', 'IPv6'
        Complete 'Remove-ConntrackEntry -Status Seen' | Should -Be 'SeenReply', 'SEEN_REPLY'
    }
}
