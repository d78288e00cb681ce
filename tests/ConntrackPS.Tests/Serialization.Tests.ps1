BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $namespace = New-TestNamespace
    Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
    Add-KernelEntry $namespace ([ordered]@{
            web4  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 7'
            web6  = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 9 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -m 4294967295'
            syn4  = '-s 192.0.2.10 -d 198.51.100.8 -p tcp --sport 40002 --dport 443 --state SYN_SENT'
            syn6  = '-s 2001:db8::2 -d 2001:db8:1::8 -p tcp --sport 10 --dport 443 --state SYN_SENT -w 5'
            dns4  = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
            dns6  = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 2001 --dport 53'
            ping4 = '-s 192.0.2.3 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 80'
            ping6 = '-s 2001:db8::3 -d 2001:db8:1::7 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 80'
            gre4  = '-s 192.0.2.6 -d 198.51.100.6 -p gre --srckey 80 --dstkey 81'
            ospf6 = '-s 2001:db8::7 -d 2001:db8:1::9 -p 89'
            sctp4 = '-s 192.0.2.4 -d 198.51.100.4 -p sctp --sport 5060 --dport 5061 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 4294967295'
            snat4 = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
            p253  = '-s 192.0.2.8 -d 198.51.100.9 -p 253'
        })
    $entries = @(Get-ConntrackEntry -NetworkNamespace $namespace)
    $all = [ConntrackPS.Conntrack.ConntrackEntry].GetProperties().Name
    $names = $all | Where-Object { $_ -ne 'Age' }  # which is another one each time

    <# A value as text, which must be the same before and after serialization. #>
    function ConvertTo-Plain($Value) {
        $Value -is [DateTime] ? $Value.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ss.fff') : "$Value"
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'A conntrack entry' {
    It 'has flat properties only, but for Extra of texts' {
        $entries.Count | Should -Be 13
        $entries.Where({ $null -ne $_.Extra }).Count | Should -Be 0
        foreach ($property in [ConntrackPS.Conntrack.ConntrackEntry].GetProperties().Where({ $_.Name -ne 'Extra' })) {
            $type = [Nullable]::GetUnderlyingType($property.PropertyType) ?? $property.PropertyType
            $type.IsPrimitive -or $type.IsEnum -or $type -in [string], [DateTime] | Should -BeTrue -Because "$($property.Name) is a $type"
        }
    }

    It 'becomes JSON of primitives, nothing nested' {
        $json = ConvertTo-Json $entries -Depth 9
        foreach ($document in [System.Text.Json.JsonDocument]::Parse($json).RootElement.EnumerateArray()) {
            $kinds = $document.EnumerateObject() | ForEach-Object { "$($_.Value.ValueKind)" } | Sort-Object -Unique
            $kinds | Should -BeIn 'String', 'Number', 'Null', 'True', 'False'
            @($document.EnumerateObject()).Name | Sort-Object | Should -Be ($all | Sort-Object)
        }
    }

    It 'keeps all values in JSON' {
        $read = ConvertTo-Json $entries -EnumsAsStrings | ConvertFrom-Json
        foreach ($i in 0..($entries.Count - 1)) {
            foreach ($name in $names) {
                ConvertTo-Plain $read[$i].$name | Should -BeExactly (ConvertTo-Plain $entries[$i].$name) -Because $name
            }
        }
        $numbers = ConvertTo-Json $entries | ConvertFrom-Json
        $numbers.Protocol | Should -Be ($entries | ForEach-Object { [int] $_.Protocol })
    }

    It 'has JSON a person can read' {
        $json = Get-ConntrackEntry -Zone 5 -NetworkNamespace $namespace | ConvertTo-Json -EnumsAsStrings
        $json | Should -Match '"SourceAddress": "2001:db8::2"'
        $json | Should -Match '"SourcePort": 10,'
        $json | Should -Match '"State": "SynSent"'
        $json | Should -Match '"Protocol": "Tcp"'
        $json | Should -Match '"StartTime": "\d{4}-'
        $json | Should -Match '"IcmpType": null'
        $json | Should -Not -Match '"value__"|Deserialized|PSTypeName'
    }

    It 'becomes CSV without type names, a column for each property' {
        $entries | Export-Csv TestDrive:/entries.csv
        $lines = Get-Content TestDrive:/entries.csv
        $lines.Count | Should -Be 14
        ($lines[0] -split ',').Trim('"') | Sort-Object | Should -Be ($all | Sort-Object)
        $lines | Should -Not -Match 'System\.|ConntrackPS\.|#TYPE'
    }

    It 'keeps all values in CSV' {
        $entries | Export-Csv TestDrive:/entries.csv
        $read = @(Import-Csv TestDrive:/entries.csv)
        foreach ($i in 0..($entries.Count - 1)) {
            foreach ($name in $names | Where-Object { $_ -ne 'StartTime' }) {
                $read[$i].$name | Should -BeExactly "$($entries[$i].$name)" -Because $name
            }
            # Dates are written in the format of the culture, to the second.
            [DateTime]::Parse($read[$i].StartTime).ToString('s') | Should -Be $entries[$i].StartTime.ToString('s')
        }
    }

    It 'keeps all values and their types through <Way>' -ForEach @(
        @{ Way = 'Export-Clixml'; Convert = { $input | Export-Clixml TestDrive:/entries.xml; Import-Clixml TestDrive:/entries.xml } }
        @{ Way = 'PSSerializer'; Convert = { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize(@($input), 3)) } }
        @{ Way = 'a job'; Convert = { $input | Start-Job { $input } | Receive-Job -Wait -AutoRemoveJob } }
    ) {
        $read = @($entries | & $Convert)
        $read.Count | Should -Be $entries.Count
        foreach ($i in 0..($entries.Count - 1)) {
            $read[$i].PSTypeNames | Should -Contain 'Deserialized.ConntrackPS.Conntrack.ConntrackEntry'
            foreach ($name in $names) {
                ConvertTo-Plain $read[$i].$name | Should -BeExactly (ConvertTo-Plain $entries[$i].$name) -Because $name
            }
            $read[$i].Id | Should -BeOfType uint
            $read[$i].Mark | Should -BeOfType uint
            $read[$i].SourceAddress | Should -BeOfType string
            $read[$i].StartTime | Should -BeOfType DateTime
        }
        $read.Where({ $_.Protocol -eq 'Tcp' })[0].SourcePort | Should -BeOfType ushort
    }

    It 'goes through a file with its own properties, and no others' {
        $read = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($entries[0]))
        $read.PSObject.Properties.Name | Sort-Object | Should -Be ($all | Sort-Object)
        $happened = @(Watch-ConntrackEvent -IncludeExisting -MaxEvents 1 -Timeout 9 -NetworkNamespace $namespace -WarningAction Ignore)[0]
        $read = [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($happened))
        $read.PSObject.Properties.Name | Sort-Object | Should -Be ([ConntrackPS.Events.ConntrackEvent].GetProperties().Name | Sort-Object)
    }

    It 'takes a property along that a user gave it' {
        $noted = @(Get-ConntrackEntry -Zone 5 -NetworkNamespace $namespace)[0] | Add-Member Site Berlin -PassThru
        [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($noted)).Site | Should -Be Berlin
    }

    It 'has the age at which it was written' {
        $entries | Export-Clixml TestDrive:/entries.xml
        foreach ($entry in Import-Clixml TestDrive:/entries.xml) {
            $entry.Age | Should -BeOfType double
            $entry.Age | Should -BeGreaterOrEqual 0
            $entry.Age | Should -BeLessOrEqual ((Get-Date) - $entry.StartTime).TotalSeconds
        }
    }

    It 'compares as before after a journey through a file' {
        $entries | Export-Clixml TestDrive:/entries.xml
        $read = Import-Clixml TestDrive:/entries.xml
        @($read | Where-Object State -EQ SynSent).Count | Should -Be 2
        @($read | Where-Object { $_.Protocol -eq 'Udp' -and $_.AddressFamily -eq 'IPv6' }).Count | Should -Be 1
        @($read | Where-Object { $_.Status -band 'Assured' }).Count | Should -Be 2
        @($read | Where-Object Protocol -EQ 253).Count | Should -Be 1
        ($read | Group-Object Protocol | Where-Object Name -EQ Tcp).Count | Should -Be 5
    }

    It 'looks the same after a journey' {
        $entries | Export-Clixml TestDrive:/entries.xml
        $before = $entries | Format-Table | Out-String -Width 120
        Import-Clixml TestDrive:/entries.xml | Format-Table | Out-String -Width 120 | Should -Be $before
    }

    It 'keeps the blanks in the name of its network namespace through <_>, so that no other namespace is meant' -ForEach 'CLIXML', 'CSV', 'JSON' {
        $blank = "$namespace "
        Invoke-Program ip netns add $blank
        try {
            Invoke-Program ip netns exec $blank conntrack -I -s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53 -t 60
            Get-ConntrackEntry -NetworkNamespace $namespace -SourcePort 2000 | Should -HaveCount 1
            $found = Get-ConntrackEntry -NetworkNamespace $blank
            $read = switch ($_) {
                CLIXML { [System.Management.Automation.PSSerializer]::Deserialize([System.Management.Automation.PSSerializer]::Serialize($found)) }
                CSV { $found | ConvertTo-Csv | ConvertFrom-Csv }
                JSON { $found | ConvertTo-Json | ConvertFrom-Json }
            }
            $read.Namespace | Should -BeExactly $blank
            $read | Select-Object * -ExcludeProperty Id | Remove-ConntrackEntry
            Get-KernelCount $blank | Should -Be 0
            Get-KernelCount $namespace | Should -Be $entries.Count
        }
        finally {
            Invoke-Program ip netns delete $blank
        }
    }

    It 'groups, sorts and filters as one expects' {
        $groups = $entries | Group-Object SourceAddress -NoElement | Sort-Object Count, Name -Descending
        $groups[0].Count | Should -Be 2
        ($groups | Where-Object Count -EQ 2).Name | Sort-Object | Should -Be '192.0.2.1', '2001:db8::1'
        ($entries | Group-Object Protocol -AsHashTable -AsString).Tcp.Count | Should -Be 5
        ($entries | Group-Object Protocol, State | Where-Object Name -EQ 'Tcp, SynSent').Count | Should -Be 2

        ($entries | Where-Object SourcePort | Sort-Object SourcePort).SourcePort | Should -Be 9, 10, 2000, 2001, 5060, 40001, 40002, 50005
        ($entries | Where-Object State -EQ SynSent).Count | Should -Be 2
        ($entries | Where-Object { $_.State -eq 'SynSent' -and $_.DestinationPort -eq 443 }).Count | Should -Be 2
        ($entries | Where-Object State -In SynSent, CookieWait).Count | Should -Be 3
        ($entries | Where-Object SourceAddress -Like '192.0.2.*').Count | Should -Be 7
        ($entries | Where-Object Protocol -EQ udp).Count | Should -Be 2
        ($entries | Where-Object { $_.Status -band 'Assured' }).Count | Should -Be 2
        ($entries | Where-Object { $_.StartTime -gt (Get-Date).AddMinutes(-10) }).Count | Should -Be 13
        ($entries | Where-Object Mark).Count | Should -Be 2
        ($entries | Measure-Object TimeoutSeconds -Maximum).Maximum | Should -BeLessOrEqual 3000
    }

    It 'is a line of text where text is wanted' {
        "$(Get-ConntrackEntry -SourceNat -NetworkNamespace $namespace)" | Should -Be 'tcp 10.1.2.5:50005 -> 198.51.100.20:8443 source as 203.0.113.9:50005'
        "$(Get-ConntrackEntry -Zone 5 -NetworkNamespace $namespace)" | Should -Be 'tcp [2001:db8::2]:10 -> [2001:db8:1::8]:443 zone 5'
    }

    It 'can be selected by property set' {
        $flow = $entries | Select-Object Flow
        $flow[0].PSObject.Properties.Name | Should -Be 'Protocol', 'SourceAddress', 'SourcePort', 'DestinationAddress', 'DestinationPort', 'Zone'
        ($entries | Select-Object Nat)[0].PSObject.Properties.Name | Should -Contain 'ReplyDestinationAddress'
        ($entries | Select-Object Counter)[0].PSObject.Properties.Name | Should -Contain 'TotalBytes'
    }
}

Describe 'A conntrack stat' {
    It 'becomes JSON and CSV of primitives' {
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
        $json = $stat | ConvertTo-Json
        $json | Should -Match '"Count": 13,'
        [System.Text.Json.JsonDocument]::Parse($json).RootElement.EnumerateObject() |
            ForEach-Object { "$($_.Value.ValueKind)" } | Should -BeIn 'String', 'Number', 'Null'
        ($stat | ConvertTo-Csv)[0] | Should -BeLike '"Count","Maximum","FillPercent","Buckets","AverageChainLength","EstimatedMemoryBytes","Namespace","Time","Found",*'
    }
}
