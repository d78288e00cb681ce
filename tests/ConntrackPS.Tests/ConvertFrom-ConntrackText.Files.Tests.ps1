<#
    What reaches people: files in any packing and encoding, vendors' words, hidden addresses, line numbers, the summary, and messages that are
    safe to show.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    $root = (Get-PSDrive TestDrive).Root
    $udp = 'udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 mark=7 use=1'
    $keenetic = 'ipv4     2 tcp      6 1174 ESTABLISHED src=192.0.2.5 dst=198.51.100.8 sport=44836 dport=443 packets=1555 bytes=403810 src=198.51.100.8 dst=203.0.113.7 sport=443 dport=44836 packets=2098 bytes=284515 [ASSURED] [FASTNAT] [RTCACHE o33/r37] mark=0 nmark=256 sc=0 ifw=37 mac=00:00:5e:00:53:01 slan attrs= use=2'
    $masked = 'tcp      6 9 ESTABLISHED src=xxx.xxx.xxx.xxx dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=xxx.xxx.xxx.xxx sport=2 dport=1 use=1'

    function Write-Gzip([string] $Path, [byte[]] $Bytes) {
        $file = [System.IO.File]::Create($Path)
        $gzip = [System.IO.Compression.GZipStream]::new($file, [System.IO.Compression.CompressionMode]::Compress)
        $gzip.Write($Bytes)
        $gzip.Dispose()
    }
}

Describe 'Files' {
    It 'in <Kind> are read as any other' -ForEach @(
        @{ Kind = 'gzip'; Write = { Write-Gzip $args[0] ([Text.Encoding]::UTF8.GetBytes("$udp`n$udp`n")) } }
        @{ Kind = 'gzip with UTF-16 within'; Write = { Write-Gzip $args[0] ([Text.Encoding]::Unicode.GetPreamble() + [Text.Encoding]::Unicode.GetBytes("$udp`r`n$udp`r`n")) } }
        @{ Kind = 'UTF-16'; Write = { [System.IO.File]::WriteAllText($args[0], "$udp`r`n$udp`r`n", [Text.Encoding]::Unicode) } }
        @{ Kind = 'UTF-16 of the other order'; Write = { [System.IO.File]::WriteAllText($args[0], "$udp`n$udp`n", [Text.Encoding]::BigEndianUnicode) } }
        @{ Kind = 'UTF-8 with a mark'; Write = { [System.IO.File]::WriteAllText($args[0], "$udp`n$udp`n", [Text.UTF8Encoding]::new($true)) } }
        @{ Kind = 'lines that CR ends'; Write = { [System.IO.File]::WriteAllText($args[0], "$udp`r$udp`r") } }
        @{ Kind = 'NULs at the end'; Write = { [System.IO.File]::WriteAllText($args[0], "$udp`n$udp`n`0`0`0`0") } }
    ) {
        & $Write "$root/packed.log"
        $read = @(ConvertFrom-ConntrackText -Path "$root/packed.log" -ErrorVariable problems)
        $problems | Should -BeNullOrEmpty
        $read.SourcePort | Should -Be 1034, 1034
    }

    It 'of Get-ChildItem are read, and lines of Get-Content and Select-String are lines' {
        Set-Content "$root/g1.log" $udp
        Set-Content "$root/g2.log" $udp.Replace('1034', '2'), $udp
        $read = @(Get-ChildItem "$root/g?.log" | ConvertFrom-ConntrackText -IncludeLine)
        $read.SourcePort | Should -Be 1034, 2, 1034
        $read.Path | Should -Be "$root/g1.log", "$root/g2.log", "$root/g2.log"
        (Get-Item "$root/g1.log" | ConvertFrom-ConntrackText).SourcePort | Should -Be 1034
        (ConvertFrom-ConntrackText (Get-Item "$root/g1.log")).SourcePort | Should -Be 1034
        @(Get-Content "$root/g2.log" | ConvertFrom-ConntrackText).Count | Should -Be 2
        @(Select-String sport=2 "$root/g2.log" | ConvertFrom-ConntrackText).Count | Should -Be 1

        Get-Item $root, "$root/g1.log" | ConvertFrom-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue | Should -HaveCount 1
        $problems.FullyQualifiedErrorId | Should -Be 'UnreadableFile,ConntrackPS.Commands.ConvertFromConntrackTextCommand'
    }

    It 'that are damaged do not stop the others of a wildcard' {
        $folder = (New-Item TestDrive:/many -ItemType Directory).FullName
        Set-Content "$folder/a.log" $udp
        Write-Gzip "$folder/b.log.gz" ([Text.Encoding]::UTF8.GetBytes((1..2000 | ForEach-Object { $udp.Replace('1034', "$(2000 + $_)") }) -join "`n"))
        $bytes = [System.IO.File]::ReadAllBytes("$folder/b.log.gz")
        [System.IO.File]::WriteAllBytes("$folder/b.log.gz", $bytes[0..($bytes.Length / 2)])
        [System.IO.File]::WriteAllBytes("$folder/c.log.xz", [byte[]] (0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 1, 2))
        [System.IO.File]::WriteAllBytes("$folder/d.log.zst", [byte[]] (0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3, 4))
        Set-Content "$folder/e.log" $udp.Replace('1034', '1')

        $read = @(ConvertFrom-ConntrackText -Path "$folder/*" -ErrorVariable problems -ErrorAction SilentlyContinue)
        $read[0].SourcePort | Should -Be 1034
        $read[-1].SourcePort | Should -Be 1
        $problems.FullyQualifiedErrorId | Should -Be (@('UnreadableFile,ConntrackPS.Commands.ConvertFromConntrackTextCommand') * 3)
        $problems.TargetObject | Should -Be "$folder/b.log.gz", "$folder/c.log.xz", "$folder/d.log.zst"
        "$($problems[1])" | Should -BeLike "*xzcat '$folder/c.log.xz' | ConvertFrom-ConntrackText*"
        "$($problems[2])" | Should -BeLike "*zstdcat '$folder/d.log.zst' | ConvertFrom-ConntrackText*"
        # What could be unpacked is there, each line whole.
        $read.Count | Should -BeGreaterThan 2
        $read[1..($read.Count - 2)].SourcePort | Should -Be (2001..(1998 + $read.Count))
    }
}

