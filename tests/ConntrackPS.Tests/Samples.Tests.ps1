BeforeDiscovery {
    $scripts = Get-ChildItem "$PSScriptRoot/../../samples/*.ps1"
}

BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/SampleSupport.psm1" -Force
}

Describe '<_.Name>' -ForEach $scripts {
    BeforeAll {
        $text = Get-Content $_ -Raw
        $help = Get-Help $_.FullName -Full
        $parameters = (Get-Command $_.FullName).ScriptBlock.Ast.ParamBlock.Parameters.Name.VariablePath.UserPath
    }

    It 'has help for all that it takes' {
        $help.Synopsis | Should -Match '(?s)^[A-Z].*\.\s*$'
        $help.Description | Should -Not -BeNullOrEmpty
        foreach ($parameter in $parameters) {
            ($help.parameters.parameter | Where-Object Name -EQ $parameter).Description.Text | Should -Match '\S' -Because $parameter
        }
        if ($parameters) {
            $help.examples.example | Should -Not -BeNullOrEmpty
        }
    }

    It 'requires the PowerShell of the module, and finds the module as the others do' {
        $text | Should -Match '(?m)^#Requires -Version 7\.4$'
        foreach ($line in $text -split '\n' -match 'Import-Module' -notmatch '-Force$') {
            $line.Trim() | Should -Be 'Import-Module ((Get-Module ConntrackPS -ListAvailable) ? ''ConntrackPS'' : "$PSScriptRoot/../out/ConntrackPS")'
        }
    }

    It 'has a line in README.md' {
        (Get-Content "$PSScriptRoot/../../samples/README.md") -match "^\| ``$([regex]::Escape($_.Name))``" | Should -HaveCount 1
    }
}

