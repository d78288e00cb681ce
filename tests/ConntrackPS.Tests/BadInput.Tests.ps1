BeforeDiscovery {
    $address = 'an IPv4 or IPv6 address, or a prefix, such as 192.0.2.1, 192.0.2.0/24, 2001:db8::1, 2001:db8::/32'
    $port = 'a number from 0 to 65535, a range such as 1000-2000, or a service such as https'
    $protocol = 'tcp, udp, icmp, icmpv6, sctp, udplite, gre, or a number from 0 to 255'
    $duration = 'seconds such as 600, or a span such as 90s, 5m, 2h4m, 1d'
    $mark = 'a number from 0 to 4294967295 (0xffffffff), alone or with a mask, such as 7, 0x100, 0x100/0xff00'

    # Parameter, wrong values as typed, the accepted form in the message. Each is InvalidData during binding.
    $wrong = @(
        foreach ($parameter in 'SourceAddress', 'DestinationAddress', 'ReplySourceAddress', 'ReplyDestinationAddress', 'Address', 'TranslatedSourceAddress', 'TranslatedDestinationAddress', 'TranslatedAddress') {
            @{ Parameter = "Exclude$parameter"; Values = @('300.1.1.1', 'example.org', '192.0.2.0/33'); Accepted = $address }
            @{ Parameter = $parameter; Values = @('300.1.1.1', 'example.org', '192.0.2.0/33'); Accepted = $address }
        }
        @{ Parameter = 'SourceAddress'; Accepted = $address; Values = @(
                '10.1', '3221225985', '0x0a000001', '0x0a.0.0.1', '192.0.02.1', '192.0.010.1', '1.2.3.4.5', '1.2.3', '-1.2.3.4'
                '192.0.2.1:80', '192.0.2.1-192.0.2.9', '192.0.2.*', '!192.0.2.1', '"192.0.2.1,192.0.2.2"', '"192.0.2.1 192.0.2.2"'
                '192.0.2.0/', '192.0.2.0/-1', '192.0.2.0/a', '192.0.2.0/24/8', '192.0.2.0/255.0.255.0', '192.0.2.0/ffff::', '2001:db8::/ffff::ffff', '/24', '192.0.2.0/0x18', '192.0.2.0/129'
                '2001:db8::/129', '2001:db8::1::2', '2001:db8', '"[2001:db8::1]"', '"[2001:db8::1]:80"', 'fe80::1%eth0', '2001:db8::g', '12345::', '1:2:3:4:5:6:7:8:9'
                '::ffff:192.0.2.256', 'any', '*', '192.0.2.1, bad', '7', '$true'
            )
        }
        foreach ($parameter in 'SourcePort', 'DestinationPort', 'Port', 'ReplySourcePort', 'ReplyDestinationPort', 'TranslatedSourcePort', 'TranslatedDestinationPort', 'TranslatedPort') {
            @{ Parameter = $parameter; Values = @('no-such-service', '65536', '90-80', '-1'); Accepted = $port }
            @{ Parameter = "Exclude$parameter"; Values = @('no-such-service', '65536', '90-80', '-1'); Accepted = $port }
        }
        @{ Parameter = 'Port'; Accepted = $port; Values = @(
                '70000', '80:90', '80..90', '1-2-3', '80-', '0-65536', '0x50', '80.5', '1e3', '!80', '"80,90"', '80, bad', '99999999999', '$true', '"+80"'
            )
        }
        @{ Parameter = 'Protocol'; Values = @('tpc', '256', '-1', '"tcp,udp"', '"icmp,udp"', '"igmp,ipip"', '!tcp', '6.5', '0x6', '$true', 'tcp, bad'); Accepted = $protocol }
        @{ Parameter = 'State'; Values = @('Esablished', '1', '"SynSent,SynRecv"', '!SYN_SENT', 'ASSURED', '_'); Accepted = 'SynSent, SynRecv, Established' }
        foreach ($parameter in 'Status', 'ExcludeStatus') {
            @{ Parameter = $parameter; Values = @('UNREPLIED', '!ASSURED', 'UNSET', '0', '2', '0x2', 'None', '"Assured,"', 'Assured, bad'); Accepted = 'SeenReply, Assured' }
        }
        @{ Parameter = 'Mark'; Values = @('blue', '-1', '4294967296', '0x1ffffffff', '0x', '1/2/3', '7/', '/7', '7/blue', '0b1', '7, bad', '1.5'); Accepted = $mark }
        @{ Parameter = 'Mark'; Values = @('0x100/0xff', '1/0'); Accepted = 'bits outside its mask' }
        @{ Parameter = 'Zone'; Values = @('65536', '-1', 'blue', '1.5', '([long] 65536)', '([long] 65541)', '([long] -1)', '0, bad'); Accepted = 'a number from 0 to 65535' }
        @{ Parameter = 'Id'; Values = @('4294967296', '-1', 'x', '([long] -1)', '([uint64] 18446744073709551615)', '1.5'); Accepted = 'a number from 0 to 4294967295' }
        foreach ($parameter in 'IcmpType', 'IcmpCode') {
            @{ Parameter = $parameter; Values = @('256', '-1', 'echo', '([long] 264)'); Accepted = 'a number from 0 to 255' }
        }
        foreach ($parameter in 'IcmpId', 'GreSourceKey', 'GreDestinationKey') {
            @{ Parameter = $parameter; Values = @('65536', '-1', 'x', '([long] 65616)'); Accepted = 'a number from 0 to 65535' }
        }
        foreach ($parameter in 'MinimumBytes', 'MinimumPackets') {
            @{ Parameter = $parameter; Values = @('-1', '1kX', '([long] -1)', '9223372036854775808', '1, 2'); Accepted = 'a number from 0 to 9223372036854775807' }
        }
        foreach ($parameter in 'TimeoutBelow', 'TimeoutAbove', 'OlderThan') {
            @{ Parameter = $parameter; Values = @('soon', '-1', '1.5', '5x', '4m2h', '1h1h', 'm', '99999999999', '([timespan] -1)', '([timespan]::FromSeconds(-5))', '([timespan]::MaxValue)', '5m, 1h'); Accepted = $duration }
        }
        @{ Parameter = 'Label'; Values = @('no-such-label', '128', '-1', '([int] 200)'); Accepted = 'its bit from 0 to 127' }
    )
    # One test for each cmdlet and parameter, with all its values.
    $cases = foreach ($group in $wrong | Group-Object { $_.Parameter }) {
        foreach ($verb in 'Get', 'Remove') {
            @{ Verb = $verb; Parameter = $group.Name; Wrong = @($group.Group | ForEach-Object { foreach ($value in $_.Values) { @{ Value = $value; Accepted = $_.Accepted } } }) }
        }
    }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Wrong values' {
    BeforeAll {
        $table = [ordered]@{
            web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
            web6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state SYN_SENT -w 5'
            dns4 = '-s 192.0.8.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        }
        $namespace = New-TestNamespace $table

        <# The one error of a command on this table. #>
        function Get-OneFailure([string] $Command) {
            $failure = @(Get-Failure { & ([scriptblock]::Create($Command)) })
            $failure.Count | Should -Be 1 -Because $Command
            $failure[0]
        }
    }

    AfterEach {
        $left = Get-KernelCount $namespace
        if ($left -ne $table.Count) {
            # So that one fault is reported once.
            Reset-KernelTable $namespace $table
        }
        $left | Should -Be $table.Count -Because 'nothing may be deleted'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It '<Verb>-ConntrackEntry -<Parameter> refuses what is none, and says what it takes' -ForEach $cases {
        foreach ($case in $Wrong) {
            $command = "$Verb-ConntrackEntry -$Parameter $($case.Value) -NetworkNamespace $namespace"
            $failure = Get-OneFailure $command
            $failure.FullyQualifiedErrorId | Should -Be "ParameterArgumentTransformationError,ConntrackPS.Commands.${Verb}ConntrackEntryCommand" -Because $command
            $failure.CategoryInfo.Category | Should -Be 'InvalidData'
            $failure.Exception.Message | Should -BeLike "*'$Parameter'*" -Because 'the message names the parameter'
            $failure.Exception.Message.Contains($case.Accepted) | Should -BeTrue -Because "'$($failure.Exception.Message)' tells '$($case.Accepted)'"
            if ($case.Value -like '*, bad') {
                $failure.Exception.Message | Should -BeLike "*'bad'*" -Because 'the message names the wrong one of several'
            }
        }
    }

    It '<Verb>-ConntrackEntry -<Parameter> refuses no value at all' -ForEach $cases {
        foreach ($value in '$null', '@()', '""', '"  "', '@("", "x")', '($null, $null)', '([NullString]::Value)', '([Management.Automation.Internal.AutomationNull]::Value)', '$notSet') {
            $command = "$Verb-ConntrackEntry -$Parameter $value -NetworkNamespace $namespace"
            $failure = Get-OneFailure $command
            $failure.FullyQualifiedErrorId | Should -Be "ParameterArgumentTransformationError,ConntrackPS.Commands.${Verb}ConntrackEntryCommand" -Because $command
            $failure.CategoryInfo.Category | Should -Be 'InvalidData'
            $failure.Exception.Message | Should -BeLike "*'$Parameter'*Write *" -Because 'it says what to write'
        }
    }

    It 'refuses a status of no bits: <_>' -ForEach @(
        'Get-ConntrackEntry -Status', 'Get-ConntrackEntry -ExcludeStatus', 'Remove-ConntrackEntry -Status', 'Remove-ConntrackEntry -ExcludeStatus'
    ) {
        $failure = Get-OneFailure "$_ ([ConntrackPS.Conntrack.ConntrackStatus]::None) -NetworkNamespace $namespace"
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentTransformationError,ConntrackPS.Commands.*Command'
        "$failure" | Should -BeLike "*Status'*'None' is not a status bit. Write one or several of *Assured*"
    }

    It '<Command> -AddressFamily <Value>' -ForEach @(
        foreach ($command in 'Get-ConntrackEntry', 'Remove-ConntrackEntry', 'Clear-ConntrackTable') {
            foreach ($value in 'IPv5', 'IPv4, IPv6', '"IPv4,IPv6"', 'Unspecified', '0', '2', '4', '$null', '""', '@()', '([ConntrackPS.Conntrack.IPFamily]::Unspecified)') {
                @{ Command = $command; Value = $value }
            }
        }
    ) {
        $confirmed = $Command -eq 'Clear-ConntrackTable' ? '-Confirm:$false' : ''
        $failure = Get-OneFailure "$Command -AddressFamily $Value -NetworkNamespace $namespace $confirmed"
        ($failure.FullyQualifiedErrorId -split ',')[0] | Should -Be 'ParameterArgumentTransformationError'
        $failure.CategoryInfo.Category | Should -Be 'InvalidData'
        $failure.Exception.Message | Should -BeLike "*'AddressFamily'*IPv4 or IPv6*"
    }

    It 'refuses a parameter that does not exist' {
        (Get-OneFailure "Remove-ConntrackEntry -Adress 192.0.2.1 -NetworkNamespace $namespace").FullyQualifiedErrorId |
            Should -BeLike 'NamedParameterNotFound,*'
    }
}

Describe 'Wrong network namespaces' {
    It '<Command> -NetworkNamespace <Value>' -ForEach @(
        foreach ($command in 'Get-ConntrackEntry', 'Remove-ConntrackEntry 192.0.2.1', 'Clear-ConntrackTable -Confirm:$false', 'Get-ConntrackStat') {
            foreach ($value in 'no-such-namespace', '/run/netns/no-such-namespace', '/no/such/folder', '/run/netns', '4194304', '99999999999', '-5', '.', '..', '../../no/such', '" "') {
                @{ Command = $command; Value = $value; Id = 'NetworkNamespaceNotFound'; Category = 'ObjectNotFound' }
            }
            @{ Command = $command; Value = '/etc/passwd'; Id = 'NetworkNamespaceInvalid'; Category = 'InvalidArgument' }
            @{ Command = $command; Value = '/proc/self/ns/mnt'; Id = 'NetworkNamespaceInvalid'; Category = 'InvalidArgument' }
        }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("$Command -NetworkNamespace $Value")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be "$Id,ConntrackPS.Commands.$(($Command -split ' ')[0].Replace('-', ''))Command"
        $failure.CategoryInfo.Category | Should -Be $Category
        $failure.TargetObject | Should -Be $Value.Trim('"')
        "$failure" | Should -BeLike "*'$($Value.Trim('"'))'*ip netns list*"
    }

    It '<Command> -NetworkNamespace <Value> does not bind' -ForEach @(
        foreach ($command in 'Get-ConntrackEntry', 'Remove-ConntrackEntry 192.0.2.1', 'Clear-ConntrackTable -Confirm:$false', 'Get-ConntrackStat') {
            @{ Command = $command; Value = '$null' }
            @{ Command = $command; Value = '""' }
        }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("$Command -NetworkNamespace $Value")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentValidationError*'
        $failure.Exception.Message | Should -BeLike "*'NetworkNamespace'*"
    }
}

Describe 'Where connection tracking cannot be' {
    It 'reports ConntrackUnavailable on a kernel without it' -Skip {
        # This kernel has it. The error can be tested only on another kernel.
    }
}
