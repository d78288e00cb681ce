BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Two entries that the kernel finds by the same tuple: the reply of the second is the first one's original tuple. #>
    function Reset-CrossedTable([switch] $SecondAlone) {
        Clear-ConntrackTable -NetworkNamespace $namespace -Confirm:$false
        if (-not $SecondAlone) {
            Invoke-InNamespace $namespace conntrack -I -p 50 -s 192.0.2.7 -d 10.0.0.1 -r 10.0.0.9 -q 192.0.2.7 -t 600
        }
        Invoke-InNamespace $namespace conntrack -I -p 50 -s 10.0.0.1 -d 192.0.2.7 --orig-zone 1 -t 600 -u SEEN_REPLY
    }

    <# Each entry as conntrack shows it: "192.0.2.7 mark 0". #>
    function Get-Shown {
        @(Get-KernelEntry $namespace | ForEach-Object { "$($_.SourceAddress) mark $($_.Mark)" }) | Sort-Object
    }

    <# The first entry in each form of text, without an id, and as an object with the id. #>
    function Get-First([string] $Form) {
        switch ($Form) {
            'object' { Get-ConntrackEntry -SourceAddress 192.0.2.7 }
            'list' { Invoke-InNamespace $namespace conntrack -L -s 192.0.2.7 | ConvertFrom-ConntrackText }
            'save' { Invoke-InNamespace $namespace conntrack -L -s 192.0.2.7 -o save | ConvertFrom-ConntrackText }
            'proc' { Invoke-InNamespace $namespace cat /proc/net/nf_conntrack | Where-Object { $_ -match ' src=10.0.0.9 ' } | ConvertFrom-ConntrackText }
            'csv' { Get-ConntrackEntry -SourceAddress 192.0.2.7 | Select-Object * -ExcludeProperty Id | ConvertTo-Csv | ConvertFrom-Csv }
            'five properties' { Get-ConntrackEntry -SourceAddress 192.0.2.7 | Select-Object Protocol, SourceAddress, DestinationAddress }
        }
    }
}