Describe 'Words that are not known' {
    It 'are in Extra, and one warning names them for all files' {
        Set-Content "$root/k1.log" $udp, $keenetic
        Set-Content "$root/k2.log" $keenetic, ($keenetic -replace 'slan', 'swan')
        $read = @(ConvertFrom-ConntrackText -Path "$root/k1.log", "$root/k2.log" -WarningVariable warnings -WarningAction SilentlyContinue)
        $read.Count | Should -Be 4
        $read[0].Extra | Should -BeNullOrEmpty
        $read[1].Extra['FASTNAT'], $read[1].Extra['RTCACHE'], $read[1].Extra['nmark'], $read[1].Extra['attrs'] | Should -Be '', 'o33/r37', '256', ''
        $read[1].OriginalBytes, $read[1].ReplyBytes, $read[1].UseCount | Should -Be 403810, 284515, 2
        $warnings.Count | Should -Be 1
        "$warnings" | Should -Be "3 objects have words that are not known, in the property Extra: FASTNAT, RTCACHE, attrs, ifw, mac, nmark, sc, slan, swan. The first is at line 2 of $root/k1.log."
    }

    It 'survive <Way>' -ForEach @(
        @{ Way = 'Export-Clixml'; Keep = { $input | Export-Clixml TestDrive:/extra.xml; Import-Clixml TestDrive:/extra.xml } }
        @{ Way = 'JSON'; Keep = { $input | ConvertTo-Json | ConvertFrom-Json } }
        @{ Way = 'CSV'; Keep = { $input | Export-Csv TestDrive:/extra.csv; Import-Csv TestDrive:/extra.csv } }
        @{ Way = 'a job'; Keep = { $input | Start-Job { $input } | Receive-Job -Wait -AutoRemoveJob } }
    ) {
        $line = $keenetic.Replace('sc=0', 'note="a; b = ""c""" sc=0')
        $entry = $line | ConvertFrom-ConntrackText -WarningAction Ignore
        # A cmdlet that reads the object again has the words: a group of it, and the entry that is written from it.
        $kept = $entry | & $Keep
        $again = [ConntrackPS.Conntrack.ConntrackEntry].Assembly
        $text = switch ($kept.Extra) {
            { $_ -is [string] } { $_ }
            { $_ -is [hashtable] } { ($_.GetEnumerator() | Sort-Object Name | ForEach-Object { "$($_.Name)=$($_.Value)" }) -join '|' }
            default { ($_.PSObject.Properties | Sort-Object Name | ForEach-Object { "$($_.Name)=$($_.Value)" }) -join '|' }
        }
        $expected = $kept.Extra -is [string] ? "$($entry.Extra)" : (($entry.Extra.GetEnumerator() | Sort-Object Key | ForEach-Object { "$($_.Key)=$($_.Value)" }) -join '|')
        $text | Should -BeExactly $expected
        $text | Should -Match 'RTCACHE=o33/r37'
        $text | Should -Match 'nmark=256'
    }

    It 'are one column of a CSV file' {
        $keenetic | ConvertFrom-ConntrackText -WarningAction Ignore | ConvertTo-Csv | ConvertFrom-Csv | ForEach-Object Extra |
            Should -BeExactly 'FASTNAT; RTCACHE=o33/r37; nmark=256; sc=0; ifw=37; mac=00:00:5e:00:53:01; slan; attrs'
    }

    It 'hexadecimal marks are numbers' {
        ($udp.Replace('mark=7', 'mark=0x100') | ConvertFrom-ConntrackText).Mark | Should -Be 256
    }
}

