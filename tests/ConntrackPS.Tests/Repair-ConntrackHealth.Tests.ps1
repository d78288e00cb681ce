BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $ofTheMachine = 'TooFewBuckets', 'TooManyBuckets', 'MaximumTooBig', 'MaximumTooSmall'
    $namespace = New-TestNamespace
    'Accounting', 'Timestamp', 'Events' | ForEach-Object { Set-ConntrackSetting $_ 1 -NetworkNamespace $namespace }

    function Get-Finding([string] $Name = '*') {
        Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 -MinimumSeverity Information |
            Where-Object { $_.Name -notin $ofTheMachine -and $_.Name -like $Name }
    }

    # Entries of one source, which conntrack shows.
    $flood = 1..1500 | ForEach-Object { "-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport $_ --dport 80 --state SYN_SENT" }
    $others = @(
        '-s 192.0.2.1 -d 198.51.100.9 -p tcp --sport 1 --dport 80 --state TIME_WAIT -u SEEN_REPLY,ASSURED'
        '-s 192.0.2.2 -d 198.51.100.9 -p udp --sport 2 --dport 53'
    )
    $now = @{ SampleTime = 0; Confirm = $false }
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Repair-ConntrackHealth' {
    AfterEach {
        $null = Invoke-InNamespace $namespace conntrack -F
        Get-ConntrackTimeout Tcp -NetworkNamespace $namespace | Set-ConntrackTimeout -Reset
        Set-ConntrackSetting Accounting 1 -NetworkNamespace $namespace
    }

    It 'runs the remedy and reports that the finding is gone: <Name>' -ForEach @(
        @{ Name = 'HalfOpenFlood'; Lines = { $flood } }
        @{ Name = 'HalfOpenFlood'; Lines = { (New-ManyLine 1500) -replace 'ESTABLISHED -u SEEN_REPLY,ASSURED', 'SYN_SENT' } }
        @{ Name = 'Unreplied'; Lines = { 1..1200 | ForEach-Object { "-s 10.1.$($_ -shr 8).$($_ -band 255) -d 198.51.100.7 -p udp --sport 5 --dport 53" } } }
        @{ Name = 'IdleEstablished'; Lines = { New-ManyLine 1500 } }
    ) {
        Add-KernelLine $namespace (& $Lines)
        Add-KernelLine $namespace $others[0]
        $finding = Get-Finding $Name
        $repair = $finding | Repair-ConntrackHealth @now
        $repair.Result, $repair.Name, $repair.Command, $repair.Namespace | Should -Be 'Repaired', $Name, $finding.Remedy, $namespace
        $repair.Finding.Evidence | Should -Be $finding.Evidence
        Get-Finding $Name | Should -BeNullOrEmpty
        (Get-KernelEntry $namespace).SourceAddress | Should -Be '192.0.2.1'
    }

    It 'does just what the remedy as a command line does: <Name>' -ForEach @(
        @{ Name = 'AccountingOff'; Break = { Set-ConntrackSetting Accounting $false -NetworkNamespace $namespace } }
        @{ Name = 'IdleEstablished'; Break = { Add-KernelLine $namespace (New-ManyLine 1500) } }
    ) {
        # The values of the kernel, after each way.
        $seen = foreach ($repair in { param($finding) & ([scriptblock]::Create($finding.Remedy)) }, { param($finding) $null = $finding | Repair-ConntrackHealth @now }) {
            & $Break
            & $repair (Get-Finding $Name)
            @(Invoke-InNamespace $namespace sysctl -a --pattern 'nf_conntrack_(acct|tcp_timeout)') + "$(Get-KernelCount $namespace) entries" -join "`n"
            $null = Invoke-InNamespace $namespace conntrack -F
            Get-ConntrackTimeout Tcp -NetworkNamespace $namespace | Set-ConntrackTimeout -Reset
        }
        $seen[1] | Should -Be $seen[0]
        $seen[0] | Should -Not -BeNullOrEmpty
    }

    It 'takes findings that came through <_>' -ForEach 'Clixml', 'Json', 'Csv' {
        Add-KernelLine $namespace ($flood + $others)
        $finding = Get-Finding HalfOpenFlood
        $read = switch ($_) {
            Clixml { $finding | Export-Clixml "$TestDrive/finding.xml"; Import-Clixml "$TestDrive/finding.xml" }
            Json { $finding | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json }
            Csv { $finding | ConvertTo-Csv | ConvertFrom-Csv }
        }
        ($read | Repair-ConntrackHealth @now).Result | Should -Be 'Repaired'
        (Get-KernelEntry $namespace | Sort-Object SourceAddress).SourceAddress | Should -Be '192.0.2.1', '192.0.2.2'
    }

    It 'takes arrays' {
        Add-KernelLine $namespace $flood
        Set-ConntrackSetting Accounting $false -NetworkNamespace $namespace
        $repairs = Repair-ConntrackHealth -InputObject (Get-Finding | Where-Object Name -In HalfOpenFlood, AccountingOff) @now
        $repairs.Result | Should -Be 'Repaired', 'Repaired'
    }

    It 'does nothing about a finding that is gone' {
        Add-KernelLine $namespace $flood
        $finding = Get-Finding HalfOpenFlood
        $null = Invoke-InNamespace $namespace conntrack -F
        Add-KernelLine $namespace $others
        $repair = $finding | Repair-ConntrackHealth @now
        $repair.Result, $repair.Command | Should -Be 'NotFound', $null
        Get-KernelCount $namespace | Should -Be 2
    }

    It 'never runs the text of an object' {
        Add-KernelLine $namespace ($flood + $others)
        $finding = Get-Finding HalfOpenFlood | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json
        foreach ($remedy in "Set-Content '$TestDrive/touched' 1", 'Remove-ConntrackEntry -Protocol udp', '') {
            $finding.Remedy = $remedy
            $repair = $finding | Repair-ConntrackHealth @now
            $repair.Result, $repair.Command | Should -Be 'Refused', $null
            $repair.Reason | Should -BeLike '*Remove-ConntrackEntry -SourceAddress 192.0.2.77*'
        }
        "$TestDrive/touched" | Should -Not -Exist
        Get-KernelCount $namespace | Should -Be 1502
    }

    It 'refuses what a person has to decide: <Name>' -ForEach @(
        @{ Name = 'SourceShare'; Why = '*proxy*'; Lines = { $flood -replace 'SYN_SENT', 'ESTABLISHED -u SEEN_REPLY,ASSURED' } }
        @{ Name = 'HelperInUse'; Why = '*only lists*'; Lines = { '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 4000 --dport 21 --state ESTABLISHED --helper ftp' } }
    ) {
        if ($Name -eq 'HelperInUse') {
            New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol tcp -SourcePort 4000 -DestinationPort 21 -State Established -Timeout 60 -Helper ftp -NetworkNamespace $namespace
        }
        else {
            Add-KernelLine $namespace (& $Lines)
        }
        $before = Get-KernelCount $namespace
        $repair = Get-Finding $Name | Repair-ConntrackHealth @now
        $repair.Result, $repair.Command | Should -Be 'Refused', $null
        $repair.Reason | Should -BeLike $Why
        Get-KernelCount $namespace | Should -Be $before
    }

    It 'has an answer for every kind of remedy' {
        $core = [ConntrackPS.Conntrack.ConntrackEntry].Assembly
        $kinds = $core.GetType('ConntrackPS.Diagnosis.Health.Remedy').GetNestedTypes('Public, NonPublic') | Where-Object { $_.IsClass -and $_.BaseType.Name -eq 'Remedy' }
        $source = (Get-Content "$PSScriptRoot/../../src/ConntrackPS/Commands/RepairConntrackHealthCommand.cs" -Raw) +
            (Get-Content "$PSScriptRoot/../../src/ConntrackPS.Core/Diagnosis/Health/HealthFinding.cs" -Raw)
        $kinds.Count | Should -BeGreaterThan 10
        foreach ($kind in $kinds.Name) {
            $source | Should -Match "Remedy\.$kind\b.* =>" -Because 'it is either run or refused'
        }
    }

    It 'shows what it would run with -WhatIf, and runs none of it' {
        Add-KernelLine $namespace $flood
        $said = Invoke-Child -Namespace $namespace {
            $finding = Test-ConntrackHealth -NetworkNamespace $Namespace -SampleTime 0 | Where-Object Name -EQ HalfOpenFlood
            $finding | Repair-ConntrackHealth -SampleTime 0 -WhatIf
        }
        "$said" | Should -BeLike 'What if:*Remove-ConntrackEntry -SourceAddress 192.0.2.77 -State SynSent*HalfOpenFlood*'
        Get-KernelCount $namespace | Should -Be 1500
    }

    It 'asks, and without a user says how to continue without asking' {
        Add-KernelLine $namespace $flood
        $shell = [powershell]::Create()
        try {
            $null = $shell.AddScript("Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; Test-ConntrackHealth -SampleTime 0 -NetworkNamespace $namespace | Where-Object Name -EQ HalfOpenFlood | Repair-ConntrackHealth -SampleTime 0")
            $shell.Invoke() | Should -BeNullOrEmpty
            "$($shell.Streams.Error)" | Should -BeLike '*-Confirm:$false*'
        }
        finally {
            $shell.Dispose()
        }
        Get-KernelCount $namespace | Should -Be 1500
    }

    It 'passes over the finding of a healthy machine' {
        [pscustomobject]@{ Severity = 'Ok'; Name = 'Healthy' } | Repair-ConntrackHealth @now | Should -BeNullOrEmpty
    }

    It 'reports what is not a finding' {
        foreach ($object in 'text', [pscustomobject]@{ Name = 'x' }, [pscustomobject]@{ Name = 'x'; Severity = 'Terrible' }, (Get-Process -Id $PID)) {
            (Get-Failure { $object | Repair-ConntrackHealth @now -ErrorAction Stop }).FullyQualifiedErrorId | Should -BeLike 'NotAFinding,*'
        }
    }

    It 'fixes files that conflict, and keeps their other lines' {
        $root = "$TestDrive/root"
        $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
        Set-Content "$root/etc/sysctl.d/10-other.conf" 'net.netfilter.nf_conntrack_udp_timeout = 77'
        Set-Content "$root/etc/sysctl.d/99-zz.conf" '# mine', 'net.netfilter.nf_conntrack_acct = 0', 'net.ipv4.ip_forward = 1'
        Set-Content "$root/etc/sysctl.conf" ' -net/netfilter/nf_conntrack_tcp_timeout_close=11', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60'
        $script = [scriptblock]::Create(@"
(Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -EQ PersistedDiffers | Repair-ConntrackHealth -SampleTime 0 -PersistRoot '$root' -Confirm:`$false 6>`$null 3>`$null).Result -join ' '
@(Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -Like Persisted*).Count
"@)
        $seen = Invoke-Child -Prefix ip, netns, exec, $namespace $script
        $seen[0] | Should -Be 'Repaired Repaired Repaired'
        $seen[1] | Should -Be 0
        Get-Content "$root/etc/sysctl.d/99-zz.conf" | Should -Be '# mine', '# net.netfilter.nf_conntrack_acct = 0', 'net.ipv4.ip_forward = 1'
        Get-Content "$root/etc/sysctl.conf" | Should -Be '#  -net/netfilter/nf_conntrack_tcp_timeout_close=11', 'net.netfilter.nf_conntrack_tcp_timeout_close_wait = 60'
    }

    It 'says what it may not' {
        Add-KernelLine $namespace $flood
        $failure = Invoke-Child -Prefix ip, netns, exec, $namespace, setpriv, '--bounding-set=-all', '--inh-caps=-all' {
            [pscustomobject]@{ Severity = 'Warning'; Name = 'HalfOpenFlood'; Remedy = 'x' } | Repair-ConntrackHealth -SampleTime 0 -Confirm:$false -ErrorVariable failures -ErrorAction SilentlyContinue
            $failures.FullyQualifiedErrorId
        }
        $failure | Should -BeLike 'PermissionDenied,*'
    }
}
