# "All but ...": the -Exclude parameters of every cmdlet that selects entries.
BeforeDiscovery {
    # The value that excludes one entry, and the names of the others, as conntrack shows them.
    $cases = @(
        @{ Exclude = '-ExcludeSourceAddress 192.0.2.0/24'; Left = 'dns6', 'management', 'nat' }
        @{ Exclude = '-ExcludeSourceAddress 192.0.2.1, 2001:db8::/32'; Left = 'dns4', 'management', 'nat' }
        @{ Exclude = '-ExcludeDestinationAddress 198.51.100.7'; Left = 'dns4', 'dns6', 'nat' }
        @{ Exclude = '-ExcludeReplySourceAddress 198.51.100.7'; Left = 'dns4', 'dns6', 'nat' }
        @{ Exclude = '-ExcludeReplyDestinationAddress 203.0.113.1'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeAddress 10.0.0.0/8'; Left = 'dns4', 'dns6', 'web' }
        @{ Exclude = '-ExcludeTranslatedSourceAddress 203.0.113.1'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeTranslatedDestinationAddress 203.0.113.1'; Left = 'dns4', 'dns6', 'management', 'nat', 'web' }
        @{ Exclude = '-ExcludeTranslatedAddress 203.0.113.0/24'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeSourcePort 40000-49999'; Left = 'dns4', 'dns6' }
        @{ Exclude = '-ExcludeDestinationPort 22, 80'; Left = 'dns4', 'dns6', 'nat' }
        @{ Exclude = '-ExcludeReplySourcePort 443'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeReplyDestinationPort 2000'; Left = 'dns6', 'management', 'nat', 'web' }
        @{ Exclude = '-ExcludePort 53'; Left = 'management', 'nat', 'web' }
        @{ Exclude = '-ExcludeTranslatedSourcePort 1-65535'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeTranslatedDestinationPort 1-65535'; Left = 'dns4', 'dns6', 'management', 'nat', 'web' }
        @{ Exclude = '-ExcludeTranslatedPort 50000'; Left = 'dns4', 'dns6', 'management', 'web' }
        @{ Exclude = '-ExcludeAddress 10.0.0.0/8 -ExcludePort 53'; Left = @('web') }
    )
    $parameters = @($cases.ForEach{ ($_.Exclude -split ' ')[0].TrimStart('-') } | Sort-Object -Unique)
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $table = [ordered]@{
        web        = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY'
        dns4       = '-s 192.0.2.9 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        dns6       = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
        management = '-s 10.0.0.5 -d 198.51.100.7 -p tcp --sport 40022 --dport 22 --state ESTABLISHED -u SEEN_REPLY'
        nat        = '-s 10.1.1.5 -d 198.51.100.8 -p tcp --sport 40443 --dport 443 --state ESTABLISHED -u SEEN_REPLY --src-nat 203.0.113.1:50000'
    }
    $namespace = New-TestNamespace $table
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace

    function Invoke-Line([string] $Line) {
        & ([scriptblock]::Create($Line))
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'What is left out' {
    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    It 'is tried here for each parameter that there is' -ForEach @{ Tried = $parameters } {
        $there = (Get-Command Get-ConntrackEntry).Parameters.Keys.Where{ $_ -match '^Exclude.*(Address|Port)$' } | Sort-Object
        $Tried | Should -Be $there
        $there.Count | Should -Be 16
    }

    It 'is all but what would be asked for: <Exclude>' -ForEach $cases {
        Resolve-EntryName $namespace @(Invoke-Line "Get-ConntrackEntry $Exclude") | Should -Be $Left
        (Invoke-Line "Measure-ConntrackEntry $Exclude" | Measure-Object Count -Sum).Sum | Should -Be $Left.Count
        (Invoke-Line "Show-ConntrackTop $Exclude -Once -Width 120" | Select-String -Pattern '^Shown (\d+)').Matches.Groups[1].Value | Should -Be $Left.Count
        $seen = @(Invoke-Line "Watch-ConntrackEvent $Exclude -IncludeExisting -MaxEvents $($Left.Count) -Timeout 30 -WarningAction Ignore")
        Resolve-EntryName $namespace $seen | Should -Be $Left
        # Deletes all entries except the excluded ones. conntrack shows the result.
        Invoke-Line "Remove-ConntrackEntry -AddressFamily IPv4 $Exclude"
        Get-KernelName $namespace | Should -Be (@($table.Keys).Where{ $_ -notin $Left -or $_ -eq 'dns6' } | Sort-Object)
    }

    It 'makes no events, neither of what is there nor of what happens' {
        $watch = @{ IncludeExisting = $true; TimeoutSeconds = 2; WarningAction = 'Ignore'; ExcludeSourceAddress = '10.0.0.0/8'; ExcludePort = 53 }
        # Entries have events only if the setting was on when they were created.
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1
        Reset-KernelTable $namespace $table
        $seen = @(Watch-ConntrackEvent @watch | ForEach-Object {
                $_
                if ($_.EventType -eq 'Existing') { $null = Invoke-InNamespace $namespace sh -c 'conntrack -D -s 10.0.0.5; conntrack -D -p udp; conntrack -D -s 192.0.2.1' }
            })
        $seen.EventType | Should -Be 'Existing', 'Destroy'
        $seen.SourceAddress | Should -Be '192.0.2.1', '192.0.2.1'
        Get-KernelName $namespace | Should -Be 'nat'
    }

    It 'is not changed' {
        Set-ConntrackEntry -Protocol tcp -ExcludeSourceAddress 10.0.0.0/8 -NewTimeout 77
        (Get-KernelEntry $namespace).Where{ $_.TimeoutSeconds -le 77 }.Name | Should -Be 'web'
    }

    It 'is no part of what the kernel is asked, as -Debug shows' {
        $DebugPreference = 'Continue'
        $told = "$(Get-ConntrackEntry -Protocol tcp -AddressFamily IPv4 -ExcludeSourceAddress 10.0.0.5 -ExcludePort 80 5>&1 | Where-Object { $_ -is [System.Management.Automation.DebugRecord] })"
        $told | Should -Match 'here:.*not source address 10\.0\.0\.5'
        ($told -split 'here:')[0] | Should -Not -Match '10\.0\.0\.5|not '
        ($told -split 'here:')[0] | Should -Match 'tcp|protocol'
    }

    It 'is left out of groups, and of what is piped on' {
        Measure-ConntrackEntry -GroupBy Protocol -Protocol tcp -ExcludeDestinationPort 22 | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be 'dns4', 'dns6', 'management'
        Get-ConntrackEntry -ExcludeSourceAddress 10.0.0.0/8 | Remove-ConntrackEntry
        Get-KernelName $namespace | Should -Be 'management'
    }

    It 'takes what other programs wrote' {
        @([pscustomobject]@{ Network = '192.0.2.0/24' }, [pscustomobject]@{ Network = '10.0.0.0/8' }) | Export-Csv TestDrive:/spared.csv
        Resolve-EntryName $namespace @(Get-ConntrackEntry -ExcludeSourceAddress (Import-Csv TestDrive:/spared.csv).Network) | Should -Be 'dns6'
        '["192.0.2.0/24","2001:db8::1"]' | Set-Content TestDrive:/spared.json
        Resolve-EntryName $namespace @(Get-ConntrackEntry -ExcludeSourceAddress (Get-Content TestDrive:/spared.json | ConvertFrom-Json)) | Should -Be 'management', 'nat'
        Get-ConntrackEntry -DestinationPort 22 | Export-Clixml TestDrive:/spared.xml
        Resolve-EntryName $namespace @(Get-ConntrackEntry -ExcludeSourceAddress (Import-Clixml TestDrive:/spared.xml).SourceAddress) | Should -Be 'dns4', 'dns6', 'nat', 'web'
    }

    It 'counts with -Exact: the entry that was named, but not if it is left out' {
        $tuple = @{ Exact = $true; Protocol = 'udp'; SourceAddress = '192.0.2.9'; SourcePort = 2000; DestinationAddress = '198.51.100.53'; DestinationPort = 53 }
        Resolve-EntryName $namespace @(Get-ConntrackEntry @tuple -ExcludeAddress 10.0.0.0/8) | Should -Be 'dns4'
        (Get-Failure { Get-ConntrackEntry @tuple -ExcludeReplySourceAddress 198.51.100.53 }).Count | Should -BeGreaterThan 0
    }

    It 'names nothing to change: <_>' -ForEach @(
        'Remove-ConntrackEntry -ExcludeSourceAddress 10.0.0.0/8', 'Remove-ConntrackEntry -ExcludePort 22 -ExcludeAddress ::1 -Block'
        'Remove-ConntrackEntry -ExcludePort 22 -SourceAddress 0.0.0.0/0, ::/0', 'Block-ConntrackTraffic -ExcludeDestinationPort 22'
        'Set-ConntrackEntry -ExcludeSourceAddress 10.0.0.0/8 -NewTimeout 1'
    ) {
        $failure = @(Get-Failure { Invoke-Line $_ })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'NoFilter,*'
        "$failure" | Should -BeLike '*only exclusions*every other entry*'
        Get-KernelCount $namespace | Should -Be $table.Count
        Get-ConntrackBlock | Should -BeNullOrEmpty
    }

    It 'contradicts what is asked for: <Command>' -ForEach @(
        @{ Command = 'Get-ConntrackEntry 10.0.0.5 -ExcludeSourceAddress 10.0.0.0/8'; Names = '-SourceAddress', '-ExcludeSourceAddress' }
        @{ Command = 'Remove-ConntrackEntry -DestinationPort 22 -ExcludeDestinationPort 1-1023'; Names = '-DestinationPort', '-ExcludeDestinationPort' }
        @{ Command = 'Measure-ConntrackEntry -TranslatedSourceAddress 1.2.3.4 -ExcludeTranslatedSourceAddress 1.2.3.4'; Names = '-TranslatedSourceAddress', '-ExcludeTranslatedSourceAddress' }
        @{ Command = 'Set-ConntrackEntry -SourcePort 5 -ExcludeSourcePort 5 -NewTimeout 5'; Names = '-SourcePort', '-ExcludeSourcePort' }
    ) {
        $failure = @(Get-Failure { Invoke-Line $Command })
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'ContradictoryFilter,*'
        foreach ($name in $Names) { "$failure" | Should -Match "(?<!\w)$name\b" }
    }
}

Describe 'A block that leaves something out' {
    It 'drops the flows that it names, and spares the others' {
        Reset-KernelTable $namespace $table
        $block = Block-ConntrackTraffic -Protocol tcp -ExcludeSourceAddress 10.0.0.0/8
        try {
            $rules = (Invoke-InNamespace $namespace nft list ruleset) -join "`n"
            $rules | Should -Match '192\.0\.2\.1'
            $rules | Should -Not -Match '10\.0\.0\.5|10\.1\.1\.5'
        }
        finally {
            $block | Unblock-ConntrackTraffic
        }
    }
}

Describe 'What is left out by protocol, state and the like' {
    BeforeDiscovery {
        $others = @(
            @{ Exclude = '-ExcludeProtocol tcp, gre'; Left = 'marked', 'ping', 'ping6', 'zoned' }
            @{ Exclude = '-ExcludeProtocol Udp'; Left = 'gre', 'open', 'ping', 'ping6', 'syn' }
            @{ Exclude = '-ExcludeState SYN_SENT'; Left = 'gre', 'marked', 'open', 'ping', 'ping6', 'zoned' }
            @{ Exclude = '-ExcludeState SynSent, Established'; Left = 'gre', 'marked', 'ping', 'ping6', 'zoned' }
            @{ Exclude = '-ExcludeStatus SeenReply'; Left = 'gre', 'marked', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeMark 0x100/0xff00'; Left = 'gre', 'open', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeZone 5'; Left = 'gre', 'marked', 'open', 'ping', 'ping6', 'syn' }
            @{ Exclude = '-ExcludeZone 0'; Left = @('zoned') }
            @{ Exclude = '-ExcludeHelper FTP'; Left = 'gre', 'marked', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeLabel 5'; Left = 'gre', 'marked', 'open', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeIcmpType 8'; Left = 'gre', 'marked', 'open', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeIcmpCode 0'; Left = 'gre', 'marked', 'open', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeIcmpId 77'; Left = 'gre', 'marked', 'open', 'ping', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeGreSourceKey 7'; Left = 'marked', 'open', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeGreDestinationKey 9'; Left = 'gre', 'marked', 'open', 'ping', 'ping6', 'syn', 'zoned' }
            @{ Exclude = '-ExcludeProtocol tcp -ExcludeIcmpType 8 -ExcludeZone 5 -ExcludeAddress 2001:db8::/32'; Left = 'gre', 'marked' }
        )
        $tried = @($others.ForEach{ ($_.Exclude -split ' ')[0].TrimStart('-') } | Sort-Object -Unique)
    }

    BeforeAll {
        $table = [ordered]@{
            open   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 21 --state ESTABLISHED -u SEEN_REPLY'
            syn    = '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 40002 --dport 80 --state SYN_SENT'
            marked = '-s 192.0.2.3 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -m 0x123'
            zoned  = '-s 192.0.2.4 -d 198.51.100.53 -p udp --sport 2001 --dport 53 -w 5'
            ping   = '-s 192.0.2.5 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80'
            ping6  = '-s 2001:db8::5 -d 2001:db8::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 77'
            gre    = '-s 192.0.2.6 -d 198.51.100.7 -p gre --srckey 7 --dstkey 8'
        }
        # conntrack gives no helper to an entry that it makes.
        $open = @{ SourceAddress = '192.0.2.1'; DestinationAddress = '198.51.100.7'; Protocol = 'tcp'; SourcePort = 40001; DestinationPort = 21; State = 'Established'; Status = 'SeenReply'; Timeout = 600; Helper = 'ftp' }
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    It 'is tried here for each parameter that there is' -ForEach @{ Tried = $tried } {
        $there = (Get-Command Get-ConntrackEntry).Parameters.Keys.Where{ $_ -match '^Exclude' -and $_ -notmatch '(Address|Port)$' } | Sort-Object
        $Tried | Should -Be $there
        foreach ($command in 'Remove-ConntrackEntry', 'Set-ConntrackEntry', 'Block-ConntrackTraffic', 'Measure-ConntrackEntry', 'Watch-ConntrackEvent', 'Register-ConntrackEvent', 'Show-ConntrackTop') {
            $there | ForEach-Object { (Get-Command $command).Parameters.Keys | Should -Contain $_ }
        }
    }

    It 'is all but what would be asked for: <Exclude>' -ForEach $others {
        if ($Exclude -like '*Helper*') {
            $null = Invoke-InNamespace $namespace conntrack -D -s 192.0.2.1
            New-ConntrackEntry @open
            @(Get-ConntrackEntry -Helper ftp).Count | Should -Be 1
            @(Invoke-Line "Get-ConntrackEntry $Exclude").SourceAddress | Should -Not -Contain '192.0.2.1'
            @(Invoke-Line "Get-ConntrackEntry $Exclude").Count | Should -Be 6
            return
        }
        Resolve-EntryName $namespace @(Invoke-Line "Get-ConntrackEntry $Exclude") | Should -Be $Left
        (Invoke-Line "Measure-ConntrackEntry $Exclude" | Measure-Object Count -Sum).Sum | Should -Be $Left.Count
        $seen = @(Invoke-Line "Watch-ConntrackEvent $Exclude -IncludeExisting -MaxEvents $($Left.Count) -Timeout 30 -WarningAction Ignore")
        Resolve-EntryName $namespace $seen | Should -Be $Left
        Invoke-Line "Remove-ConntrackEntry -AddressFamily IPv4 $Exclude"
        Get-KernelName $namespace | Should -Be (@($table.Keys).Where{ $_ -notin $Left -or $_ -eq 'ping6' } | Sort-Object)
    }

    It 'is no part of what the kernel is asked, and names nothing to change: <Exclude>' -ForEach $others.Where{ $_.Exclude -notlike '*-ExcludeStatus*' -and @($_.Exclude -split ' -').Count -eq 1 } {
        $DebugPreference = 'Continue'
        $told = "$(Invoke-Line "Get-ConntrackEntry -AddressFamily IPv4 $Exclude 5>&1" | Where-Object { $_ -is [System.Management.Automation.DebugRecord] })"
        $told | Should -Match 'here:.*not '
        ($told -split 'here:')[0] | Should -Not -Match 'not '
        foreach ($command in 'Remove-ConntrackEntry', 'Remove-ConntrackEntry -Block', 'Block-ConntrackTraffic', 'Set-ConntrackEntry -NewTimeout 1') {
            $DebugPreference = 'SilentlyContinue'
            $failure = @(Get-Failure { Invoke-Line "$command $Exclude" })
            $failure[0].FullyQualifiedErrorId | Should -BeLike 'NoFilter,*'
            "$failure" | Should -BeLike '*only exclusions*'
        }
        Get-KernelCount $namespace | Should -Be $table.Count
        Get-ConntrackBlock | Should -BeNullOrEmpty
    }

    It 'contradicts what is asked for: <_>' -ForEach 'Protocol udp', 'State SynSent', 'Mark 7', 'Zone 5', 'Label 5', 'Helper ftp', 'IcmpType 8', 'GreSourceKey 7' {
        $name, $value = $_ -split ' '
        $failure = @(Get-Failure { Invoke-Line "Get-ConntrackEntry -$name $value -Exclude$name $value" })
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'ContradictoryFilter,*'
        "$failure" | Should -Match "-Exclude$name\b"
    }

    It 'stays in the text of a filter, by which groups come back from files' {
        $groups = Measure-ConntrackEntry -GroupBy DestinationPort -ExcludeProtocol tcp -ExcludeZone 5 -ExcludeIcmpType 8 | Where-Object DestinationPort -EQ 53
        $read = $groups | ConvertTo-Csv | ConvertFrom-Csv
        Resolve-EntryName $namespace @($read | Get-ConntrackEntry) | Should -Be 'marked'
    }
}