Describe 'Of two entries with crossed tuples' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    }

    BeforeEach {
        Reset-CrossedTable
    }

    AfterAll {
        $PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
        Remove-TestNamespace $namespace
    }

    It 'Set-ConntrackEntry marks the one that came by the pipeline, as <_>' -ForEach 'object', 'list', 'save', 'proc', 'csv', 'five properties' {
        $entry = Get-First $_
        @($entry).Count | Should -Be 1
        $told = $entry | Set-ConntrackEntry -NewMark 9 -Verbose 4>&1
        "$told" | Should -BeLike '*1 entry changed, 0 already gone, 0 failed*'
        Get-Shown | Should -Be '10.0.0.1 mark 0', '192.0.2.7 mark 9'
    }

    It 'Set-ConntrackEntry marks the one of the zone that is named' {
        Get-ConntrackEntry -SourceAddress 192.0.2.7 -Zone 0 | Set-ConntrackEntry -NewMark 9 -PassThru | ForEach-Object Mark | Should -Be 9
        Set-ConntrackEntry -Zone 1 -NewMark 8
        Get-Shown | Should -Be '10.0.0.1 mark 8', '192.0.2.7 mark 9'
    }

    It 'Remove-ConntrackEntry deletes the one that came by the pipeline, as <_>' -ForEach 'object', 'list', 'save', 'proc', 'csv', 'five properties' {
        $told = Get-First $_ | Remove-ConntrackEntry -Verbose 4>&1
        "$told" | Should -BeLike '*1 entry removed, 0 already gone, 0 failed*'
        Get-Shown | Should -Be '10.0.0.1 mark 0'
    }

    It 'what has ended is gone already, as <_>, and the other one stays as it is' -ForEach 'object', 'list', 'save', 'proc', 'csv', 'five properties' {
        $entry = Get-First $_
        Reset-CrossedTable -SecondAlone
        Get-Shown | Should -Be '10.0.0.1 mark 0'
        "$($entry | Set-ConntrackEntry -NewMark 9 -Verbose 4>&1)" | Should -BeLike '*0 entries changed, 1 already gone, 0 failed*'
        "$($entry | Set-ConntrackEntry -NewTimeout 0 -Verbose 4>&1)" | Should -BeLike '*0 entries changed, 1 already gone, 0 failed*'
        "$($entry | Remove-ConntrackEntry -Verbose 4>&1)" | Should -BeLike '*0 entries removed, 1 already gone, 0 failed*'
        (Get-Failure { $entry | Get-ConntrackEntry }).FullyQualifiedErrorId | Should -BeLike 'EntryNotFound,*'
        Get-Shown | Should -Be '10.0.0.1 mark 0'
    }

    It 'Get-ConntrackEntry looks each up again, and resets the counters of each' {
        foreach ($entry in Get-ConntrackEntry) {
            ($entry | Get-ConntrackEntry).Id | Should -Be $entry.Id
            ($entry | Get-ConntrackEntry -ResetCounter).Id | Should -Be $entry.Id
        }
        (Get-ConntrackEntry -SourceAddress 192.0.2.7 -ResetCounter).SourceAddress | Should -Be '192.0.2.7'
    }

    It 'Get-ConntrackEntry -Exact prefers the one whose original tuple it is' {
        $tuple = @{ Protocol = 50; SourceAddress = '192.0.2.7'; DestinationAddress = '10.0.0.1'; Exact = $true }
        (Get-ConntrackEntry @tuple).SourceAddress | Should -Be '192.0.2.7'
        Get-First object | Remove-ConntrackEntry
        (Get-ConntrackEntry @tuple).SourceAddress | Should -Be '10.0.0.1'
    }

    It 'New-ConntrackEntry -Force changes the one that exists, and takes no other for it' {
        $entry = Get-First object
        $entry | New-ConntrackEntry -Mark 9 -Force
        Get-Shown | Should -Be '10.0.0.1 mark 0', '192.0.2.7 mark 9'

        $entry | Remove-ConntrackEntry
        $failure = Get-Failure { $entry | New-ConntrackEntry -Mark 7 -Force }
        $failure.FullyQualifiedErrorId | Should -BeLike 'EntryExists,*'
        "$failure" | Should -BeLike '*Another entry*'
        Get-Shown | Should -Be '10.0.0.1 mark 0'
    }

    It 'New-ConntrackEntry -Force does not touch an entry that is translated otherwise' {
        $with = @{ SourceAddress = '10.0.0.5'; DestinationAddress = '198.51.100.7'; Protocol = 'udp'; SourcePort = 5; DestinationPort = 53; TimeoutSeconds = 600; TranslatedSourceAddress = '203.0.113.1' }
        New-ConntrackEntry @with -TranslatedSourcePort 1000
        (Get-Failure { New-ConntrackEntry @with -TranslatedSourcePort 1001 -Mark 9 -Force }).FullyQualifiedErrorId | Should -BeLike 'EntryExists,*'
        (Get-Failure { New-ConntrackEntry 10.0.0.6 198.51.100.7 -Protocol udp -SourcePort 5 -DestinationPort 53 -Timeout 600 -ReplyDestinationAddress 203.0.113.1 -ReplyDestinationPort 1000 -Force }).FullyQualifiedErrorId |
            Should -BeLike 'EntryExists,*'
        (Get-KernelEntry $namespace | Where-Object SourceAddress -EQ 10.0.0.5).Mark | Should -Be 0
        New-ConntrackEntry @with -TranslatedSourcePort 1000 -Mark 8 -Force
        (Get-KernelEntry $namespace | Where-Object SourceAddress -EQ 10.0.0.5).Mark | Should -Be 8
    }

    It 'New-ConntrackEntry -Master takes no other one for the master, nor a newcomer' {
        $with = @{ SourceAddress = '192.0.2.8'; DestinationAddress = '10.0.0.1'; Protocol = 'udp'; SourcePort = 5; DestinationPort = 6; TimeoutSeconds = 600 }
        $master = Get-First object
        $failure = Get-Failure { New-ConntrackEntry @with -Master $master }
        $failure.FullyQualifiedErrorId | Should -BeLike 'MasterHidden,*'
        Get-Shown | Should -Be '10.0.0.1 mark 0', '192.0.2.7 mark 0'

        Get-ConntrackEntry -SourceAddress 10.0.0.1 | Remove-ConntrackEntry
        (New-ConntrackEntry @with -Master $master -PassThru).MasterSourceAddress | Should -Be '192.0.2.7'

        Clear-ConntrackTable -Confirm:$false
        Invoke-InNamespace $namespace conntrack -I -p 50 -s 192.0.2.7 -d 10.0.0.1 -r 10.0.0.8 -q 192.0.2.7 -t 600
        (Get-Failure { New-ConntrackEntry @with -Master $master }).FullyQualifiedErrorId | Should -BeLike 'MasterNotFound,*'
        Get-KernelCount $namespace | Should -Be 1
    }
}

