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
        Set-ConntrackEntry -Protocol udp -NewMark 0xff
        $marks = Get-Property Mark
        $marks.dns4, $marks.dns6, $marks.web4, $marks.sctp | Should -Be 255, 255, 0x12345678, 0
    }

    It 'changes only the bits of the mask, as conntrack -U 0/0xffff0000 does' {
        Set-ConntrackEntry -Protocol tcp -Zone 0 -NewMark 0/0xffff0000
        $marks = Get-Property Mark
        $marks.web4, $marks.web6, $marks.zone4 | Should -Be 0x5678, 0x5678, 0
    }

    It 'selects by the present mark, state and helper, as every cmdlet does' {
        Set-ConntrackEntry -Mark 0x12345678 -State SYN_RECV -NewMark 1
        $marks = Get-Property Mark
        $marks.web4, $marks.web6 | Should -Be 0x12345678, 1
    }

    It 'sets timeout, state and status of piped entries, deserialised ones too' {
        Get-ConntrackEntry -Protocol tcp -Zone 0 | Export-Clixml TestDrive:/entries.xml
        Import-Clixml TestDrive:/entries.xml | Set-ConntrackEntry -NewTimeout 2h4m -NewState TIME_WAIT -SetStatus Assured, SeenReply
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
        Set-ConntrackEntry -Protocol sctp -NewState Established
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
        New-ConntrackEntry 192.0.2.9 198.51.100.7 -Protocol tcp -SourcePort 5 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp
        Set-ConntrackEntry -Helper ftp -NewHelper ''
        @(Get-KernelEntry $namespace | Where-Object Helper).Count | Should -Be 0
        $failure = Get-Failure { Set-ConntrackEntry -DestinationPort 21 -NewHelper ftp }
        $failure.FullyQualifiedErrorId | Should -BeLike 'HelperNotChangeable,*'
        "$failure" | Should -BeLike '*New-ConntrackEntry -Helper*'
    }

    It 'changes the named zone only where the tuple is in several' {
        Get-ConntrackEntry -Zone 5 | Set-ConntrackEntry -NewMark 9
        $marks = Get-Property Mark
        $marks.zone4, $marks.web4 | Should -Be 9, 0x12345678
    }

    It 'emits entries as they are then with -PassThru, and changes nothing with -WhatIf' {
        $changed = Set-ConntrackEntry -Protocol udp -NewMark 5 -PassThru
        $changed.Mark | Should -Be 5, 5
        Set-ConntrackEntry -Protocol udp -NewMark 6 -WhatIf
        (Get-Property Mark).dns4 | Should -Be 5
    }

    It 'says what it will set, by filter and by pipeline' {
        $say = {
            param([string] $Command)
            # Only the host shows the messages of -WhatIf.
            Invoke-PowerShell '-NoProfile', '-Command', "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; `$PSDefaultParameterValues['*:NetworkNamespace'] = '$namespace'; $Command"
        }
        & $say 'Set-ConntrackEntry 192.0.2.1 -Protocol tcp -Zone 0 -NewState SynSent -NewTimeout 5m -WhatIf' |
            Should -Be 'What if: Performing the operation "Set state SynSent, timeout 300 s" on target "tcp 192.0.2.1:40001 -> 198.51.100.7:80".'
        & $say 'Get-ConntrackEntry 192.0.2.1 -Protocol udp | Set-ConntrackEntry -NewMark 0x100/0xff00 -SetStatus Assured -AddLabel 3, 4 -RemoveLabel 5 -NewHelper "" -WhatIf' |
            Should -Be 'What if: Performing the operation "Set mark 0x100/0xff00, status Assured, labels 3, 4, no labels 5, no helper" on target "udp 192.0.2.1:2000 -> 198.51.100.53:53".'
        (Get-Property State).web4 | Should -Be 'ESTABLISHED'
    }

    It 'refuses what meant new values before, and says what they are called now: <_>' -ForEach @(
        'Set-ConntrackEntry -Protocol Tcp -State SynSent -TimeoutSeconds 5m'
        'Set-ConntrackEntry -Protocol Tcp -State SynSent -TimeoutSeconds 5m -NewMark 5'
        'Set-ConntrackEntry -Protocol Udp -Mark 7'
        'Set-ConntrackEntry -Protocol Udp -Mark 0 -Helper ftp'
        'Get-ConntrackEntry -Protocol Udp | Set-ConntrackEntry -Mark 7'
        'Import-Csv TestDrive:/old.csv | Set-ConntrackEntry -State SynSent'
        'Get-ConntrackEntry -Protocol Udp | Set-ConntrackEntry -TimeoutSeconds 5m'
    ) {
        Get-ConntrackEntry -Protocol tcp | Export-Csv TestDrive:/old.csv
        # If the hash table is resized in between, conntrack shows an entry twice.
        $before = Get-KernelEntry $namespace -Detailed | ForEach-Object { "$($_.Name) $($_.State) $($_.Mark) $($_.TimeoutSeconds -gt 350)" } | Sort-Object -Unique
        $failure = @(Get-Failure { & ([scriptblock]::Create($_)) })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'NoChange,*'
        "$($failure[0])" | Should -BeLike '*-NewState, -NewMark, -NewHelper, -NewTimeout*-State, -Mark and -Helper select*'
        Get-KernelEntry $namespace -Detailed | ForEach-Object { "$($_.Name) $($_.State) $($_.Mark) $($_.TimeoutSeconds -gt 350)" } | Sort-Object -Unique | Should -Be $before
    }

    It 'takes objects from CSV, JSON and CLIXML, and sets the new values only on them: <_>' -ForEach 'Csv', 'Json', 'Clixml' {
        $entries = Get-ConntrackEntry -Protocol tcp -Zone 0
        $again = switch ($_) {
            'Csv' { $entries | ConvertTo-Csv | ConvertFrom-Csv }
            'Json' { $entries | ConvertTo-Json | ConvertFrom-Json }
            'Clixml' { $entries | Export-Clixml TestDrive:/again.xml; Import-Clixml TestDrive:/again.xml }
        }
        $again | Set-ConntrackEntry -NewState SynSent -NewTimeout 5m -NewMark 3
        $states, $marks, $timeouts = (Get-Property State), (Get-Property Mark), (Get-Property TimeoutSeconds)
        $states.web4, $states.web6, $states.zone4 | Should -Be 'SYN_SENT', 'SYN_SENT', 'ESTABLISHED'
        $marks.web4, $marks.web6, $marks.zone4 | Should -Be 3, 3, 0
        $timeouts.web4 | Should -BeIn (290..300)
    }

    It 'passes over an entry that is gone, and counts it' {
        $entries = @(Get-ConntrackEntry -Protocol udp)
        Remove-ConntrackEntry -Protocol udp -AddressFamily IPv4
        $told = $entries | Set-ConntrackEntry -NewMark 5 -Verbose 4>&1
        "$told" | Should -BeLike '*1 entry changed, 1 already gone, 0 failed*'
    }

    It 'refuses <Name>, and changes nothing' -ForEach @(
        @{ Name = 'no filter'; Id = 'NoFilter'; With = @{ NewMark = 1 } }
        @{ Name = 'a filter that names nothing'; Id = 'NoFilter'; With = @{ SourceAddress = '0.0.0.0/0'; NewMark = 1 } }
        @{ Name = 'no change'; Id = 'NoChange'; With = @{ Protocol = 'udp' } }
        @{ Name = 'a state of another protocol'; Id = 'InvalidState'; With = @{ Protocol = 'sctp'; NewState = 'SynSent' } }
        @{ Name = 'a mark out of range'; Id = 'ParameterArgumentTransformationError'; With = @{ Protocol = 'udp'; NewMark = 4294967296 } }
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
