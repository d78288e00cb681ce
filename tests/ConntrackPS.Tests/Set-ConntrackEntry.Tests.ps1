BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $table = [ordered]@{
        web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY -m 0x12345678'
        web6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state SYN_RECV -m 0x12345678'
        zone4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        dns4 = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        dns6 = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
        sctp = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2'
    }

    function Get-Property([string] $Name) {
        $result = @{}
        foreach ($entry in Get-KernelEntry $namespace -Detailed) {
            $result[$entry.Name] = $entry.$Name
        }
        $result
    }
}

Describe 'Set-ConntrackEntry' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $namespace
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'sets a whole mark on what the filter names, and on nothing else' {
        Set-ConntrackEntry -Protocol udp -Mark 0xff
        $marks = Get-Property Mark
        $marks.dns4, $marks.dns6, $marks.web4, $marks.sctp | Should -Be 255, 255, 0x12345678, 0
    }

    It 'changes the bits of the mask alone, as conntrack -U 0/0xffff0000 does' {
        Set-ConntrackEntry -Protocol tcp -Zone 0 -Mark 0/0xffff0000
        $marks = Get-Property Mark
        $marks.web4, $marks.web6, $marks.zone4 | Should -Be 0x5678, 0x5678, 0
    }

    It 'selects by the present mark, state and helper with their own parameters' {
        Set-ConntrackEntry -WhereMark 0x12345678 -WhereState SYN_RECV -Mark 1
        $marks = Get-Property Mark
        $marks.web4, $marks.web6 | Should -Be 0x12345678, 1
    }

    It 'sets timeout, state and status of piped entries, deserialised ones too' {
        Get-ConntrackEntry -Protocol tcp -Zone 0 | Export-Clixml TestDrive:/entries.xml
        Import-Clixml TestDrive:/entries.xml | Set-ConntrackEntry -TimeoutSeconds 2h4m -State TIME_WAIT -SetStatus Assured, SeenReply
        $timeouts = Get-Property TimeoutSeconds
        $timeouts.web4, $timeouts.web6 | ForEach-Object { $_ | Should -BeIn (7430..7440) }
        $timeouts.zone4 | Should -BeLessOrEqual 3000
        (Get-Property State).web6 | Should -Be 'TIME_WAIT'
        (Get-Property Assured).web4 | Should -BeTrue
        (Get-Property Assured).zone4 | Should -BeFalse
        (Get-Property Unreplied).web6 | Should -BeFalse
    }

    It 'keeps the tags of SCTP when it sets a state' {
        $before = Get-ConntrackEntry -Protocol sctp
        $before.OriginalVerificationTag | Should -Not -Be 0
        Set-ConntrackEntry -Protocol sctp -State Established
        $entry = Get-ConntrackEntry -Protocol sctp
        $entry.State, $entry.OriginalVerificationTag, $entry.ReplyVerificationTag | Should -Be 'Established', $before.OriginalVerificationTag, $before.ReplyVerificationTag
    }

    It 'sets and clears labels, and reports that no rule uses them' {
        (Get-Failure { Set-ConntrackEntry -Protocol udp -AddLabel 3 }).FullyQualifiedErrorId | Should -BeLike 'LabelsUnused,*'

        Invoke-InNamespace $namespace nft add table ip labels
        Invoke-InNamespace $namespace nft 'add chain ip labels output { type filter hook output priority 0; }'
        Invoke-InNamespace $namespace nft add rule ip labels output ct label set 5
        Reset-KernelTable $namespace $table
        Set-ConntrackEntry -Protocol udp -AddLabel 3, 64, 127
        (Get-ConntrackEntry -Label 64).Count | Should -Be 2
        Set-ConntrackEntry -Protocol udp -AddressFamily IPv4 -RemoveLabel 64 -AddLabel 5
        (Get-ConntrackEntry -Protocol udp -AddressFamily IPv4).Labels | Should -Be '3,5,127'
        (Get-ConntrackEntry -Protocol udp -AddressFamily IPv6).Labels | Should -Be '3,64,127'
        Invoke-InNamespace $namespace nft delete table ip labels
    }

    It 'takes a helper away, and says why it can not give one' {
        New-ConntrackEntry 192.0.2.9 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 21 -State Established -TimeoutSeconds 600 -Helper ftp
        Set-ConntrackEntry -WhereHelper ftp -Helper ''
        @(Get-KernelEntry $namespace | Where-Object Helper).Count | Should -Be 0
        $failure = Get-Failure { Set-ConntrackEntry -DestinationPort 21 -Helper ftp }
        $failure.FullyQualifiedErrorId | Should -BeLike 'HelperNotChangeable,*'
        "$failure" | Should -BeLike '*New-ConntrackEntry -Helper*'
    }

    It 'changes the named zone only where the tuple is in several' {
        Get-ConntrackEntry -Zone 5 | Set-ConntrackEntry -Mark 9
        $marks = Get-Property Mark
        $marks.zone4, $marks.web4 | Should -Be 9, 0x12345678
    }

    It 'emits entries as they are then under -PassThru, and changes nothing under -WhatIf' {
        $changed = Set-ConntrackEntry -Protocol udp -Mark 5 -PassThru
        $changed.Mark | Should -Be 5, 5
        Set-ConntrackEntry -Protocol udp -Mark 6 -WhatIf
        (Get-Property Mark).dns4 | Should -Be 5
    }

    It 'passes over an entry that is gone, and counts it' {
        $entries = @(Get-ConntrackEntry -Protocol udp)
        Remove-ConntrackEntry -Protocol udp -AddressFamily IPv4
        $told = $entries | Set-ConntrackEntry -Mark 5 -Verbose 4>&1
        "$told" | Should -BeLike '*1 entry changed, 1 already gone, 0 failed*'
    }

    It 'refuses <Name>, and changes nothing' -ForEach @(
        @{ Name = 'no filter'; Id = 'NoFilter'; With = @{ Mark = 1 } }
        @{ Name = 'a filter that names nothing'; Id = 'NoFilter'; With = @{ SourceAddress = '0.0.0.0/0'; Mark = 1 } }
        @{ Name = 'no change'; Id = 'NoChange'; With = @{ Protocol = 'udp' } }
        @{ Name = 'a state of another protocol'; Id = 'InvalidState'; With = @{ Protocol = 'sctp'; State = 'SynSent' } }
        @{ Name = 'a mark out of range'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'udp'; Mark = 4294967296 } }
        @{ Name = 'a status that the kernel sets alone'; Id = 'StatusNotChangeable'; With = @{ AddressFamily = 'IPv6'; Protocol = 'udp'; SetStatus = 'Dying' } }
    ) {
        $before = Get-Property Mark
        (Get-Failure { Set-ConntrackEntry @With }).FullyQualifiedErrorId | Select-Object -First 1 | Should -BeLike "$Id,*"
        $after = Get-Property Mark
        foreach ($name in $table.Keys) {
            $after[$name] | Should -Be $before[$name]
        }
    }
}