Describe 'Test-ConntrackFill' {
    BeforeAll {
        $namespace = New-TestNamespace
        Add-KernelLine $namespace (@(New-ManyLine 300) + @(1..100 | ForEach-Object { "-s 192.0.2.1 -d 198.51.100.7 -p udp --sport $_ --dport 53" }))
        # The maximum is that of the machine, so 400 entries are a small part of it.
        $maximum = [int] (Invoke-InNamespace $namespace cat /proc/sys/net/netfilter/nf_conntrack_max)
        $fill = [Math]::Round(100 * 400 / $maximum, 2)

        function Test-Fill {
            $line = & (Get-SamplePath Test-ConntrackFill) @args -NetworkNamespace $namespace
            [pscustomobject]@{ ExitCode = $LASTEXITCODE; Line = $line }
        }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'says OK, with performance data' {
        $check = Test-Fill
        $check.ExitCode | Should -Be 0
        $check.Line | Should -HaveCount 1
        $check.Line | Should -Be "CONNTRACK OK - $fill % full, 400 of $maximum entries | fill=$fill%;75;90;0;100 count=400;;;0;$maximum drop=0c early_drop=0c"
        Get-KernelCount $namespace | Should -Be 400
    }

    It 'warns, and names the sources with most' {
        $check = Test-Fill -Warning $fill -Top 2
        $check.ExitCode | Should -Be 1
        $check.Line | Should -Match '^CONNTRACK WARNING - .*; most from 192\.0\.2\.1 \(100\), 10\.0\.\d+\.\d+ \(1\) \|'
    }

    It 'exits with <ExitCode> as a process: <Argument>' -ForEach @(
        @{ ExitCode = 2; Argument = '-Warning', '0', '-Critical', '0'; Line = 'CONNTRACK CRITICAL - *most from 192.0.2.1 (100)*' }
        @{ ExitCode = 3; Argument = '-Warning', '50', '-Critical', '40'; Line = 'CONNTRACK UNKNOWN - -Warning 50 is above -Critical 40.' }
    ) {
        $check = Invoke-Sample Test-ConntrackFill @Argument -NetworkNamespace $namespace
        $check.ExitCode | Should -Be $ExitCode
        $check.Output | Should -HaveCount 1
        $check.Output | Should -BeLike $Line
    }

    It 'shows the fill without privilege, and why it shows no sources' {
        $prefix = 'ip', 'netns', 'exec', $namespace, 'setpriv', '--inh-caps=-all', '--bounding-set=-all'
        $argument = '-Warning', '0'
        $check = Invoke-Sample Test-ConntrackFill @argument -Prefix $prefix
        $check.ExitCode | Should -Be 1
        $check.Output | Should -BeLike "CONNTRACK WARNING - $fill % full, 400 of *; sources unknown: *(EPERM)* | fill=*"
    }

    It 'runs where it was copied to, with the module that is installed' {
        $copy = "$((Get-PSDrive TestDrive).Root)/bin/check.ps1"
        $null = New-Item (Split-Path $copy) -ItemType Directory
        Copy-Item (Get-SamplePath Test-ConntrackFill) $copy
        $path = $env:PSModulePath
        $env:PSModulePath = "$(Split-Path (Split-Path (Get-PackagePath))):$path"
        try {
            Invoke-PowerShell '-NoProfile', '-NonInteractive', '-File', $copy, '-NetworkNamespace', $namespace | Should -BeLike "CONNTRACK OK - $fill %*"
        }
        finally {
            $env:PSModulePath = $path
        }
    }

    It 'does not know of a namespace that is not there' {
        $line = & (Get-SamplePath Test-ConntrackFill) -NetworkNamespace no-such-namespace
        $LASTEXITCODE | Should -Be 3
        $line | Should -BeLike 'CONNTRACK UNKNOWN - *no-such-namespace*'
    }
}

Describe 'Remove-UplinkFlow' {
    BeforeAll {
        $namespace = New-TestNamespace
        $table = @{
            first   = '-s 10.0.0.1 -d 198.51.100.7 -p udp --sport 1 --dport 53 --src-nat 203.0.113.1 -m 0x101'
            another = '-s 10.0.0.2 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED --src-nat 203.0.113.1 -m 0x1ff'
            second  = '-s 10.0.0.1 -d 198.51.100.7 -p udp --sport 2 --dport 53 --src-nat 203.0.113.2 -m 0x201'
            inner   = '-s 10.0.0.1 -d 203.0.113.1 -p udp --sport 3 --dport 53'
        }
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'removes the flows of the uplink by <Name>, and no others' -ForEach @(
        @{ Name = 'mark'; Filter = @{ Mark = '0x100/0xff00' } }
        @{ Name = 'address'; Filter = @{ TranslatedSourceAddress = '203.0.113.1' } }
    ) {
        $report = & (Get-SamplePath Remove-UplinkFlow) @Filter -SettleSeconds 0 -NetworkNamespace $namespace
        $report.Found, $report.Left | Should -Be 2, 0
        Get-KernelName $namespace | Should -Be 'inner', 'second'
    }

    It 'removes none with -WhatIf' {
        & (Get-SamplePath Remove-UplinkFlow) -Mark 0x100/0xff00 -WhatIf -NetworkNamespace $namespace | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 4
    }

    It 'refuses a mask that names nothing' {
        (Get-Failure { & (Get-SamplePath Remove-UplinkFlow) -Mark 0/0 -NetworkNamespace $namespace }).FullyQualifiedErrorId | Should -BeLike 'NoFilter,*'
        Get-KernelCount $namespace | Should -Be 4
    }
}

# Real datagrams to a service: 198.51.100.53 port 53, which the rules send to a server of 10.0.0.0/24, and by 203.0.113.1.
Describe 'Traffic that continues' {
    BeforeAll {
        $namespace = New-TestNamespace
        $lines = 'ip link set lo up', 'ip address add 198.51.100.53/32 dev lo', 'ip address add 10.0.0.0/24 dev lo', 'ip address add 203.0.113.1/32 dev lo',
            'sysctl -qw net.netfilter.nf_conntrack_acct=1'
        Invoke-InNamespace $namespace sh -c ($lines -join ' && ')

        function Set-Server([string] $Address) {
            $rules = @'
            table ip lab
            delete table ip lab
            table ip lab {{
                chain output {{ type nat hook output priority -100; udp dport 53 dnat to {0}; }}
                chain postrouting {{ type nat hook postrouting priority 100; udp dport 53 snat to 203.0.113.1; }}
                chain input {{ type filter hook input priority 0; udp dport 53 drop; }}
            }}
'@ -f $Address
            $rules | Set-Content TestDrive:/rules
            Invoke-InNamespace $namespace nft -f (Get-Item TestDrive:/rules).FullName
        }
        function Get-Server {
            @(Get-KernelEntry $namespace | Where-Object Protocol -EQ 17).ReplySourceAddress
        }

        Set-Server 10.0.0.1
        Start-Sender $namespace 198.51.100.53 53
        Wait-Until { Get-Server } 'nothing is sent'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'is seen to come back by Remove-UplinkFlow' {
        $report = & (Get-SamplePath Remove-UplinkFlow) -TranslatedSourceAddress 203.0.113.1 -NetworkNamespace $namespace -WarningVariable warnings -WarningAction SilentlyContinue
        $report.Found, $report.Left | Should -Be 1, 1
        "$warnings" | Should -BeLike '1 connections are back, most by Udp, * (1).*'
    }

    It 'is seen to come back by Remove-BackendFlow, while the rule is the old one' {
        $removed = & (Get-SamplePath Remove-BackendFlow) 10.0.0.1 -NetworkNamespace $namespace -WarningVariable warnings -WarningAction SilentlyContinue
        $removed.ReplySourceAddress | Should -Be 10.0.0.1
        "$warnings" | Should -BeLike '1 connections to 10.0.0.1 are back*'
        Get-Server | Should -Be 10.0.0.1
    }

    It 'stays with the old server when the rule changes, and goes to the new one after Remove-BackendFlow' {
        Set-Server 10.0.0.2
        Get-Server | Should -Be 10.0.0.1
        $removed = & (Get-SamplePath Remove-BackendFlow) 10.0.0.1 -SettleSeconds 0 -NetworkNamespace $namespace -WarningVariable warnings
        $removed.DestinationAddress | Should -Be 198.51.100.53
        $warnings | Should -BeNullOrEmpty
        Wait-Until { Get-Server } 'nothing is sent any more'
        Get-Server | Should -Be 10.0.0.2
    }

    It 'is in the report of Export-TrafficReport, as <Extension>' -ForEach @(
        @{ Extension = 'csv'; Read = { Import-Csv $args[0] } }
        @{ Extension = 'json'; Read = { (Get-Content $args[0] -Raw | ConvertFrom-Json).Sources } }
        @{
            Extension = 'html'
            Read      = {
                $rows = ([xml] (Get-Content $args[0] -Raw)).html.body.table.tr
                [pscustomobject]@{ Source = $rows[1].td[0]; BitsPerSecond = $rows[1].td[1]; Count = $rows[1].td[3] }
            }
        }
    ) {
        function Get-SentBytes {
            [long] (Get-KernelEntry $namespace | Where-Object Protocol -EQ 17).OriginalBytes
        }
        $path = "$((Get-PSDrive TestDrive).Root)/report.$Extension"
        $before = Get-SentBytes
        & (Get-SamplePath Export-TrafficReport) $path -Interval 1 -NetworkNamespace $namespace
        $sent = (Get-SentBytes) - $before

        $rows = @(& $Read $path)
        $rows.Count | Should -Be 1
        $rows[0].Source | Should -Be (Get-KernelEntry $namespace)[0].SourceAddress
        $rows[0].Count | Should -Be 1
        # The interval is between the two readings of the independent check, and is a second within the error of clocks.
        [double] $rows[0].BitsPerSecond | Should -BeGreaterThan 0
        [double] $rows[0].BitsPerSecond | Should -BeLessOrEqual (8.1 * $sent)
        Test-Path "$path.new" | Should -BeFalse
    }
}

Describe 'Export-TrafficReport' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'writes no report where nothing is counted' {
        $path = "$((Get-PSDrive TestDrive).Root)/none.csv"
        (Get-Failure { & (Get-SamplePath Export-TrafficReport) $path -NetworkNamespace $namespace }).Exception.Message | Should -BeLike 'Accounting is off*Set-ConntrackSetting*'
        Test-Path $path | Should -BeFalse
    }

    It 'says what it can write' {
        (Get-Failure { & (Get-SamplePath Export-TrafficReport) report.txt }).Exception.Message | Should -BeLike '*.csv, .json, .html*'
    }
}

Describe 'Remove-BackendFlow' {
    BeforeAll {
        $namespace = New-TestNamespace
        $table = @{
            stale   = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 1 --dport 53 --dst-nat 10.0.0.1'
            stale6  = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 1 --dport 53 --dst-nat fd00::1'
            syslog  = '-s 192.0.2.1 -d 198.51.100.53 -p udp --sport 2 --dport 514 --dst-nat 10.0.0.1'
            tcp     = '-s 192.0.2.1 -d 198.51.100.53 -p tcp --sport 1 --dport 53 --state ESTABLISHED --dst-nat 10.0.0.1'
            living  = '-s 192.0.2.2 -d 198.51.100.53 -p udp --sport 1 --dport 53 --dst-nat 10.0.0.2'
            direct  = '-s 192.0.2.1 -d 10.0.0.1 -p udp --sport 9 --dport 53'
            outward = '-s 10.0.0.1 -d 192.0.2.1 -p udp --sport 53 --dport 7 --src-nat 198.51.100.53'
        }
    }

    BeforeEach {
        Reset-KernelTable $namespace $table
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'removes <Gone> by <Name>, and no others' -ForEach @(
        @{ Name = 'the address'; Argument = @{ BackendAddress = '10.0.0.1' }; Gone = 'stale', 'syslog' }
        @{ Name = 'addresses of both families and a port'; Argument = @{ BackendAddress = '10.0.0.1', 'fd00::1'; BackendPort = 53 }; Gone = 'stale', 'stale6' }
        @{ Name = 'the service'; Argument = @{ BackendAddress = '10.0.0.0/24'; ServiceAddress = '198.51.100.53'; ServicePort = 514 }; Gone = 'syslog' }
        @{ Name = 'both protocols'; Argument = @{ BackendAddress = '10.0.0.1'; BackendPort = 53; Protocol = 'Udp', 'Tcp' }; Gone = 'stale', 'tcp' }
    ) {
        $removed = & (Get-SamplePath Remove-BackendFlow) @Argument -SettleSeconds 0 -NetworkNamespace $namespace
        Resolve-EntryName $namespace $removed | Should -Be $Gone
        Get-KernelName $namespace | Should -Be ($table.Keys | Where-Object { $_ -notin $Gone } | Sort-Object)
    }

    It 'removes none with -WhatIf' {
        & (Get-SamplePath Remove-BackendFlow) 10.0.0.1 -WhatIf -NetworkNamespace $namespace | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 7
    }
}

Describe 'Save- and Restore-ConntrackTable' {
    BeforeAll {
        $namespace = New-TestNamespace @{
            nat  = '-s 10.0.0.1 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED --src-nat 203.0.113.1 -m 0x101'
            dns6 = '-s 2001:db8::1 -d 2001:db8:1::53 -p udp --sport 1 --dport 53 -u SEEN_REPLY'
            ping = '-s 10.0.0.1 -d 198.51.100.7 -p icmp --icmp-type 8 --icmp-code 0 --icmp-id 7'
            zone = '-s 10.0.0.1 -d 198.51.100.7 -p sctp --sport 1 --dport 80 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2 -w 7'
        }
        $null = Invoke-InNamespace $namespace conntrack -I -t 60 -s 10.0.0.9 -d 198.51.100.7 -p udp --sport 1 --dport 53
        $path = "$((Get-PSDrive TestDrive).Root)/saved/table.csv"
        $saved = & (Get-SamplePath Save-ConntrackTable) $path -NetworkNamespace $namespace

        <# The table as conntrack shows it, without values that cannot be restored. #>
        function Get-Picture {
            Get-KernelEntry $namespace -Detailed | Select-Object * -ExcludeProperty Id, TimeoutSeconds, UseCount | Sort-Object { "$_" } | ForEach-Object { "$_" }
        }
        function Restore-Table {
            & (Get-SamplePath Restore-ConntrackTable) $path -NetworkNamespace $namespace @args
        }
        function Clear-KernelTable {
            $null = ip netns exec $namespace conntrack -F 2>&1
        }
        $before = Get-Picture
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'saves all entries in a file for its owner alone' {
        $saved.Entries | Should -Be 5
        @(Import-Csv $path).Count | Should -Be 5
        (Get-Item $path).UnixMode | Should -Be '-rw-------'
        Get-ChildItem (Split-Path $path) | Should -HaveCount 1
    }

    It 'leaves the old file where the table can not be read' {
        $text = Get-Content $path -Raw
        Get-Failure { & (Get-SamplePath Save-ConntrackTable) $path -NetworkNamespace no-such-namespace } | Should -Not -BeNullOrEmpty
        Get-Content $path -Raw | Should -Be $text
    }

    It 'restores nothing with -WhatIf' {
        Clear-KernelTable
        Restore-Table -WhatIf | Should -BeNullOrEmpty
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'restores all' {
        Clear-KernelTable
        $report = Restore-Table
        $report.Read, $report.Restored, $report.Expired, $report.Existing, $report.Failed | Should -Be 5, 5, 0, 0, 0
        Get-Picture | Should -Be $before
    }

    It 'counts those that exist, and leaves them as they are' {
        $null = ip netns exec $namespace conntrack -D -p icmp 2>&1
        $null = ip netns exec $namespace conntrack -U -p tcp -s 10.0.0.1 -m 9 2>&1
        $report = Restore-Table
        $report.Restored, $report.Existing | Should -Be 1, 4
        (Get-KernelEntry $namespace | Where-Object Protocol -EQ 6).Mark | Should -Be 9
    }

    It 'leaves out what has run out meanwhile, and shortens the time of the others' {
        Clear-KernelTable
        (Get-Item $path).LastWriteTimeUtc = [DateTime]::UtcNow.AddSeconds(-600)
        $report = Restore-Table
        $report.Restored, $report.Expired | Should -Be 4, 1
        $entries = Get-KernelEntry $namespace
        $entries.SourceAddress | Should -Not -Contain 10.0.0.9
        ($entries.TimeoutSeconds | Measure-Object -Maximum).Maximum | Should -BeLessOrEqual 2400
        ($entries.TimeoutSeconds | Measure-Object -Minimum).Minimum | Should -BeGreaterThan 2000
    }

    It 'counts what the kernel refuses, says why, and restores the others' {
        Clear-KernelTable
        $rows = Import-Csv $path
        ($rows | Where-Object Protocol -EQ Tcp).Helper = 'no-such-helper'
        $rows | Export-Csv $path
        $warning, $report = Restore-Table 3>&1
        $report.Restored, $report.Failed | Should -Be 4, 1
        "$warning" | Should -BeLike '1 were not restored, the first: *'
        Get-KernelCount $namespace | Should -Be 4
    }
}

Describe 'Write-TranslationLog' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1
        $folder = "$((Get-PSDrive TestDrive).Root)/log"

        function Add-Flow([string[]] $Source, [int] $Port, [string] $More = '--src-nat 203.0.113.1') {
            Add-KernelLine $namespace @($Source | ForEach-Object { "-s $_ -d 198.51.100.53 -p udp --sport $Port --dport 53 $More" })
        }
        function Get-Log {
            Get-ChildItem $folder -Filter translations-*.csv -ErrorAction Ignore | Sort-Object Name | Import-Csv
        }
        function Stop-Logger {
            kill -INT $logger.Id
            $logger.WaitForExit()
        }

        Add-Flow 10.0.0.1 1001
        $logger = Start-Sample $namespace Write-TranslationLog $folder -ReceiveBufferSize 65536
        Wait-Until { (Get-Log).Event -contains 'Existing' } 'nothing is logged'
        Add-Flow 10.0.0.2 1002
        $direct = '-s 10.0.0.3 -d 198.51.100.53 -p udp --sport 1003 --dport 53'
        Add-KernelLine $namespace $direct
        Wait-Until { (Get-Log).Source -contains '10.0.0.2' } 'no beginning is logged'
        $while = [DateTime]::UtcNow
        Start-Sleep -Milliseconds 20
        $null = ip netns exec $namespace conntrack -D -p udp -s 10.0.0.1 2>&1
        $null = ip netns exec $namespace conntrack -D -p udp -s 10.0.0.2 2>&1
        Add-Flow 10.0.0.4 1002
        Wait-Until { (Get-Log).Source -contains '10.0.0.4' } 'no end is logged'
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'logs beginnings and ends of what is translated, in order, with what was there before' {
        $rows = Get-Log
        $rows.ForEach({ "$($_.Event) $($_.Source) $($_.Translated):$($_.TranslatedPort)" }) | Should -Be @(
            'Started  :', 'Existing 10.0.0.1 203.0.113.1:1001', 'New 10.0.0.2 203.0.113.1:1002'
            'Destroy 10.0.0.1 203.0.113.1:1001', 'Destroy 10.0.0.2 203.0.113.1:1002', 'New 10.0.0.4 203.0.113.1:1002'
        )
        $rows.Time | Should -Match '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$'
        (Get-ChildItem $folder).UnixMode | Should -Be '-rw-------'
        (Get-ChildItem $folder).Name | Should -Be "translations-$($rows[0].Time.Substring(0, 10)).csv"
    }

    It 'finds which host had a translated port at a given time' {
        $answer = & (Get-SamplePath Find-Translation) 203.0.113.1 1002 $while -Path $folder
        $answer.Source | Should -Be 10.0.0.2
        $answer.SourcePort | Should -Be 1002
        $answer.From | Should -BeLessOrEqual $while
        $answer.To | Should -BeGreaterThan $while
        (& (Get-SamplePath Find-Translation) 203.0.113.1 1001 $while -Path $folder).Source | Should -Be 10.0.0.1
        $now = & (Get-SamplePath Find-Translation) 203.0.113.1 1002 ([DateTime]::UtcNow) -Path $folder -WarningAction SilentlyContinue
        $now.Source | Should -Be 10.0.0.4
        $now.To | Should -BeNullOrEmpty
    }

    It 'says how much was lost, and finds it in the table' {
        kill -STOP $logger.Id
        try {
            $sources = 1..1000 | ForEach-Object { "10.1.$($_ -shr 8).$($_ -band 255)" }
            Add-Flow $sources 2000 '--src-nat 203.0.113.2'
        }
        finally {
            kill -CONT $logger.Id
        }
        Wait-Until { @((Get-Log).Where({ $_.Source -like '10.1.*' })).Count -ge 1000 } 'the flows are not in the log'
        $rows = Get-Log
        $lost = ($rows | Where-Object Event -EQ Lost | Measure-Object Lost -Sum).Sum
        $lost | Should -BeGreaterThan 0
        $new = $rows | Where-Object Source -Like 10.1.*
        $new.Source | Sort-Object -Unique | Should -HaveCount 1000
        @($new | Where-Object Derived -EQ True).Count | Should -Be $lost
    }

    It 'ends by Ctrl+C, and says so in the log' {
        Stop-Logger
        (Get-Log)[-1].Event | Should -Be Stopped
        Test-Listening $namespace | Should -BeFalse
    }
}

Describe 'Find-Translation' {
    BeforeAll {
        $folder = "$((Get-PSDrive TestDrive).Root)/written"
        $null = New-Item $folder -ItemType Directory
        $header = 'Time,Event,Protocol,Source,SourcePort,Destination,DestinationPort,Translated,TranslatedPort,Zone,Began,Derived,Lost'
        # Day one ends by a crash at some time after 12:00; day two begins at 01:00.
        Set-Content "$folder/translations-2026-01-01.csv" $header, @'
2026-01-01T08:00:00.0000000Z,Started,,,,,,,,,,,
2026-01-01T08:00:01.0000000Z,Existing,Tcp,10.0.0.1,7,198.51.100.7,443,203.0.113.1,5000,0,2026-01-01T06:00:00.0000000Z,,
2026-01-01T09:00:00.0000000Z,New,Tcp,10.0.0.2,7,198.51.100.8,443,203.0.113.1,5000,0,,,
2026-01-01T10:00:00.0000000Z,New,Udp,10.0.0.3,203,203.0.113.1,5000,203.0.113.9,7,0,,,
2026-01-01T11:00:00.0000000Z,Lost,,,,,,,,,,,12
2026-01-01T11:30:00.0000000Z,Destroy,Udp,10.0.0.4,9,198.51.100.9,53,203.0.113.1,5000,0,,,
2026-01-01T12:00:00.0000000Z,Destroy,Tcp,10.0.0.2,7,198.51.100.8,443,203.0.113.1,5000,0,,,
'@
        Set-Content "$folder/translations-2026-01-02.csv" $header, @'
2026-01-02T01:00:00.0000000Z,Started,,,,,,,,,,,
2026-01-02T02:00:00.0000000Z,New,Tcp,10.0.0.5,7,198.51.100.7,443,203.0.113.1,5000,0,,,
2026-01-02T03:00:00.0000000Z,New,Tcp,10.0.0.6,7,198.51.100.7,443,203.0.113.1,5000,0,,,
2026-01-02T04:00:00.0000000Z,Stopped,,,,,,,,,,,
'@
    }

    It 'finds <Source> at <Time>, and says <Warning>' -ForEach @(
        @{ Time = '2026-01-01T05:00:00Z'; Source = @(); Warning = 'The log begins at 2026-01-01T08:00:00.0000000Z.' }
        @{ Time = '2026-01-01T07:00:00Z'; Source = @('10.0.0.1'); Warning = 'The log begins at *' }
        @{ Time = '2026-01-01T08:30:00Z'; Source = @('10.0.0.1'); Warning = $null }
        @{ Time = '2026-01-01T11:30:00+02:00'; Source = @('10.0.0.1', '10.0.0.2'); Warning = $null }
        @{ Time = '2026-01-01T10:30:00Z'; Source = @('10.0.0.1', '10.0.0.2', '10.0.0.4'); Warning = 'The log does not know all between 2026-01-01T10:00:00.0000000Z and 2026-01-01T11:00:00.0000000Z (Lost).' }
        @{ Time = '2026-01-01T11:45:00Z'; Source = @('10.0.0.1', '10.0.0.2'); Warning = $null }
        @{ Time = '2026-01-01T20:00:00Z'; Source = @(); Warning = 'The log does not know all between 2026-01-01T12:00:00.0000000Z and 2026-01-02T01:00:00.0000000Z (Started).' }
        @{ Time = '2026-01-02T02:30:00Z'; Source = @('10.0.0.5'); Warning = $null }
        @{ Time = '2026-01-02T03:30:00Z'; Source = @('10.0.0.6'); Warning = $null }
        @{ Time = '2026-01-02T05:00:00Z'; Source = @('10.0.0.6'); Warning = 'The log ends at 2026-01-02T04:00:00.0000000Z.' }
    ) {
        $answers = & (Get-SamplePath Find-Translation) 203.0.113.1 5000 $Time -Path $folder -WarningVariable warnings -WarningAction SilentlyContinue
        @($answers.Source | Sort-Object) | Should -Be $Source
        $warnings.Count | Should -Be ($Warning ? 1 : 0)
        "$warnings" | Should -BeLike "$Warning"
    }

    It 'refuses a folder without a log' {
        (Get-Failure { & (Get-SamplePath Find-Translation) 203.0.113.1 5000 2026-01-01 -Path $PSScriptRoot }).Exception.Message | Should -BeLike '*has no log*'
    }
}

Describe 'Find-LoggedTranslation' {
    BeforeAll {
        $folder = "$((Get-PSDrive TestDrive).Root)/logs"
        $null = New-Item $folder -ItemType Directory
        function Get-Line([string] $Type, [double] $Second, [string] $Source, [int] $SourcePort, [string] $To = '198.51.100.7', [string] $More = '') {
            $type = "[$Type]".PadLeft(9)
            "[$([long] (1767225600 + $Second)).000000]`t$type tcp      6 120 SYN_SENT src=$Source dst=$To sport=$SourcePort dport=443 src=$To dst=203.0.113.1 sport=443 dport=5000$More"
        }
        # From 2026-01-01 on. The first file is packed; the names are not in the order of time.
        $january = @(
            Get-Line NEW 3600 10.0.0.1 7
            Get-Line UPDATE 3601 10.0.0.1 7
            Get-Line NEW 5400 10.0.0.9 7 198.51.100.99
            Get-Line DESTROY 7200 10.0.0.1 7
            Get-Line NEW 10800 10.0.0.2 8
            'WARNING: We have hit ENOBUFS! We are losing events.'
            'This message means that the current netlink socket buffer size is too small.'
            'Please, check --buffer-size in conntrack(8) manpage.'
            Get-Line DESTROY 18000 10.0.0.3 9
        )
        $february = @(
            Get-Line NEW 2678400 10.0.0.4 10
            'not a line of conntrack'
            Get-Line NEW 2682000 10.0.0.5 11 198.51.100.7 ' [USERSPACE] portid=7 progname=conntrack'
        )
        Set-Content "$folder/z.log" $january
        gzip "$folder/z.log"
        Set-Content "$folder/a.log" $february
    }

    It 'finds <Source> at <Time>, and says <Warning>' -ForEach @(
        @{ Time = '2026-01-01T00:30:00Z'; Source = @('10.0.0.3'); Warning = 'The logs begin at 2026-01-01T01:00:00.0000000Z.' }
        @{ Time = '2026-01-01T01:30:00Z'; Source = @('10.0.0.1', '10.0.0.3', '10.0.0.9'); Warning = $null }
        @{ Time = '2026-01-01T02:30:00Z'; Source = @('10.0.0.3', '10.0.0.9'); Warning = $null }
        @{ Time = '2026-01-01T04:30:00+01:00'; Source = @('10.0.0.2', '10.0.0.3', '10.0.0.9'); Warning = 'Events were lost after 2026-01-01T03:00:00.0000000Z and before 2026-01-01T05:00:00.0000000Z.' }
        @{ Time = '2026-02-01T00:30:00Z'; Source = @('10.0.0.4', '10.0.0.9'); Warning = $null }
        @{ Time = '2026-02-01T02:00:00Z'; Source = @('10.0.0.5', '10.0.0.9'); Warning = 'The logs end at 2026-02-01T01:00:00.0000000Z.' }
    ) {
        $answers = & (Get-SamplePath Find-LoggedTranslation) 203.0.113.1 5000 $Time -Path "$folder/*" -WarningVariable warnings -WarningAction SilentlyContinue 2>$null
        @($answers.Source | Sort-Object) | Should -Be $Source
        $warnings.Count | Should -Be ($Warning ? 1 : 0)
        "$warnings" | Should -BeLike "$Warning"
    }

    It 'tells from when to when, and where that is written' {
        $answer = & (Get-SamplePath Find-LoggedTranslation) 203.0.113.1 5000 2026-01-01T01:30:00Z -Path "$folder/*" 2>$null | Where-Object Source -EQ 10.0.0.1
        $answer.From.UtcDateTime.ToString('s') | Should -Be 2026-01-01T01:00:00
        $answer.To.UtcDateTime.ToString('s') | Should -Be 2026-01-01T02:00:00
        $answer.SourcePort, $answer.Destination, $answer.DestinationPort | Should -Be 7, '198.51.100.7', 443
        $answer.Path, $answer.LineNumber | Should -Be "$folder/z.log.gz", 1
    }

    It 'reports lines that it could not read, and goes on' {
        $output = & (Get-SamplePath Find-LoggedTranslation) 203.0.113.1 5000 2026-02-01T00:30:00Z -Path "$folder/a.log" 2>&1
        $problems, $answers = $output.Where({ $_ -is [System.Management.Automation.ErrorRecord] }, 'Split')
        $answers.Source | Should -Be 10.0.0.4
        "$problems" | Should -BeLike "*Line 2, column 1: found 'not'*"
    }

    It 'refuses logs without times' {
        Set-Content "$folder/b.txt" (Get-Line NEW 1 10.0.0.1 7).Split("`t")[1]
        (Get-Failure { & (Get-SamplePath Find-LoggedTranslation) 203.0.113.1 5000 2026-01-01 -Path "$folder/b.txt" -WarningAction SilentlyContinue }).Exception.Message |
            Should -Be 'The files have no events with a time.'
    }
}
