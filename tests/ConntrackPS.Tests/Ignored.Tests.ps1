BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    $flow = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'tcp'; SourcePort = 5; DestinationPort = 6; State = 'Established' }

    <# The whole table as XML, without values that count down. #>
    function Get-KernelXml {
        @(Invoke-InNamespace $namespace conntrack -L -o 'xml,id,labels') -replace '<timeout>\d+</timeout>' -replace '<use>\d+</use>'
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'What the kernel ignores' {
    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 5 --dport 6 --state ESTABLISHED
    }

    It 'is refused of -SetStatus and -Status: <_>' -ForEach 'SrcNat', 'DstNat', 'SrcNatDone', 'DstNatDone', 'SeqAdjust', 'Dying', 'Template', 'Untracked', 'Offload', 'HwOffload', 'Expected' {
        $before = Get-KernelXml
        $failure = Get-Failure { Set-ConntrackEntry -SourceAddress 192.0.2.1 -SetStatus $_, 'Assured' }
        "$failure" | Should -BeLike "*can set the status $_. You can set SeenReply, Assured, FixedTimeout, Helper.*"
        $failure.FullyQualifiedErrorId | Should -BeLike 'StatusNotChangeable,*'
        $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
        Get-KernelXml | Should -Be $before
        Clear-ConntrackTable -Confirm:$false
        $failure = Get-Failure { New-ConntrackEntry @flow -Timeout 60 -Status $_ }
        "$failure" | Should -BeLike "*can set the status $_. You can set SeenReply, Assured, FixedTimeout*"
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'is not: bits that can be set are, and bits that an entry has anyhow are no mistake' {
        Set-ConntrackEntry -SourceAddress 192.0.2.1 -SetStatus Assured, SeenReply, FixedTimeout, Confirmed, Helper
        (Get-ConntrackEntry).Status | Should -Be 'SeenReply, Assured, Confirmed, FixedTimeout, Helper'
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry @flow -Timeout 60 -TranslatedSourceAddress 203.0.113.1 -Status Assured, SrcNat
        (Get-ConntrackEntry).Status | Should -Match 'Assured.*SrcNat'
        "$(Get-Failure { New-ConntrackEntry @flow -Timeout 60 -Status Helper })" | Should -BeLike '*can set the status Helper. You can set SeenReply, Assured, FixedTimeout.*'
    }

    It 'is refused of a timeout of 0, given or piped, which would make no entry' {
        Clear-ConntrackTable -Confirm:$false
        foreach ($none in 0, '0s', [timespan]::Zero, [timespan]::FromMilliseconds(500)) {
            "$(Get-Failure { New-ConntrackEntry @flow -Timeout $none })" | Should -BeLike '*from 1 second to 2147483 seconds (24 days)*'
        }
        $failure = Get-Failure { [pscustomobject] ($flow + @{ TimeoutSeconds = 0 }) | New-ConntrackEntry }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidEntry,*'
        "$failure" | Should -BeLike '*timeout is 0 seconds*'
        Get-KernelCount $namespace | Should -Be 0
        "$(Get-Failure { New-ConntrackExpectation 0.0.0.0/0 198.51.100.7 -DestinationPort 5 -Master ([pscustomobject] $flow) -Timeout 0 })" | Should -BeLike '*from 1 second to 2147483 seconds*'
    }

    It 'is refused of a timeout that the kernel would cut: <_>' -ForEach '4294967295', '2147484', '99999999999999999999', '25d', '99999999999d' {
        Clear-ConntrackTable -Confirm:$false
        foreach ($command in { New-ConntrackEntry @flow -Timeout $_ }, { Set-ConntrackEntry -SourceAddress 192.0.2.1 -NewTimeout $_ }) {
            "$(Get-Failure $command)" | Should -BeLike "*'$_' is too long*to 2147483 seconds (24 days)*"
        }
        foreach ($command in { Set-ConntrackTimeout Udp Replied $_ }, { New-ConntrackTimeoutPolicy long Udp -Replied $_ }, { New-ConntrackTimeoutPolicy long Udp -Timeout @{ Replied = $_ } }) {
            $failure = Get-Failure $command
            $failure.FullyQualifiedErrorId | Should -BeLike 'ValueOutOfRange,*'
            "$failure" | Should -BeLike '*1 to 2147483 seconds*'
        }
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'is refused of DCCP where the kernel does not track it: its ports and state' {
        if (Invoke-InNamespace $namespace sysctl -a 2>$null | Select-String nf_conntrack_dccp_timeout_request) {
            Set-ItResult -Skipped -Because 'this kernel tracks DCCP'
        }
        "$(Get-Failure { New-ConntrackEntry 192.0.2.8 198.51.100.7 -Protocol dccp -SourcePort 1 -DestinationPort 2 -Timeout 60 })" | Should -BeLike '*does not track DCCP*'
        Get-KernelCount $namespace | Should -Be 1
    }

    It 'is refused of objects: ports of a protocol without' {
        $esp = @{ SourceAddress = '192.0.2.8'; DestinationAddress = '198.51.100.7'; Protocol = 'esp'; SourcePort = 1; DestinationPort = 2; TimeoutSeconds = 60 }
        foreach ($command in { [pscustomobject] $esp | New-ConntrackEntry }, { [pscustomobject] $esp | Remove-ConntrackEntry }, { [pscustomobject] $esp | Set-ConntrackEntry -NewMark 1 }) {
            "$(Get-Failure $command)" | Should -BeLike '*it has a SourcePort, but esp has no ports*'
        }
    }

    It 'is right for a state that this kernel lacks' {
        "$(Get-Failure { New-ConntrackEntry 192.0.2.8 198.51.100.7 -Protocol sctp -SourcePort 1 -DestinationPort 2 -State HeartbeatAcked -Timeout 60 })" | Should -BeLike '*no state HeartbeatAcked of SCTP*'
    }

    It 'is refused of a new expectation: <Name>' -ForEach @(
        @{ Name = 'a direction without a translation'; Says = '*-NatDirection needs -NatAddress or -NatPort*'; With = @{ DestinationPort = 5; NatDirection = 'Reply' } }
        @{ Name = 'ports of a protocol without'; Says = '*-DestinationPort*esp has none*'; With = @{ DestinationPort = 5; Protocol = 'esp' } }
        @{ Name = 'a port mask of a protocol without'; Says = '*-SourcePortMask*50*has none*'; With = @{ SourcePortMask = 5; Protocol = 'esp' } }
    ) {
        $master = New-ConntrackEntry 192.0.2.9 198.51.100.7 -Protocol tcp -SourcePort 1 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp -PassThru
        "$(Get-Failure { New-ConntrackExpectation 192.0.2.9 198.51.100.7 -Master $master @With })" | Should -BeLike $Says.Replace('*50*', '*')
        @(Invoke-InNamespace $namespace conntrack -L expect) | Should -BeNullOrEmpty
    }

    It 'is nothing of the longest timeout, which the kernel keeps' {
        Set-ConntrackEntry -SourceAddress 192.0.2.1 -NewTimeout 2147483
        (Get-KernelEntry $namespace).TimeoutSeconds | Should -BeIn (2147478..2147483)
        Set-ConntrackEntry -SourceAddress 192.0.2.1 -NewTimeout 0
        @(Invoke-InNamespace $namespace conntrack -L) | Should -BeNullOrEmpty
    }
}

Describe 'A mark with a mask' {
    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 5 --dport 6 --state ESTABLISHED
    }

    It 'is the mark of a new entry, and a piped one keeps its other bits' {
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry @flow -Timeout 60 -Mark 417889/0xffffffff
        (Get-KernelEntry $namespace).Mark | Should -Be 417889
        $entry = Get-ConntrackEntry
        Clear-ConntrackTable -Confirm:$false
        $entry | New-ConntrackEntry -Mark 0x100/0xff00
        (Get-KernelEntry $namespace).Mark | Should -Be (417889 -band 0xffff00ff -bor 0x100)
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry @flow -Timeout 60 -Mark 4294967295
        (Get-KernelEntry $namespace).Mark | Should -Be 4294967295
    }
}

Describe 'LISTEN' {
    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 5 --dport 6 --state ESTABLISHED
    }

    It 'is SYN_SENT2 wherever states are written' {
        Clear-ConntrackTable -Confirm:$false
        $flow.State = 'LISTEN'
        New-ConntrackEntry @flow -Timeout 60
        (Get-ConntrackEntry).State | Should -Be SynSent2
        @(Get-ConntrackEntry -State listen).Count | Should -Be 1
        Set-ConntrackEntry -State LISTEN -NewMark 3
        (Get-KernelEntry $namespace).Mark | Should -Be 3
        (Get-ConntrackTimeout Tcp LISTEN).State | Should -Be SynSent2
        (New-ConntrackTimeoutPolicy listening Tcp -Timeout @{ LISTEN = 77 } -PassThru).Timeout['SynSent2'] | Should -Be 77
        Set-ConntrackTimeoutPolicy listening -Timeout 'listen=78'
        (Get-ConntrackTimeoutPolicy listening).Timeout['SynSent2'] | Should -Be 78
        Remove-ConntrackTimeoutPolicy listening
        (TabExpansion2 'Get-ConntrackTimeout Tcp LIS').CompletionMatches.CompletionText | Should -Be SynSent2
        (TabExpansion2 'Get-ConntrackTimeout Tcp syn_s').CompletionMatches.CompletionText | Should -Be SynSent, SynSent2
    }
}

