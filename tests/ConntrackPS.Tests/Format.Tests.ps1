BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $rendering = $PSStyle.OutputRendering
    $PSStyle.OutputRendering = 'PlainText'
    $namespace = New-TestNamespace
    Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1

    # The longest of each: addresses, ports, timeout (conntrack puts -t 3000 first, the last one counts), protocol, state.
    $four = [ordered]@{
        long4 = '-t 2147483 -s 203.113.111.101 -d 198.151.100.107 -p tcp --sport 65535 --dport 65534 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        lite4 = '-s 203.113.111.102 -d 198.151.100.108 -p udplite --sport 65535 --dport 65534'
        ping4 = '-s 203.113.111.103 -d 198.151.100.109 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80'
        snat4 = '-s 203.113.111.104 -d 198.151.100.110 -p tcp --sport 65535 --dport 65533 --state TIME_WAIT --src-nat 223.113.111.101:65530'
        dnat4 = '-s 203.113.111.105 -d 198.151.100.111 -p tcp --sport 65535 --dport 65532 --state CLOSE_WAIT --dst-nat 192.168.100.100:65529'
        sctp4 = '-s 203.113.111.106 -d 198.151.100.112 -p sctp --sport 65535 --dport 65531 --state SHUTDOWN_ACK_SENT --orig-vtag 1 --reply-vtag 2'
    }
    $six = [ordered]@{
        long6 = '-t 2147483 -s 2001:db8:1111:2222:3333:4444:5555:6661 -d 2001:db8:7777:8888:9999:aaaa:bbbb:ccc1 -p tcp --sport 65535 --dport 65534 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        most6 = '-s fd00:1db8:1111:2222:3333:4444:5555:6662 -d fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc2 -p udplite --sport 65535 --dport 65534'
        ping6 = '-s fd00:1db8:1111:2222:3333:4444:5555:6663 -d fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc3 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 80'
        snat6 = '-s fd00:1db8:1111:2222:3333:4444:5555:6664 -d fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc4 -p tcp --sport 65535 --dport 65533 --state SYN_SENT --src-nat fd00:1db8:dddd:2222:3333:4444:5555:6665'
        sctp6 = '-t 2147483 -s fd00:1db8:1111:2222:3333:4444:5555:6666 -d fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc6 -p sctp --sport 65535 --dport 65531 --state SHUTDOWN_ACK_SENT --orig-vtag 1 --reply-vtag 2'
    }
    Add-KernelEntry $namespace $four
    Add-KernelEntry $namespace $six
    Add-KernelEntry $namespace ([ordered]@{ gre4 = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'; ospf4 = '-s 192.0.2.7 -d 198.51.100.9 -p 89' })
    $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)

    <# A state in the 11 characters of its column. Some states of SCTP are shortened. #>
    function Get-ShownState($Entry) {
        "$($Entry.State)".Length -le 11 ? "$($Entry.State)" : "$($Entry.State)".Substring(0, 10) + '…'
    }

    <# The lines that a user sees. #>
    function Get-Line([object[]] $Entry, [int] $Width, [string] $View) {
        $formatted = $View ? ($Entry | Format-Table -View $View) : $Entry
        ($formatted | Out-String -Width $Width).Trim("`n") -split "`n"
    }
}

AfterAll {
    $PSStyle.OutputRendering = $rendering
    Remove-TestNamespace $namespace
}

