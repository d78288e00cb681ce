<#
    Where a command works, and what it says of that: the caller's own network namespace is not always the initial one, /proc/sys may
    be mounted read-only, and a remedy has to act where the fault is.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule

    <# Runs a script with files mounted over others: pairs of a file and the file that it replaces. Without a namespace, in the initial one. #>
    function Invoke-With([string[]] $Mount, [string] $Script, [string] $Namespace) {
        $prefix = @('timeout', '-k', '5', '120')
        if ($Namespace) {
            $prefix += 'ip', 'netns', 'exec', $Namespace
        }
        $command = ($Mount | ForEach-Object { "mount $_ && " }) -join ''
        Invoke-Child ([scriptblock]::Create($Script)) -Prefix ($prefix + 'unshare', '-m', 'sh', '-c', "${command}exec `"`$@`"", 'sh')
    }

    <# A kernel log with one line, with the current or an earlier time. #>
    function New-KernelLog([string] $Text, [int] $Age) {
        $microseconds = [long] (([double] ((Get-Content /proc/uptime) -split ' ')[0] - $Age) * 1e6)
        Set-Content "$TestDrive/kmsg" "4,1,$microseconds,-;$Text"
        "--bind $TestDrive/kmsg /dev/kmsg"
    }

    $report = 'foreach ($failure in $failures) { $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", "$failure" }'
    $readOnly = '--bind /proc/sys /proc/sys', '-o remount,ro,bind /proc/sys'
}

