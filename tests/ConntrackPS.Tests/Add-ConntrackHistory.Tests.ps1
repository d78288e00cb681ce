# A history: what Add-ConntrackHistory writes, and what Get-ConntrackHistory reads. Import-Csv and the kernel are the witnesses.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule
    $namespace = New-TestNamespace ([ordered]@{
            one   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED'
            two   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 2 --dport 80 --state ESTABLISHED'
            three = '-s 2001:db8::1 -d 2001:db8:1::7 -p udp --sport 3 --dport 53'
        })
    $here = @{ NetworkNamespace = $namespace }

    <# An object as Get-ConntrackStat would emit it, from a file. #>
    function New-Stat([int] $Number, [hashtable] $More = @{}) {
        [pscustomobject](@{ Time = [datetime]::Today.AddSeconds($Number); BootId = 'boot'; Uptime = 100 + $Number; FillPercent = 0; Count = $Number; Maximum = 1000; Drop = 5 * $Number } + $More)
    }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Add-ConntrackHistory' {
    BeforeEach {
        $file = "$TestDrive/$(New-Guid).csv"
    }

    It 'records the kernel''s values, without the pipeline' {
        Add-ConntrackHistory $file -TopSource 2 @here
        $row = Import-Csv $file
        $row.Count | Should -Be (Get-KernelCount $namespace)
        $row.Maximum | Should -Be (Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_max)
        $row.Buckets | Should -Be (Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_buckets)
        $row.BootId | Should -Be (Get-Content /proc/sys/kernel/random/boot_id)
        $row.Namespace | Should -Be $namespace
        $row.TopSources | Should -Be '192.0.2.1=2; 2001:db8::1=1'
        $row.Drop | Should -Be (Get-ConntrackStat @here).Drop
        [Math]::Abs(([datetime] $row.Time - [datetime]::Now).TotalSeconds) | Should -BeLessThan 60
    }

    It 'records what comes: <_>' -ForEach 'Live', 'Interval', 'Clixml', 'Json', 'History' {
        $way = $_
        switch ($way) {
            Live { Get-ConntrackStat @here | Add-ConntrackHistory $file }
            Interval { Get-ConntrackStat -Interval 1 -Count 2 @here | Add-ConntrackHistory $file -TopSource 1 }
            Clixml { Get-ConntrackStat @here | Export-Clixml "$TestDrive/stat.xml"; Import-Clixml "$TestDrive/stat.xml" | Add-ConntrackHistory $file }
            Json { Get-ConntrackStat @here | ConvertTo-Json | ConvertFrom-Json | Add-ConntrackHistory $file }
            History { Get-ConntrackStat @here | Add-ConntrackHistory "$file.old"; Get-ConntrackHistory "$file.old" | Add-ConntrackHistory $file }
        }
        $read = @(Get-ConntrackHistory $file)
        $read.Count | Should -Be ($way -eq 'Interval' ? 2 : 1)
        $read.Count | Should -Not -BeNullOrEmpty
        foreach ($record in $read) {
            $record.Count | Should -Be 3
            $record.Namespace | Should -Be $namespace
            $record.Maximum | Should -BeGreaterThan 0
            $record.Found | Should -Be (Get-ConntrackStat @here).Found
        }
        if ($way -eq 'Interval') {
            $read[1].DropPerSecond | Should -Be 0
            $read[1].Seconds | Should -BeGreaterThan 0.5
            $read[0].TopSources.'192.0.2.1' | Should -Be 2
        }
    }

    It 'the objects of -Interval have the fill, the rates and all counters' {
        $rate = Get-ConntrackStat -Interval 1 -Count 1 @here
        $stat = Get-ConntrackStat @here
        foreach ($name in 'Count', 'Maximum', 'FillPercent', 'Buckets', 'Found', 'Invalid', 'Insert', 'InsertFailed', 'Drop', 'EarlyDrop', 'Error', 'SearchRestart', 'ExpectationNew') {
            $rate.$name | Should -Be $stat.$name -Because $name
        }
        $rate.Time | Should -BeOfType datetime
        $stat.Time | Should -BeOfType datetime
        $rate.DropPerSecond | Should -Be 0
    }

    It 'records nothing for an empty pipeline' {
        @() | Add-ConntrackHistory $file
        $file | Should -Not -Exist
    }

    It 'refuses what is no statistic, once, and records the others' {
        $failures = $null
        (Get-ConntrackStat -PerCpu @here)[0], 5, (Get-ConntrackEntry @here)[0], (New-Stat 1), 'x' | Add-ConntrackHistory $file -ErrorVariable failures -ErrorAction SilentlyContinue
        $failures.Count | Should -BeGreaterThan 1
        $failures.FullyQualifiedErrorId | ForEach-Object { $_ | Should -BeLike 'NotAStatistic,*' }
        "$($failures[0])" | Should -BeLike '*one processor*without -PerCpu*'
        @(Get-ConntrackHistory $file).Count | Should -Be 1
    }

    It '-PassThru emits the records with their numbers, -Verbose counts them' {
        $seen = 1..3 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file -PassThru
        $seen.Sequence | Should -Be 1, 2, 3
        $said = New-Stat 4 | Add-ConntrackHistory $file -Verbose 4>&1
        "$said" | Should -BeLike '*1 record written to*0 files put aside*'
    }

    It '-WhatIf writes nothing' {
        New-Stat 1 | Add-ConntrackHistory $file -WhatIf
        $file | Should -Not -Exist
    }

    It 'quotes names of any text as RFC 4180 says' {
        $names = 'plain', 'a,b', 'a"b', "a`nb", "a`r`nb", ' a ', '<script>', "`u{202e}abc", '2026-11-20T12:00:00.000Z,1,,1.000,,5', "`"`n`"", '#x'
        $names | ForEach-Object { New-Stat 1 @{ Namespace = $_ } } | Add-ConntrackHistory $file
        (Import-Csv $file).Namespace | Should -BeExactly $names
        (Get-ConntrackHistory $file).Namespace | Should -BeExactly $names
    }

    It 'puts old files aside' {
        1..300 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file -MaximumSize 4KB -Keep 2
        (Get-ChildItem "$file*").Name | ForEach-Object { $_ -replace '^[^.]*' } | Sort-Object | Should -Be '.csv', '.csv.1', '.csv.2'
        (Get-ChildItem "$file*" | Measure-Object Length -Maximum).Maximum | Should -BeLessOrEqual 4KB
        $read = Get-ConntrackHistory $file
        $read[-1].Count | Should -Be 300
        $read.Sequence | Should -Be ($read[0].Sequence..300)
    }

    It 'two programs at once lose nothing' {
        $children = 1..2 | ForEach-Object {
            Start-ThreadJob { param($package, $file, $number)
                Import-Module "$package/ConntrackPS.psd1"
                1..100 | ForEach-Object { [pscustomobject]@{ Time = [datetime]::Now; FillPercent = 0; Count = $_; Namespace = "writer$number" } } | Add-ConntrackHistory $file
            } -ArgumentList (Get-PackagePath), $file, $_
        }
        $null = $children | Receive-Job -Wait -AutoRemoveJob
        $read = Get-ConntrackHistory $file -WarningVariable warned
        $warned | Should -BeNullOrEmpty
        $read.Sequence | Should -Be (1..200)
        ($read | Where-Object Namespace -EQ 'writer2').ForEach{ $_.Count } | Should -Be (1..100)
    }

    It 'is an error with a remedy: <Name>' -ForEach @(
        @{ Name = 'a folder that is missing'; Path = { "$TestDrive/none/history.csv" }; Says = '*Create the folder*' }
        @{ Name = 'a folder instead of a file'; Path = { "$TestDrive" }; Says = '*is a folder, not a file*another file*' }
        @{ Name = 'a device'; Path = { '/dev/full' }; Says = '*is a character device*' }
        @{ Name = 'a file of another kind'; Path = { Set-Content "$TestDrive/other.csv" 'Name,Value', '1,2'; "$TestDrive/other.csv" }; Says = "*is not a history: it begins with 'Name,Value'*" }
    ) {
        $path = & $Path
        $failures = $null
        New-Stat 1 | Add-ConntrackHistory $path -ErrorVariable failures -ErrorAction SilentlyContinue
        $failures.Count | Should -Be 1
        $failures[0].FullyQualifiedErrorId | Should -Be 'FileNotWritten,ConntrackPS.Commands.AddConntrackHistoryCommand'
        "$($failures[0])" | Should -BeLike $Says
    }

    It 'is one error for many records on a full disk, and goes on when there is room' {
        $mount = (New-Item "$TestDrive/tiny" -ItemType Directory).FullName
        Invoke-Program mount -t tmpfs -o size=8k tmpfs $mount
        try {
            $failures = $null
            1..200 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory "$mount/h.csv" -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures[0].FullyQualifiedErrorId | Should -BeLike 'FileNotWritten,*'
            "$($failures[0])" | Should -BeLike '*No space left*df*'
            $failures.Count | Should -Be 2 -Because 'the second one counts the others'
            $before = @(Get-ConntrackHistory "$mount/h.csv" -WarningVariable warned)
            $warned | Should -BeNullOrEmpty
            Invoke-Program mount -o 'remount,size=1M' $mount
            New-Stat 500 | Add-ConntrackHistory "$mount/h.csv"
            @(Get-ConntrackHistory "$mount/h.csv").Count | Should -Be ($before.Count + 1)
        }
        finally {
            Invoke-Program umount $mount
        }
    }

    It 'is PermissionDenied in a folder of another user' {
        $folder = New-UnprivilegedFolder
        try {
            $null = New-Item "$folder/closed" -ItemType Directory
            $seen = Invoke-Unprivileged -Folder $folder -Namespace $namespace -Option '--inh-caps=-all', '--bounding-set=-all' {
                Get-ConntrackStat | Add-ConntrackHistory "$PSScriptRoot/closed/history.csv" -ErrorVariable failures -ErrorAction SilentlyContinue
                "$($failures[0].FullyQualifiedErrorId) $($failures[0].CategoryInfo.Category) $($failures[0])"
            }
            @($seen)[-1] | Should -BeLike 'FileNotWritten,* PermissionDenied *may write*'
        }
        finally {
            Remove-Item $folder -Recurse -Force
        }
    }
}