Describe 'The table of entries' {
    It 'has the expected columns' {
        (Get-Line $entries 120)[0] | Should -Match '^Protocol +State +SourceAddress +SPort +DestinationAddress +DPort +Timeout *$'
    }

    It 'gives each entry one line of at most <Width> characters' -ForEach @{ Width = 80 }, @{ Width = 100 }, @{ Width = 120 }, @{ Width = 200 } {
        $lines = Get-Line $entries $Width
        $lines.Count | Should -Be ($entries.Count + 2)
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual $Width }
    }

    It 'shows IPv4 addresses, ports, state and timeout in full on 80 columns' {
        $lines = Get-Line $entries 80
        foreach ($entry in $entries | Where-Object AddressFamily -EQ IPv4) {
            $line = @($lines | Where-Object { $_ -match "\s$([regex]::Escape($entry.SourceAddress))\s" })
            $line.Count | Should -Be 1
            -split $line[0] | Should -Be @(
                "$($entry.Protocol)", (Get-ShownState $entry), $entry.SourceAddress, "$($entry.SourcePort)", $entry.DestinationAddress, "$($entry.DestinationPort)", "$($entry.TimeoutSeconds)" |
                    Where-Object { $_ }
            )
        }
    }

    It 'shows the longest addresses of both families, states and timeouts in full on 120 columns' {
        $lines = Get-Line $entries 120
        foreach ($entry in $entries) {
            $line = @($lines | Where-Object { $_ -match "\s$([regex]::Escape($entry.SourceAddress))\s" })
            $line.Count | Should -Be 1
            -split $line[0] | Should -Be @(
                "$($entry.Protocol)", (Get-ShownState $entry), $entry.SourceAddress, "$($entry.SourcePort)", $entry.DestinationAddress, "$($entry.DestinationPort)", "$($entry.TimeoutSeconds)" |
                    Where-Object { $_ }
            )
        }
        ($lines | Where-Object { $_ -notmatch 'Sctp' }) | Should -Not -Match '…'
    }

    It 'shows one entry as a table too' {
        Get-Line $entries[0] 120 | Should -HaveCount 3
    }

    It 'shows the first row without waiting for the second' {
        # With a first column without a width PowerShell delays the rows by 300 ms.
        $format = [xml] (Get-Content "$(Get-PackagePath)/ConntrackPS.format.ps1xml" -Raw)
        foreach ($table in $format.SelectNodes('//TableControl')) {
            $table.SelectSingleNode('TableHeaders/TableColumnHeader[1]/Width').InnerText | Should -BeGreaterThan 0
        }
    }
}

Describe 'The named view <View>' -ForEach @(
    @{ View = 'Counter'; Column = 'SourceAddress', 'DestinationAddress', 'DPort', 'Packets', 'Bytes'; Property = 'SourceAddress', 'DestinationAddress' }
    @{ View = 'Direction'; Column = 'SourceAddress', 'DestinationAddress', 'OriginalBytes', 'ReplyBytes'; Property = 'SourceAddress', 'DestinationAddress' }
    @{ View = 'Reply'; Column = 'State', 'RSPort', 'RDPort', 'ReplySourceAddress', 'ReplyDestinationAddress'; Property = 'ReplySourceAddress', 'ReplyDestinationAddress' }
) {
    It 'has its columns, a line for each entry, and IPv4 addresses in full on 120 columns' {
        $lines = Get-Line $entries 120 $View
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
        $lines.Count | Should -Be ($entries.Count + 2)
        foreach ($name in $Column) {
            -split $lines[0] | Should -Contain $name
        }
        foreach ($entry in $entries | Where-Object AddressFamily -EQ IPv4) {
            $values = $Property | ForEach-Object { $entry.$_ }
            @($lines | Where-Object { $line = -split $_; -not ($values | Where-Object { $_ -notin $line }) }).Count | Should -Be 1 -Because "$entry"
        }
    }

    It 'gives each entry one line on 80 columns, and no column next to nothing' {
        $lines = Get-Line $entries 80 $View
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $ruler = @($lines | Where-Object { $_ -match '^[- ]+$' })
        $ruler.Count | Should -Be 1
        $lines.Count - [array]::IndexOf($lines, $ruler[0]) | Should -Be ($entries.Count + 1)
        -split $ruler[0] | ForEach-Object { $_.Length | Should -BeGreaterOrEqual 5 }
    }
}