Describe 'Hidden addresses' {
    BeforeAll {
        $entry = $masked | ConvertFrom-ConntrackText -AllowMasked
        $entry | Export-Clixml TestDrive:/masked.xml
        $entry | Export-Csv TestDrive:/masked.csv
        $kept = @{
            Live   = $entry
            Clixml = Import-Clixml TestDrive:/masked.xml
            Csv    = Import-Csv TestDrive:/masked.csv
            Json   = $entry | ConvertTo-Json | ConvertFrom-Json
        }
    }

    It 'are an error that names the switch' {
        $masked | ConvertFrom-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        "$problems" | Should -BeLike "Line 1, column 26: found 'src=xxx.xxx.xxx.xxx', expected an address that is not hidden.*(-AllowMasked reads it; hidden addresses are null then.)"
    }

    It 'are null with -AllowMasked' {
        $entry.SourceAddress, $entry.ReplyDestinationAddress | Should -Be $null, $null
        $entry.DestinationAddress, $entry.SourcePort, $entry.State | Should -Be '10.0.0.2', 1, 'Established'
        "$entry" | Should -Be 'tcp ?:1 -> 10.0.0.2:2'
        $entry.Translation | Should -Be '?:1 -> 10.0.0.2:2'
        $entry | Out-String | Should -Match 'Tcp +Established +1 10\.0\.0\.2 +2'
        foreach ($view in 'Nat', 'Reply', 'Direction', 'Counter', 'Status') {
            $entry | Format-Table -View $view | Out-String | Should -Not -Match '0\.0\.0\.0'
        }
    }

    It 'are counted: <_>' -ForEach 'Live', 'Clixml', 'Csv', 'Json' {
        ($kept[$_] | Measure-ConntrackEntry).Count | Should -Be 1
        ($kept[$_] | Measure-ConntrackEntry -GroupBy DestinationAddress).Name | Should -Be 10.0.0.2
        ($kept[$_] | Measure-ConntrackEntry -GroupBy SourceAddress).Name | Should -Be '-'
    }

    It 'are no part of a text or a deletion: <_>' -ForEach 'Live', 'Clixml', 'Csv', 'Json' {
        foreach ($format in 'List', 'Extended', 'Proc', 'Save', 'Delete', 'Xml') {
            $text = $kept[$_] | ConvertTo-ConntrackText -Format $format -ErrorVariable problems -ErrorAction SilentlyContinue
            $problems.FullyQualifiedErrorId | Should -Be 'IncompleteEntry,ConntrackPS.Commands.ConvertToConntrackTextCommand'
            "$text" | Should -Not -Match 'src|-s '
        }
        $namespace = New-TestNamespace @{ other = '-s 10.0.0.9 -d 10.0.0.2 -p tcp --sport 1 --dport 2 --state ESTABLISHED' }
        try {
            $kept[$_] | Remove-ConntrackEntry -NetworkNamespace $namespace -Confirm:$false -ErrorVariable problems -ErrorAction SilentlyContinue
            $problems.FullyQualifiedErrorId | Should -Be 'IncompleteEntry,ConntrackPS.Commands.RemoveConntrackEntryCommand'
            Get-KernelCount $namespace | Should -Be 1
        }
        finally {
            Remove-TestNamespace $namespace
        }
    }
}

