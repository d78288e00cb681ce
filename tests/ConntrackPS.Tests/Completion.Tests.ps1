BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace ([ordered]@{
            one   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
            two   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40002 --dport 80 --state ESTABLISHED -w 5'
            three = '-s 192.0.2.33 -d 198.51.100.8 -p tcp --sport 40002 --dport 80 --state ESTABLISHED -w 7'
            six   = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
            nat   = '-s fd00::1 -d fd00::2 -p udp --sport 2001 --dport 53 --src-nat fd00:5::1 --dst-nat fd00:d::2 -w 5'
        })

    function Get-Completion([string] $Line) {
        (TabExpansion2 $Line $Line.Length).CompletionMatches
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Completion' {
    It 'knows the values of <Line>' -ForEach @(
        @{ Line = 'Get-ConntrackEntry -Protocol t'; Values = @('Tcp') }
        @{ Line = 'Set-ConntrackEntry -Protocol icmpv'; Values = @('IcmpV6') }
        @{ Line = 'Remove-ConntrackEntry -State syn'; Values = 'SynSent', 'SYN_SENT', 'SynRecv', 'SYN_RECV', 'SynSent2', 'SYN_SENT2' }
        @{ Line = 'Set-ConntrackEntry -State time'; Values = 'TimeWait', 'TIME_WAIT' }
        @{ Line = 'Watch-ConntrackEvent -Status see'; Values = 'SeenReply', 'SEEN_REPLY' }
        @{ Line = 'Get-ConntrackEntry -ExcludeStatus Assured,Sr'; Values = 'SrcNat', 'SRC_NAT', 'SrcNatDone', 'SRC_NAT_DONE' }
        @{ Line = 'New-ConntrackEntry -State FIN'; Values = 'FinWait', 'FIN_WAIT' }
        @{ Line = 'Show-ConntrackTop -SortBy Unr'; Values = @('Unreplied') }
        @{ Line = 'Measure-ConntrackEntry -GroupBy Source'; Values = 'SourceAddress', 'SourcePort'; ToolTip = '*first packet*' }
        @{ Line = 'Measure-ConntrackEntry -GroupBy Protocol,He'; Values = @('Helper'); ToolTip = '*helper*' }
        @{ Line = 'Measure-ConntrackEntry -SortBy Tot'; Values = 'TotalBytes', 'TotalPackets' }
        @{ Line = 'Show-ConntrackTop -SortBy Pack'; Values = 'PacketRate', 'Packets' }
    ) {
        $found = @(Get-Completion $Line)
        $found.CompletionText | Should -Be $Values
        if ($ToolTip) {
            $found.ToolTip | ForEach-Object { $_ | Should -BeLike $ToolTip }
        }
    }

    It 'knows both spellings of every <Of>, for -<Names>' -ForEach @(
        @{ Of = 'state'; TypeName = 'ConntrackPS.Conntrack.ConntrackState'; Names = 'State', 'ExcludeState', 'NewState' }
        @{ Of = 'status bit'; TypeName = 'ConntrackPS.Conntrack.ConntrackStatus'; Names = 'Status', 'ExcludeStatus', 'SetStatus' }
    ) {
        $type = $TypeName -as [type]
        $parameters = foreach ($command in Get-Command -Module ConntrackPS -Noun ConntrackEntry, ConntrackEvent, ConntrackTop) {
            foreach ($name in $Names | Where-Object { $command.Parameters.ContainsKey($_) }) {
                "$($command.Name) -$name "
            }
        }
        $parameters.Count | Should -BeGreaterThan 5
        foreach ($line in $parameters) {
            $offered = (Get-Completion $line).CompletionText
            foreach ($name in [Enum]::GetNames($type) | Where-Object { $_ -notin 'None', 'Unknown' }) {
                $offered | Should -Contain $name -Because $line
            }
            @($offered | Where-Object { $_ -cmatch '_' }).Count | Should -BeGreaterThan 5 -Because $line
            ($offered -replace '_' | Where-Object { $_ -notin [Enum]::GetNames($type) }) | Should -BeNullOrEmpty -Because $line
        }
    }

    It 'is taken whole: several bits in one text, and what an entry has' {
        { Get-ConntrackEntry -NetworkNamespace $namespace -Status 'SeenReply, ASSURED' } | Should -Not -Throw
        { Get-ConntrackEntry -NetworkNamespace $namespace -ExcludeStatus SEEN_REPLY, Assured -State SYN_SENT, LISTEN } | Should -Not -Throw
        foreach ($entry in Get-ConntrackEntry -NetworkNamespace $namespace) {
            @(Get-ConntrackEntry -NetworkNamespace $namespace -Status $entry.Status).Count | Should -BeGreaterThan 0
        }
    }

    It 'finds the values in the table, the most frequent first: <Line>' -ForEach @(
        @{ Line = '-SourceAddress 1'; Values = '192.0.2.1', '192.0.2.33'; ToolTip = 'SourceAddress of 2 entries' }
        @{ Line = '-SourceAddress 192.0.2.3'; Values = '192.0.2.33'; ToolTip = 'SourceAddress of 1 entry' }
        @{ Line = '-SourceAddress 2001'; Values = '2001:db8::1'; ToolTip = 'SourceAddress of 1 entry' }
        @{ Line = '-DestinationAddress 2001:db8:1'; Values = '2001:db8:1::53'; ToolTip = 'DestinationAddress of 1 entry' }
        @{ Line = '-Address 198.51.100.7'; Values = '198.51.100.7'; ToolTip = 'DestinationAddress of 2 entries' }
        @{ Line = '-TranslatedDestinationAddress fd'; Values = @('fd00:d::2'); ToolTip = 'TranslatedDestinationAddress of 1 entry' }
        @{ Line = '-TranslatedAddress fd'; Values = 'fd00:5::1', 'fd00:d::2'; ToolTip = 'TranslatedSourceAddress of 1 entry' }
        @{ Line = '-Zone '; Values = '5', '0', '7'; ToolTip = 'Zone of 3 entries' }
    ) {
        $found = @(Get-Completion "Get-ConntrackEntry -NetworkNamespace $namespace $Line")
        $found.CompletionText | Should -Be $Values
        $found[0].ToolTip | Should -Be $ToolTip
    }

    It 'knows settings and their words, which are typed without quotes: <Line>' -ForEach @(
        @{ Line = 'Get-ConntrackHelper -Name net'; Values = @('netbios-ns') }
        @{ Line = 'Get-ConntrackSetting -Name Accou'; Values = @('Accounting') }
        @{ Line = 'Set-ConntrackSetting -Name Accounting -Value '; Values = '$true', '$false' }
        @{ Line = 'Set-ConntrackSetting -Name Events -Value A'; Values = @('Auto') }
    ) {
        (Get-Completion $Line).CompletionText | Should -Be $Values
    }

    It 'quotes names that would mean something else to PowerShell' {
        $odd = "$namespace it’s"
        ip netns add $odd
        try {
            $null = New-ConntrackTimeoutPolicy -NetworkNamespace $namespace -Name '$(a); b' -Protocol Udp -Replied 5
            foreach ($line in "Get-ConntrackEntry -NetworkNamespace '$namespace ", "Get-ConntrackTimeoutPolicy -NetworkNamespace $namespace -Name ") {
                $text = (Get-Completion $line).CompletionText
                @($text).Count | Should -Be 1
                $value = [System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$null).EndBlock.Statements
                $value.Count | Should -Be 1
                $value[0].PipelineElements[0].Expression.Value | Should -BeIn $odd, '$(a); b'
            }
        } finally {
            ip netns delete $odd
        }
    }

    It 'says nothing where there is nothing to say' {
        @(Get-Completion "Get-ConntrackEntry -NetworkNamespace no-such-namespace -Zone ").CompletionText | Should -Not -Contain '5'
    }

    It 'takes little time on a large table' {
        $large = New-TestNamespace
        try {
            Add-KernelLine $large (New-ManyLine 60000)
            $null = Get-Completion "Get-ConntrackEntry -NetworkNamespace $large -SourceAddress 10"
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $found = @(Get-Completion "Get-ConntrackEntry -NetworkNamespace $large -SourceAddress 10")
            $found.Count | Should -Be 100
            $watch.Elapsed.TotalSeconds | Should -BeLessThan 5 -Because 'it stops reading after 0.2 s; the rest is patience with a busy machine'
        }
        finally {
            Remove-TestNamespace $large
        }
    }
}