Describe 'The named view Nat' {
    It 'shows on one line of 80 columns the translation of an IPv4 address and its port: <Name>' -ForEach @(
        @{ Name = 'snat4'; Text = '203.113.111.104:65535 as 223.113.111.101:65530 -> 198.151.100.110:65533' }
        @{ Name = 'dnat4'; Text = '203.113.111.105:65535 -> 198.151.100.111:65532 at 192.168.100.100:65529' }
        @{ Name = 'long4'; Text = '203.113.111.101:65535 -> 198.151.100.107:65534' }
        @{ Name = 'ping4'; Text = '203.113.111.103 -> 198.151.100.109' }
    ) {
        $entry = $entries | Where-Object { (Resolve-EntryName $namespace @($_)) -eq $Name }
        $lines = Get-Line $entry 80 Nat
        $lines.Count | Should -Be 3
        -split $lines[0] | Should -Be 'Protocol', 'Translation'
        $lines[2].Trim() | Should -Match "^$($entry.Protocol) +$([regex]::Escape($Text))$"
        $entry.Translation | Should -Be $Text
    }

    It 'breaks IPv6 between addresses on <Width> columns' -ForEach @{ Width = 80 }, @{ Width = 120 } {
        $lines = Get-Line ($entries | Where-Object { (Resolve-EntryName $namespace @($_)) -eq 'snat6' }) $Width Nat
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual $Width }
        ($lines | Select-Object -Skip 2).Trim() -replace '^Tcp +' | Should -Be @(
            '[fd00:1db8:1111:2222:3333:4444:5555:6664]:65535 as'
            '[fd00:1db8:dddd:2222:3333:4444:5555:6665]:65535 ->'
            '[fd00:1db8:7777:8888:9999:aaaa:bbbb:ccc4]:65533'
        )
    }
}

Describe 'Colour' {
    BeforeAll {
        function Get-Escape([string] $Rendering, [scriptblock] $Show) {
            $PSStyle.OutputRendering = $Rendering
            try {
                [regex]::Matches((& $Show | Out-String -Width 120), '\e\[[0-9;]+m').Value | Sort-Object -Unique
            }
            finally {
                $PSStyle.OutputRendering = 'PlainText'
            }
        }
    }

    It 'distinguishes states by the colours of $PSStyle' {
        $colours = Get-Escape Ansi { $entries }
        foreach ($colour in 'Green', 'Yellow', 'BrightBlack') {
            $colours | Should -Contain $PSStyle.Foreground.$colour
        }
        Get-Escape Ansi { $entries | Format-Table -View Status } | Should -Contain $PSStyle.Foreground.Green
        Get-Escape Ansi { $entries | Format-List } | Should -Contain $PSStyle.Foreground.Yellow
    }

    It 'is left out where $PSStyle.OutputRendering is PlainText' {
        Get-Escape PlainText { $entries } | Should -BeNullOrEmpty
        Get-Escape PlainText { $entries | Format-List } | Should -BeNullOrEmpty
    }

    It 'is no part of the data' {
        $entries | ConvertTo-Json -Depth 1 | Should -Not -Match '\\u001b|View'
        ($entries | ConvertTo-Csv) -join "`n" | Should -Not -Match '\e|View'
        $entries[0] | Select-Object * | Get-Member -Name View* | Should -BeNullOrEmpty
    }
}

Describe 'The view of groups' {
    BeforeAll {
        $groups = @(Measure-ConntrackEntry -GroupBy SourceAddress -NetworkNamespace $namespace)
    }

    It 'gives each group a line, with its name in full, on 120 columns: <View>' -ForEach @{ View = '' }, @{ View = 'Rate' }, @{ View = 'State' } {
        $lines = Get-Line $groups 120 $View
        $lines.Count | Should -Be ($groups.Count + 2)
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
        foreach ($group in $groups) {
            @($lines | Where-Object { $cells = -split $_; $cells[0] -eq $group.Count -and $cells[-1] -eq $group.Name }).Count | Should -Be 1
        }
    }

    It 'has room for IPv4 on 80 columns: <View>' -ForEach @{ View = '' }, @{ View = 'Rate' }, @{ View = 'State' } {
        $lines = Get-Line @($groups | Where-Object Name -NotMatch ':') 80 $View
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $lines | Select-Object -Skip 2 | ForEach-Object { (-split $_)[-1] | Should -BeIn $groups.Name }
    }
}