Describe '-IncludeLine' {
    It 'says where each object is from, through Where-Object, CSV, JSON and CLIXML' {
        Set-Content "$root/one.log" $udp, '', $udp.Substring(0, 80), $udp.Substring(80), $udp
        Set-Content "$root/two.log" '# nothing', $udp
        $read = @(ConvertFrom-ConntrackText -Path "$root/one.log", "$root/two.log" -IncludeLine)
        $read.LineNumber | Should -Be 1, 3, 5, 2
        $read.Path | Should -Be "$root/one.log", "$root/one.log", "$root/one.log", "$root/two.log"
        $read | Should -BeOfType ConntrackPS.Conntrack.ConntrackEntry
        ($read | Where-Object LineNumber -GT 2 | Select-Object Path, LineNumber)[0].LineNumber | Should -Be 3
        $read | Export-Csv "$root/lines.csv"
        $read | Export-Clixml "$root/lines.xml"
        foreach ($kept in @(Import-Csv "$root/lines.csv"), @(Import-Clixml "$root/lines.xml"), @($read | ConvertTo-Json | ConvertFrom-Json)) {
            $kept.LineNumber | Should -Be 1, 3, 5, 2
            $kept.Path[3] | Should -Be "$root/two.log"
        }
    }

    It 'of the pipeline has no path' {
        $read = $udp | ConvertFrom-ConntrackText -IncludeLine
        $read.LineNumber | Should -Be 1
        $read.Path | Should -BeNullOrEmpty
        ($udp | ConvertFrom-ConntrackText).PSObject.Properties.Name | Should -Not -Contain LineNumber
    }
}

Describe 'The summary' {
    It 'counts lines, objects, continued, skipped and refused over all files' {
        Set-Content "$root/s1.log" $udp.Substring(0, 80), $udp.Substring(80), '# comment', $masked
        Set-Content "$root/s2.log" $udp, '', 'junk'
        $output = ConvertFrom-ConntrackText -Path "$root/s1.log", "$root/s2.log" -Verbose -ErrorAction SilentlyContinue 4>&1
        $output[-1].Message | Should -Be '7 lines read: 2 objects, 1 continuation line, 2 lines skipped, 2 lines refused.'
    }
}

Describe 'Messages' {
    It 'contain no control characters of the text' {
        $coloured = "tcp      6 `e[31m9`e[0m ESTABLISHED src=999.0.0.1 dst=10.0.0.2 sport=1 dport=2`a use=1", "`e]0;title`ajunk`u{202e}more`e[2J", "$udp `e[32mfoo`e[0m`b=1"
        Set-Content "$root/colour.log" $coloured
        $read = @(ConvertFrom-ConntrackText -Path "$root/colour.log" -ErrorVariable problems -ErrorAction SilentlyContinue -WarningVariable warnings -WarningAction SilentlyContinue)
        $problems.Count | Should -Be 2
        $read.Count | Should -Be 1
        foreach ($message in @($problems) + @($problems.TargetObject) + @($warnings) + @("$($read.Extra)")) {
            "$message" | Should -Not -Match '[\p{Cc}\p{Cf}-[\t]]'
        }
    }

    It 'contain no control characters of a file''s name' {
        $file = "$root/`e[31mred.log"
        Set-Content -LiteralPath $file 'junk', "$udp foo=1"
        $null = ConvertFrom-ConntrackText -LiteralPath $file -ErrorVariable problems -ErrorAction SilentlyContinue -WarningVariable warnings -WarningAction SilentlyContinue
        [System.IO.File]::WriteAllBytes($file, [byte[]] (0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 1))
        $null = ConvertFrom-ConntrackText -LiteralPath $file -ErrorVariable +problems -ErrorAction SilentlyContinue
        $problems.Count | Should -Be 2
        $warnings.Count | Should -Be 1
        foreach ($message in @($problems) + @($problems.Exception.Message) + @($warnings)) {
            "$message" | Should -Match 'red\.log'
            "$message" | Should -Not -Match '\p{Cc}'
        }
    }
}