Describe 'Netmasks' {
    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 5 --dport 6 --state ESTABLISHED
    }

    It 'are prefixes: <Text>' -ForEach @(
        @{ Text = '192.0.2.0/255.255.255.0'; Count = 1 }
        @{ Text = '192.0.2.0/0.0.0.0'; Count = 1 }
        @{ Text = '192.0.2.1/255.255.255.255'; Count = 1 }
        @{ Text = '192.0.3.0/255.255.255.0'; Count = 0 }
        @{ Text = '192.0.3.0/255.255.254.0'; Count = 1 }
        @{ Text = '2001:db8::/ffff:ffff:ffff::'; Count = 1 }
        @{ Text = '2001:db8:8000::/ffff:ffff:8000::'; Count = 0 }
    ) {
        Invoke-InNamespace $namespace conntrack -I -t 600 -s 2001:db8::1 -d 2001:db8::2 -p udp --sport 1 --dport 53
        @(Get-ConntrackEntry $Text).Count | Should -Be $Count
    }

    It 'are refused where they are not contiguous, or of another family: <Text>' -ForEach @(
        @{ Text = '192.0.2.0/255.0.255.0'; Says = "*'192.0.2.0/255.0.255.0'*not contiguous*" }
        @{ Text = '192.0.2.0/0.0.0.255'; Says = '*0.0.0.255*not contiguous*' }
        @{ Text = '2001:db8::/ffff::ffff'; Says = '*ffff::ffff*not contiguous*' }
        @{ Text = '2001:db8::/::ffff'; Says = '*::ffff*not contiguous*' }
        @{ Text = '192.0.2.0/ffff::'; Says = '*an address of IPv4 and a netmask of IPv6*' }
        @{ Text = '2001:db8::/255.0.0.0'; Says = '*an address of IPv6 and a netmask of IPv4*' }
        @{ Text = '192.0.2.0/33'; Says = '*too long: an address of IPv4 has 32 bits*' }
        @{ Text = '2001:db8::/129'; Says = '*too long: an address of IPv6 has 128 bits*' }
    ) {
        foreach ($command in { Get-ConntrackEntry $Text }, { Remove-ConntrackEntry $Text }) {
            "$(Get-Failure $command)" | Should -BeLike $Says
        }
        Get-KernelCount $namespace | Should -Be 1
    }
}