Describe 'The caller''s own network namespace' {
    BeforeAll {
        $namespace = New-TestNamespace
        $inode = stat -L -c %i "/run/netns/$namespace"
        $health = 'Test-ConntrackHealth -SampleTime 0 -MinimumSeverity Information | Where-Object Name -Like *Logged | ForEach-Object Evidence; "end"'
        $null = $inode, $health
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'counts log lines without a name only in the initial namespace' {
        $log = New-KernelLog 'nf_conntrack: nf_conntrack: table full, dropping packet'
        Invoke-With $log $health | Select-Object -First 1 | Should -BeLike '*table full*1 lines*' -Because 'so the witness works'
        Invoke-With $log $health $namespace | Should -Be 'end'
        $log = New-KernelLog 'nf_conntrack: nf_conntrack: expectation table full'
        Invoke-With $log ($health -replace '\*Logged', 'ExpectationTableFull') $namespace | Should -Be 'end'
    }

    It 'takes those with its number for its own, but for those from before its time: numbers are given again' {
        $log = New-KernelLog "nf_conntrack: nf_conntrack: table full in netns $inode, dropping packet"
        Invoke-With $log $health $namespace | Select-Object -First 1 | Should -BeLike '*table full*'
        Invoke-With $log $health | Should -Be 'end'
        $log = New-KernelLog "nf_conntrack: nf_conntrack: table full in netns $inode, dropping packet" -Age 3600
        Invoke-With $log $health $namespace | Should -Be 'end'
        $log = New-KernelLog "nf_conntrack: nf_conntrack: table full in netns 7, dropping packet"
        Invoke-With $log $health $namespace | Should -Be 'end'
    }

    It 'is not what boot''s files speak of: they are neither shown nor written' {
        $null = New-Item "$TestDrive/sysctl.d" -ItemType Directory -Force
        Set-Content "$TestDrive/sysctl.d/10-x.conf" 'net.netfilter.nf_conntrack_acct = 1', 'net.netfilter.nf_conntrack_icmp_timeout = 7'
        $seen = Invoke-With "--bind $TestDrive/sysctl.d /etc/sysctl.d" @"
'persisted', (Get-ConntrackSetting Accounting).PersistedValue, (Get-ConntrackTimeout Icmp).PersistedSeconds -join ','
Test-ConntrackHealth -SampleTime 0 | Where-Object Name -Like Persisted* | ForEach-Object Evidence
try { Set-ConntrackSetting Accounting `$true -PersistOnly } catch { `$failures = @(`$_) }
$report
try { Set-ConntrackTimeout Icmp -Timeout 9 -Persist } catch { `$failures = @(`$_) }
$report
(Get-ConntrackTimeout Icmp).TimeoutSeconds
"@ $namespace
        $seen[0] | Should -Be 'persisted,,'
        $seen[1] | Should -BeLike 'NotPersistable,*'
        $seen[3] | Should -BeLike '*initial network namespace*does not apply to this one*'
        $seen[4] | Should -BeLike 'NotPersistable,*'
        $seen[7] | Should -Be 30 -Because 'nothing is set where half of it is refused'
        (Get-ChildItem "$TestDrive/sysctl.d").Name | Should -Be '10-x.conf'
        # For comparison: the files of boot apply here.
        $seen = Invoke-With "--bind $TestDrive/sysctl.d /etc/sysctl.d" '(Get-ConntrackSetting Accounting).PersistedValue, (Get-ConntrackTimeout Icmp).PersistedSeconds'
        $seen | Should -Be 'True', 7
    }

    It 'can''t set what is the machine''s, and the remedy does not pretend so' {
        $log = New-KernelLog "nf_conntrack: nf_conntrack: table full in netns $inode, dropping packet"
        $seen = Invoke-With $log @'
$remedy = (Test-ConntrackHealth -SampleTime 0 | Where-Object Name -EQ TableFullLogged).Remedy
$remedy
Set-ConntrackSetting Maximum 300000 -ErrorVariable failures -ErrorAction SilentlyContinue
"$failures"
'@ $namespace
        # A container or a sandbox can hide its first process.
        if (readlink /proc/1/ns/net 2>$null) {
            $seen[0] | Should -BeLike 'Set-ConntrackSetting -Name Maximum -Value * -NetworkNamespace 1 -Persist'
            $seen[1] | Should -BeLike '*read-only in this network namespace*share*-NetworkNamespace 1*'
        }
        else {
            $seen[0] | Should -BeLike 'Set-ConntrackSetting -Name Maximum -Value * # on the host*'
            $seen[1] | Should -BeLike '*read-only in this network namespace*share*on the host*'
        }
    }
}

Describe 'What can''t be written' {
    BeforeAll {
        $namespace = New-TestNamespace
        $folder = New-UnprivilegedFolder
    }

    AfterAll {
        Remove-TestNamespace $namespace
        Remove-Item $folder -Recurse -Force
    }

    It 'is reported as a mount if /proc/sys is read-only, and its host sets it' {
        $script = @"
(Get-ConntrackSetting Accounting).IsWritable
Set-ConntrackSetting Accounting `$true -ErrorVariable failures -ErrorAction SilentlyContinue
$report
Set-ConntrackSetting Maximum 300000 -ErrorVariable failures -ErrorAction SilentlyContinue
`$failures.FullyQualifiedErrorId
"@
        $seen = Invoke-With $readOnly $script $namespace
        $seen[0] | Should -Be 'False'
        $seen[1] | Should -BeLike 'ProcSysReadOnly,*'
        $seen[2] | Should -Be 'InvalidOperation'
        $seen[3] | Should -BeLike '*nf_conntrack_acct*/proc/sys is mounted read-only*Set it on the host: Set-ConntrackSetting -NetworkNamespace*--sysctl net.netfilter.nf_conntrack_acct=*'
        $seen[3] | Should -Not -BeLike '*initial network namespace*'
        $seen[4] | Should -BeLike 'SettingReadOnly,*' -Because 'the namespace could not write that one, whatever the mount'
        $seen = Invoke-With $readOnly $script
        $seen[0, 1, 4] | Should -BeLike '*' -Because 'the initial namespace too'
        $seen[1] | Should -BeLike 'ProcSysReadOnly,*'
        $seen[4] | Should -BeLike 'ProcSysReadOnly,*'

        # The remedy, run on the host with a process of the container.
        $process = Start-Process ip -PassThru -ArgumentList 'netns', 'exec', $namespace, 'unshare', '-m', 'sleep', '60'
        try {
            Wait-Until { (Get-Content "/proc/$($process.Id)/comm") -eq 'sleep' } 'the container does not start'
            Set-ConntrackSetting Accounting $true -NetworkNamespace $process.Id
            Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
        }
        finally {
            $process.Kill()
        }
    }

    It 'is reported as a missing privilege to a user without' {
        $seen = Invoke-Unprivileged ([scriptblock]::Create(@"
(Get-ConntrackSetting Accounting).IsWritable
Set-ConntrackSetting Accounting `$true -ErrorVariable failures -ErrorAction SilentlyContinue
$report
"@)) -Folder $folder -Namespace $namespace
        $seen[0] | Should -Be 'True'
        $seen[1] | Should -BeLike 'PermissionDenied,*'
        $seen[2] | Should -Be 'PermissionDenied'
        $seen[3] | Should -BeLike '*CAP_NET_ADMIN*'
    }

    It 'is reported as shared by the machine if the namespace can only read it' {
        $failure = @(Get-Failure { Set-ConntrackSetting Maximum 300000 -NetworkNamespace $namespace })
        $failure.FullyQualifiedErrorId | Should -BeLike 'SettingReadOnly,*'
        "$failure" | Should -BeLike '*All network namespaces of the machine share it*omit -NetworkNamespace*'
    }
}

Describe 'Remedies of warnings and errors act where the fault is' {
    BeforeAll {
        $namespace = New-TestNamespace
        $quiet = @{ WarningAction = 'SilentlyContinue' }
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'warns of what is off, and the command line in it ends that: <Name> <With>' -ForEach @(
        @{ Name = 'Get-ConntrackEntry'; With = @{ MinimumBytes = 1 }; Setting = 'acct' }
        @{ Name = 'Get-ConntrackEntry'; With = @{ OlderThan = '1s' }; Setting = 'timestamp' }
        @{ Name = 'Measure-ConntrackEntry'; With = @{ MinimumPackets = 1; GroupBy = 'Protocol' }; Setting = 'acct' }
        @{ Name = 'Remove-ConntrackEntry'; With = @{ OlderThan = '1s' }; Setting = 'timestamp' }
        @{ Name = 'Set-ConntrackEntry'; With = @{ MinimumBytes = 1; NewMark = 1 }; Setting = 'acct' }
        @{ Name = 'Watch-ConntrackEvent'; With = @{ OlderThan = '1s'; TimeoutSeconds = 0 }; Setting = 'timestamp' }
        @{ Name = 'Watch-ConntrackEvent'; With = @{ TimeoutSeconds = 0 }; Setting = 'events' }
    ) {
        $null = Invoke-InNamespace $namespace sysctl -qw "net.netfilter.nf_conntrack_$Setting=0"
        $before = sysctl -n "net.netfilter.nf_conntrack_$Setting"
        & $Name @With -NetworkNamespace $namespace -WarningVariable warnings @quiet
        "$warnings" -match '(Set-ConntrackSetting .*)$' | Should -BeTrue -Because "$warnings"
        & ([scriptblock]::Create($Matches[1]))
        Invoke-InNamespace $namespace sysctl -n "net.netfilter.nf_conntrack_$Setting" | Should -Be 1
        sysctl -n "net.netfilter.nf_conntrack_$Setting" | Should -Be $before -Because 'the caller''s own namespace has no part in it'
        & $Name @With -NetworkNamespace $namespace -WarningVariable warnings @quiet
        $warnings | Should -BeNullOrEmpty
    }

    It 'warns of connections that will stay silent, and its command line ends that for those to come' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=2
        Add-KernelLine $namespace (New-ManyLine 1)
        Watch-ConntrackEvent -NetworkNamespace $namespace -Timeout 0 -WarningVariable warnings @quiet
        "$warnings" -match '(Set-ConntrackSetting .*)$' | Should -BeTrue
        $null = & ([scriptblock]::Create($Matches[1]))
        Watch-ConntrackEvent -NetworkNamespace $namespace -Timeout 0 -WarningVariable warnings @quiet
        $warnings | Should -BeNullOrEmpty
        $null = Invoke-InNamespace $namespace conntrack -F
    }

    It 'names the namespace in the way to everything: <Script>' -ForEach @(
        @{ Script = 'Remove-ConntrackEntry'; Remedy = 'Clear-ConntrackTable' }
        @{ Script = 'Set-ConntrackEntry -NewMark 1'; Remedy = 'Get-ConntrackEntry' }
        @{ Script = 'Remove-ConntrackExpectation'; Remedy = 'Clear-ConntrackTable' }
        @{ Script = 'Set-ConntrackTimeoutPolicy none -Established 5'; Remedy = 'Get-ConntrackTimeoutPolicy' }
        @{ Script = 'New-ConntrackTimeoutPolicy there -Protocol Tcp -Established 5'; Remedy = 'Set-ConntrackTimeoutPolicy' }
    ) {
        New-ConntrackTimeoutPolicy there -Protocol Tcp -Established 7 -NetworkNamespace $namespace -ErrorAction Ignore
        $failure = @(Get-Failure { & ([scriptblock]::Create("$Script -NetworkNamespace $namespace")) })
        "$failure" | Should -BeLike "*$Remedy*-NetworkNamespace '$namespace'*"
    }

    It 'knows the rules that hold a policy back' {
        New-ConntrackTimeoutPolicy held -Protocol Udp -Replied 7 -NetworkNamespace $namespace
        $null = Invoke-InNamespace $namespace iptables -t raw -A PREROUTING -p udp -j CT --timeout held
        $failure = @(Get-Failure { Remove-ConntrackTimeoutPolicy held -NetworkNamespace $namespace -Confirm:$false })
        "$failure" -match '(nsenter .*)$' | Should -BeTrue -Because "$failure"
        & ([scriptblock]::Create($Matches[1])) | Should -Contain '-A PREROUTING -p udp -j CT --timeout held'
    }
}

Describe 'Unexpected values' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'reads and sets numbers as wide as the kernel''s' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_frag6_high_thresh=18446744073709551615
        $setting = Get-ConntrackSetting Fragment6HighThreshold -NetworkNamespace $namespace
        $setting.Value | Should -Be ([ulong]::MaxValue)
        $setting.Maximum | Should -Be ([ulong]::MaxValue)
        @(Get-ConntrackSetting -NetworkNamespace $namespace).Count | Should -BeGreaterThan 10
        { Test-ConntrackHealth -NetworkNamespace $namespace -SampleTime 0 -ErrorAction Stop } | Should -Not -Throw
        Set-ConntrackSetting Fragment6HighThreshold 18446744073709551614 -NetworkNamespace $namespace
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_frag6_high_thresh | Should -Be '18446744073709551614'
        (Get-Failure { Set-ConntrackSetting Fragment6HighThreshold 18446744073709551616 -NetworkNamespace $namespace }).FullyQualifiedErrorId | Should -BeLike 'ValueOutOfRange,*'
        $setting | Set-ConntrackSetting
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_frag6_high_thresh | Should -Be '18446744073709551615'
    }

    It 'makes one error of <Text>, and the rest is processed' -ForEach @(
        @{ Text = ''; Message = '*nf_conntrack_acct is empty*' }
        @{ Text = '1 2 3'; Message = "*nf_conntrack_acct has the value '1 2 3'*" }
        @{ Text = 'on'; Message = "*'on'*" }
        @{ Text = '99999999999999999999999999'; Message = '*99999999999999999999999999*' }
        @{ Text = '-99999999999999999999'; Message = '*-99999999999999999999*' }
    ) {
        Set-Content "$TestDrive/odd" $Text
        $seen = Invoke-With "--bind $TestDrive/odd /proc/sys/net/netfilter/nf_conntrack_acct" @'
$settings = Get-ConntrackSetting -ErrorVariable failures -ErrorAction SilentlyContinue
$settings.Count -gt 10
$failures.FullyQualifiedErrorId
"$failures"
Get-ConntrackSetting Timestamp, Accounting -ErrorVariable failures -ErrorAction SilentlyContinue | ForEach-Object Name
$failures.Count
$null = Test-ConntrackHealth -SampleTime 0 -ErrorVariable failures -ErrorAction SilentlyContinue
$failures.Count
$failures.FullyQualifiedErrorId
Test-ConntrackHealth -SampleTime 0 -Quiet -ErrorAction SilentlyContinue
Set-ConntrackSetting Timestamp $true
(Get-ConntrackSetting Timestamp).Value
(Get-ConntrackStat).Count
'@ $namespace
        $seen[0] | Should -Be 'True'
        $seen[1] | Should -Be 'SettingUnreadable,ConntrackPS.Commands.GetConntrackSettingCommand'
        $seen[2] | Should -BeLike $Message
        $seen[3, 4] | Should -Be 'Timestamp', 1
        $seen[5, 6] | Should -Be 1, 'SettingUnreadable,ConntrackPS.Commands.TestConntrackHealthCommand'
        $seen[7, 8, 9] | Should -Be 'False', 'True', 0
    }

    It 'shows <Text> as a negative number' -ForEach @{ Text = '-5' } {
        Set-Content "$TestDrive/odd" $Text
        Invoke-With "--bind $TestDrive/odd /proc/sys/net/netfilter/nf_conntrack_tcp_max_retrans" '(Get-ConntrackSetting TcpMaxRetrans).Value; @(Get-ConntrackSetting).Count -gt 10' $namespace |
            Should -Be -5, 'True'
    }

    It 'makes one error of an unreadable timeout, and the rest is processed' {
        Set-Content "$TestDrive/odd" '1 2'
        # Without the privilege timeouts are read by sysctl.
        $seen = Invoke-Child -Prefix timeout, 60, ip, netns, exec, $namespace, unshare, -m, sh, -c,
            "mount --bind $TestDrive/odd /proc/sys/net/netfilter/nf_conntrack_icmp_timeout && chmod 755 $TestDrive && exec setpriv --bounding-set=-all --inh-caps=-all `"`$@`"", sh {
            $timeouts = Get-ConntrackTimeout -ErrorVariable failures -ErrorAction SilentlyContinue
            $timeouts.Count -gt 10
            $failures.FullyQualifiedErrorId
        }
        $seen | Should -Be 'True', 'SettingUnreadable,ConntrackPS.Commands.GetConntrackTimeoutCommand'
    }

    It 'makes one error of the table''s figures, for one namespace of several' {
        $other = New-TestNamespace
        try {
            Set-Content "$TestDrive/odd" 'many'
            $seen = Invoke-With "--bind $TestDrive/odd /proc/sys/net/netfilter/nf_conntrack_count" @"
Get-ConntrackStat -ErrorVariable failures -ErrorAction SilentlyContinue
`$failures.FullyQualifiedErrorId
"@ $namespace
            $seen | Select-Object -Last 1 | Should -BeLike 'SettingUnreadable,*'
        }
        finally {
            Remove-TestNamespace $other
        }
    }
}

Describe 'Files that come after ours' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $null = New-Item "$root/etc/sysctl.d", "$root/etc/default", "$root/etc/ufw", "$root/etc/modprobe.d" -ItemType Directory
        Set-Content "$root/etc/sysctl.d/zz-local.conf" '# mine', 'net/netfilter/nf_conntrack_max=1000'
        Set-Content "$root/etc/sysctl.conf" 'net.ipv4.netfilter.ip_conntrack_max=65536', 'net.nf_conntrack_max = 2000'
        Set-Content "$root/etc/default/ufw" 'IPT_SYSCTL=/etc/ufw/sysctl.conf'
        Set-Content "$root/etc/ufw/sysctl.conf" 'net/netfilter/nf_conntrack_max=3000'
        Set-Content "$root/etc/modprobe.d/nf_conntrack_hashsize.conf" 'options nf_conntrack hashsize = 262144', 'options nf_conntrack hashsize=77 acct=1'
    }

    It 'are all reported when a value is persisted, with their lines and readers' {
        Set-ConntrackSetting Maximum 5000 -PersistOnly -PersistRoot $root -WarningVariable warnings -WarningAction SilentlyContinue 6>$null
        @($warnings).Count | Should -Be 1
        "$warnings" | Should -BeLike ("net.netfilter.nf_conntrack_max is set again after $root/etc/sysctl.d/99-conntrackps.conf: " +
            "by $root/etc/sysctl.d/zz-local.conf line 2 to 1000 (systemd-sysctl, sysctl --system); " +
            "$root/etc/sysctl.conf line 2 to 2000 (sysctl --system); $root/etc/ufw/sysctl.conf line 1 to 3000 (ufw*).*")
        Set-ConntrackSetting Buckets 65536 -PersistOnly -PersistRoot $root -WarningVariable warnings -WarningAction SilentlyContinue 6>$null
        "$warnings" | Should -BeLike '*nf_conntrack_hashsize.conf line 2 to 77 (modprobe*'
    }

    It 'are found, and the remedy ends that for all their readers' {
        Set-ConntrackSetting Maximum 5000 -PersistOnly -PersistRoot $root -WarningAction SilentlyContinue 6>$null
        Set-ConntrackSetting Buckets 65536 -PersistOnly -PersistRoot $root -WarningAction SilentlyContinue 6>$null
        $findings = @(Test-ConntrackHealth -SampleTime 0 -PersistRoot $root | Where-Object Name -Like 'Persisted*')
        $elsewhere = @($findings | Where-Object Name -EQ PersistedElsewhere)
        $elsewhere.Count | Should -Be 2
        $elsewhere[0].Evidence | Should -BeLike '*zz-local.conf line 2*sysctl.conf line 2*ufw/sysctl.conf line 1*'
        @($findings | Where-Object Name -EQ PersistedWithoutEffect).Evidence | Should -BeLike '*line 1*'
        $elsewhere | ForEach-Object { & ([scriptblock]::Create($_.Remedy)) }
        Test-ConntrackHealth -SampleTime 0 -PersistRoot $root | Where-Object Name -EQ PersistedElsewhere | Should -BeNullOrEmpty
        (Get-ConntrackSetting Maximum -PersistRoot $root).PersistedValue | Should -Be 5000
        Get-Content "$root/etc/sysctl.d/zz-local.conf" | Should -Be '# mine', '# net/netfilter/nf_conntrack_max=1000'
        Get-Content "$root/etc/sysctl.conf" | Should -Be 'net.ipv4.netfilter.ip_conntrack_max=65536', '# net.nf_conntrack_max = 2000'
    }

    It 'are reported when ours is removed, and another still sets the value' {
        Set-Content "$root/etc/sysctl.d/10-x.conf" 'net.netfilter.nf_conntrack_icmp_timeout = 7'
        Set-ConntrackTimeout Icmp -Reset -PersistOnly -PersistRoot $root -WarningVariable warnings -WarningAction SilentlyContinue 6>$null
        "$warnings" | Should -BeLike '*10-x.conf line 1 to 7*'
    }
}

Describe 'Paths that lead to no namespace' {
    BeforeAll {
        # Everything that can be named, and the other parameters that each command needs.
        $commands = Get-Command -Module ConntrackPS | Where-Object { $_.Parameters.ContainsKey('NetworkNamespace') } | ForEach-Object Name
        $with = @{
            'Add-ConntrackHistory'            = "'$TestDrive/never.csv'"
            'Block-ConntrackTraffic'          = '-Address 192.0.2.1'
            'Clear-ConntrackTable'            = '-Confirm:$false'
            'Disable-ConntrackHelper'         = 'ftp'
            'Disable-ConntrackTracking'       = '-Protocol Udp -DestinationPort 9'
            'Enable-ConntrackTracking'        = '*'
            'Enable-ConntrackHelper'          = 'ftp -DestinationAddress 192.0.2.1'
            'Export-ConntrackMetric'          = '-StatisticsOnly'
            'Export-ConntrackReport'          = "'$TestDrive/never.html' -SampleTime 0"
            'Get-ConntrackHistory'            = "'$TestDrive/never.csv'"
            'Limit-ConntrackSource'           = '-Maximum 1000'
            'New-ConntrackEntry'              = '-Protocol udp -SourceAddress 192.0.2.1 -SourcePort 1 -DestinationAddress 192.0.2.2 -DestinationPort 2 -Timeout 9'
            'New-ConntrackExpectation'        = '-Master (Get-ConntrackEntry -Exact -Protocol tcp -SourceAddress 192.0.2.9 -SourcePort 9 -DestinationAddress 192.0.2.8 -DestinationPort 21 -NetworkNamespace $Namespace) -SourceAddress 192.0.2.8 -DestinationAddress 192.0.2.9 -DestinationPort 77 -Protocol tcp'
            'New-ConntrackTimeoutPolicy'      = 'x -Protocol Udp -Replied 9'
            'Remove-ConntrackEntry'           = '-Address 192.0.2.1'
            'Remove-ConntrackExpectation'     = '-SourceAddress 192.0.2.1'
            'Remove-ConntrackRule'            = '*'
            'Remove-ConntrackTimeoutPolicy'   = 'x -Confirm:$false'
            'Register-ConntrackAlert'         = '-FillAbove 80 -Action { }'
            'Register-ConntrackEvent'         = '-Action { }'
            'Repair-ConntrackHealth'          = "([pscustomobject]@{ Severity = 'Warning'; Name = 'x'; Remedy = 'x' }) -SampleTime 0 -Confirm:`$false"
            'Set-ConntrackEntry'              = '-Address 192.0.2.1 -NewMark 1'
            'Set-ConntrackSetting'            = 'Accounting $true'
            'Set-ConntrackTimeout'            = 'Icmp -Timeout 9'
            'Set-ConntrackTimeoutPolicy'      = 'x -Replied 9'
            'Show-ConntrackTop'               = '-Once'
            'Unblock-ConntrackTraffic'        = '-Id 1'
            'Watch-ConntrackEvent'            = '-Timeout 0'
        }
        $namespace = New-TestNamespace
        Add-KernelLine $namespace '-s 192.0.2.9 -d 192.0.2.8 -p tcp --sport 9 --dport 21 --state ESTABLISHED -u SEEN_REPLY,ASSURED'
        $null = $commands, $with
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'are refused by every command at once, and never opened: <Kind>' -ForEach @(
        @{ Kind = 'a pipe'; Make = { mkfifo $args[0] } }
        @{ Kind = 'a device'; Make = { mknod $args[0] c 1 3 } }
        @{ Kind = 'a device that is not there'; Make = { mknod $args[0] c 241 77 } }
        @{ Kind = 'a folder'; Make = { mkdir $args[0] } }
        @{ Kind = 'a socket'; Make = { $socket = [System.Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified'); $socket.Bind([System.Net.Sockets.UnixDomainSocketEndPoint]::new($args[0])); $socket.Dispose() } }
        @{ Kind = 'a huge file'; Make = { truncate -s 1T $args[0] } }
        @{ Kind = 'a link to a pipe'; Make = { mkfifo "$($args[0])-pipe"; ln -s "$($args[0])-pipe" $args[0] } }
        @{ Kind = 'a link to itself'; Make = { ln -s $args[0] $args[0] } }
    ) {
        $path = "$TestDrive/$([guid]::NewGuid().ToString('N').Substring(0, 8))"
        & $Make $path
        # Opening the pipe would wake its other end.
        $writer = if ($Kind -like '*pipe') { Start-Process timeout -PassThru -ArgumentList '60', 'sh', '-c', "`"echo woken > $path`"" }
        $lines = foreach ($command in $commands) {
            "`$failures = @(); try { `$null = $command $($with[$command]) -NetworkNamespace '$path' -ErrorAction Stop } catch { `$failures = @(`$_) }"
            "'$command ' + `$failures.FullyQualifiedErrorId"
        }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $seen = Invoke-Child -Namespace $namespace -Prefix timeout, -k, 5, 60 ([scriptblock]::Create($lines -join "`n"))
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 30
        ($seen -split "`n" | ForEach-Object { ($_ -split ' ')[0] }) -join ' ' | Should -Be ($commands -join ' ')
        foreach ($line in $seen | Where-Object { $_ -notmatch '^(Get-ConntrackBlock|Unblock-ConntrackTraffic|Get-ConntrackHistory) ' }) {
            $line | Should -Match '^\S+ (NetworkNamespaceInvalid|NetworkNamespaceNotFound),' -Because $Kind
        }
        if ($writer) {
            $writer.HasExited | Should -BeFalse -Because 'nobody has opened the pipe'
            $writer.Kill($true)
        }
    }
}
