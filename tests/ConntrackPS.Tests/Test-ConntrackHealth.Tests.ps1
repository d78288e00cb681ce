BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    # Findings about the machine, which can have any state.
    $ofTheMachine = 'TooFewBuckets', 'TooManyBuckets', 'MaximumTooBig', 'MaximumTooSmall'

    function Get-Finding([string] $Namespace) {
        Test-ConntrackHealth -NetworkNamespace $Namespace -SampleTime 0 -MinimumSeverity Information | Where-Object Name -NotIn $ofTheMachine
    }

    function Set-Quiet([string] $Namespace) {
        'Accounting', 'Timestamp', 'Events' | ForEach-Object { Set-ConntrackSetting $_ 1 -NetworkNamespace $Namespace }
    }
}

Describe 'Test-ConntrackHealth' {
    BeforeAll {
        $namespace = New-TestNamespace
        Set-Quiet $namespace
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    AfterEach {
        $null = Invoke-InNamespace $namespace conntrack -F
    }

    It 'is quiet on a healthy machine' {
        Get-Finding $namespace | Should -BeNullOrEmpty
    }

    It 'finds <Name>' -ForEach @(
        @{ Name = 'HalfOpenFlood'; Severity = 'Warning'; Evidence = '*2,000 of 2,000*10.0.* (1), 10.0.* (1)*'; Lines = { (New-ManyLine 2000) -replace 'ESTABLISHED -u SEEN_REPLY,ASSURED', 'SYN_SENT' } }
        @{ Name = 'SourceShare'; Severity = 'Warning'; Evidence = '192.0.2.77 holds 1,500 of 1,500*'; Lines = { 1..1500 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport $_ --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED" } } }
        @{ Name = 'Unreplied'; Severity = 'Warning'; Evidence = '*1,200 of 1,200*'; Lines = { 1..1200 | ForEach-Object { "-s 10.1.$($_ -shr 8).$($_ -band 255) -d 198.51.100.7 -p udp --sport 5 --dport 53" } } }
        @{ Name = 'IdleEstablished'; Severity = 'Warning'; Evidence = '*1,500 of 1,500*432,000*'; Lines = { New-ManyLine 1500 } }
    ) {
        Add-KernelLine $namespace (& $Lines)
        $finding = Get-Finding $namespace | Where-Object Name -EQ $Name
        $finding | Should -Not -BeNullOrEmpty
        $finding.Severity | Should -Be $Severity
        $finding.Evidence | Should -BeLike $Evidence
        $finding.Namespace | Should -Be $namespace
    }

    It 'finds what is off: <Setting>' -ForEach @(
        @{ Setting = 'Accounting'; Value = $false; Name = 'AccountingOff' }
        @{ Setting = 'Timestamp'; Value = $false; Name = 'TimestampOff' }
        @{ Setting = 'Events'; Value = 'Auto'; Name = 'EventsAuto' }
        @{ Setting = 'Events'; Value = 'Off'; Name = 'EventsOff' }
    ) {
        Set-ConntrackSetting $Setting $Value -NetworkNamespace $namespace
        try {
            $finding = Get-Finding $namespace
            $finding.Name | Should -Be $Name
            $finding.Severity | Should -Be 'Information'
            (Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 | Where-Object { $_.Name -notin $ofTheMachine -and $_.Severity -ne 'Ok' }) | Should -BeNullOrEmpty -Because 'advice comes on request'
            # The remedy is a command line that fixes the problem.
            & ([scriptblock]::Create($finding.Remedy))
            Get-Finding $namespace | Should -BeNullOrEmpty
        }
        finally {
            Set-Quiet $namespace
        }
    }

    It 'has remedies that run and fix the problem: <Name>' -ForEach @(
        @{ Name = 'SourceShare'; Lines = { 1..1500 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport $_ --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED" } } }
        @{ Name = 'HalfOpenFlood'; Lines = { 1..1500 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport $_ --dport 80 --state SYN_SENT" } } }
        @{ Name = 'HalfOpenFlood'; Lines = { (New-ManyLine 1500) -replace 'ESTABLISHED -u SEEN_REPLY,ASSURED', 'SYN_SENT' } }
        @{ Name = 'Unreplied'; Lines = { 1..1200 | ForEach-Object { "-s 10.1.$($_ -shr 8).$($_ -band 255) -d 198.51.100.7 -p udp --sport 5 --dport 53" } } }
        @{ Name = 'IdleEstablished'; Lines = { New-ManyLine 1500 } }
    ) {
        Add-KernelLine $namespace (& $Lines)
        # No entries that must remain: half closed, active an hour ago, waiting for an acknowledgement.
        Add-KernelLine $namespace @(
            '-s 192.0.2.1 -d 198.51.100.9 -p tcp --sport 1 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED'
            '-t 428400 -s 192.0.2.2 -d 198.51.100.9 -p tcp --sport 2 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
            '-t 290 -s 192.0.2.3 -d 198.51.100.9 -p tcp --sport 3 --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        )
        try {
            $finding = Get-Finding $namespace | Where-Object Name -EQ $Name
            & ([scriptblock]::Create($finding.Remedy))
            Get-Finding $namespace | Should -BeNullOrEmpty
            (Get-KernelEntry $namespace | Sort-Object SourcePort).SourceAddress | Should -Be '192.0.2.1', '192.0.2.2', '192.0.2.3'
        }
        finally {
            Get-ConntrackTimeout Tcp -NetworkNamespace $namespace | Set-ConntrackTimeout -Reset
        }
    }

    It 'reports helpers in use, and its remedy shows where' {
        $master = @{ Protocol = 'tcp'; SourceAddress = '192.0.2.1'; SourcePort = 4000; DestinationAddress = '198.51.100.7'; DestinationPort = 21; State = 'Established'; TimeoutSeconds = 60 }
        New-ConntrackEntry @master -Helper ftp -NetworkNamespace $namespace
        $finding = Get-Finding $namespace
        $finding.Name, $finding.Severity, $finding.Evidence | Should -Be 'HelperInUse', 'Information', 'Entries with helpers: ftp (1).'
        $shown = @(& ([scriptblock]::Create($finding.Remedy)))
        $shown.Count, $shown[0].DestinationPort, $shown[0].Helper | Should -Be 1, 21, 'ftp'
    }

    It 'has remedies of commands and parameters that exist' {
        # All current findings of this machine, including advice.
        foreach ($finding in Test-ConntrackHealth -MinimumSeverity Information -SampleTime 0) {
            $ast = [System.Management.Automation.Language.Parser]::ParseInput($finding.Remedy, [ref] $null, [ref] ($problems = $null))
            $problems | Should -BeNullOrEmpty
            foreach ($command in $ast.FindAll({ $args[0] -is [System.Management.Automation.Language.CommandAst] }, $true)) {
                $known = Get-Command $command.GetCommandName() -ErrorAction Stop
                foreach ($parameter in $command.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] }) {
                    $known.Parameters.Keys | Should -Contain $parameter.ParameterName -Because $finding.Remedy
                }
            }
        }
    }

    It 'has one finding of severity Ok with the figures on a healthy machine, and none with -MinimumSeverity' {
        Add-KernelLine $namespace (New-ManyLine 3)
        $found = @(Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0)
        if ($found.Name | Where-Object { $_ -in $ofTheMachine }) {
            Set-ItResult -Skipped -Because 'the machine itself has a finding'
            return
        }
        $found.Count | Should -Be 1
        $found.Severity, $found.Name, $found.Namespace | Should -Be 'Ok', 'Healthy', $namespace
        $maximum = [int] (Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_max)
        $found.Evidence | Should -BeLike "Entries: 3 of $($maximum.ToString('N0', [cultureinfo]::InvariantCulture)) (* %)*buckets *packets dropped: 0; *dropped early: 0;*"
        $found.Remedy | Should -BeNullOrEmpty
        $found[0] | Out-String | Should -Match 'Severity +: Ok'
        foreach ($severity in 'Warning', 'Critical', 'Information') {
            Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 -MinimumSeverity $severity | Should -BeNullOrEmpty
        }
        (Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 -MinimumSeverity Ok).Name | Should -Be 'Healthy'
        Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 -Quiet | Should -BeTrue
    }

    It 'has no finding of severity Ok beside a problem' {
        Add-KernelLine $namespace (1..1200 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p udp --sport $_ --dport 53" })
        (Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0).Severity | Should -Not -Contain 'Ok'
    }

    It 'gives a Boolean with -Quiet' {
        $isWell = -not (Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 | Where-Object Severity -NE Ok)
        Test-ConntrackHealth -Quiet -NetworkNamespace $namespace -SampleTime 0 | Should -Be $isWell
        Add-KernelLine $namespace (1..1200 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p udp --sport $_ --dport 53" })
        $answer = Test-ConntrackHealth -Quiet -NetworkNamespace $namespace -SampleTime 0
        $answer | Should -BeOfType bool
        $answer | Should -BeFalse
        Test-ConntrackHealth -Quiet -NetworkNamespace $namespace, no-such-namespace -SampleTime 0 -ErrorAction SilentlyContinue | Should -BeFalse
    }

    It 'looks at several namespaces' {
        $other = New-TestNamespace
        try {
            $found = Test-ConntrackHealth -NetworkNamespace $namespace, $other -SampleTime 0 -MinimumSeverity Information | Where-Object Name -EQ AccountingOff
            $found.Namespace | Should -Be $other
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'shows each finding whole' {
        Add-KernelLine $namespace (1..1200 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p udp --sport $_ --dport 53" })
        $text = Get-Finding $namespace | Out-String -Width 200
        foreach ($label in 'Severity', 'Name', 'Evidence', 'Explanation', 'Remedy', 'Namespace') {
            $text | Should -Match "(?m)^$label +: \S"
        }
        Get-Finding $namespace | Format-Table | Out-String | Should -Match 'Severity +Name +Evidence'
    }

    It 'finds files that contradict, and its remedy ends that' {
        $root = "$TestDrive/root"
        $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
        Set-Content "$root/etc/sysctl.d/10-other.conf" 'net.netfilter.nf_conntrack_udp_timeout = 77'
        # Both are read after our file. Their other lines are kept.
        Set-Content "$root/etc/sysctl.d/99-zz.conf" '# mine', 'net.netfilter.nf_conntrack_acct = 0', 'net.ipv4.ip_forward = 1'
        Set-Content "$root/etc/sysctl.conf" ' -net/netfilter/nf_conntrack_tcp_timeout_close=11', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60'
        $script = [scriptblock]::Create(@"
`$findings = Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -EQ PersistedDiffers
`$findings.Evidence
`$findings | ForEach-Object { & ([scriptblock]::Create(`$_.Remedy)) 6>`$null 3>`$null }
@(Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -Like Persisted*).Count
"@)
        $seen = Invoke-Child -Prefix ip, netns, exec, $namespace $script
        $seen[0] | Should -BeLike '*nf_conntrack_acct is True now, and False in *99-zz.conf*'
        $seen[1] | Should -BeLike '*nf_conntrack_tcp_timeout_close is 10 now, and 11 in *sysctl.conf*'
        $seen[2] | Should -BeLike '*nf_conntrack_udp_timeout is 30 now, and 77 in *10-other.conf*'
        $seen[3] | Should -Be 0
        Get-Content "$root/etc/sysctl.d/99-zz.conf" | Should -Be '# mine', '# net.netfilter.nf_conntrack_acct = 0', 'net.ipv4.ip_forward = 1'
        Get-Content "$root/etc/sysctl.conf" | Should -Be '#  -net/netfilter/nf_conntrack_tcp_timeout_close=11', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60'
    }

    It 'refuses a sample of hours' {
        $failure = @(Get-Failure { Test-ConntrackHealth -SampleTime 2h -NetworkNamespace $namespace })
        $failure.FullyQualifiedErrorId | Should -Match '^ParameterArgumentTransformationError,'
        "$failure" | Should -BeLike '*SampleTime*too long*3600 seconds*'
    }

    It 'leaves when it is stopped' {
        $shell = [powershell]::Create().AddScript("Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Test-ConntrackHealth -SampleTime 1h")
        $null = $shell.BeginInvoke()
        Start-Sleep 2
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 5
        $shell.Dispose()
    }

    It 'says what it may not' {
        $failure = Invoke-Child -Prefix ip, netns, exec, $namespace, setpriv, '--bounding-set=-all', '--inh-caps=-all' {
            Test-ConntrackHealth -SampleTime 0 -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures.FullyQualifiedErrorId
        }
        $failure | Should -BeLike 'PermissionDenied,*'
    }
}
