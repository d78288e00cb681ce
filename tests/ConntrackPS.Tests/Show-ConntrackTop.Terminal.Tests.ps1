# The live view as a user sees it: keys and screens. conntrack shows what it deletes.

BeforeDiscovery {
    Import-Module "$PSScriptRoot/Support/TerminalSupport.psm1" -Force
    $hasTerminal = Test-Terminal
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/TerminalSupport.psm1" -Force
    $table = [ordered]@{
        web4   = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        web4b  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40002 --dport 443 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        syn4   = '-s 192.0.2.2 -d 198.51.100.8 -p tcp --sport 40003 --dport 443 --state SYN_SENT'
        dns4   = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2000 --dport 53'
        zone4  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state ESTABLISHED -w 5'
        local4 = '-s 127.0.0.1 -d 127.0.0.1 -p tcp --sport 40003 --dport 443 --state ESTABLISHED'
        snat4  = '-s 10.1.2.5 -d 198.51.100.20 -p tcp --sport 50005 --dport 8443 --state ESTABLISHED --src-nat 203.0.113.9'
        web6   = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED'
    }
    $namespace = New-TestNamespace $table
    $here = "-NetworkNamespace $namespace"
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Show-ConntrackTop, whatever ends it,' -Skip:(-not $hasTerminal) {
    AfterEach {
        Stop-Terminal
    }

    It 'leaves the terminal as it was: <Name>' -ForEach @(
        @{ Name = 'q'; Key = @('q') }
        @{ Name = 'Ctrl+C'; Key = @('C-c') }
        @{ Name = 'Ctrl+C in the help'; Key = 'h', 'C-c' }
        @{ Name = 'Ctrl+C in a prompt'; Key = '/', 'a', 'C-c' }
        @{ Name = 'Ctrl+C before an answer'; Key = 'x', 'C-c' }
    ) {
        Start-View $here
        Invoke-Terminal display -p -t it '#{alternate_on} #{cursor_flag}' | Should -Be '1 0'
        Send-Key @Key
        Assert-TerminalRestored
        Get-KernelCount $namespace | Should -Be $table.Count
    }

    It 'leaves the terminal as it was when the table vanishes, and says what happened' {
        $passing = New-TestNamespace
        try {
            Start-View "-NetworkNamespace $passing -Interval 0.2"
            Remove-TestNamespace $passing
            # During a deletion, after unmounting and before unlinking, the file exists but is not a namespace.
            Wait-Screen 'no(t a)? network namespace'
            Assert-TerminalRestored
        }
        finally {
            Remove-TestNamespace $passing
        }
    }

    It 'leaves the screen as it was when it is killed by SIGTERM' {
        Start-View $here
        $id = (Get-Process | Where-Object { $_.CommandLine -like "*Show-ConntrackTop $here*" -and $_.Name -in 'pwsh', 'dotnet' }).Id
        @($id).Count | Should -Be 1
        kill -TERM $id
        Wait-Screen '^done'
        Assert-ScreenRestored
    }

    It 'gives an interactive shell its terminal back: <Name>' -ForEach @{ Name = 'q'; Key = 'q' }, @{ Name = 'Ctrl+C'; Key = 'C-c' } {
        Start-Terminal
        Send-Key "$((Get-PowerShellCommand) -join ' ') -NoProfile" Enter
        Wait-Screen '^PS .*>'
        Send-Text "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Show-ConntrackTop $here"
        Send-Key Enter
        Wait-Screen 'q quit'
        Send-Key $Key
        Wait-Screen '^PS .*> *$'
        Assert-ScreenRestored
        Send-Text '"{0}-{1}" -f 12, 34'
        Wait-Screen '"\{0\}-\{1\}" -f 12, 34'
        Send-Key Enter
        Wait-Screen '^12-34'
    }

    It 'ends with its terminal' {
        Start-View $here
        Stop-Terminal
        Wait-Until { -not (Get-Process | Where-Object { $_.CommandLine -like "*Show-ConntrackTop $here*" -and $_.Name -in 'pwsh', 'dotnet' }) } 'it runs on'
    }
}

