BeforeDiscovery {
    # Two parameters that nothing can meet together, for every cmdlet with filters.
    $contradictions = @(
        @{ First = 'SourceAddress'; Second = 'DestinationAddress'; Filter = '-SourceAddress 2.2.2.2 -DestinationAddress ::1' }
        @{ First = 'SourceAddress'; Second = 'ReplySourceAddress'; Filter = '-SourceAddress 2.2.2.2 -ReplySourceAddress ::1' }
        @{ First = 'AddressFamily'; Second = 'Address'; Filter = '-AddressFamily IPv6 -Address 10.0.0.0/8, 192.0.2.1' }
        @{ First = 'DestinationAddress'; Second = 'TranslatedAddress'; Filter = '-DestinationAddress 10.0.0.1 -TranslatedAddress ::/0' }
        @{ First = 'Protocol'; Second = 'SourcePort'; Filter = '-Protocol esp -SourcePort 1' }
        @{ First = 'Protocol'; Second = 'Port'; Filter = '-Protocol icmp, icmpv6, gre -Port 53' }
        @{ First = 'Protocol'; Second = 'TranslatedDestinationPort'; Filter = '-Protocol 253 -TranslatedDestinationPort 0-65535' }
        @{ First = 'Protocol'; Second = 'IcmpType'; Filter = '-Protocol tcp -IcmpType 8' }
        @{ First = 'DestinationPort'; Second = 'IcmpId'; Filter = '-DestinationPort 80 -IcmpId 8' }
        @{ First = 'Protocol'; Second = 'GreSourceKey'; Filter = '-Protocol tcp, udp -GreSourceKey 8' }
        @{ First = 'IcmpCode'; Second = 'GreDestinationKey'; Filter = '-IcmpCode 0 -GreDestinationKey 8' }
        @{ First = 'Protocol'; Second = 'State'; Filter = '-Protocol udp -State Established' }
        @{ First = 'Protocol'; Second = 'State'; Filter = '-Protocol sctp -State SYN_SENT, LISTEN' }
        @{ First = 'IcmpType'; Second = 'State'; Filter = '-IcmpType 8 -State Established' }
        @{ First = 'TranslatedSourceAddress'; Second = 'ReplyDestinationAddress'; Filter = '-TranslatedSourceAddress 192.0.2.0/25 -ReplyDestinationAddress 192.0.2.128' }
        @{ First = 'TranslatedDestinationPort'; Second = 'ReplySourcePort'; Filter = '-TranslatedDestinationPort 1-5 -ReplySourcePort 6, 9-10' }
        @{ First = 'Zone'; Second = 'OriginalZone'; Filter = '-Zone 1, 2 -OriginalZone 3' }
        @{ First = 'OriginalZone'; Second = 'ReplyZone'; Filter = '-OriginalZone 3 -ReplyZone 3' }
        @{ First = 'Status'; Second = 'ExcludeStatus'; Filter = '-Status Assured, SeenReply -ExcludeStatus Assured' }
        @{ First = 'Unreplied'; Second = 'Status'; Filter = '-Unreplied -Status SeenReply' }
        @{ First = 'TimeoutBelow'; Second = 'TimeoutAbove'; Filter = '-TimeoutBelow 60 -TimeoutAbove 59' }
        @{ First = 'TimeoutBelow'; Second = 'TimeoutBelow'; Filter = '-TimeoutBelow 0' }
    )
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace ([ordered]@{
            web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'
            dns6 = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
            ping = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 4660'
        })
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace

    <# The message of an error, terminating or not. #>
    function Get-OneFailure([string] $Command) {
        $failure = @(Get-Failure { & ([scriptblock]::Create($Command)) })
        $failure.Count | Should -Be 1 -Because $Command
        $failure[0]
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'A filter that nothing can match' {
    It 'is an error that names both: <Filter>' -ForEach $contradictions {
        $commands = "Get-ConntrackEntry $Filter", "Measure-ConntrackEntry $Filter", "Remove-ConntrackEntry $Filter", "Remove-ConntrackEntry $Filter -Block",
        "Block-ConntrackTraffic $Filter -BlockTime 0", "Set-ConntrackEntry $Filter -NewMark 1", "Watch-ConntrackEvent $Filter -Seconds 1", "Show-ConntrackTop $Filter -Once"
        foreach ($command in $commands.Where{ $_ -notlike 'Block-*' -and $_ -notlike 'Watch-*' }) {
            $failure = Get-OneFailure $command
            $failure.FullyQualifiedErrorId | Should -BeLike 'ContradictoryFilter,*' -Because $command
            $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
            "$failure" | Should -Match "-$First\b.*-$Second\b|-$First needs" -Because $command
        }
        foreach ($command in "Block-ConntrackTraffic $Filter", "Watch-ConntrackEvent $Filter") {
            (Get-OneFailure $command).FullyQualifiedErrorId | Should -BeLike 'ContradictoryFilter,*' -Because $command
        }
        Get-KernelCount $namespace | Should -Be 3
        Get-ConntrackBlock | Should -BeNullOrEmpty
    }

    It 'is distinguished from one that is only unlikely: <_>' -ForEach @(
        '-SourceAddress 2.2.2.2, ::1 -DestinationAddress ::1', '-Protocol icmp -AddressFamily IPv6', '-Protocol icmpv6 -Address 10.0.0.1'
        '-Protocol esp, tcp -Port 1', '-Protocol udp, sctp -State Established', '-Port 1 -State Established', '-Status Assured -Unreplied'
        '-SourceNat -ExcludeStatus SrcNat', '-TimeoutBelow 60 -TimeoutAbove 58', '-SourcePort 0-65535 -Protocol dccp', '-Protocol dccp -State Request'
        '-TranslatedSourceAddress 192.0.2.0/25 -ReplyDestinationAddress 192.0.2.7', '-Zone 5 -OriginalZone 5', '-IcmpType 8 -Protocol icmpv6', '-IcmpType 8 -IcmpCode 250'
        '-SourceAddress 127.0.0.1 -TranslatedDestinationAddress 0.0.0.0', '-State None', '-TimeoutAbove 2147483647', '-MinimumBytes 9223372036854775807'
    ) {
        @(Get-Failure { & ([scriptblock]::Create("Get-ConntrackEntry $_ 3>`$null")) }).Count | Should -Be 0
    }

    It 'is an error of the cmdlets of expectations too' -ForEach @(
        @{ Filter = '-SourceAddress ::1 -MasterSourceAddress 192.0.2.1'; Names = '-SourceAddress*-MasterSourceAddress' }
        @{ Filter = '-AddressFamily IPv4 -DestinationAddress ::1'; Names = '-AddressFamily*-DestinationAddress' }
        @{ Filter = '-Protocol esp -DestinationPort 5'; Names = '-Protocol*-DestinationPort' }
    ) {
        foreach ($verb in 'Get', 'Remove') {
            $failure = Get-OneFailure "$verb-ConntrackExpectation $Filter"
            $failure.FullyQualifiedErrorId | Should -BeLike 'ContradictoryFilter,*'
            "$failure" | Should -BeLike "*$Names*"
        }
        Get-ConntrackExpectation -Protocol gre, icmp -SourcePort 5 | Should -BeNullOrEmpty
    }

    It 'is refused of a new entry: <With.Protocol> with <Problem>' -ForEach @(
        @{ Problem = '-IcmpType'; With = @{ Protocol = 'tcp'; SourcePort = 1; DestinationPort = 2; IcmpType = 8; State = 'SynSent' } }
        @{ Problem = '-SourcePort'; With = @{ Protocol = 'esp'; SourcePort = 1; DestinationPort = 2 } }
        @{ Problem = '-TranslatedSourcePort'; With = @{ Protocol = 'icmp'; IcmpType = 8; IcmpId = 1; TranslatedSourcePort = 5 } }
        @{ Problem = '-ReplySourcePort'; With = @{ Protocol = 253; ReplySourcePort = 5 } }
        @{ Problem = '-GreSourceKey'; With = @{ Protocol = 'udp'; SourcePort = 1; DestinationPort = 2; GreSourceKey = 1 } }
        @{ Problem = '-SourcePort'; With = @{ Protocol = 'gre'; GreSourceKey = 1; GreDestinationKey = 2; SourcePort = 1; DestinationPort = 2 } }
    ) {
        $failure = Get-Failure { New-ConntrackEntry 192.0.2.9 198.51.100.9 @With -Timeout 60 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidEntry,*'
        "$failure" | Should -BeLike "*$Problem*"
        Get-KernelCount $namespace | Should -Be 3
    }
}
