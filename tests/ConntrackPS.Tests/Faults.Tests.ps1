<# Known faults of conntrack, each with our behaviour. #>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        assured4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        assured6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        replied4 = '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 4464 --dport 81 --state SYN_RECV -u SEEN_REPLY'
        new4     = '-s 192.0.2.3 -d 198.51.100.7 -p udp --sport 4000 --dport 90'
        new6     = '-s 2001:db8::3 -d 2001:db8:1::7 -p udp --sport 4000 --dport 80'
        greA     = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
        greB     = '-s 192.0.2.6 -d 198.51.100.66 -p gre --srckey 90 --dstkey 91'
        snat6    = '-s 2001:db8:a::5 -d 2001:db8:1::20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 2001:db8:ff::9'
        dnat6    = '-s 2001:db8:ee::50 -d 2001:db8:ff::9 -p tcp --sport 60006 --dport 8080 --state ESTABLISHED --dst-nat 2001:db8:a::80'
        sctp4    = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
        sctp4b   = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 6000 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
    }

    function Get-Rest([string[]] $Without) {
        @($table.Keys | Where-Object { $_ -notin $Without } | Sort-Object)
    }
}

Describe 'Faults of conntrack' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It '1: -D -u UNREPLIED and !ASSURED delete the whole table; ours delete what they name' {
        Remove-ConntrackEntry -Unreplied -ExcludeStatus Assured -Protocol udp
        Get-KernelName $namespace | Should -Be (Get-Rest 'new4', 'new6')
        Remove-ConntrackEntry -ExcludeStatus Assured
        Get-KernelName $namespace | Should -Be 'assured4', 'assured6'
        Get-Failure { Remove-ConntrackEntry -Status None } | Should -Not -BeNullOrEmpty
        Get-KernelName $namespace | Should -Be 'assured4', 'assured6'
    }

    It '2: an IPv6 address in a NAT filter is ignored; ours filters' {
        Remove-ConntrackEntry -TranslatedSourceAddress 2001:db8:ff::9
        Get-KernelName $namespace | Should -Be (Get-Rest 'snat6')
        Remove-ConntrackEntry -TranslatedDestinationAddress 2001:db8:a::/48
        Get-KernelName $namespace | Should -Be (Get-Rest 'snat6', 'dnat6')
    }

    It '3: GRE keys are ignored on delete; ours are not, nor are the ports of SCTP' {
        Remove-ConntrackEntry -Protocol gre -GreSourceKey 80
        Get-KernelName $namespace | Should -Be (Get-Rest 'greA')
        Remove-ConntrackEntry -Protocol sctp -AddressFamily IPv4 -DestinationPort 5061
        Get-KernelName $namespace | Should -Be (Get-Rest 'greA', 'sctp4')
    }

    It '4: port 70000 becomes 4464, http 0 and 80:90 80; ours are errors, and ranges work' {
        foreach ($port in 70000, 'no-such-service', '80:90') {
            (Get-Failure { Remove-ConntrackEntry -SourcePort $port }).FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,*'
        }
        Get-KernelName $namespace | Should -Be (Get-Rest)
        Remove-ConntrackEntry -DestinationPort 80-90 -AddressFamily IPv4
        Get-KernelName $namespace | Should -Be (Get-Rest 'assured4', 'replied4', 'new4')
    }

    It '6: -F -f ipv4 empties both families; ours does not touch the other' {
        Clear-ConntrackTable -AddressFamily IPv4 -Confirm:$false
        Get-KernelName $namespace | Should -Be 'assured6', 'dnat6', 'new6', 'snat6'
    }

    It '7: -L -z with a subset zeroes all counters; ours those that were listed' {
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1
        $null = Invoke-InNamespace $namespace ip link set lo up
        # Packets are tracked only if a rule needs it.
        Invoke-InNamespace $namespace nft add table inet track
        Invoke-InNamespace $namespace nft 'add chain inet track output { type filter hook output priority 0; }'
        Invoke-InNamespace $namespace nft add rule inet track output ct state new accept
        $null = Invoke-InNamespace $namespace ping -c 2 -i 0.01 127.0.0.1
        $null = Invoke-InNamespace $namespace ping -c 3 -i 0.01 ::1
        $listed = @(Get-ConntrackEntry -Protocol icmp -ResetCounter -Confirm:$false)
        $listed[0].OriginalPackets | Should -Be 2
        (Get-ConntrackEntry -Protocol icmp).OriginalPackets | Should -Be 0
        (Get-ConntrackEntry -Protocol icmpv6).OriginalPackets | Should -Be 3
        Invoke-InNamespace $namespace nft delete table inet track
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
    }

    It '8: -o save drops mark and helper; objects bring them back' {
        New-ConntrackEntry 192.0.2.9 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp -Mark 77
        $saved = Get-ConntrackEntry -Helper ftp
        $saved | Export-Clixml TestDrive:/saved.xml
        $saved | Remove-ConntrackEntry
        Import-Clixml TestDrive:/saved.xml | New-ConntrackEntry
        $back = Get-KernelEntry $namespace | Where-Object Helper
        $back.Helper, $back.Mark | Should -Be 'ftp', 77
    }

    It '9: -R stops in the middle of a file without a line number; ours continues and reports the record' {
        $entries = @(Get-ConntrackEntry)
        Clear-ConntrackTable -Confirm:$false
        $broken = [pscustomobject]@{ Protocol = 'tcp'; SourceAddress = 'xxx.xxx.xxx.xxx'; DestinationAddress = '192.0.2.1' }
        $failure = @(Get-Failure { $entries[0], $broken + $entries[1..99] | New-ConntrackEntry -ErrorAction Continue })
        $failure.Count | Should -Be 1
        "$failure" | Should -BeLike '*record 2*xxx.xxx.xxx.xxx*'
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It '10: a deletion by the whole tuple lists the table first; ours is one request' {
        $DebugPreference = 'Continue'
        $debug = Remove-ConntrackEntry 192.0.2.3 -DestinationAddress 198.51.100.7 -Protocol udp -SourcePort 4000 -DestinationPort 90 5>&1
        "$debug" | Should -BeLike '*here: nothing*'
        Get-KernelName $namespace | Should -Be (Get-Rest 'new4')
        $entry = Get-ConntrackEntry -Exact -Protocol udp -SourceAddress 2001:db8::3 -SourcePort 4000 -DestinationAddress 2001:db8:1::7 -DestinationPort 80
        $entry.Id | Should -BeIn (Get-KernelEntry $namespace).Id
    }

    It '11: TCP windows and flags, NAT status bits and masters are not printed; ours are properties' {
        $null = Invoke-InNamespace $namespace ip link set lo up
        $entry = Get-ConntrackEntry -TranslatedSourceAddress 2001:db8:ff::9
        "$($entry.Status)" | Should -Match 'SrcNat'
        (Get-ConntrackEntry -Protocol tcp -State Established -AddressFamily IPv4).OriginalTcpFlags | Should -Not -BeNullOrEmpty
        (Get-ConntrackEntry -Protocol sctp | Select-Object -First 1).OriginalVerificationTag | Should -BeGreaterThan 0
    }

    It '13: a deletion without a match ends with an error; ours says so under -Verbose' {
        $told = Remove-ConntrackEntry -SourceAddress 203.0.113.77 -Verbose -ErrorVariable failures 4>&1
        $failures.Count | Should -Be 0
        "$told" | Should -BeLike '*0 entries removed*'
        Get-KernelName $namespace | Should -Be (Get-Rest)
    }
}