Describe 'Show-ConntrackTop' -Skip:(-not $hasTerminal) {
    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterEach {
        Stop-Terminal
    }

    It 'sorts by every column, forth and back, and by a second one' {
        Start-View "$here -SortBy Source"
        Wait-Screen '^10\.1\.2\.5 '
        (Get-Screen)[2] | Should -Match '^Source▲'
        Send-Key r
        Wait-Screen '^Source▼'
        (Get-Screen)[3] | Should -Match '^2001:db8::1 '
        Send-Key r 3
        Wait-Screen 'Destinat[a-z]*▲'
        (Get-Screen)[3] | Should -Match '^127\.0\.0\.1 '
        Send-Key b
        Wait-Screen 'DPor[a-z]?▲'
        (Get-Screen)[3] | Should -Match ' 53 '
        foreach ($key in 'b', '>', 'Right') {
            Send-Key $key
        }
        Wait-Screen 'State▲'
        (Get-Screen)[3] | Should -Match 'SynSent'
        foreach ($key in 'B', '<', 'Left') {
            Send-Key $key
        }
        Wait-Screen 'DPor[a-z]?▲'
        Send-Key w
        Wait-Screen 'SPor[a-z]?△'
        # Of the two at port 80 and those at 443 the one with the smaller source port comes first now.
        @((Get-Screen) -match ' 443 ')[0] | Should -Match '^192\.0\.2\.1 +40002'
        Send-Key W
        Wait-Screen '^Source△'
        @((Get-Screen) -match ' 443 ')[0] | Should -Match '^127\.0\.0\.1 '
    }

    It 'takes a filter in the words of Get-ConntrackEntry, turns it round, and takes it away' {
        Start-View $here
        Send-Key /
        Send-Text '-Protocol tcp -SourceAddress 192.0.2.0/24 -Zone 0'
        Send-Key Enter
        Wait-Screen '^Shown 3 '
        Wait-Screen '^Filter: entries with protocol Tcp and source address 192\.0\.2\.0/24 and zone 0'
        Send-Key i
        Wait-Screen '^Shown 5 '
        Wait-Screen '^Filter: .*not '
        Send-Key i /
        Wait-Screen '-Zone 0_$'
        Send-Key C-u Enter
        Wait-Screen '^Shown 8 ' -Gone '^Filter'
        Send-Key /
        Send-Text '-Protocol nonsense'
        Send-Key Enter
        Wait-Screen "'nonsense' is not a protocol"
        Send-Key /
        Send-Text '-State SYN_SENT'
        Send-Key C-g
        Wait-Screen 'q quit'
        (Get-Screen)[1] | Should -Match '^Shown 8 '
    }

    It 'leaves out the loopback and queries to name servers' {
        Start-View $here
        Send-Key f
        Wait-Screen '^Shown 7 '
        Send-Key L
        Wait-Screen '^Shown 6 '
        Wait-Screen '^Filter: .*no loopback address and no query to a name server'
        Send-Key f L
        Wait-Screen '^Shown 8 ' -Gone '^Filter'
    }

    It 'deletes the selected entry after y, and after nothing else' {
        Start-View "$here -SortBy Source -Protocol tcp -SourceAddress 192.0.2.0/24"
        Send-Key End
        foreach ($key in 'n', 'Escape', 'Enter', 'Y', 'x', 'Space') {
            Send-Key x
            Wait-Screen '^Delete tcp 192\.0\.2\.2:40003 -> 198\.51\.100\.8:443\? \(y/n\)'
            Send-Key $key
            Wait-Screen 'q quit' -Gone '^Delete'
        }
        Get-KernelCount $namespace | Should -Be $table.Count
        Send-Key DC
        Wait-Screen '^Delete tcp 192\.0\.2\.2'
        Send-Key y
        Wait-Screen '^Shown 3 '
        Get-KernelName $namespace | Should -Be @($table.Keys | Where-Object { $_ -ne 'syn4' } | Sort-Object)
    }

    It 'deletes of two entries that differ in their zone the one that is selected' {
        Start-View "$here -SortBy Source -Zone 5"
        Send-Key x
        Wait-Screen '^Delete tcp 192\.0\.2\.1:40001 -> 198\.51\.100\.7:80 zone 5\? '
        Send-Key y
        Wait-Screen '^Shown 0 '
        Get-KernelName $namespace | Should -Be @($table.Keys | Where-Object { $_ -ne 'zone4' } | Sort-Object)
    }

    It 'says so when the selected entry is gone already' {
        Start-View "$here -SortBy Source -Interval 60"
        Send-Key x
        Wait-Screen '^Delete tcp 10\.1\.2\.5'
        Invoke-InNamespace $namespace conntrack -D -s 10.1.2.5
        Send-Key y
        Wait-Screen '^tcp 10\.1\.2\.5:50005 -> 198\.51\.100\.20:8443 is already gone'
    }

    It 'deletes all of the selected entry''s source, under the filter that is shown' {
        Start-View "$here -SortBy Source -Zone 0"
        Send-Key Down Down
        Send-Key X
        $count = (Get-KernelEntry $namespace).Where{ $_.SourceAddress -eq '192.0.2.1' -and $_.Zone -eq 0 }.Count
        $count | Should -BeGreaterThan 1
        Wait-Screen "^Delete all $count shown entries of source 192\.0\.2\.1\? \(y/n\)"
        Send-Key n
        Wait-Screen 'q quit'
        Get-KernelCount $namespace | Should -Be $table.Count
        Send-Key X
        Wait-Screen "^Delete all $count shown"
        Send-Key y
        Wait-Screen '^Shown 4 '
        Get-KernelName $namespace | Should -Be ('local4', 'snat4', 'syn4', 'web6', 'zone4')
    }

    It 'groups by source, destination and port; opens a group, and an entry of it' {
        Start-View $here
        Send-Key v
        Wait-Screen '^192\.0\.2\.1 +4 +50\.00 '
        Send-Key v
        Wait-Screen '^Destination .*Count▼'
        Wait-Screen '^198\.51\.100\.7 +3 '
        Send-Key v
        Wait-Screen '^Tcp, 443 +3 '
        Send-Key r
        Wait-Screen 'Count▲'
        Send-Key r b
        Wait-Screen 'Assured▼'
        Send-Key v
        Wait-Screen '^Source.*SPort'
        Send-Key v
        Wait-Screen '^192\.0\.2\.1 +4 '
        Send-Key 1
        Wait-Screen 'Count▼'
        Send-Key Home Enter
        Wait-Screen '^Filter: entries with source address 192\.0\.2\.1'
        Wait-Screen '^Shown 4 '
        Send-Key Enter
        Wait-Screen '^ReplyDestinationAddress +192\.0\.2\.1'
        Send-Key Escape
        Wait-Screen '^Source'
        Send-Key Escape
        Wait-Screen '^192\.0\.2\.1 +4 +50\.00 '
        Send-Key x
        Wait-Screen '^Delete 4 entries of 192\.0\.2\.1\? \(y/n\)'
        Send-Key y
        Wait-Screen '^Shown 4 '
        Get-KernelName $namespace | Should -Be ('local4', 'snat4', 'syn4', 'web6')
    }

    It 'shows every property of an entry, and that it has ended' {
        Start-View "$here -SortBy Source -Interval 0.2"
        $entry = Get-KernelEntry $namespace | Where-Object SourceAddress -EQ 10.1.2.5
        Send-Key Enter
        Wait-Screen '^ReplyDestinationAddress +203\.0\.113\.9'
        $screen = (Get-Screen) -join "`n"
        $screen | Should -Match '(?m)^SourcePort +50005$'
        $screen | Should -Match '(?m)^State +Established$'
        Send-Key End
        Wait-Screen "^Id +$($entry.Id)$"
        Invoke-InNamespace $namespace conntrack -D -s 10.1.2.5
        Wait-Screen '^The entry has ended'
        Send-Key Enter
        Wait-Screen '^Source'
    }

    It 'pauses, and refreshes when it is asked' {
        Start-View "$here -Interval 0.2"
        Send-Key p
        Wait-Screen 'paused'
        Invoke-InNamespace $namespace conntrack -D -p udp
        Start-Sleep -Seconds 1
        (Get-Screen)[1] | Should -Match '^Shown 8 '
        Send-Key Space
        Wait-Screen '^Shown 7 '
        Invoke-InNamespace $namespace conntrack -D -s 10.1.2.5
        Send-Key p
        Wait-Screen '^Shown 6 ' -Gone 'paused'
    }

    It 'refreshes as often as it is told' {
        Start-View "$here -Interval 2"
        Wait-Screen 'every 2 s'
        Send-Key '+'
        Wait-Screen 'every 1 s'
        Send-Key '-' '-'
        Wait-Screen 'every 4 s'
        Send-Key R
        Send-Text '0.25'
        Send-Key Enter
        Wait-Screen 'every 0\.25 s'
        Send-Key R
        Send-Text '0'
        Send-Key Enter
        Wait-Screen "'0' is not a time from 0\.1 to 3600 seconds"
        Invoke-InNamespace $namespace conntrack -D -p udp
        Wait-Screen '^Shown 7 '
    }

    It 'shows names, and looks them up beside' {
        Start-View "$here -SourceAddress 127.0.0.1"
        Wait-Screen '^127\.0\.0\.1 '
        Send-Key n
        Wait-Screen '^localhost'
        Send-Key l
        Wait-Screen '^127\.0\.0\.1 '
    }

    It 'shows and hides translations, amounts, totals and colours' {
        Start-View "$here -SortBy Source"
        Send-Key T
        Wait-Screen '^10\.1\.2\.5 .*203\.0\.113\.9:50005'
        Send-Key T
        Wait-Screen '^10\.1\.2\.5 ' -Gone '203\.0\.113\.9'
        Wait-Screen 'Bytes'
        Send-Key C
        Wait-Screen '^Source' -Gone 'Bytes|bit/s'
        Send-Key t
        Wait-Screen '^Source' -Gone '^Shown'
        Send-Key o
        Wait-Screen '^Source▲ {10,}'
        Get-ScreenColour | Should -Not -BeNullOrEmpty
        Send-Key c
        Wait-Until { -not (Get-ScreenColour) } 'there is colour left'
    }

    It 'uses no colour where NO_COLOR is set' {
        Start-View $here 'NO_COLOR=1'
        Get-ScreenColour | Should -BeNullOrEmpty
    }

    It 'follows the size of the terminal' {
        Start-View "$here -SortBy Source"
        Invoke-Terminal resize-window -t it -x 140 -y 12
        Wait-Screen '^Source.* Mark +Zone'
        (Get-Screen).Count | Should -Be 12
        (Get-Screen)[-1] | Should -Match '^q quit'
        Invoke-Terminal resize-window -t it -x 30 -y 5
        Wait-Screen '^needs 40 x 8'
        Invoke-Terminal resize-window -t it -x 80 -y 10
        Wait-Screen '^Source'
        (Get-Screen).Count | Should -Be 10
        Send-Key End
        Wait-Screen '^2001:db8::1 '
        Send-Key Home
        Wait-Screen '^10\.1\.2\.5 '
        Send-Key PageDown PageDown
        Wait-Screen '^2001:db8::1 '
        Send-Key C-l
        Wait-Screen '^2001:db8::1 '
    }

    It 'lists its keys, and scrolls where they do not fit' {
        Start-View $here
        Send-Key '?'
        Wait-Screen '^q +quit'
        Send-Key End
        Wait-Screen '^h, \? +this page'
        Send-Key h
        Wait-Screen '^Source'
    }

    It 'shows plots of the session, and a sparkline in its title' {
        Start-View "$here -Interval 0.2"
        Wait-Screen '^Conntrack .* █+ .*entries'
        Send-Key g
        Wait-Screen '^Entries  now 8 '
        Wait-Screen 'Top sources'
        try {
            Add-KernelEntry $namespace @{ late = '-s 192.0.2.66 -d 198.51.100.7 -p udp --sport 9 --dport 53' }
            Wait-Screen '^Entries  now 9 +most 9 '
            Wait-Screen '192\.0\.2\.66 +1 '
            Invoke-Terminal resize-window -t it -x 60 -y 12
            Wait-Screen '^Entries  now 9 '
            (Get-Screen).Count | Should -Be 12
            Invoke-Terminal resize-window -t it -x 100 -y 24
            Send-Key g
            Wait-Screen '^Source'
        }
        finally {
            $null = Invoke-InNamespace $namespace conntrack -D -s 192.0.2.66
        }
    }

    It 'only says what it would delete with -WhatIf' {
        Start-View "$here -WhatIf -SortBy Source"
        Send-Key x
        Wait-Screen '^Delete tcp 10\.1\.2\.5'
        Send-Key y
        Wait-Screen '^What if: tcp 10\.1\.2\.5:50005'
        Send-Key Down Down X
        Wait-Screen '^Delete (all \d+ entries|1 entry) of source'
        Send-Key y
        Wait-Screen '^What if: (all \d+ entries|1 entry) of source'
        Get-KernelCount $namespace | Should -Be $table.Count
    }
}
