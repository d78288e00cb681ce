BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# The lines of "conntrack -L", without what changes from moment to moment. #>
    function Get-KernelLine([string] $Namespace) {
        @(Invoke-InNamespace $Namespace conntrack -L -o extended) -replace '^(\S+ +\d+ \S+ +\d+) \d+', '$1' -replace ' use=\d+' | Sort-Object
    }
    $namespace = New-TestNamespace
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'New-ConntrackEntry from the reply direction alone' {
    BeforeEach {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
    }

    It 'makes <Name> as conntrack does' -ForEach @(
        @{ Name = 'TCP'; Options = '-r 2.2.2.2 -q 1.1.1.1 -p tcp --reply-port-src 11 --reply-port-dst 21 --state LISTEN -u SEEN_REPLY'
            With = @{ ReplySourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; Protocol = 'tcp'; ReplySourcePort = 11; ReplyDestinationPort = 21; State = 'LISTEN'; Status = 'SeenReply' } }
        @{ Name = 'UDP over IPv6'; Options = '-r 2001:db8::2 -q 2001:db8::1 -p udp --reply-port-src 53 --reply-port-dst 2100'
            With = @{ ReplySourceAddress = '2001:db8::2'; ReplyDestinationAddress = '2001:db8::1'; Protocol = 'udp'; ReplySourcePort = 53; ReplyDestinationPort = 2100 } }
        @{ Name = 'SCTP over IPv6'; Options = '-r 2001:db8::2 -q 2001:db8::1 -p sctp --reply-port-src 53 --reply-port-dst 2100 --state COOKIE_WAIT --orig-vtag 0 --reply-vtag 0'
            With = @{ ReplySourceAddress = '2001:db8::2'; ReplyDestinationAddress = '2001:db8::1'; Protocol = 'sctp'; ReplySourcePort = 53; ReplyDestinationPort = 2100; State = 'COOKIE_WAIT' } }
        @{ Name = 'UDP with the source translated'; Options = '-r 2.2.2.2 -q 1.1.1.1 -p udp --reply-port-src 11 --reply-port-dst 21 -n 9.9.9.9:77'
            With = @{ ReplySourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; Protocol = 'udp'; ReplySourcePort = 11; ReplyDestinationPort = 21; TranslatedSourceAddress = '9.9.9.9'; TranslatedSourcePort = 77 } }
        @{ Name = 'TCP with the destination translated'; Options = '-r 2.2.2.2 -q 1.1.1.1 -p tcp --reply-port-src 11 --reply-port-dst 21 -g 9.9.9.9 --state ESTABLISHED'
            With = @{ ReplySourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; Protocol = 'tcp'; ReplySourcePort = 11; ReplyDestinationPort = 21; TranslatedDestinationAddress = '9.9.9.9'; State = 'Established' } }
        @{ Name = 'a protocol without ports'; Options = '-r 2.2.2.2 -q 1.1.1.1 -p 50'
            With = @{ ReplySourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; Protocol = 50 } }
    ) {
        Invoke-InNamespace $namespace conntrack -I -t 600 @(-split $Options)
        $asConntrack = Get-KernelLine $namespace
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry @With -Timeout 600
        Get-KernelLine $namespace | Should -Be $asConntrack
        @($asConntrack).Count | Should -Be 1
    }

    It 'makes ICMP and GRE, whose type, code, id and keys are those of the first packet' {
        New-ConntrackEntry -ReplySourceAddress 2.2.2.2 -ReplyDestinationAddress 1.1.1.1 -Protocol icmp -IcmpType 8 -IcmpId 5 -Timeout 600
        New-ConntrackEntry -ReplySourceAddress 2.2.2.2 -ReplyDestinationAddress 1.1.1.1 -Protocol gre -GreSourceKey 1 -GreDestinationKey 2 -Timeout 600
        Get-KernelLine $namespace | Should -Be @(
            'ipv4     2 gre      47 src=1.1.1.1 dst=2.2.2.2 srckey=0x1 dstkey=0x2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 srckey=0x2 dstkey=0x1 mark=0'
            'ipv4     2 icmp     1 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=5 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=5 mark=0'
        )
    }

    It 'refuses half of either direction by name' -ForEach @(
        @{ With = @{ ReplySourceAddress = '2.2.2.2'; ReplySourcePort = 1; ReplyDestinationPort = 2 }; Missing = '-ReplyDestinationAddress' }
        @{ With = @{ ReplySourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; ReplySourcePort = 1 }; Missing = '-ReplyDestinationPort' }
        @{ With = @{ SourceAddress = '2.2.2.2'; SourcePort = 1; DestinationPort = 2 }; Missing = '-DestinationAddress' }
        @{ With = @{ SourceAddress = '2.2.2.2'; ReplyDestinationAddress = '1.1.1.1'; SourcePort = 1; DestinationPort = 2 }; Missing = '-DestinationAddress' }
        @{ With = @{}; Missing = '-SourceAddress' }
    ) {
        $failure = Get-Failure { New-ConntrackEntry @With -Protocol udp -Timeout 600 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'MissingMandatoryParameter,*'
        "$failure" | Should -BeLike "*Add $Missing*"
        Get-KernelCount $namespace | Should -Be 0
    }
}

Describe 'The reply direction names an entry' {
    BeforeEach {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 10.0.0.1 -d 198.51.100.7 -p tcp --sport 5 --dport 80 --state ESTABLISHED -n 203.0.113.1:77
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 203.0.113.1 -d 198.51.100.7 -p tcp --sport 78 --dport 80 --state ESTABLISHED
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 2001:db8::1 -d 2001:db8::2 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 9
        $reply = @{ Protocol = 'tcp'; ReplySourceAddress = '198.51.100.7'; ReplySourcePort = 80; ReplyDestinationAddress = '203.0.113.1'; ReplyDestinationPort = 77 }
        $reply6 = @{ Protocol = 'icmpv6'; ReplySourceAddress = '2001:db8::2'; ReplyDestinationAddress = '2001:db8::1' }
    }

    It 'to Get-ConntrackEntry -Exact, and the entry must match the other filters' {
        (Get-ConntrackEntry -Exact @reply).SourceAddress | Should -Be 10.0.0.1
        (Get-ConntrackEntry -Exact @reply6 -IcmpType 128 -IcmpCode 0 -IcmpId 9).SourceAddress | Should -Be 2001:db8::1
        (Get-Failure { Get-ConntrackEntry -Exact @reply -Mark 7 }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        (Get-Failure { Get-ConntrackEntry -Exact @reply -Zone 4 }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        $reply.Remove('ReplyDestinationPort')
        "$(Get-Failure { Get-ConntrackEntry -Exact @reply })" | Should -BeLike '*-ReplyDestinationPort must have exactly one value*'
    }

    It 'to Set- and Remove-ConntrackEntry, as an object that has nothing else' {
        [pscustomobject] $reply | Set-ConntrackEntry -NewMark 9
        (Get-KernelEntry $namespace | Where-Object Mark -EQ 9).SourceAddress | Should -Be 10.0.0.1
        [pscustomobject] ($reply6 + @{ ReplyIcmpType = 129; ReplyIcmpCode = 0; ReplyIcmpId = 9 }) | Remove-ConntrackEntry
        [pscustomobject] $reply | Remove-ConntrackEntry
        @(Get-KernelLine $namespace) | Should -BeLike '*src=203.0.113.1 dst=198.51.100.7 sport=78*'
    }

    It 'with an id, and to a block, the same' {
        $entry = Get-ConntrackEntry 10.0.0.1
        [pscustomobject] ($reply + @{ Id = $entry.Id + 1 }) | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 3
        [pscustomobject] ($reply + @{ Id = $entry.Id }) | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 2
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 10.0.0.1 -d 198.51.100.7 -p tcp --sport 5 --dport 80 --state ESTABLISHED -n 203.0.113.1:77
        [pscustomobject] $reply | Remove-ConntrackEntry -Block
        @(Get-KernelLine $namespace) -like '*src=10.0.0.1*' | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 2
    }

    It 'to Block-ConntrackTraffic, which knows then how the flow is translated' {
        try {
            $block = [pscustomobject] $reply | Block-ConntrackTraffic
            $rules = (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n"
            $rules | Should -Match '10\.0\.0\.1' -Because 'its packets have this source before they are translated'
            $rules | Should -Match '203\.0\.113\.1' -Because 'its replies go there'
        }
        finally {
            Get-ConntrackBlock | Unblock-ConntrackTraffic
        }
    }

    It 'to Block-ConntrackTraffic, though the flow has ended: as it is without translation' {
        Clear-ConntrackTable -Confirm:$false
        try {
            $block = [pscustomobject] $reply | Block-ConntrackTraffic
            (Invoke-InNamespace $namespace nft list table inet $block.Table) -join "`n" | Should -Match '203\.0\.113\.1'
        }
        finally {
            Get-ConntrackBlock | Unblock-ConntrackTraffic
        }
    }

    It 'is restored as the plain entry that it belongs to' {
        Clear-ConntrackTable -Confirm:$false
        [pscustomobject] ($reply + @{ State = 'Established'; TimeoutSeconds = 60 }) | New-ConntrackEntry
        Get-KernelLine $namespace | Should -BeLike '*ESTABLISHED src=203.0.113.1 dst=198.51.100.7 sport=77 dport=80*'
    }
}

Describe 'Zones of one direction' {
    BeforeEach {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 53 --orig-zone 5
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.2 -d 198.51.100.7 -p udp --sport 1 --dport 53 --reply-zone 5
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.3 -d 198.51.100.7 -p udp --sport 1 --dport 53 -w 5
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.4 -d 198.51.100.7 -p udp --sport 1 --dport 53
    }

    It 'are filters, of listing, counting, changing and deleting' {
        (Get-ConntrackEntry -OriginalZone 5).SourceAddress | Should -Be 192.0.2.1
        (Get-ConntrackEntry -ReplyZone 4, 5).SourceAddress | Should -Be 192.0.2.2
        @(Get-ConntrackEntry -Zone 5).Count | Should -Be 3
        Get-ConntrackEntry -OriginalZone 6 | Should -BeNullOrEmpty
        (Measure-ConntrackEntry -OriginalZone 5 -GroupBy SourceAddress).Name | Should -Be 192.0.2.1
        Set-ConntrackEntry -ReplyZone 5 -NewMark 3
        (Get-KernelEntry $namespace | Where-Object Mark -EQ 3).SourceAddress | Should -Be 192.0.2.2
        Remove-ConntrackEntry -OriginalZone 5
        @(Get-KernelEntry $namespace).SourceAddress | Sort-Object | Should -Be 192.0.2.2, 192.0.2.3, 192.0.2.4
    }

    It 'name one entry for -Exact' {
        $with = @{ Protocol = 'udp'; SourceAddress = '192.0.2.1'; SourcePort = 1; DestinationAddress = '198.51.100.7'; DestinationPort = 53 }
        (Get-ConntrackEntry -Exact @with -OriginalZone 5).OriginalZone | Should -Be 5
        (Get-Failure { Get-ConntrackEntry -Exact @with -OriginalZone 6 }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        (Get-Failure { Get-ConntrackEntry -Exact @with -ReplyZone 5 }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'

        # Its reply is in zone 0, and found there.
        $reply = @{ Protocol = 'udp'; ReplySourceAddress = '198.51.100.7'; ReplySourcePort = 53; ReplyDestinationAddress = '192.0.2.1'; ReplyDestinationPort = 1 }
        (Get-ConntrackEntry -Exact @reply).OriginalZone | Should -Be 5
        (Get-ConntrackEntry -Exact @reply -OriginalZone 5).OriginalZone | Should -Be 5
        (Get-Failure { Get-ConntrackEntry -Exact @reply -ReplyZone 5 }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        [pscustomobject] ($reply + @{ OriginalZone = 5 }) | Set-ConntrackEntry -NewMark 4
        (Get-KernelEntry $namespace | Where-Object Mark -EQ 4).SourceAddress | Should -Be 192.0.2.1
    }

    It 'are given to new entries as conntrack shows them, and to piped ones' {
        $lines = Get-KernelLine $namespace
        Clear-ConntrackTable -Confirm:$false
        $with = @{ DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 53; TimeoutSeconds = 600 }
        New-ConntrackEntry 192.0.2.1 @with -OriginalZone 5
        New-ConntrackEntry 192.0.2.2 @with -ReplyZone 5
        New-ConntrackEntry 192.0.2.3 @with -Zone 5
        New-ConntrackEntry 192.0.2.4 @with
        Get-KernelLine $namespace | Should -Be $lines
        Get-ConntrackEntry -OriginalZone 5 | New-ConntrackEntry -ReplyZone 7
        @(Get-KernelLine $namespace) -like '*src=192.0.2.1 * zone-reply=7*' | Should -HaveCount 1
    }

    It 'are refused where the kernel would ignore or refuse them' {
        $with = @{ SourceAddress = '192.0.2.9'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 1; DestinationPort = 53; TimeoutSeconds = 600 }
        foreach ($zones in @{ OriginalZone = 1; ReplyZone = 2 }, @{ Zone = 1; OriginalZone = 1 }, @{ Zone = 1; ReplyZone = 1 }) {
            "$(Get-Failure { New-ConntrackEntry @with @zones })" | Should -BeLike '*An entry has one zone*'
        }
        "$(Get-Failure { New-ConntrackEntry @with -OriginalZone 0 })" | Should -BeLike '*from 1 to 65535*'
        "$(Get-Failure { Get-ConntrackEntry -ReplyZone 0 })" | Should -BeLike '*from 1 to 65535*'
        Get-KernelCount $namespace | Should -Be 4
    }

    It 'can not be blocked, which is said' {
        foreach ($zones in @{ OriginalZone = 5 }, @{ ReplyZone = 5 }) {
            (Get-Failure { Remove-ConntrackEntry @zones -Block }).FullyQualifiedErrorId | Should -BeLike (Get-Failure { Remove-ConntrackEntry -Zone 5 -Block }).FullyQualifiedErrorId
        }
        Get-KernelCount $namespace | Should -Be 4
    }
}
