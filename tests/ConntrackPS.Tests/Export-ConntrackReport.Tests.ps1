BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/BrowserSupport.psm1" -Force
    Import-PackagedModule
    $hasBrowser = Test-Browser
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/BrowserSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace }
    Add-KernelLine $namespace (1..40 | ForEach-Object { "-s 192.0.2.$(1 + $_ % 4) -d 198.51.100.7 -p tcp --sport $(1000 + $_) --dport $(80 + $_ % 3) --state $($_ % 5 ? 'ESTABLISHED' : 'SYN_SENT')" })
    Add-KernelLine $namespace '-s 2001:db8::1 -d 2001:db8:1::7 -p udp --sport 3 --dport 53'
    Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_udp_timeout=77 net.netfilter.nf_conntrack_tcp_be_liberal=1
    $hostile = '<script>document.title = "owned"</script>', "x`"'><img src=http://192.0.2.1/x onerror=`"document.title='owned'`">", "a`nb", "$([char] 0x202e)gnp.exe"

    <# The rows of the table with this first heading, in the file. #>
    function Get-ReportRow([string] $Path, [string] $Heading) {
        $table = [regex]::Matches((Get-Content $Path -Raw), '(?s)<table>.*?</table>').Value | Where-Object { $_ -like "*<th><button>$Heading<*" } | Select-Object -First 1
        foreach ($row in [regex]::Matches($table, '<tr><td.*?</tr>').Value) {
            , @([regex]::Matches($row, '<td[^>]*>(.*?)</td>') | ForEach-Object { $_.Groups[1].Value -replace '</?bdi>' })
        }
    }

    function New-History([string] $Path, [string[]] $Name) {
        foreach ($i in 0..50) {
            [pscustomobject]@{
                Time = [datetime]::Now.AddMinutes($i - 60); BootId = 'b'; Uptime = 100 + 60 * $i; FillPercent = 0; Count = 1000 + 20 * $i; Maximum = 2000
                Drop = $i * $i; EarlyDrop = $i; InsertFailed = 0; Namespace = $Name ? $Name[$i % $Name.Count] : $null; TopSources = @{ ($Name ? $Name[0] : '192.0.2.1') = 500 + $i }
            } | Add-ConntrackHistory $Path
        }
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Export-ConntrackReport' {
    BeforeEach {
        $file = "$TestDrive/$(New-Guid).html"
    }

    It 'shows the present state of a namespace' {
        $made = Export-ConntrackReport $file -SampleTime 0 -PassThru @here
        $made.FullName | Should -Be $file
        $rows = Get-ReportRow $file Source
        $counts = @{}
        Get-KernelEntry $namespace | Group-Object SourceAddress | ForEach-Object { $counts[$_.Name] = $_.Count }
        $rows.Count | Should -Be $counts.Count
        foreach ($row in $rows) { $row[1] | Should -Be $counts[$row[0]] -Because $row[0] }
        $text = Get-Content $file -Raw
        $text | Should -BeLike "*Network namespace $namespace*"
        $text | Should -BeLike '*<h2>Health</h2>*'
        $differences = Get-ReportRow $file Setting
        $differences.ForEach{ "$($_[0..2])" } | Should -Contain 'net.netfilter.nf_conntrack_udp_timeout 77 seconds 30 seconds'
        $differences.ForEach{ "$($_[0..2])" } | Should -Contain 'net.netfilter.nf_conntrack_tcp_be_liberal on off'
    }

    It 'has the findings of Test-ConntrackHealth with their command lines' {
        Export-ConntrackReport $file -SampleTime 0 @here
        $text = [System.Net.WebUtility]::HtmlDecode((Get-Content $file -Raw))
        foreach ($finding in Test-ConntrackHealth -MinimumSeverity Information -SampleTime 0 @here) {
            $text.Contains("<strong>$($finding.Name)</strong>") | Should -BeTrue -Because $finding.Name
            $text.Contains("<pre>$($finding.Remedy)</pre>") | Should -BeTrue -Because $finding.Remedy
        }
    }

    It 'shows saved objects: <_>' -ForEach 'Live', 'Clixml', 'Json', 'Text' {
        $objects = @(Get-ConntrackEntry @here) + @(Get-ConntrackSetting @here) + @(Get-ConntrackTimeout @here) + @(Test-ConntrackHealth -MinimumSeverity Information -SampleTime 0 @here) + @(Get-ConntrackStat @here)
        $way = $_
        $read = switch ($way) {
            Live { $objects }
            Clixml { $objects | Export-Clixml "$TestDrive/o.xml"; Import-Clixml "$TestDrive/o.xml" }
            Json { $objects | ForEach-Object { $_ | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json } }
            Text { Invoke-InNamespace $namespace sh -c 'conntrack -L 2>/dev/null; conntrack -L -f ipv6 2>/dev/null; sysctl net.netfilter' | Sort-Object -Unique | ConvertFrom-ConntrackText }
        }
        $read | Export-ConntrackReport $file
        (Get-ReportRow $file Source).ForEach{ $_[1] } | Should -Be 10, 10, 10, 10, 1
        if ($way -ne 'Text') {
            (Get-ReportRow $file Setting).ForEach{ "$($_[0..1])" } | Should -Contain 'net.netfilter.nf_conntrack_udp_timeout 77 seconds'
            Get-Content $file -Raw | Should -BeLike '*<h2>Health</h2>*'
        }
        Get-Content $file -Raw | Should -BeLike '*From saved objects*'
    }

    It 'shows a history, by file and by pipeline' {
        New-History "$TestDrive/h.csv"
        Export-ConntrackReport $file -SampleTime 0 -History "$TestDrive/h.csv" @here
        ([regex]::Matches((Get-Content $file -Raw), '<svg ')).Count | Should -Be 4
        Get-Content $file -Raw | Should -BeLike '*51 records from*maximum 2,000*'
        Export-ConntrackReport $file -SampleTime 0 -History "$TestDrive/h.csv" -Last 30m @here
        Get-Content $file -Raw | Should -Match '(19|20|21) records from'
        Get-ConntrackHistory "$TestDrive/h.csv" | Export-ConntrackReport $file
        $text = Get-Content $file -Raw
        $text | Should -BeLike '*51 records from*'
        $text | Should -Not -BeLike '*Top talkers*'
        @(Get-ReportRow $file Source)[0][0..1] | Should -Be '192.0.2.1', '550'
    }

    It 'shows what has changed since a saved table' {
        Get-ConntrackEntry @here | Export-Clixml "$TestDrive/before.xml"
        $other = New-TestNamespace
        try {
            Import-Clixml "$TestDrive/before.xml" | Select-Object -Skip 5 | Export-Clixml "$TestDrive/after.xml"
            Import-Clixml "$TestDrive/after.xml" | Export-ConntrackReport $file -Reference (Import-Clixml "$TestDrive/before.xml")
            Get-Content $file -Raw | Should -BeLike '*41 entries before, 36 after: <strong>0</strong> began, <strong>5</strong> ended, <strong>36</strong> stayed.*'
            Export-ConntrackReport $file -SampleTime 0 -Reference (Import-Clixml "$TestDrive/after.xml") @here
            Get-Content $file -Raw | Should -BeLike '*36 entries before, 41 after: <strong>5</strong> began, <strong>0</strong> ended, <strong>36</strong> stayed.*'
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'writes a page of an empty pipeline, and not of the machine' {
        @() | Export-ConntrackReport $file
        $text = Get-Content $file -Raw
        $text | Should -BeLike '*<b>0</b><span>Entries</span>*'
        $text | Should -Not -BeLike '*<h2>Health</h2>*'
    }

    It 'refuses what has no place, and shows the rest' {
        $failures = $null
        'x', (Get-ConntrackEntry @here)[0] | Export-ConntrackReport $file -ErrorVariable failures -ErrorAction SilentlyContinue
        $failures.FullyQualifiedErrorId | Should -Be 'NotForReport,ConntrackPS.Commands.ExportConntrackReportCommand'
        @(Get-ReportRow $file Source).Count | Should -Be 1
    }

    It 'replaces a file, but not with -NoClobber, and writes nothing with -WhatIf' {
        Set-Content $file old
        (Get-Failure { @() | Export-ConntrackReport $file -NoClobber }).FullyQualifiedErrorId | Should -BeLike 'FileExists,*'
        @() | Export-ConntrackReport $file -WhatIf
        Get-Content $file | Should -Be 'old'
        @() | Export-ConntrackReport $file
        Get-Content $file -TotalCount 1 | Should -Be '<!doctype html>'
        Get-ChildItem $TestDrive -Force -Filter '.conntrackps.*' | Should -BeNullOrEmpty
    }

    It 'is one error: <Name>' -ForEach @(
        @{ Name = 'a missing folder'; Path = { "$TestDrive/none/report.html" }; Says = '*Create the folder*' }
        @{ Name = 'a folder'; Path = { "$TestDrive" }; Says = '*is a folder, not a file*' }
        @{ Name = 'a device'; Path = { '/dev/null' }; Says = '*null device*' }
        @{ Name = 'a full disk'; Path = { '/dev/full/x.html' }; Says = '*is a character device*' }
    ) {
        $failure = @(Get-Failure { @() | Export-ConntrackReport (& $Path) })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'FileNotWritten,*'
        "$($failure[0])" | Should -BeLike $Says
    }

    It 'warns of a damaged history, and says which one is missing' {
        New-History "$TestDrive/damaged.csv"
        Add-Content "$TestDrive/damaged.csv" 'x'
        $failures = $null
        Export-ConntrackReport $file -SampleTime 0 -History "$TestDrive/damaged.csv", "$TestDrive/missing.csv" -WarningVariable warned -WarningAction SilentlyContinue -ErrorVariable failures -ErrorAction SilentlyContinue @here
        "$warned" | Should -BeLike '1 damaged line*'
        $failures.FullyQualifiedErrorId | Should -BeLike 'UnreadableFile,*'
        Get-Content $file -Raw | Should -BeLike '*51 records from*'
    }
}

Describe 'A report in a browser' -Skip:(-not $hasBrowser) {
    BeforeAll {
        $file = "$TestDrive/report.html"
        New-History "$TestDrive/hostile.csv" $hostile
        Export-ConntrackReport $file -SampleTime 0 -History "$TestDrive/hostile.csv" -Title $hostile[0] -Reference (Get-ConntrackEntry @here | Select-Object -First 3) @here
        Start-Browser
    }

    AfterAll {
        Stop-Browser
    }

    It 'opens without an error and asks for nothing else, at <Width> pixels, <Scheme>' -ForEach @(
        @{ Width = 1280; Scheme = 'light' }
        @{ Width = 1280; Scheme = 'dark' }
        @{ Width = 400; Scheme = 'light' }
        @{ Width = 400; Scheme = 'dark' }
    ) {
        $null = Get-BrowserRequest
        Open-Page $file $Width $Scheme
        Invoke-PageScript 'return document.readyState' | Should -Be 'complete'
        Get-BrowserLog | Should -BeNullOrEmpty
        Get-BrowserRequest | Select-Object -Unique | Should -Be "file://$file"
        Invoke-PageScript 'return document.documentElement.scrollWidth' | Should -Be $Width -Because 'nothing is wider than the screen'
        $shown = Invoke-PageScript "return [...document.querySelectorAll('.wide, .narrow')].filter(e => e.offsetParent).map(e => e.className)"
        $shown | Select-Object -Unique | Should -Be ($Width -lt 640 ? 'narrow' : 'wide')
    }

    It 'is dark or light, as the system is' {
        $colours = foreach ($scheme in 'light', 'dark') {
            Open-Page $file 1280 $scheme
            Invoke-PageScript "const s = getComputedStyle(document.body); return s.backgroundColor + ' ' + s.color"
        }
        $colours[0] | Should -Be 'rgb(246, 247, 249) rgb(28, 36, 48)'
        $colours[1] | Should -Be 'rgb(14, 18, 23) rgb(228, 233, 239)'
    }

    It 'keeps hostile names as text' {
        Open-Page $file
        Invoke-PageScript 'return document.title' | Should -Be $hostile[0]
        Invoke-PageScript "return document.querySelector('h1').textContent" | Should -Be $hostile[0]
        Invoke-PageScript 'return document.images.length + document.scripts.length' | Should -Be 1
        Invoke-PageScript "return document.body.textContent.includes('\u202e')" | Should -BeFalse
        Invoke-PageScript "return document.body.textContent.includes('U+202E')" | Should -BeTrue
    }

    It 'sorts a column by a click, and back by another' {
        Open-Page $file
        $column = "return [...document.querySelectorAll('section')].find(s => s.textContent.startsWith('Top talkers')).querySelectorAll('tbody tr td:nth-child(2)').values().map(c => c.textContent).toArray()"
        $table = "[...document.querySelectorAll('section')].find(s => s.textContent.startsWith('Top talkers'))"
        Invoke-PageScript "$table.id = 'talkers'"
        $before = Invoke-PageScript $column
        $before | Should -Be '10', '10', '10', '10', '1'
        Invoke-Click '#talkers th:nth-child(2) button'
        Invoke-Click '#talkers th:nth-child(2) button'
        Invoke-PageScript $column | Should -Be '1', '10', '10', '10', '10'
        Invoke-PageScript "return document.querySelector('#talkers th:nth-child(2)').getAttribute('aria-sort')" | Should -Be 'ascending'
        Invoke-Click '#talkers th:nth-child(1) button'
        Invoke-PageScript "return document.querySelector('#talkers tbody td').textContent" | Should -Be '192.0.2.1'
        Invoke-Click '#talkers th:nth-child(1) button'
        Invoke-PageScript "return document.querySelector('#talkers tbody td').textContent" | Should -Be '2001:db8::1'
    }
}
