BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
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
}

Describe 'Show-ConntrackTop -Once' {
    BeforeAll {
        $namespace = New-TestNamespace $table
        $once = @{ Once = $true; NetworkNamespace = $namespace; Width = 130; Height = 20 }

        <# The rows alone: what stands between the names of the columns and the last line. #>
        function Get-Row([string[]] $Line) {
            $header = [array]::IndexOf($Line, @($Line -match '^(Source|Destination|Protocol)[^:]*(Proto|Count)')[0])
            $Line[($header + 1)..($Line.Count - 2)] | Where-Object { $_ }
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'writes one frame of text' {
        $lines = Show-ConntrackTop @once
        $lines.Count | Should -Be 20
        $lines[0] | Should -BeLike "Conntrack in $namespace*$($table.Count) of * entries (*)"
        $lines[1] | Should -BeLike "Shown $($table.Count)  TCP 7  UDP 1  ICMP 0 *"
        (Get-Row $lines).Count | Should -Be $table.Count
        $lines | ForEach-Object { $_ | Should -Not -Match '\e' }
    }

    It 'takes filters and the options of iptstate: <Name>' -ForEach @(
        @{ Name = 'source'; Options = @{ SourceAddress = '192.0.2.0/24' }; Count = 5 }
        @{ Name = 'destination and port'; Options = @{ DestinationAddress = '198.51.100.7'; DestinationPort = 80 }; Count = 2 }
        @{ Name = 'turned round'; Options = @{ SourceAddress = '192.0.2.0/24'; InvertFilter = $true }; Count = 3 }
        @{ Name = 'no loopback'; Options = @{ ExcludeLoopback = $true }; Count = 7 }
        @{ Name = 'no name queries'; Options = @{ ExcludeDns = $true }; Count = 7 }
        @{ Name = 'names'; Options = @{ ResolveName = $true }; Count = 7 }
        @{ Name = 'state and zone'; Options = @{ State = 'ESTABLISHED'; Zone = 5 }; Count = 1 }
    ) {
        @(Get-Row (Show-ConntrackTop @once @Options)).Count | Should -Be $Count
    }

    It 'sorts by <SortBy>' -ForEach @(
        @{ SortBy = 'Source'; First = '10.1.2.5'; Last = '2001:db8::1' }
        @{ SortBy = 'DestinationPort'; First = '192.0.2.1'; Last = '10.1.2.5' }
        @{ SortBy = 'State'; First = '192.0.2.2'; Last = '192.0.2.1' }
    ) {
        $rows = @(Get-Row (Show-ConntrackTop @once -SortBy $SortBy))
        (-split $rows[0])[0] | Should -Be $First
        (-split $rows[-1])[0] | Should -Be $Last
        (-split @(Get-Row (Show-ConntrackTop @once -SortBy $SortBy -Reverse))[0])[0] | Should -Be $Last
    }

    It 'groups' {
        -split @(Get-Row (Show-ConntrackTop @once -GroupBy Source))[0] | Should -Be '192.0.2.1', '4', '50.00', '2', '2', '0'
    }

    It 'shows translated addresses, and leaves out what it is told to' {
        "$(Show-ConntrackTop @once -ShowTranslation)" | Should -BeLike '*10.1.2.5*203.0.113.9:50005*'
        $lines = Show-ConntrackTop @once -NoTotal -NoCounter -FixedWidth
        "$lines" | Should -Not -Match 'Shown|Bytes|bit/s'
    }

    It 'tells what to use instead where there is no terminal: <Name>' -ForEach @(
        @{ Name = 'redirected'; Script = { Show-ConntrackTop -NetworkNamespace $Namespace } }
        @{ Name = 'in a pipeline'; Script = { Show-ConntrackTop -NetworkNamespace $Namespace | Out-Null } }
    ) {
        $failure = "$(Invoke-Child $Script -Namespace $namespace)"
        $failure | Should -Match 'needs a terminal'
        $failure | Should -Match '-Once'
        $failure | Should -Match 'Measure-ConntrackEntry'
    }
}

Describe 'Show-ConntrackTop on a terminal' -Skip:(-not (Get-Command tmux -ErrorAction Ignore)) {
    BeforeAll {
        $namespace = New-TestNamespace
        $terminal = "ctps-$PID"

        function Invoke-Terminal {
            tmux -L $terminal @args
            if ($LASTEXITCODE -ne 0) {
                throw "tmux $args failed."
            }
        }

        function Get-Screen {
            @(Invoke-Terminal capture-pane -p -t it)
        }

        function Wait-Screen([string] $Pattern) {
            Wait-Until { (Get-Screen) -match $Pattern } "'$Pattern' is not on the screen:`n$((Get-Screen) -join "`n")"
        }

        function Send-Key {
            Invoke-Terminal send-keys -t it @args
        }

        <# Starts the view in a shell, and waits for its first frame. #>
        function Start-View([string] $Parameters = '', [string] $Environment = '') {
            # The terminal's state is noted before and after, by the shell that waits for pwsh.
            Invoke-Terminal new-session -d -s it -x 100 -y 24 'sh'
            $command = (Get-PowerShellCommand) -join ' '
            $script = "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Show-ConntrackTop -NetworkNamespace $namespace $Parameters"
            Set-Content TestDrive:/run.sh "echo before; stty -a > '$TestDrive/before'; $Environment $command -NoProfile -Command `"$script`"; stty -a > '$TestDrive/after'; echo done`n"
            Send-Key "sh '$TestDrive/run.sh'" Enter
            Wait-Screen 'q quit'
        }

        function Assert-Restored {
            Wait-Screen '^done'
            Get-Content "$TestDrive/after" | Should -Be (Get-Content "$TestDrive/before")
            Invoke-Terminal display -p -t it '#{alternate_on} #{cursor_flag} #{wrap_flag}' | Should -Be '0 1 1'
            (Get-Screen) -match '^before' | Should -Not -BeNullOrEmpty
        }
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterEach {
        tmux -L $terminal kill-server 2>$null
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'leaves the terminal as it was when <Name>' -ForEach @(
        @{ Name = 'one quits'; Key = 'q' }
        @{ Name = 'Ctrl+C is pressed'; Key = 'C-c' }
    ) {
        Start-View
        Invoke-Terminal display -p -t it '#{alternate_on} #{cursor_flag}' | Should -Be '1 0'
        Send-Key $Key
        Assert-Restored
    }

    It 'leaves the terminal as it was when the table vanishes' {
        $passing = New-TestNamespace
        $former, $namespace = $namespace, $passing
        try {
            Start-View -Parameters '-RefreshSeconds 0.2'
            Remove-TestNamespace $passing
            Wait-Screen 'no network namespace'
            Assert-Restored
        }
        finally {
            $namespace = $former
            Remove-TestNamespace $passing
        }
    }

    It 'leaves the terminal as it was when it is killed by SIGTERM' {
        Start-View
        $id = (Get-Process | Where-Object { $_.CommandLine -like "*Show-ConntrackTop -NetworkNamespace $namespace*" -and $_.Name -in 'pwsh', 'dotnet' }).Id
        @($id).Count | Should -Be 1
        kill -TERM $id
        Wait-Screen '^done'
        Invoke-Terminal display -p -t it '#{alternate_on} #{cursor_flag} #{wrap_flag}' | Should -Be '0 1 1'
    }

    It 'sorts, filters, deletes and follows the size of the terminal' {
        Start-View -Parameters '-SortBy Source'
        Wait-Screen '^10\.1\.2\.5 '
        (Get-Screen)[2] | Should -Match '^Source▲'
        Send-Key r
        Wait-Screen '^Source▼'
        (Get-Screen)[3] | Should -Match '^2001:db8::1 '
        Send-Key r 5
        Wait-Screen 'Prot.*▲'

        Send-Key /
        Send-Key -l -- '-Protocol tcp -SourceAddress 192.0.2.0/24 -Zone 0'
        Send-Key Enter
        Wait-Screen '^Shown 3 '
        Wait-Screen '^Filter: entries with protocol Tcp and source address 192\.0\.2\.0/24 and zone 0'

        Send-Key End
        Send-Key x
        Wait-Screen '^Delete tcp 192\.0\.2\.2:40003 -> 198\.51\.100\.8:443\? \(y/n\)'
        Send-Key n
        Wait-Screen 'q quit'
        Get-KernelCount $namespace | Should -Be $table.Count
        Send-Key x
        Wait-Screen '^Delete tcp 192\.0\.2\.2'
        Send-Key y
        Wait-Screen '^Shown 2 '
        Get-KernelName $namespace | Should -Be @($table.Keys | Where-Object { $_ -ne 'syn4' } | Sort-Object)

        Invoke-Terminal resize-window -t it -x 140 -y 12
        Wait-Screen '^Source.* Mark +Zone'
        (Get-Screen).Count | Should -Be 12

        Send-Key Home
        Send-Key X
        Wait-Screen '^Delete all shown entries of source 192\.0\.2\.1\? \(y/n\)'
        Send-Key y
        Wait-Screen '^Shown 0 '
        Get-KernelName $namespace | Should -Be ('dns4', 'local4', 'snat4', 'web6', 'zone4')
        Send-Key q
        Wait-Screen '^done'
    }

    It 'groups, shows one entry and its keys' {
        Start-View
        Send-Key v
        Wait-Screen '^192\.0\.2\.1 +4 +50\.00 '
        Send-Key Enter
        Wait-Screen '^Filter: entries with source address 192\.0\.2\.1'
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
        Send-Key h
        Wait-Screen '^q +quit'
        Send-Key q
        Assert-Restored
    }

    It 'freezes, and looks again when it is asked' {
        Start-View -Parameters '-RefreshSeconds 0.2'
        Send-Key p
        Wait-Screen 'frozen'
        Invoke-InNamespace $namespace conntrack -D -p udp
        Start-Sleep -Seconds 1
        (Get-Screen)[1] | Should -Match '^Shown 8 '
        Send-Key Space
        Wait-Screen '^Shown 7 '
        Send-Key q
        Assert-Restored
    }

    It 'only says what it would delete under -WhatIf' {
        Start-View -Parameters '-WhatIf -SortBy Source'
        Send-Key x
        Wait-Screen '^Delete tcp 10\.1\.2\.5'
        Send-Key y
        Wait-Screen '^What if: tcp 10\.1\.2\.5:50005'
        Get-KernelCount $namespace | Should -Be $table.Count
        Send-Key q
        Assert-Restored
    }

    It 'tells what is wrong with a filter and goes on' {
        Start-View
        Send-Key /
        Send-Key -l -- '-Protocol nonsense'
        Send-Key Enter
        Wait-Screen "'nonsense' is not a protocol"
        Send-Key q
        Assert-Restored
    }

    It 'uses colour, unless NO_COLOR is set' {
        Start-View
        (Invoke-Terminal capture-pane -p -e -t it) -match '\e\[3[2-6]m' | Should -Not -BeNullOrEmpty
        Send-Key q
        Assert-Restored
        tmux -L $terminal kill-server
        Start-View -Environment 'NO_COLOR=1'
        (Invoke-Terminal capture-pane -p -e -t it) -match '\e\[3[0-9]m' | Should -BeNullOrEmpty
        Send-Key q
        Assert-Restored
    }
}
