BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    $version = (Import-PowerShellDataFile "$PSScriptRoot/../../ConntrackPS.psd1").ModuleVersion
    Import-Module "$PSScriptRoot/../../out/ConntrackPS/$version/ConntrackPS.psd1"

    $udp = 'udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 mark=7 use=1'
    $masked = 'tcp      6 9 ESTABLISHED src=xxx.xxx.xxx.xxx dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=xxx.xxx.xxx.xxx sport=2 dport=1 use=1'
}

Describe 'ConvertFrom-ConntrackText' {
    Context 'text of a real table' {
        BeforeAll {
            $namespace = "ctps-from-$PID"
            ip netns add $namespace
            $create = { ip netns exec $namespace conntrack -I @args 2>$null }
            & $create -p tcp -s 10.0.0.1 -d 198.51.100.7 --sport 4 --dport 80 -g 10.8.8.8:8080 --state ESTABLISHED -t 499 -w 3 -u 'SEEN_REPLY,ASSURED' -m 7
            & $create -p tcp -s fd00::1 -d fd00::2 --sport 6 --dport 80 -n '[fd00::9]:7777' --state CLOSE_WAIT -t 499 -u 'SEEN_REPLY,ASSURED,FIXED_TIMEOUT'
            & $create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1000 --dport 53 -t 500 --orig-zone 5
            & $create -p sctp -s 10.0.0.1 -d 10.0.0.2 --sport 1001 --dport 53 -t 500 --state COOKIE_ECHOED --orig-vtag 11 --reply-vtag 12
            & $create -p gre -s 10.0.0.1 -d 10.0.0.2 --srckey 0x1001 --dstkey 53 -t 500
            & $create -p icmp -s 10.0.0.1 -d 10.0.0.3 --icmp-type 8 --icmp-code 0 --icmp-id 777 -t 500
            & $create -p 50 -s fd00::1 -d ::ffff:1.2.3.4 -t 500

            # The same entries from netlink. Text has no TCP window, verification tags, ...
            $columns = 'AddressFamily', 'Protocol', 'State', 'SourceAddress', 'SourcePort', 'DestinationAddress', 'DestinationPort',
                'ReplySourceAddress', 'ReplySourcePort', 'ReplyDestinationAddress', 'ReplyDestinationPort', 'IcmpType', 'IcmpCode', 'IcmpId',
                'GreSourceKey', 'ReplyGreSourceKey', 'Mark', 'Zone', 'OriginalZone', 'ReplyZone'
            $describe = { param($entry, $columns) ($columns | ForEach-Object { "$_=$($entry.$_)" }) -join ' ' }
        }

        AfterAll {
            ip netns del $namespace
        }

        It 'reads the same as netlink: <_>' -ForEach 'conntrack -L', 'conntrack -L -o extended', 'conntrack -L -o id', 'conntrack -L -o save', 'cat /proc/net/nf_conntrack' {
            $words = $_ -split ' '
            # conntrack doesn't save marks.
            $here = $columns | Where-Object { $_ -ne 'Mark' -or $words -notcontains 'save' }
            $expected = Get-ConntrackEntry -NetworkNamespace $namespace | ForEach-Object { & $describe $_ $here } | Sort-Object
            $expected | Should -HaveCount 7

            $entries = ip netns exec $namespace @words 2>$null | ConvertFrom-ConntrackText
            $entries | Should -BeOfType ConntrackPS.Conntrack.ConntrackEntry
            $entries | ForEach-Object { & $describe $_ $here } | Sort-Object | Should -Be $expected
        }

        It 'reads XML from the pipeline line by line, as one string, and from a file' {
            ip netns exec $namespace conntrack -L -o xml 2>$null | Set-Content "$TestDrive/table.xml"

            $expected = Get-ConntrackEntry -NetworkNamespace $namespace | Sort-Object Id | ForEach-Object { "$($_.Id) $($_.SourceAddress) $($_.SourcePort) $($_.State)" }
            foreach ($entries in (Get-Content "$TestDrive/table.xml" | ConvertFrom-ConntrackText),
                (Get-Content "$TestDrive/table.xml" -Raw | ConvertFrom-ConntrackText), (ConvertFrom-ConntrackText -Path "$TestDrive/table.xml")) {
                $entries | Sort-Object Id | ForEach-Object { "$($_.Id) $($_.SourceAddress) $($_.SourcePort) $($_.State)" } | Should -Be $expected
            }
        }

        It 'passes over the totals that conntrack writes to standard error' {
            $entries = ip netns exec $namespace conntrack -L 2>&1 | ConvertFrom-ConntrackText -ErrorVariable problems
            $entries.Count | Should -Be 7
            $problems | Should -BeNullOrEmpty
        }

        It 'reads events while they come' {
            $job = Start-Job -ArgumentList $namespace, "$PSScriptRoot/../../out/ConntrackPS/$version/ConntrackPS.psd1" {
                param($namespace, $module)
                Import-Module $module
                ip netns exec $namespace conntrack -E -o timestamp 2>$null | ConvertFrom-ConntrackText | Select-Object -First 1
            }
            try {
                # Only one event: it must not wait for a second one.
                $deadline = (Get-Date).AddSeconds(15)
                $port = 5000
                while ($job.State -eq 'Running' -and (Get-Date) -lt $deadline) {
                    Start-Sleep -Milliseconds 500
                    ip netns exec $namespace conntrack -I -p udp -s 10.7.7.7 -d 10.0.0.2 --sport ($port++) --dport 53 -t 500 *>$null
                }
                $entry = $job | Receive-Job -Wait
                $entry.SourceAddress | Should -Be 10.7.7.7
            }
            finally {
                $job | Remove-Job -Force

                # A listener that is left running would slow down every namespace.
                ip netns pids $namespace | ForEach-Object { Stop-Process -Id $_ -Force }
                ip netns exec $namespace conntrack -D -s 10.7.7.7 *>$null
            }
        }
    }

    Context 'bad lines' {
        It 'are errors for themselves only, with number, text and what was expected' {
            $entries = $udp, $masked, '', $udp, 'junk', $udp | ConvertFrom-ConntrackText -ErrorVariable problems -ErrorAction SilentlyContinue

            $entries.Count | Should -Be 3
            $problems.Count | Should -Be 2
            $problems[0].FullyQualifiedErrorId | Should -Be 'InvalidConntrackText,ConntrackPS.Commands.ConvertFromConntrackTextCommand'
            $problems[0].CategoryInfo.Category | Should -Be InvalidData
            $problems[0].TargetObject | Should -Be $masked
            $problems[0].Exception.Message | Should -Be "Line 2, column 26: found 'src=xxx.xxx.xxx.xxx', expected an address that is not hidden. The line: $masked"
            "$($problems[1])" | Should -BeLike "Line 5, column 1: found 'junk', expected the beginning of an entry*"
        }

        It 'of other programs in a log are skipped, and not errors' {
            $events = 'Nov 29 03:10:00 fw1 sshd[7]: Accepted publickey for root',
                "Nov 29 03:10:01 fw1 ct:     [NEW] $($udp -replace ' mark=.*')",
                'Nov 29 03:10:02 fw1 kernel: nf_conntrack: table full, dropping packet' |
                ConvertFrom-ConntrackText -ErrorVariable problems

            $problems | Should -BeNullOrEmpty
            @($events).EventType | Should -Be New
            $events.EventTime.Second | Should -Be 1
        }

        It 'have the file in the message' {
            $masked | Set-Content "$TestDrive/masked.txt"

            ConvertFrom-ConntrackText -Path "$TestDrive/masked.txt" -ErrorVariable problems -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            "$problems" | Should -BeLike "*/masked.txt: Line 1, column 26: found 'src=xxx.xxx.xxx.xxx'*"
        }

        It 'stop the cmdlet when asked to' {
            { $masked, $udp | ConvertFrom-ConntrackText -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidConntrackText,*'
        }

        It 'are counted by -Verbose' {
            $output = '', '# comment', $udp, $masked, $udp | ConvertFrom-ConntrackText -Verbose -ErrorAction SilentlyContinue 4>&1
            $output[-1].Message | Should -Be '5 lines read: 2 objects, 0 continuation lines, 2 lines skipped, 1 line refused.'
        }
    }

    Context 'lines' {
        It 'may be wrapped, in the pipeline and in a file' {
            $wrapped = $udp.Substring(0, 80), $udp.Substring(80)
            $wrapped | Set-Content "$TestDrive/wrapped.txt"

            ($wrapped | ConvertFrom-ConntrackText).DestinationPort | Should -Be 53
            (ConvertFrom-ConntrackText -Path "$TestDrive/wrapped.txt").DestinationPort | Should -Be 53
        }

        It 'come as arguments, arrays and whole texts' {
            (ConvertFrom-ConntrackText $udp).SourcePort | Should -Be 1034
            (ConvertFrom-ConntrackText $udp, $udp).Count | Should -Be 2
            ("$udp`n`n$udp`r`n" | ConvertFrom-ConntrackText).Count | Should -Be 2
            $udp, $udp, $udp | Set-Content "$TestDrive/three.txt"
            (Get-Content "$TestDrive/three.txt" -ReadCount 0 | ConvertFrom-ConntrackText).Count | Should -Be 3
        }

        It 'may be none' {
            ConvertFrom-ConntrackText '' | Should -BeNullOrEmpty
            ConvertFrom-ConntrackText $null | Should -BeNullOrEmpty
            ConvertFrom-ConntrackText @() | Should -BeNullOrEmpty
            @() | ConvertFrom-ConntrackText | Should -BeNullOrEmpty
            $null, '', $udp | ConvertFrom-ConntrackText | Should -HaveCount 1
        }

        It 'end early with the pipeline' {
            $script:fed = 0
            $entries = 1..1000 | ForEach-Object { $script:fed++; $udp } | ConvertFrom-ConntrackText | Select-Object -First 2
            $entries.Count | Should -Be 2
            $script:fed | Should -BeLessThan 10
        }

        It 'with delta-time= have a StartTime once it is known when they were printed' {
            $line = $udp.Replace('use=1', 'delta-time=90 use=1')
            $at = [datetime] '2026-11-20 12:00:00'

            ($line | ConvertFrom-ConntrackText).StartTime | Should -BeNullOrEmpty
            ($line | ConvertFrom-ConntrackText -CapturedAt $at).StartTime | Should -Be $at.AddSeconds(-90)
        }

        It 'that say more than an entry can hold are warned of once' {
            $entries = "$udp labels=nameless", "$udp color=blue" | ConvertFrom-ConntrackText -WarningVariable warnings -WarningAction SilentlyContinue
            $entries.Count | Should -Be 2
            "$warnings" | Should -Be "2 objects have words that are not known, in the property Extra: color, the label 'nameless', which connlabel.conf doesn't name. The first is at line 1."
        }
    }

    Context 'files' {
        BeforeAll {
            $udp | Set-Content "$TestDrive/a.txt"
            $udp.Replace('1034', '1035') | Set-Content -LiteralPath "$TestDrive/b[1].txt"
        }

        It 'are found by wildcard, by relative and by literal path' {
            (ConvertFrom-ConntrackText -Path "$TestDrive/[ab]*.txt").Count | Should -Be 2
            (ConvertFrom-ConntrackText -LiteralPath "$TestDrive/b[1].txt").SourcePort | Should -Be 1035
            (ConvertFrom-ConntrackText -PSPath "$TestDrive/a.txt").SourcePort | Should -Be 1034
            Push-Location $TestDrive
            try {
                (ConvertFrom-ConntrackText -Path ./a.txt, a.txt).Count | Should -Be 2
            }
            finally {
                Pop-Location
            }
        }

        It 'that are missing or none are errors for themselves only' {
            $entries = ConvertFrom-ConntrackText -Path "$TestDrive/none.txt", $TestDrive, "$TestDrive/a.txt" -ErrorVariable problems -ErrorAction SilentlyContinue
            $entries.Count | Should -Be 1
            $problems.Count | Should -Be 2
            $problems[0].CategoryInfo.Category | Should -Be ObjectNotFound
            $problems[1].FullyQualifiedErrorId | Should -BeLike 'UnreadableFile,*'
            $problems[1].TargetObject | Should -Be "$TestDrive"
        }

        It 'may be <Kind>, which is an error at once' -ForEach @(
            @{ Kind = 'a pipe that nobody writes to'; Node = @('p'); Message = '*FIFO (named pipe) without a writer*' }
            @{ Kind = 'a device without an end'; Node = 'c', '1', '5'; Message = '*character device (1, 5)*' }
            @{ Kind = 'the null device'; Node = 'c', '1', '3'; Message = '*character device (1, 3)*' }
        ) {
            mknod "$TestDrive/node" @Node
            try {
                # A child process with a time limit, because a test that waits forever reports nothing.
                $lines = Invoke-Child -Prefix timeout, -k, 5, 120 ([scriptblock]::Create(@"
`$entries = @(ConvertFrom-ConntrackText -Path '$TestDrive/node', '$TestDrive/a.txt' -ErrorVariable problems -ErrorAction SilentlyContinue)
`$entries.Count, `$problems.Count, `$problems[0].FullyQualifiedErrorId, "`$problems"
"@))
                $lines[0, 1] | Should -Be '1', '1'
                $lines[2] | Should -BeLike 'UnreadableFile,*'
                $lines[3] | Should -BeLike $Message
            }
            finally {
                Remove-Item "$TestDrive/node"
            }
        }

        It 'may be a pipe that something writes to' {
            mkfifo "$TestDrive/pipe"
            $script = "exec 3<>'$TestDrive/pipe'; touch '$TestDrive/ready'; cat '$TestDrive/a.txt' >&3; sleep 2; cat '$TestDrive/a.txt' >&3; sleep 1"
            $writer = [System.Diagnostics.Process]::Start([System.Diagnostics.ProcessStartInfo]::new('sh', [string[]] ('-c', $script)))
            try {
                Wait-Until { Test-Path "$TestDrive/ready" } 'nobody writes to the pipe'
                (ConvertFrom-ConntrackText -Path "$TestDrive/pipe").Count | Should -Be 2
            }
            finally {
                $writer.Kill()
            }
        }

        It 'are closed when the pipeline ends early' {
            1..5000 | ForEach-Object { $udp } | Set-Content "$TestDrive/many.txt"
            ConvertFrom-ConntrackText -Path "$TestDrive/many.txt" | Select-Object -First 1 | Should -HaveCount 1
            @(Get-ChildItem "/proc/$PID/fd" | Where-Object Target -like '*many.txt').Count | Should -Be 0
        }
    }

    It 'makes objects that pipe into the cmdlets that change the table' {
        $namespace = "ctps-pipe-$PID"
        ip netns add $namespace
        try {
            ip netns exec $namespace conntrack -I -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1034 --dport 53 -t 500 *>$null
            $udp | ConvertFrom-ConntrackText | Remove-ConntrackEntry -NetworkNamespace $namespace
            ip netns exec $namespace conntrack -C | Should -Be 0
        }
        finally {
            ip netns del $namespace
        }
    }
}
