<#
    What is written to a file under one culture is read under any. Export-Csv writes every value as the current culture does:
    times in its calendar, without their offset and without fractions of a second; minus signs in its own way.
    The cultures are set in a process of its own, which also has a time zone with daylight saving time.
#>
BeforeDiscovery {
    $cultures = 'tr-TR', 'ar-SA', 'fa-IR', 'de-DE', 'en-GB', 'th-TH'
    $pairs = foreach ($written in $cultures) { foreach ($read in $cultures) { @{ written = $written; read = $read } } }
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace

    # Days up to 12, which could be months; a leap day; the hour that comes twice; the year's first and last.
    $starts = 'Wed Mar  4 05:06:07 2026', 'Mon Jan 12 23:59:59 2026', 'Sat Dec  6 00:00:00 2025', 'Sat Feb 28 12:00:00 2026', 'Thu Feb 29 12:00:00 2024',
        'Sun Oct 26 00:30:00 2025', 'Thu Jan  1 01:02:03 2026', 'Wed Dec 31 23:59:59 2025', 'Sun Mar 29 03:00:00 2026', 'Tue Oct 27 14:15:16 2026'
    $port = 1000
    $lines = foreach ($start in $starts) {
        $port++
        "tcp      6 3000 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=$port dport=80 src=198.51.100.7 dst=192.0.2.1 sport=80 dport=$port [ASSURED] mark=7 delta-time=DELTA [start=$start] use=1 id=$port"
    }

    $work = "$TestDrive/culture"
    $null = New-Item $work -ItemType Directory
    Set-Content "$work/lines.json" (ConvertTo-Json $lines)
    Set-Content "$work/run.ps1" @'
param($Module, $Namespace, $Work)
Import-Module $Module
$cultures = 'tr-TR', 'ar-SA', 'fa-IR', 'de-DE', 'en-GB', 'th-TH'
$captured = [datetime]::new(2026, 11, 1, 0, 0, 0, [DateTimeKind]::Utc)
$lines = (Get-Content "$Work/lines.json" -Raw | ConvertFrom-Json) -replace ' delta-time=DELTA', ''
$results = [System.Collections.Generic.List[object]]::new()
function Invoke-In($Culture, [scriptblock] $Block) {
    $before = [cultureinfo]::CurrentCulture
    [cultureinfo]::CurrentCulture = $Culture
    try { & $Block } finally { [cultureinfo]::CurrentCulture = $before }
}
function Get-Listing { @(ip netns exec $Namespace conntrack -L 2>$null) -replace '^(\S+ +\d+) \d+', '$1' | Sort-Object }
function Get-Text($Entries) { $Entries | ConvertTo-ConntrackText -Include Timestamp, Id -CapturedAt $captured }
function Add-Result($Name, $Expected, $Actual) { $results.Add([pscustomobject]@{ Name = $Name; Expected = @($Expected) -join "`n"; Actual = @($Actual) -join "`n" }) }

$real = @{
    'tr-TR' = { 'i'.ToUpper() -ceq [string][char]0x130 }
    'ar-SA' = { [datetime]::new(2026, 3, 4).ToString('yyyy') -eq '1447' }
    'fa-IR' = { [datetime]::new(2026, 3, 4).ToString('yyyy') -eq '1404' }
    'de-DE' = { (1.5).ToString() -eq '1,5' }
    'en-GB' = { [datetime]::new(2026, 3, 4).ToString('d') -eq '04/03/2026' }
    'th-TH' = { [datetime]::new(2026, 3, 4).ToString('yyyy') -eq '2569' }
}
foreach ($culture in $cultures) { Add-Result "real $culture" 'True' (Invoke-In $culture $real[$culture]) }

$entries = @($lines | ConvertFrom-ConntrackText)
Add-Result 'start' (@($lines) -replace ' \[start=.*?\]', '') (@(Get-Text $entries) -replace ' \[start=.*?\]| delta-time=\d+', '')
$expected = Get-Text $entries
$old = @($entries | ForEach-Object { $_.StartTime.ToUniversalTime().Ticks })
foreach ($written in $cultures) {
    Invoke-In $written {
        $entries | Export-Csv "$Work/$written.csv"
        $entries | Select-Object * -ExcludeProperty StartTimestamp | Export-Csv "$Work/$written.old.csv"
        $entries | ConvertTo-Json | Set-Content "$Work/$written.json"
        $entries | Export-Clixml "$Work/$written.xml"
    }
    foreach ($read in $cultures) {
        Invoke-In $read {
            Add-Result "csv $written $read" $expected (Get-Text (Import-Csv "$Work/$written.csv"))
            Add-Result "json $written $read" $expected (Get-Text (Get-Content "$Work/$written.json" -Raw | ConvertFrom-Json))
            Add-Result "clixml $written $read" $expected (Get-Text (Import-Clixml "$Work/$written.xml"))
            $group = Import-Csv "$Work/$written.csv" | Measure-ConntrackEntry -GroupBy Protocol
            Add-Result "oldest $written $read" ([long[]] $old | Sort-Object)[0] $group.Oldest.ToUniversalTime().Ticks
        }
    }
}

# A time without offset and calendar is ambiguous, so it is refused. It must never become another day.
foreach ($written in $cultures) {
    $said = Invoke-In 'en-US' { Import-Csv "$Work/$written.old.csv" | ConvertTo-ConntrackText -Include Timestamp -CapturedAt $captured -ErrorAction SilentlyContinue -ErrorVariable script:refused }
    Add-Result "old $written" '' $said
    Add-Result "refused $written" $lines.Count @($refused -match 'StartTime .* is not an unambiguous time such as 2026-').Count
}

# The kernel sets the start time of new entries. A start time that can't be read must not prevent their creation.
foreach ($culture in $cultures) {
    Invoke-In $culture {
        foreach ($form in 'csv', 'old.csv', 'json', 'xml') {
            $objects = switch ($form) { 'json' { Get-Content "$Work/$culture.json" -Raw | ConvertFrom-Json } 'xml' { Import-Clixml "$Work/$culture.xml" } default { Import-Csv "$Work/$culture.$form" } }
            $objects = $objects | Select-Object * -ExcludeProperty Id
            $objects | New-ConntrackEntry -NetworkNamespace $Namespace
            $made = Get-Listing
            Add-Result "new $form $culture" $lines.Count $made.Count
            Add-Result "made $form $culture" (@($lines) -replace ' 3000 ', ' ' -replace ' \[start=.*?\]| id=\d+', '' | Sort-Object) $made
            $objects | Set-ConntrackEntry -NewMark 9 -NetworkNamespace $Namespace
            Add-Result "set $form $culture" ($made -replace 'mark=7', 'mark=9') (Get-Listing)
            Add-Result "get $form $culture" $lines.Count @($objects | Get-ConntrackEntry -NetworkNamespace $Namespace).Count
            $objects | Remove-ConntrackEntry -NetworkNamespace $Namespace
            Add-Result "remove $form $culture" '' (Get-Listing)
        }

        # A negative number: cultures write different minus signs.
        $shifted = [pscustomobject]@{
            Protocol = 'Tcp'; SourceAddress = '192.0.2.9'; SourcePort = 9; DestinationAddress = '192.0.2.8'; DestinationPort = 8; State = 'Established'
            TimeoutSeconds = 3000; Status = 'SeenReply, Assured, SeqAdjust'; OriginalSequencePosition = 7; OriginalSequenceOffsetBefore = -5; OriginalSequenceOffsetAfter = -6
        }
        $shifted | New-ConntrackEntry -NetworkNamespace $Namespace
        $live = Get-ConntrackEntry -NetworkNamespace $Namespace
        $live | Export-Csv "$Work/shift.csv"
        $live | Remove-ConntrackEntry
        Import-Csv "$Work/shift.csv" | New-ConntrackEntry
        $again = Get-ConntrackEntry -NetworkNamespace $Namespace
        Add-Result "shift $culture" '7 -5 -6' ([string]::Format([cultureinfo]::InvariantCulture, '{0} {1} {2}', $again.OriginalSequencePosition, $again.OriginalSequenceOffsetBefore, $again.OriginalSequenceOffsetAfter))
        $again | Remove-ConntrackEntry
    }
}
$results | ConvertTo-Json | Set-Content "$Work/results.json"
'@
    $output = Invoke-PowerShell @('-NoProfile', '-File', "$work/run.ps1", "$(Get-PackagePath)/ConntrackPS.psd1", $namespace, $work) -Prefix 'TZ=Europe/Berlin' 2>&1
    $results = @{}
    if (Test-Path "$work/results.json") {
        foreach ($result in Get-Content "$work/results.json" -Raw | ConvertFrom-Json) { $results[$result.Name] = $result }
    }

    function Assert-Result($Name) {
        $results[$Name] | Should -Not -BeNullOrEmpty -Because "the process said: $output"
        $results[$Name].Actual | Should -BeExactly $results[$Name].Expected
        $results[$Name].Expected -replace '\s' | Should -Not -BeNullOrEmpty
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Under the culture <_>' -ForEach 'tr-TR', 'ar-SA', 'fa-IR', 'de-DE', 'en-GB', 'th-TH' {
    It 'is a real one' { Assert-Result "real $_" }

    It 'creates, changes, finds and removes what a file names: <form>' -ForEach @(
        @{ culture = $_; form = 'csv' }, @{ culture = $_; form = 'old.csv' }, @{ culture = $_; form = 'json' }, @{ culture = $_; form = 'xml' }
    ) {
        foreach ($step in 'new', 'made', 'set', 'get') {
            Assert-Result "$step $form $culture"
        }
        $results["remove $form $culture"].Actual | Should -BeExactly ''
    }

    It 'keeps negative numbers in CSV' { Assert-Result "shift $_" }

    It 'refuses a time that may mean two days' {
        $results["old $_"].Actual | Should -BeExactly ''
        Assert-Result "refused $_"
    }
}

Describe 'Written under <written>, read under <read>' -ForEach $pairs {
    It 'keeps times to the second in <_>' -ForEach 'csv', 'json', 'clixml', 'oldest' { Assert-Result "$_ $written $read" }
}

Describe 'Times of entries' {
    It 'are counted from 1970 as the kernel counts, beside the local time' {
        $entry = 'udp 17 30 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=2 src=192.0.2.2 dst=192.0.2.1 sport=2 dport=1 [start=Wed Mar  4 05:06:07 2026] use=1' | ConvertFrom-ConntrackText
        $entry.StartTime.Kind | Should -Be Local
        $entry.StartTimestamp | Should -Be ([DateTimeOffset] $entry.StartTime).ToUnixTimeSeconds().ToString().PadRight(19, '0')
        $entry.StopTimestamp | Should -BeNullOrEmpty
    }

    It 'may be given in a file with their offset: <_>' -ForEach '2026-03-04T05:06:07+01:00', '2026-03-04T04:06:07Z', '2026-03-04T04:06:07.0000000Z', '2026-03-03 22:06:07-06:00' {
        $entry = [pscustomobject]@{ Protocol = 'Udp'; SourceAddress = '192.0.2.1'; DestinationAddress = '192.0.2.2'; SourcePort = 1; DestinationPort = 2; StartTime = $_ }
        $entry | ConvertTo-ConntrackText -CapturedAt ([datetime] '2026-03-04T04:07:07Z') | Should -Match 'delta-time=60 '
        $entry.StartTime = [DateTimeOffset] '2026-03-04T05:06:07+01:00'
        $entry | ConvertTo-ConntrackText -CapturedAt ([datetime] '2026-03-04T04:07:07Z') | Should -Match 'delta-time=60 '
    }
}
