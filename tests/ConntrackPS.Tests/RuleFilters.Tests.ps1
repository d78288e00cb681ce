# Each parameter that names the traffic of a rule, in both families: with packets and conntrack as the witness, and as nft shows it.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $namespace = New-TestNamespace
    Enable-Tracking $namespace
    foreach ($address in '192.0.2.1', '192.0.2.2', '198.51.100.1', '198.51.100.2', '2001:db8:2::1', '2001:db8:2::2', '2001:db8:5::1', '2001:db8:5::2') {
        Invoke-InNamespace $namespace ip address add $address dev lo
    }
    Wait-Until { -not (Invoke-InNamespace $namespace ip -6 address show tentative) } 'addresses are still tentative'
}

AfterAll {
    Get-ConntrackRule -NetworkNamespace $namespace | Remove-ConntrackRule
    Remove-TestNamespace $namespace
}

Describe 'The traffic of a rule' {
    BeforeAll {
        # Sends each flow with and without the rule's traffic in one process, and lists what conntrack has of it.
        $seen = Invoke-Child -Prefix ip, netns, exec, $namespace {
            $c = @{ IPv4 = '192.0.2', '198.51.100'; IPv6 = '2001:db8:2:', '2001:db8:5:' }
            function Send([string] $From, [int] $FromPort, [string] $To, [int] $ToPort) {
                $socket = [System.Net.Sockets.UdpClient]::new([System.Net.IPEndPoint]::new([ipaddress] $From, $FromPort))
                $null = $socket.Send([byte[]](1), 1, [System.Net.IPEndPoint]::new([ipaddress] $To, $ToPort))
                $socket.Dispose()
                $family = $From.Contains(':') ? 'ipv6' : 'ipv4'
                [bool] (conntrack -L -f $family -p udp -s $From -d $To --sport $FromPort --dport $ToPort 2>$null)
            }
            foreach ($family in 'IPv4', 'IPv6') {
                $separator = $family -eq 'IPv6' ? ':' : '.'
                $one, $two, $server, $other = foreach ($net in $c[$family]) { "$net${separator}1"; "$net${separator}2" }
                $six = '2001:db8:2::1', '2001:db8:5::1'
                $four = '192.0.2.1', '198.51.100.1'
                $base = $one, 1111, $server, 5300
                $cases = [ordered]@{
                    SourceAddress      = @{ Value = $one; In = (, $base); Out = (, ($two, 1111, $server, 5300)) }
                    DestinationAddress = @{ Value = $server; In = (, $base); Out = (, ($one, 1111, $other, 5300)) }
                    Address            = @{ Value = $server; In = $base, ($server, 2222, $two, 5301); Out = (, ($one, 1111, $other, 5300)) }
                    SourcePort         = @{ Value = 1111; In = (, $base); Out = (, ($one, 1112, $server, 5300)) }
                    DestinationPort    = @{ Value = '5300-5301'; In = $base, ($one, 1111, $server, 5301); Out = (, ($one, 1111, $server, 5302)) }
                    Port               = @{ Value = 1111; In = $base, ($one, 3333, $server, 1111); Out = (, ($one, 1112, $server, 5300)) }
                    Protocol           = @{ Value = 'Udp'; In = (, $base); Out = @() }
                    AddressFamily      = @{ Value = $family; In = (, $base); Out = (, ($family -eq 'IPv4' ? ($six[0], 1111, $six[1], 5300) : ($four[0], 1111, $four[1], 5300))) }
                }
                foreach ($parameter in $cases.Keys) {
                    conntrack -F 2>$null
                    $case = $cases[$parameter]
                    $with = @{ $parameter = $case.Value }
                    $before = foreach ($flow in $case.In + $case.Out) { Send @flow }
                    conntrack -F 2>$null
                    $rule = Disable-ConntrackTracking @with
                    $in = foreach ($flow in $case.In) { Send @flow }
                    $out = foreach ($flow in $case.Out) { Send @flow }
                    $packets = (Get-ConntrackRule $rule.Name).Packets
                    $rule | Remove-ConntrackRule
                    "$family $parameter before: $($before | Select-Object -Unique) in: $($in | Select-Object -Unique) out: $($out | Select-Object -Unique) counted: $($packets -ge $case.In.Count)"
                }
                $rule = Disable-ConntrackTracking -Protocol Tcp -SourceAddress $one
                "$family other protocol: $(Send @base)"
                $rule | Remove-ConntrackRule
            }
        }
    }

    It 'is what <Parameter> names, and nothing else: <Family>' -ForEach @(
        foreach ($family in 'IPv4', 'IPv6') {
            foreach ($parameter in 'SourceAddress', 'DestinationAddress', 'Address', 'SourcePort', 'DestinationPort', 'Port', 'AddressFamily') {
                @{ Family = $family; Parameter = $parameter }
            }
        }
    ) {
        $seen | Should -Contain "$Family $Parameter before: True in: False out: True counted: True"
    }

    It 'is what Protocol names, and nothing else: <_>' -ForEach 'IPv4', 'IPv6' {
        $seen | Should -Contain "$_ Protocol before: True in: False out:  counted: True"
        $seen | Should -Contain "$_ other protocol: True"
    }

    It 'is in the rules of a limit, as nft lists them: -<Parameter> <Value>' -ForEach @(
        @{ Parameter = 'SourceAddress'; Value = '192.0.2.0/24', '2001:db8::/32'; Expected = 'ip saddr 192.0.2.0/24', 'ip6 saddr 2001:db8::/32' }
        @{ Parameter = 'DestinationAddress'; Value = '192.0.2.7', '2001:db8::7'; Expected = 'ip daddr 192.0.2.7', 'ip6 daddr 2001:db8::7' }
        @{ Parameter = 'Address'; Value = '192.0.2.7', '2001:db8::7'; Expected = 'ip saddr 192.0.2.7', 'ip daddr 192.0.2.7', 'ip6 saddr 2001:db8::7', 'ip6 daddr 2001:db8::7' }
        @{ Parameter = 'SourcePort'; Value = '1024-2047'; Expected = , 'sport 1024-2047' }
        @{ Parameter = 'DestinationPort'; Value = '80'; Expected = , 'dport 80' }
        @{ Parameter = 'Port'; Value = '53'; Expected = 'sport 53', 'dport 53' }
        @{ Parameter = 'Protocol'; Value = 'Udp'; Expected = , 'l4proto 17' }
        @{ Parameter = 'AddressFamily'; Value = 'IPv4'; Expected = , 'nfproto 2' }
        @{ Parameter = 'AddressFamily'; Value = 'IPv6'; Expected = , 'nfproto 10' }
    ) {
        $with = @{ $Parameter = $Value }
        $rule = Limit-ConntrackSource -Maximum 9 @with -NetworkNamespace $namespace
        $listed = "$(Invoke-InNamespace $namespace nft -nn list table inet $rule.Name)"
        $rule | Remove-ConntrackRule

        # nft shows a set by its name. Its elements are in the table.
        foreach ($set in [regex]::Matches($listed, 'set (?<name>\S+) \{[^{}]*elements = \{ (?<elements>[^}]*?)\s*\}')) {
            $listed = $listed.Replace("@$($set.Groups['name'].Value) ", "$($set.Groups['elements'].Value) ")
        }
        foreach ($text in $Expected) {
            $listed | Should -BeLike "*$text *"
        }
    }
}
