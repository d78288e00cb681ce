<#
    The conditions that depend on what all network namespaces share: the maximum and the buckets. The maximum is changed
    for a few seconds, to no less than 24,000, and put back; where another table holds that much these tests are skipped.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    $limit = 24000
    $before = (Get-ConntrackSetting Maximum).Value
    $isBusy = $before -lt 2 * $limit -or (@(Get-ConntrackStat) + @(Get-ConntrackStat -NetworkNamespace * -ErrorAction SilentlyContinue) | Measure-Object Count -Maximum).Maximum -ge $limit

    <# A namespace with a table as full as the kernel allows, where packets are tracked. #>
    function New-FullNamespace([string[]] $Line) {
        $name = New-TestNamespace
        'Accounting', 'Timestamp', 'Events' | ForEach-Object { Set-ConntrackSetting $_ 1 -NetworkNamespace $name }
        Invoke-InNamespace $name sh -c 'ip link set lo up; iptables -A OUTPUT -m conntrack --ctstate INVALID'
        Add-KernelLine $name $Line
        Set-ConntrackSetting Maximum $limit -WarningAction SilentlyContinue
        $name
    }

    <# The findings while there are 200 new connections a second. #>
    function Get-FindingUnderLoad([string] $Namespace, [string] $Root) {
        $load = Start-Process ip -PassThru -RedirectStandardError /dev/null -ArgumentList 'netns', 'exec', $Namespace, 'bash', '-c',
        '"while :; do for port in 1 2 3 4; do echo > /dev/udp/127.0.0.1/$port; done; sleep 0.02; done"'
        try {
            Test-ConntrackHealth -NetworkNamespace $Namespace -PersistRoot $Root
        }
        finally {
            $load.Kill()
            $load.WaitForExit()
        }
    }
}

Describe 'Test-ConntrackHealth on a full table' -Tag 'Machine' {
    AfterEach {
        Set-ConntrackSetting Maximum $before
        Remove-TestNamespace $namespace
    }

    It 'finds <Name>, and the remedy fixes it' -ForEach @(
        @{
            Name      = 'PacketsDropped'; Counter = 'drop'
            Expected  = @{ TableFull = 'Critical'; PacketsDropped = 'Critical'; TableFullLogged = 'Warning' }
            Arguments = '--state ESTABLISHED -u SEEN_REPLY,ASSURED'
        }
        @{
            # The kernel can drop entries early that are not assured (early_drop_list, nf_conntrack_core.c).
            Name      = 'EarlyDrop'; Counter = 'early_drop'
            Expected  = @{ TableFull = 'Critical'; EarlyDrop = 'Warning' }
            Arguments = '--state SYN_RECV -u SEEN_REPLY'
        }
    ) {
        if ($isBusy) {
            Set-ItResult -Skipped -Because 'other tables are in the way'
            return
        }
        $namespace = New-FullNamespace ((New-ManyLine $limit) -replace '--state.*', $Arguments)
        $found = Get-FindingUnderLoad $namespace "$TestDrive/$Name"
        foreach ($expected in $Expected.GetEnumerator()) {
            $finding = $found | Where-Object Name -EQ $expected.Key
            "$($finding.Name) $($finding.Severity) $($finding.Namespace)" | Should -Be "$($expected.Key) $($expected.Value) $namespace"
        }
        (Invoke-InNamespace $namespace conntrack -S) -join ' ' | Should -Match "\b$Counter=[1-9]"

        $remedy = ($found | Where-Object Name -EQ $Name).Remedy
        $remedy | Should -Be "Set-ConntrackSetting -Name Maximum -Value $(2 * $limit) -Persist -PersistRoot '$TestDrive/$Name'" -Because 'there are more buckets already'
        & ([scriptblock]::Create($remedy)) 6>$null
        [long] (sysctl -n net.netfilter.nf_conntrack_max) | Should -Be (2 * $limit)
        $left = Get-FindingUnderLoad $namespace "$TestDrive/$Name"
        $left.Name | Should -Not -Contain 'TableFull'
        $left.Name | Should -Not -Contain 'TableNearlyFull'
        $left.Name | Should -Not -Contain $Name
        $left.Name | Should -Not -Contain 'TableFullLogged' -Because 'the log is older than the remedy'
    }

    It 'does not take the log of one that is gone for that of a new one with its number' {
        if ($isBusy) {
            Set-ItResult -Skipped -Because 'other tables are in the way'
            return
        }
        $namespace = New-FullNamespace (New-ManyLine $limit)
        (Get-FindingUnderLoad $namespace $TestDrive).Name | Should -Contain 'TableFullLogged'
        Set-ConntrackSetting Maximum $before
        $number = stat -c %i "/run/netns/$namespace"
        Remove-TestNamespace $namespace

        # Numbers are reused, the lowest first.
        $later = [System.Collections.Generic.List[string]]::new()
        try {
            Wait-Until {
                $later.Add((New-TestNamespace))
                (stat -c %i "/run/netns/$($later[-1])") -eq $number
            } 'no new namespace has the number'
            (Test-ConntrackHealth -SampleTime 0 -NetworkNamespace $later[-1] -MinimumSeverity Information).Name | Should -Not -Contain 'TableFullLogged'
        }
        finally {
            Remove-TestNamespace $later
        }
    }
}

Describe 'Test-ConntrackHealth on what is the machine''s' -Tag 'Machine' {
    BeforeAll {
        $first = New-TestNamespace
        $second = New-TestNamespace
    }

    AfterAll {
        Set-ConntrackSetting Maximum $before
        Remove-TestNamespace $first, $second
    }

    It 'reports once too few buckets, not for each namespace' {
        $buckets = (Get-ConntrackSetting Buckets).Value
        Set-ConntrackSetting Maximum ([Math]::Max($before, 4 * $buckets + 1))
        $finding = @(Test-ConntrackHealth -SampleTime 0 -NetworkNamespace $first, $second | Where-Object Name -EQ TooFewBuckets)
        $finding.Count | Should -Be 1
        $finding.Namespace | Should -BeNullOrEmpty
        $finding.Remedy | Should -Be "Set-ConntrackSetting -Name Buckets -Value $((Get-ConntrackSetting Maximum).Value) -Persist"
        Test-ConntrackHealth -Quiet -SampleTime 0 -NetworkNamespace $first, $second | Should -BeFalse
    }
}