Describe 'Get-ConntrackHistory' {
    BeforeEach {
        $file = "$TestDrive/$(New-Guid).csv"
    }

    It 'reads a range of time: <Name>' -ForEach @(
        @{ Name = 'after'; With = { @{ After = [datetime]::Today.AddSeconds(8) } }; Expected = 8, 9, 10 }
        @{ Name = 'before'; With = { @{ Before = [datetime]::Today.AddSeconds(2) } }; Expected = 1, 2 }
        @{ Name = 'both, in UTC'; With = { @{ After = [datetime]::Today.AddSeconds(4).ToUniversalTime(); Before = [datetime]::Today.AddSeconds(5).ToUniversalTime() } }; Expected = 4, 5 }
        @{ Name = 'none'; With = { @{ After = [datetime]::Today.AddDays(2) } }; Expected = $null }
    ) {
        1..10 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file
        $with = & $With
        @(Get-ConntrackHistory $file @with).ForEach{ $_.Count } | Should -Be $Expected
    }

    It '-Last measures by the clock of the boot, and by the wall clock for other machines' {
        $boot = Get-Content /proc/sys/kernel/random/boot_id
        $up = [double] ((Get-Content /proc/uptime) -split ' ')[0]
        # The wall clock of the first is wrong: it was set afterwards.
        New-Stat 1 @{ } | Select-Object * | ForEach-Object { $_.BootId = $boot; $_.Uptime = $up - 100; $_.Time = [datetime] '1970-01-01'; $_ } | Add-ConntrackHistory $file
        New-Stat 2 | ForEach-Object { $_.BootId = $boot; $_.Uptime = [Math]::Max(1, $up - 9000); $_.Time = [datetime]::Now; $_ } | Add-ConntrackHistory $file
        New-Stat 3 | ForEach-Object { $_.Time = [datetime]::Now.AddMinutes(-30); $_ } | Add-ConntrackHistory $file
        New-Stat 4 | ForEach-Object { $_.Time = [datetime]::Now.AddHours(-3); $_ } | Add-ConntrackHistory $file
        # A machine that has started a short time ago has no record that is older.
        $expected = $up -gt 3700 ? (1, 3) : (1, 2, 3)
        @(Get-ConntrackHistory $file -Last 1h).ForEach{ $_.Count } | Should -Be $expected
    }

    It 'has the rates of each network namespace' {
        1, 3 | ForEach-Object { New-Stat $_; New-Stat (10 * $_) @{ Namespace = "it's, `"blue`"`nnet" } } | Add-ConntrackHistory $file
        $read = Get-ConntrackHistory $file
        $read.DropPerSecond | Should -Be $null, $null, 5, 5
        $read.CountChange | Should -Be $null, $null, 2, 20
        @(Get-ConntrackHistory $file -NetworkNamespace "it's*").ForEach{ $_.Count } | Should -Be 10, 30
        Get-ConntrackHistory $file -NetworkNamespace nothing | Should -BeNullOrEmpty
    }

    It 'skips damaged lines, with one warning' {
        1..3 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file
        $lines = Get-Content $file
        $lines[3] = $lines[3].Substring(0, 50)
        Set-Content $file ($lines + 'x' + "`0`0`0")
        $read = Get-ConntrackHistory $file -WarningVariable warned -WarningAction SilentlyContinue -Verbose 4>&1
        $warned.Count | Should -Be 1
        "$warned" | Should -BeExactly "3 damaged lines of the history were skipped, the first one is line 4 of $file."
        @($read | Where-Object { $_ -isnot [System.Management.Automation.VerboseRecord] }).ForEach{ $_.Count } | Should -Be 1, 3
        "$($read[-1])" | Should -BeLike '2 records read, 3 damaged lines skipped.'
    }

    It 'ends a half-written line before the next record' {
        1, 2 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file
        $bytes = [IO.File]::ReadAllBytes($file)
        [IO.File]::WriteAllBytes($file, $bytes[0..($bytes.Length - 20)])
        $said = New-Stat 3 | Add-ConntrackHistory $file -Verbose 4>&1
        "$said" | Should -BeLike '*1 cut line ended*'
        @(Get-ConntrackHistory $file -WarningAction SilentlyContinue).ForEach{ $_.Count } | Should -Be 1, 3
    }

    It 'is an error: <Name>' -ForEach @(
        @{ Name = 'no such file'; Path = { "$TestDrive/none.csv" }; Category = 'ObjectNotFound'; Says = '*There is no history*Add-ConntrackHistory*' }
        @{ Name = 'a folder'; Path = { "$TestDrive" }; Category = 'ReadError'; Says = '*is a folder*' }
        @{ Name = 'a file of another kind'; Path = { Set-Content "$TestDrive/other.csv" 'Name,Value'; "$TestDrive/other.csv" }; Category = 'ReadError'; Says = '*is not a history*' }
        @{ Name = 'a newer version'; Path = { Set-Content "$TestDrive/new.csv" '# ConntrackPS history, version 9'; "$TestDrive/new.csv" }; Category = 'ReadError'; Says = '*another format*' }
    ) {
        $failure = @(Get-Failure { Get-ConntrackHistory (& $Path) -ErrorAction Stop })
        $failure.Count | Should -Be 1
        $failure[0].FullyQualifiedErrorId | Should -Be 'UnreadableFile,ConntrackPS.Commands.GetConntrackHistoryCommand'
        "$($failure[0].CategoryInfo.Category)" | Should -Be $Category
        "$($failure[0])" | Should -BeLike $Says
    }

    It 'streams: a stop ends the reading' {
        1..2000 | ForEach-Object { New-Stat $_ } | Add-ConntrackHistory $file
        @(Get-ConntrackHistory $file | Select-Object -First 2).ForEach{ $_.Count } | Should -Be 1, 2
        { Remove-Item $file -ErrorAction Stop } | Should -Not -Throw
    }
}
