<#
    What a text leaves out is null in the object, and an object without a whole tuple never becomes a request: the kernel
    would take zeros for it. conntrack's XML says nothing of an ICMP message but its addresses.
#>
BeforeDiscovery {
    $forms = @(
        @{ form = 'live'; journey = { $input } }
        @{ form = 'Clixml'; journey = { @($input) | Export-Clixml TestDrive:/incomplete.xml; Import-Clixml TestDrive:/incomplete.xml } }
        @{ form = 'JSON'; journey = { @($input) | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json } }
        @{ form = 'CSV'; journey = { @($input) | ConvertTo-Csv | ConvertFrom-Csv } }
    )
}

BeforeAll {
    # As at a prompt: errors are written, and the next object follows.
    $ErrorActionPreference = 'Continue'
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace
    $before = @(
        '-s 192.0.2.10 -d 198.51.100.10 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 77'
        # The entry that zeros would name.
        '-s 192.0.2.10 -d 198.51.100.10 -p icmp --icmp-type 0 --icmp-code 0 --icmp-id 0'
        '-s 2001:db8:1::10 -d 2001:db8:2::10 -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 77'
        '-s 192.0.2.10 -d 198.51.100.10 -p udp --sport 5 --dport 53'
    )
    foreach ($line in $before) {
        Invoke-InNamespace $namespace sh -c "conntrack -I -t 3000 $line 2>/dev/null"
    }
    $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace

    function Get-Witness { Invoke-InNamespace $namespace conntrack -L -o id 2>$null | ForEach-Object { $_ -replace '^(\S+ +\d+) \d+', '$1' } | Sort-Object }
    function Read-Xml { Invoke-InNamespace $namespace sh -c 'conntrack -L -o xml 2>/dev/null' | & { $PSDefaultParameterValues = @{}; $input | ConvertFrom-ConntrackText } }
    $witness = Get-Witness
    $read = @(Read-Xml | Where-Object Protocol -in Icmp, IcmpV6)
}

AfterAll {
    $PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
    Remove-TestNamespace $namespace
}

Describe 'ICMP of conntrack''s XML' {
    It 'has nothing but its addresses' {
        $read.Count | Should -Be 3
        foreach ($name in 'IcmpType', 'IcmpCode', 'IcmpId', 'ReplyIcmpType', 'ReplyIcmpCode', 'ReplyIcmpId', 'SourcePort', 'DestinationPort') {
            @($read.$name -ne $null).Count | Should -Be 0 -Because $name
        }
        $read.SourceAddress | Should -Contain '192.0.2.10'
    }

    It 'says so where it is written as text that must have them: <_>' -ForEach 'List', 'Extended', 'Proc', 'Save', 'Delete' {
        $PSDefaultParameterValues = @{}
        $text = $read | ConvertTo-ConntrackText -Format $_ -ErrorVariable refused -ErrorAction SilentlyContinue
        $text | Should -BeNullOrEmpty
        ($refused | ForEach-Object { $_.Exception.Data['Count'] ?? 1 } | Measure-Object -Sum).Sum | Should -Be 3
        $refused[0].FullyQualifiedErrorId | Should -BeLike 'IncompleteEntry,*'
        "$($refused[0])" | Should -BeLike '*IcmpType*IcmpCode*IcmpId*conntrack -L -o extended*'
    }

    It 'becomes the same XML again, <form>' -ForEach $forms {
        $PSDefaultParameterValues = @{}
        $again = $read | & $journey | ConvertTo-ConntrackText -Format Xml | ConvertFrom-ConntrackText
        $again.Count | Should -Be 3
        $again.SourceAddress | Should -Be $read.SourceAddress
        $again.Id | Should -Be $read.Id
        @($again.IcmpType -ne $null).Count | Should -Be 0
    }

    It 'is counted by Measure-ConntrackEntry, <form>' -ForEach $forms {
        $PSDefaultParameterValues = @{}
        ($read | & $journey | Measure-ConntrackEntry -GroupBy Protocol | Measure-Object Count -Sum).Sum | Should -Be 3
    }
}