Describe 'A flow that ended, whose tuple began anew' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-ConntrackEntry:NetworkNamespace'] = $namespace
        $line = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED'

        <# The old entry, and a new one in the table with another id. An entry at the same memory address has the same id. #>
        function New-Newcomer {
            Clear-ConntrackTable -Confirm:$false -NetworkNamespace $namespace
            Add-KernelLine $namespace $line
            $old = Get-ConntrackEntry -Protocol tcp
            $port = 0
            do {
                Get-ConntrackEntry -Protocol tcp | Remove-ConntrackEntry
                Add-KernelLine $namespace "-s 192.0.2.9 -d 198.51.100.9 -p udp --sport $((++$port)) --dport 1", $line
            } while ((Get-KernelEntry $namespace | Where-Object Protocol -EQ 6).Id -eq $old.Id)
            $old
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'is not changed by Set-ConntrackEntry <Name>' -ForEach @(
        @{ Name = '-NewMark'; With = @{ NewMark = 99 } }
        @{ Name = '-NewTimeout 0'; With = @{ NewTimeout = 0 } }
        @{ Name = '-NewState'; With = @{ NewState = 'TimeWait' } }
        @{ Name = '-SetStatus'; With = @{ SetStatus = 'Assured' } }
    ) {
        foreach ($attempt in 1..5) {
            $old = New-Newcomer
            $told = $old | Set-ConntrackEntry @With -PassThru -Verbose 4>&1
            "$told" | Should -BeLike '*0 entries changed, 1 already gone, 0 failed*'
            $present = Get-KernelEntry $namespace -Detailed | Where-Object Protocol -EQ 6
            $present.Id, $present.Mark, $present.State, $present.Assured | Should -Be (Get-ConntrackEntry -Protocol tcp).Id, 0, 'ESTABLISHED', $false
        }
    }

    It 'is not changed by Remove-ConntrackEntry' {
        $old = New-Newcomer
        "$($old | Remove-ConntrackEntry -Verbose 4>&1)" | Should -BeLike '*0 entries removed, 1 already gone, 0 failed*'
        @(Get-KernelEntry $namespace | Where-Object Protocol -EQ 6).Count | Should -Be 1
    }
}

Describe 'Expectations of a master with a crossed tuple' {
    BeforeAll {
        $namespace = New-TestNamespace
        $PSDefaultParameterValues['*-Conntrack*:NetworkNamespace'] = $namespace
    }

    BeforeEach {
        Clear-ConntrackTable -Confirm:$false
        $master = New-ConntrackEntry 192.0.2.7 10.0.0.1 -Protocol tcp -SourcePort 4000 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp -ReplySourceAddress 10.0.0.9 -PassThru
        Invoke-InNamespace $namespace conntrack -I -p tcp -s 10.0.0.1 -d 192.0.2.7 --sport 21 --dport 4000 --state ESTABLISHED --orig-zone 1 -t 600 -u SEEN_REPLY
        $with = @{ SourceAddress = '10.0.0.9'; DestinationAddress = '192.0.2.7'; DestinationPort = 5000 }
    }

    AfterAll {
        $PSDefaultParameterValues.Remove('*-Conntrack*:NetworkNamespace')
        Remove-TestNamespace $namespace
    }

    It 'are announced by that master, and restored to it' {
        $expectation = New-ConntrackExpectation @with -Master $master -PassThru
        $expectation.MasterSourceAddress | Should -Be 192.0.2.7
        Invoke-InNamespace $namespace conntrack -L expect | Should -Match 'master-src=192.0.2.7 master-dst=10.0.0.1'
        (Get-ConntrackExpectation -Master $master).Id | Should -Be $expectation.Id
        (Get-ConntrackExpectation -Master (Get-ConntrackEntry -SourceAddress 10.0.0.1)) | Should -BeNullOrEmpty

        Clear-ConntrackTable -Expectation -Confirm:$false
        $expectation | New-ConntrackExpectation
        Invoke-InNamespace $namespace conntrack -L expect | Should -Match 'master-src=192.0.2.7 master-dst=10.0.0.1'
    }

    It 'are not announced by a newcomer' {
        Clear-ConntrackTable -Confirm:$false
        New-ConntrackEntry 192.0.2.7 10.0.0.1 -Protocol tcp -SourcePort 4000 -DestinationPort 21 -State Established -Timeout 600 -Helper ftp
        (Get-Failure { New-ConntrackExpectation @with -Master $master }).FullyQualifiedErrorId | Should -BeLike 'MasterNotFound,*'
        Get-ConntrackExpectation | Should -BeNullOrEmpty
    }

    It 'are announced by a master whose zone is that of its replies' {
        Clear-ConntrackTable -Confirm:$false
        $text = '-A -t 600 -u SEEN_REPLY -s 192.0.2.7 -d 10.0.0.1 -p tcp --sport 4000 --dport 21 --state ESTABLISHED --reply-zone 3'
        $master = $text | ConvertFrom-ConntrackText | New-ConntrackEntry -Helper ftp -PassThru
        $master.ReplyZone | Should -Be 3
        $expectation = New-ConntrackExpectation @with -Master $master -PassThru
        $expectation.Zone | Should -Be 3
        (Get-ConntrackExpectation -Master $master).Id | Should -Be $expectation.Id
    }
}
