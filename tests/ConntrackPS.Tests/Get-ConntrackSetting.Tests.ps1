BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
}

Describe 'Get-ConntrackSetting' {
    BeforeAll {
        $namespace = New-TestNamespace
        $settings = Get-ConntrackSetting -NetworkNamespace $namespace -PersistRoot $TestDrive
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'has every nf_conntrack_* that is no timeout and no count' {
        $files = Invoke-InNamespace $namespace ls /proc/sys/net/netfilter | Where-Object { $_ -like 'nf_conntrack_*' -and $_ -notmatch '_count$|(?<!frag6)_timeout' }
        $settings.Sysctl -replace '^net\.netfilter\.' | Sort-Object | Should -Be ($files | Sort-Object)
    }

    It 'has a typed value: <Name>' -ForEach @(
        @{ Name = 'Maximum'; Type = [long] }
        @{ Name = 'Accounting'; Type = [bool] }
        @{ Name = 'TcpLoose'; Type = [bool] }
        @{ Name = 'TcpMaxRetrans'; Type = [long] }
        @{ Name = 'Events'; Type = [string] }
        @{ Name = 'LogInvalid'; Type = [string] }
    ) {
        ($settings | Where-Object Name -EQ $Name).Value | Should -BeOfType $Type
    }

    It 'shows what sysctl shows, with the default beside it' {
        foreach ($setting in $settings | Where-Object { $_.Value -is [long] }) {
            $setting.Value | Should -Be (Invoke-InNamespace $namespace sysctl -n $setting.Sysctl) -Because $setting.Name
        }
        foreach ($setting in $settings | Where-Object { $null -ne $_.DefaultValue }) {
            $setting.Value | Should -Be $setting.DefaultValue -Because $setting.Name
        }
    }

    It 'reports what a namespace can''t write' {
        ($settings | Where-Object { -not $_.IsWritable }).Name | Should -Be 'Maximum', 'Buckets', 'ExpectationMaximum'
        (Get-ConntrackSetting Maximum).IsWritable | Should -BeTrue
    }

    It 'describes each, with its range' {
        $settings | ForEach-Object { $_.Description | Should -Match '\.$' }
        $retrans = $settings | Where-Object Name -EQ TcpMaxRetrans
        $retrans.Minimum, $retrans.Maximum | Should -Be 0, 255
    }

    It 'finds <Name>' -ForEach @(
        @{ Name = 'maximum'; Expected = @('Maximum') }
        @{ Name = 'nf_conntrack_max'; Expected = @('Maximum') }
        @{ Name = 'net.netfilter.nf_conntrack_acct'; Expected = @('Accounting') }
        @{ Name = 'Tcp*'; Expected = 'TcpLoose', 'TcpBeLiberal', 'TcpMaxRetrans', 'TcpIgnoreInvalidRst' }
        @{ Name = 'x*'; Expected = @() }
    ) {
        @(Get-ConntrackSetting $Name -NetworkNamespace $namespace | ForEach-Object Name) | Should -Be $Expected
    }

    It 'says that a name is unknown, and lists those there are' {
        $failure = @(Get-Failure { Get-ConntrackSetting Maximim, Checksum -NetworkNamespace $namespace })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be 'SettingNotFound,ConntrackPS.Commands.GetConntrackSettingCommand'
        "$failure" | Should -BeLike "*'Maximim'*Maximum, Buckets*"
    }

    It 'shows what the next boot will set' {
        $null = New-Item "$TestDrive/etc/sysctl.d" -ItemType Directory -Force
        Set-Content "$TestDrive/etc/sysctl.d/50-admin.conf" 'net.netfilter.nf_conntrack_acct = 1', 'net.nf_conntrack_max=65536', 'net.netfilter.nf_conntrack_checksum = 1'
        $all = Get-ConntrackSetting -NetworkNamespace $namespace -PersistRoot $TestDrive
        ($all | Where-Object DiffersFromPersisted).Name | Should -Be 'Maximum', 'Accounting'
        ($all | Where-Object Name -EQ Accounting).PersistedValue | Should -BeTrue
        ($all | Where-Object Name -EQ Maximum).PersistedIn | Should -Be "$TestDrive/etc/sysctl.d/50-admin.conf"
    }

    It 'fits 80 columns' {
        $lines = $settings | Format-Table | Out-String -Width 80 -Stream | Where-Object { $_ }
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $lines -match '…' | Should -BeNullOrEmpty
    }

    It 'needs no privilege' {
        $count = Invoke-Child -Prefix ip, netns, exec, $namespace, setpriv, '--bounding-set=-all', '--inh-caps=-all' { @(Get-ConntrackSetting).Count }
        $count | Should -Be $settings.Count
    }
}
