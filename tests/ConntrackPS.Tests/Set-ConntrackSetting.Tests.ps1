BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1", "$PSScriptRoot/Support/UnprivilegedSupport.psm1" -Force
    Import-PackagedModule

    function Get-Sysctl([string] $Name) {
        [long] (Invoke-InNamespace $namespace sysctl -n "net.netfilter.nf_conntrack_$Name")
    }
}

Describe 'Set-ConntrackSetting' {
    BeforeAll {
        $namespace = New-TestNamespace
        $there = @{ NetworkNamespace = $namespace }
        $defaults = Get-ConntrackSetting @there | Where-Object IsWritable
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    AfterEach {
        $defaults | Set-ConntrackSetting
    }

    It 'sets <Name> to <Value>' -ForEach @(
        @{ Name = 'Accounting'; Value = $true; File = 'acct'; Number = 1 }
        @{ Name = 'Timestamp'; Value = 'on'; File = 'timestamp'; Number = 1 }
        @{ Name = 'Checksum'; Value = 0; File = 'checksum'; Number = 0 }
        @{ Name = 'TcpLoose'; Value = '$false'.Trim('$'); File = 'tcp_loose'; Number = 0 }
        @{ Name = 'Events'; Value = 'On'; File = 'events'; Number = 1 }
        @{ Name = 'Events'; Value = 'off'; File = 'events'; Number = 0 }
        @{ Name = 'LogInvalid'; Value = 'tcp'; File = 'log_invalid'; Number = 6 }
        @{ Name = 'LogInvalid'; Value = 'All'; File = 'log_invalid'; Number = 255 }
        @{ Name = 'LogInvalid'; Value = 'icmpv6'; File = 'log_invalid'; Number = 58 }
        @{ Name = 'TcpMaxRetrans'; Value = 5; File = 'tcp_max_retrans'; Number = 5 }
        @{ Name = 'nf_conntrack_frag6_timeout'; Value = 30; File = 'frag6_timeout'; Number = 30 }
        @{ Name = 'Fragment6HighThreshold'; Value = 5MB; File = 'frag6_high_thresh'; Number = 5242880 }
        @{ Name = 'Fragment6HighThreshold'; Value = 5e6; File = 'frag6_high_thresh'; Number = 5000000 }
        @{ Name = 'Fragment6HighThreshold'; Value = 8388608; File = 'frag6_high_thresh'; Number = 8388608 }
    ) {
        Set-ConntrackSetting $Name $Value @there | Should -BeNullOrEmpty
        Get-Sysctl $File | Should -Be $Number
    }

    It 'emits the setting with -PassThru' {
        $setting = Set-ConntrackSetting Accounting $true -PassThru @there
        $setting.Value | Should -BeTrue
        $setting | Should -BeOfType ConntrackPS.Tuning.Settings.ConntrackSetting
    }

    It 'restores settings from a file' {
        Set-ConntrackSetting LogInvalid udp @there
        Set-ConntrackSetting Accounting $true @there
        $saved = Get-ConntrackSetting @there | Where-Object IsWritable | ConvertTo-Csv
        $defaults | Set-ConntrackSetting
        Get-Sysctl log_invalid | Should -Be 0
        $saved | ConvertFrom-Csv | Set-ConntrackSetting
        Get-Sysctl log_invalid | Should -Be 17
        Get-Sysctl acct | Should -Be 1
    }

    It 'does nothing with -WhatIf' {
        Set-ConntrackSetting Accounting $true -WhatIf @there
        Get-Sysctl acct | Should -Be 0
    }

    It 'refuses <Arguments>' -ForEach @(
        @{ Arguments = 'Maximum 300000'; Id = 'SettingReadOnly'; Category = 'InvalidOperation'; Message = '*nf_conntrack_max is read-only in network namespace*initial network namespace*' }
        @{ Arguments = 'Buckets 300000'; Id = 'SettingReadOnly'; Category = 'InvalidOperation'; Message = '*read-only*' }
        @{ Arguments = 'Maximum 300000 -WhatIf'; Id = 'SettingReadOnly'; Category = 'InvalidOperation'; Message = '*read-only*' }
        @{ Arguments = 'TcpMaxRetrans 2.5'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = "*'2.5'*0 to 255*" }
        @{ Arguments = 'Maximum 1e300'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*Maximum*' }
        @{ Arguments = 'nf_conntrack_udp_timeout 5'; Id = 'SettingNotFound'; Category = 'ObjectNotFound'; Message = '*Set-ConntrackTimeout*' }
        @{ Arguments = 'TcpMaxRetrans 256'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*TcpMaxRetrans*0 to 255*' }
        @{ Arguments = 'Maximum 0'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*1 to 2147483647*' }
        @{ Arguments = 'Accounting perhaps'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*$true or $false*' }
        @{ Arguments = 'Events 3'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*Off, On or Auto*' }
        @{ Arguments = 'LogInvalid tcpp'; Id = 'ValueOutOfRange'; Category = 'InvalidArgument'; Message = '*None, All*' }
        @{ Arguments = 'Nonsense 1'; Id = 'SettingNotFound'; Category = 'ObjectNotFound'; Message = '*Maximum, Buckets*' }
        @{ Arguments = 'Fragment6LowThreshold 99999999'; Id = 'RefusedByKernel'; Category = 'InvalidArgument'; Message = '*' }
        @{ Arguments = 'Accounting $true -ScaleBucket'; Id = 'NothingToScale'; Category = 'InvalidArgument'; Message = '*Maximum*' }
        @{ Arguments = 'Accounting $true -Persist'; Id = 'NotPersistable'; Category = 'InvalidOperation'; Message = '*initial network namespace*' }
    ) {
        $failure = @(Get-Failure { & ([scriptblock]::Create("Set-ConntrackSetting $Arguments -NetworkNamespace $namespace")) })
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Match "^$Id,"
        $failure.CategoryInfo.Category | Should -Be $Category
        "$failure" | Should -BeLike $Message
        Get-Sysctl acct | Should -Be 0
    }

    It 'completes names and values' {
        (TabExpansion2 'Set-ConntrackSetting -Name Max').CompletionMatches.CompletionText | Should -Be 'Maximum'
        (TabExpansion2 'Set-ConntrackSetting Events ').CompletionMatches.CompletionText | Should -Be 'Off', 'On', 'Auto'
        (TabExpansion2 'Set-ConntrackSetting -Name Accounting -Value ').CompletionMatches.CompletionText | Should -Be '$true', '$false'
    }

    It 'warns of a maximum below what a table holds' {
        Add-KernelLine $namespace (New-ManyLine 50)
        $maximum = (Get-ConntrackSetting Maximum).Value
        Set-ConntrackSetting Maximum 49 -WhatIf -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike "*'$namespace' has 50 entries, more than 49*"
        (Get-ConntrackSetting Maximum).Value | Should -Be $maximum
    }
}

Describe 'Set-ConntrackSetting -Persist' {
    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $file = "$root/etc/sysctl.d/99-conntrackps.conf"
    }

    It 'persists <Name> <Value>' -ForEach @(
        @{ Name = 'Accounting'; Value = $true; Line = 'net.netfilter.nf_conntrack_acct = 1' }
        @{ Name = 'Events'; Value = 'On'; Line = 'net.netfilter.nf_conntrack_events = 1' }
        @{ Name = 'LogInvalid'; Value = 'All'; Line = 'net.netfilter.nf_conntrack_log_invalid = 255' }
        @{ Name = 'ExpectationMaximum'; Value = 9000; Line = 'net.netfilter.nf_conntrack_expect_max = 9000' }
    ) {
        $before = (Get-ConntrackSetting $Name).Value
        Set-ConntrackSetting $Name $Value -PersistOnly -PersistRoot $root -InformationVariable said 6>$null
        Get-Content $file | Select-Object -Last 1 | Should -Be $Line
        "$said" | Should -BeLike "*$file*"
        (Get-ConntrackSetting $Name).Value | Should -Be $before
        (Get-ConntrackSetting $Name -PersistRoot $root).PersistedValue | Should -Be $Value
    }

    It 'gives the maximum as many buckets on request, through the module''s option too' {
        Set-ConntrackSetting Maximum 524288 -ScaleBucket -PersistOnly -PersistRoot $root -InformationVariable said 6>$null
        (Get-Content $file)[1, 2] | Should -Be 'net.netfilter.nf_conntrack_max = 524288', 'net.netfilter.nf_conntrack_buckets = 524288'
        Get-Content "$root/etc/modprobe.d/conntrackps.conf" | Select-Object -Last 1 | Should -Be 'options nf_conntrack hashsize=524288'
        "$said" | Should -BeLike '*modprobe.d*'
    }

    It 'refuses a maximum that there can''t be as many buckets for, and changes nothing' {
        $failure = @(Get-Failure { Set-ConntrackSetting Maximum 2147483647 -ScaleBucket -PersistOnly -PersistRoot $root 6>$null })
        $failure.FullyQualifiedErrorId | Should -Match '^ValueOutOfRange,'
        "$failure" | Should -BeLike '*Buckets*1 to 268435456*'
        $root | Should -Not -Exist
    }

    It 'does not change the buckets otherwise' {
        Set-ConntrackSetting Maximum 524288 -PersistOnly -PersistRoot $root 6>$null
        @(Get-Content $file).Count | Should -Be 2
        "$root/etc/modprobe.d" | Should -Not -Exist
    }

    It 'changes nothing on disk when one of the files can''t be written' {
        $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
        Set-Content $file 'net.netfilter.nf_conntrack_max = 1'
        Set-Content "$root/etc/modprobe.d" 'in the way'
        $failure = @(Get-Failure { Set-ConntrackSetting Buckets 65536 -PersistOnly -PersistRoot $root 6>$null })
        $failure.FullyQualifiedErrorId | Should -Match '^NotPersisted,'
        Get-Content $file | Should -Be 'net.netfilter.nf_conntrack_max = 1'
    }
}

# A setting of the machine: it is raised for a moment and restored.
Describe 'Set-ConntrackSetting in the initial network namespace' -Tag 'Machine' {
    It 'sets <Name>, which is read-only elsewhere' -ForEach @(@{ Name = 'Maximum' }, @{ Name = 'ExpectationMaximum' }) {
        $before = (Get-ConntrackSetting $Name).Value
        try {
            (Set-ConntrackSetting $Name ($before + 512) -PassThru).Value | Should -Be ($before + 512)
        }
        finally {
            Set-ConntrackSetting $Name $before
        }
        (Get-ConntrackSetting $Name).Value | Should -Be $before
    }

    It 'is refused without a privilege' {
        $folder = New-UnprivilegedFolder
        try {
            $before = (Get-ConntrackSetting Maximum).Value
            $seen = Invoke-Unprivileged -Folder $folder {
                try { Set-ConntrackSetting Maximum 999999 -ErrorAction Stop } catch { $_.FullyQualifiedErrorId; "$_" }
            }
            "$seen" | Should -BeLike 'PermissionDenied,*CAP_NET_ADMIN*'
            (Get-ConntrackSetting Maximum).Value | Should -Be $before
        }
        finally {
            Remove-Item $folder -Recurse -Force
        }
    }
}