Describe 'The list of an entry' {
    It 'shows no empty value: <Name>' -ForEach @(
        'long4', 'lite4', 'ping4', 'ping6', 'snat4', 'gre4', 'ospf4' | ForEach-Object { @{ Name = $_ } }
    ) {
        $entry = $entries | Where-Object { (Resolve-EntryName $namespace @($_)) -eq $Name }
        $lines = ($entry | Format-List | Out-String -Width 120) -split "`n" | Where-Object { $_.Trim() }
        $lines | Should -Not -Match '^\w+\s*:\s*$'
        $lines | Should -Contain "$("$('SourceAddress'.PadRight(($lines[0] -split ':')[0].Length))"): $($entry.SourceAddress)"
    }

    It 'shows what an entry has: <Name> <Property>' -ForEach @(
        @{ Name = 'ping4'; Property = 'IcmpType', 'IcmpCode', 'IcmpId' }
        @{ Name = 'gre4'; Property = 'GreSourceKey', 'GreDestinationKey' }
        @{ Name = 'long4'; Property = 'State', 'SourcePort', 'DestinationPort', 'ReplySourcePort', 'ReplyDestinationPort', 'OriginalPackets', 'ReplyBytes', 'Status', 'TimeoutSeconds', 'Id' }
        @{ Name = 'snat4'; Property = @('ReplyDestinationAddress') }
    ) {
        $entry = $entries | Where-Object { (Resolve-EntryName $namespace @($_)) -eq $Name }
        $text = $entry | Format-List | Out-String -Width 120
        foreach ($name in $Property) {
            $text | Should -Match "(?m)^$name +: $([regex]::Escape("$($entry.$name)"))\s*$"
        }
    }
}

Describe 'Other views' {
    It 'shows a stat as a table and as a list' {
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
        $lines = Get-Line $stat 80
        -split $lines[0] | Should -Be 'Count', 'Maximum', 'Fill%', 'Buckets', 'Drop', 'EarlyDrop', 'Namespace'
        -split $lines[2] | Should -Be "$($entries.Count)", "$($stat.Maximum)", "$($stat.FillPercent)", "$($stat.Buckets)", '0', '0', $namespace
        $stat | Format-List | Out-String | Should -Match "Count +: $($entries.Count)"
    }

    It 'has default property sets' {
        $standard = $entries[0].PSStandardMembers
        $standard.DefaultDisplayPropertySet.ReferencedPropertyNames | Should -Be @(
            'Protocol', 'State', 'SourceAddress', 'SourcePort', 'DestinationAddress', 'DestinationPort', 'TimeoutSeconds', 'Status')
        $standard.DefaultKeyPropertySet.ReferencedPropertyNames | Should -Be @(
            'Protocol', 'SourceAddress', 'SourcePort', 'DestinationAddress', 'DestinationPort', 'Zone')
    }

    It 'refers to existing properties only' {
        $format = [xml] (Get-Content "$(Get-PackagePath)/ConntrackPS.format.ps1xml" -Raw)
        $types = [xml] (Get-Content "$(Get-PackagePath)/ConntrackPS.types.ps1xml" -Raw)
        foreach ($view in $format.Configuration.ViewDefinitions.View) {
            # A type name with a suffix is for objects with more properties, such as those of -ResolveService.
            $name = @($view.ViewSelectedBy.TypeName)[0]
            $type = [type] ($name -replace '#\w+$')
            @($view.ViewSelectedBy.TypeName) -replace '#\w+$' | Sort-Object -Unique | Should -Be $type.FullName
            $added = $name -like '*#Service' ? @('SourceService', 'DestinationService', 'ServiceName') : @()
            $attached = $types.Types.Type | Where-Object { ([type] ($_.Name -replace '^Deserialized\.')).IsAssignableFrom($type) } |
                ForEach-Object { $_.SelectNodes('Members/*[self::CodeProperty or self::AliasProperty]/Name').InnerText }
            $known = @($type.GetProperties().Name) + @($attached) + $added
            $view.SelectNodes('.//PropertyName').InnerText | Should -BeIn $known
        }
        foreach ($type in $types.Types.Type | Where-Object Name -NotLike "Deserialized.*") {
            foreach ($reference in $type.SelectNodes('.//ReferencedProperties/Name | .//ReferencedMemberName')) {
                $reference.InnerText | Should -BeIn ([type] $type.Name).GetProperties().Name
            }
        }
    }

    It 'shows tables without a script for each cell, but for the few policies and helpers' {
        $format = [xml] (Get-Content "$(Get-PackagePath)/ConntrackPS.format.ps1xml" -Raw)
        $format.SelectNodes('//View[TableControl//TableColumnItem/ScriptBlock]').Name | Should -Be 'ConntrackTimeoutPolicy', 'ConntrackHelper', 'NamespacedHelper', 'NamespacedTimeoutPolicy'
    }
}