Describe 'An entry without a whole tuple, <form>' -ForEach $forms {
    It 'is not sent to the kernel by <name>' -ForEach @(
        @{ name = 'Remove-ConntrackEntry'; command = { $input | Remove-ConntrackEntry -Confirm:$false } }
        @{ name = 'Remove-ConntrackEntry -Block'; command = { $input | Remove-ConntrackEntry -Block -Confirm:$false } }
        @{ name = 'Set-ConntrackEntry'; command = { $input | Set-ConntrackEntry -NewMark 9 } }
        @{ name = 'Get-ConntrackEntry'; command = { $input | Get-ConntrackEntry } }
        @{ name = 'Get-ConntrackEntry -ResetCounter'; command = { $input | Get-ConntrackEntry -ResetCounter } }
        @{ name = 'New-ConntrackEntry'; command = { $input | New-ConntrackEntry } }
        @{ name = 'New-ConntrackEntry -Force'; command = { $input | New-ConntrackEntry -Force } }
        @{ name = 'Block-ConntrackTraffic'; command = { $input | Block-ConntrackTraffic } }
        @{ name = 'Get-ConntrackExpectation'; command = { $input | Get-ConntrackExpectation } }
        @{ name = 'Remove-ConntrackExpectation -Master'; command = { Remove-ConntrackExpectation -Master @($input) -Confirm:$false } }
        @{ name = 'New-ConntrackExpectation'; command = { $input | New-ConntrackExpectation -SourceAddress 192.0.2.1 -DestinationAddress 192.0.2.2 -DestinationPort 5 -Protocol Tcp } }
    ) {
        $objects = $read | & $journey
        $errors = @()
        $output = $objects | & $command 2>&1 | ForEach-Object { if ($_ -is [System.Management.Automation.ErrorRecord]) { $errors += $_ } else { $_ } }
        $output | Should -BeNullOrEmpty

        # If objects are wrong in the same way, the first is reported and the others are counted.
        ($errors | ForEach-Object { $_.Exception.Data['Count'] ?? 1 } | Measure-Object -Sum).Sum | Should -Be 3
        foreach ($record in $errors) {
            $record.FullyQualifiedErrorId | Should -BeLike 'IncompleteEntry,*'
            $record.CategoryInfo.Category | Should -Be InvalidData
            "$record" | Should -BeLike '*IcmpType*IcmpCode*IcmpId*'
        }
        "$($errors[0])" | Should -BeLike '*conntrack -L -o extended*'
        Get-Witness | Should -Be $witness
        Invoke-InNamespace $namespace nft list ruleset | Should -BeNullOrEmpty
    }

    It 'is no master of a new entry' {
        $master = $read | & $journey | Select-Object -First 1
        { New-ConntrackEntry -Protocol Udp -SourceAddress 192.0.2.1 -SourcePort 1 -DestinationAddress 192.0.2.2 -DestinationPort 2 -Timeout 60 -Master $master } |
            Should -Throw -ErrorId 'IncompleteEntry,*'
        Get-Witness | Should -Be $witness
    }

    It 'leaves the whole ones beside it to be done' {
        $objects = @(Read-Xml | & $journey)
        $changed = $objects | Set-ConntrackEntry -NewMark 5 -PassThru -ErrorAction SilentlyContinue
        $changed.Protocol | Should -Be Udp
        $changed | Set-ConntrackEntry -NewMark 0
        Get-Witness | Should -Be $witness
    }
}

Describe 'Half a tuple in a file' {
    BeforeAll {
        $whole = Get-ConntrackEntry -Protocol Icmp -IcmpId 77 | ConvertTo-Csv | ConvertFrom-Csv
    }

    It 'is refused without <_>' -ForEach 'IcmpType', 'IcmpCode', 'IcmpId' {
        $entry = $whole.PSObject.Copy()
        $entry.$_ = ''
        $problem = $entry | Remove-ConntrackEntry -Confirm:$false 2>&1
        "$problem" | Should -BeLike "*no $_*"
        ($entry | New-ConntrackEntry 2>&1) | Should -BeLike "*no $_*"
        Get-Witness | Should -Be $witness
    }

    It 'has no counter that was not given' {
        $entry = [pscustomobject]@{ Protocol = 'Udp'; SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; SourcePort = 1; DestinationPort = 2; OriginalPackets = 7 }
        $PSDefaultParameterValues = @{}
        $group = $entry | Measure-ConntrackEntry -GroupBy Protocol
        $group.OriginalPackets | Should -Be 7
        $entry | ConvertTo-ConntrackText | Should -Not -Match 'bytes=0'
    }

    It 'does not expect any source port where one is named' {
        $expectation = [pscustomobject]@{ Protocol = 'Tcp'; SourceAddress = '192.0.2.1'; SourcePort = 7; SourceMask = '255.255.255.255'; DestinationAddress = '192.0.2.2'; DestinationPort = 8
            MasterProtocol = 'Tcp'; MasterSourceAddress = '192.0.2.1'; MasterSourcePort = 1; MasterDestinationAddress = '192.0.2.2'; MasterDestinationPort = 21 }
        "$($expectation | New-ConntrackExpectation 2>&1)" | Should -BeLike '*no SourcePortMask*'
    }

    It 'names the part of a shift of sequence numbers that is missing' {
        $entry = Get-ConntrackEntry -Protocol Udp | ConvertTo-Csv | ConvertFrom-Csv
        $entry.OriginalSequencePosition = '7'
        "$($entry | New-ConntrackEntry 2>&1)" | Should -BeLike '*no OriginalSequenceOffsetBefore*'
    }
}
