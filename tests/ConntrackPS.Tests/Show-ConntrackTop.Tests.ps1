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

        <# Only the rows, between the column names and the last line. #>
        function Get-Row([string[]] $Line) {
            $header = [array]::IndexOf($Line, @($Line -match '^(Source|Destination|Protocol)[^:]*(Proto|Count)')[0])
            $Line | Select-Object -Skip ($header + 1)
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'writes one frame of text' {
        $lines = Show-ConntrackTop @once
        $lines.Count | Should -Be ($table.Count + 3) -Because 'there are three lines above the rows, and none of keys below'
        $lines -match 'quit|every|bit/s' | Should -BeNullOrEmpty
        $lines[0] | Should -BeLike "Conntrack in $namespace*$($table.Count) of * entries (*)"
        $lines[1] | Should -Be "Shown $($table.Count)  unreplied 5  assured 3  TCP 7  UDP 1  ICMP 0"
        (Get-Row $lines).Count | Should -Be $table.Count
        $lines | ForEach-Object { $_ | Should -Not -Match '\e' }
    }

    It 'prints the plots of a few seconds with -Page Plot' {
        $lines = Show-ConntrackTop -Once -Page Plot -SampleTime 1 -Interval 0.3 -NetworkNamespace $namespace -Width 90 -Height 24
        $lines[2] | Should -BeLike "Entries  now $($table.Count)  most $($table.Count)  *"
        $lines -match '^Top sources' | Should -Not -BeNullOrEmpty
        $lines -match '^192\.0\.2\.1 +4  ' | Should -Match '█{4}$' -Because 'it was read at the beginning and three times after'
        $lines.Count | Should -BeLessOrEqual 24
        (Show-ConntrackTop @once).Count | Should -BeGreaterThan 3 -Because 'a table needs no time'
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

    It 'warns where a filter asks for what is not counted' {
        $null = Show-ConntrackTop @once -MinimumBytes 1 -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*nf_conntrack_acct=0*Set-ConntrackSetting -Name Accounting*'
    }

    It 'groups' {
        -split @(Get-Row (Show-ConntrackTop @once -GroupBy Source))[0] | Should -Be '192.0.2.1', '4', '50.00', '2', '2', '0'
        (-split @(Get-Row (Show-ConntrackTop @once -GroupBy Source -Reverse))[0])[1] | Should -Be 1
        "$(Show-ConntrackTop @once -GroupBy Source -SortBy Bytes)" | Should -Match 'Count .*Bytes\S'
    }

    It 'shows translated addresses, and leaves out what it is told to' {
        "$(Show-ConntrackTop @once -ShowTranslation)" | Should -BeLike '*10.1.2.5*203.0.113.9:50005*'
        $lines = Show-ConntrackTop @once -NoTotal -NoCounter -FixedWidth
        "$lines" | Should -Not -Match 'Shown|Bytes|bit/s'
    }

    It 'says what to use instead without a terminal: <Name>' -ForEach @(
        @{ Name = 'redirected'; Script = { Show-ConntrackTop -NetworkNamespace $Namespace } }
        @{ Name = 'in a pipeline'; Script = { Show-ConntrackTop -NetworkNamespace $Namespace | Out-Null } }
    ) {
        $failure = "$(Invoke-Child $Script -Namespace $namespace)"
        $failure | Should -Match 'needs a terminal'
        $failure | Should -Match '-Once'
        $failure | Should -Match 'Measure-ConntrackEntry'
    }

    It 'takes the names of Measure-ConntrackEntry: <Theirs>' -ForEach @(
        @{ Ours = @{ GroupBy = 'Source' }; Theirs = @{ GroupBy = 'SourceAddress' } }
        @{ Ours = @{ GroupBy = 'Destination'; SortBy = 'Bytes' }; Theirs = @{ GroupBy = 'DestinationAddress'; SortBy = 'TotalBytes' } }
        @{ Ours = @{ GroupBy = 'Port' }; Theirs = @{ GroupBy = 'DestinationPort'; SortBy = 'Count' } }
        @{ Ours = @{ SortBy = 'Packets' }; Theirs = @{ SortBy = 'TotalPackets' } }
        @{ Ours = @{ SortBy = 'Source'; ThenBy = 'Destination' }; Theirs = @{ SortBy = 'SourceAddress'; ThenBy = 'DestinationAddress' } }
        @{ Ours = @{ SortBy = 'TimeLeft' }; Theirs = @{ SortBy = 'TimeoutSeconds' } }
    ) {
        (Get-Row (Show-ConntrackTop @once @Theirs)) -replace '[\d:]+:\d\d' | Should -Be ((Get-Row (Show-ConntrackTop @once @Ours)) -replace '[\d:]+:\d\d')
    }

    It 'sorts groups by what only groups have' {
        $rows = @(Get-Row (Show-ConntrackTop @once -GroupBy Source -SortBy Unreplied))
        $rows.Count | Should -BeGreaterThan 1
        (Get-Failure { Show-ConntrackTop @once -SortBy Unreplied }).FullyQualifiedErrorId | Should -BeLike 'InvalidValue,*'
        "$(Get-Failure { Show-ConntrackTop @once -SortBy Unreplied })" | Should -BeLike '*-GroupBy*Source (SourceAddress)*'
    }

    It 'says what is possible: <Line>' -ForEach @(
        @{ Line = '-GroupBy State'; Says = '*None, Source (SourceAddress), Destination (DestinationAddress), Port (DestinationPort)*' }
        @{ Line = '-SortBy Nonsense'; Says = '*Source (SourceAddress)*Bytes (TotalBytes)*with -GroupBy also Count, Assured, Unreplied, SynSent*' }
        @{ Line = '-ThenBy Nonsense'; Says = '*Source (SourceAddress)*' }
    ) {
        "$(Get-Failure ([scriptblock]::Create("Show-ConntrackTop -Once $Line")))" | Should -BeLike $Says
    }
}
