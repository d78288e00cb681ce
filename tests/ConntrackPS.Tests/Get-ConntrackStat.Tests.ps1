BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    function Get-Sysctl([string] $Namespace, [string] $Name) {
        [long] (Invoke-InNamespace $Namespace sysctl -n "net.netfilter.$Name")
    }
}

Describe 'Get-ConntrackStat' {
    BeforeAll {
        $namespace = New-TestNamespace
        $other = New-TestNamespace ([ordered]@{
                web4 = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 40001 --dport 80 --state SYN_SENT'
                web6 = '-s 2001:db8::1 -d 2001:db8:1::7 -p tcp --sport 40001 --dport 80 --state SYN_SENT'
            })
        Add-KernelLine $namespace (New-ManyLine 5000)
        $stat = Get-ConntrackStat -NetworkNamespace $namespace
    }

    AfterAll {
        Remove-TestNamespace $namespace, $other
    }

    It 'counts as conntrack -C does' {
        $stat.Count | Should -Be 5000
        $stat.Count | Should -Be (Get-KernelCount $namespace)
        (Get-ConntrackStat -NetworkNamespace $other).Count | Should -Be 2
    }

    It 'has the kernel''s limits' {
        $stat.Maximum | Should -Be (Get-Sysctl $namespace nf_conntrack_max)
        $stat.Buckets | Should -Be (Get-Sysctl $namespace nf_conntrack_buckets)
    }

    It 'has the fill in percent' {
        $stat.FillPercent | Should -Be ([Math]::Round(100 * 5000 / (Get-Sysctl $namespace nf_conntrack_max), 2))
        $stat.FillPercent | Should -BeGreaterThan 0
    }

    It 'follows the table' {
        Get-ConntrackEntry 10.0.0.0/24 -NetworkNamespace $namespace | Remove-ConntrackEntry
        (Get-ConntrackStat -NetworkNamespace $namespace).Count | Should -Be (5000 - 256)
        Get-KernelCount $namespace | Should -Be (5000 - 256)
    }

    It 'names the namespace: by <Way>' -ForEach @(
        @{ Way = 'name'; Name = { $other } }
        @{ Way = 'path'; Name = { "/run/netns/$other" } }
        @{ Way = 'process id'; Name = { "$(Start-NamespaceProcess $other)" } }
    ) {
        $given = & $Name
        $stat = Get-ConntrackStat -NetworkNamespace $given
        $stat.Count | Should -Be 2
        $stat.Namespace | Should -Be $given
    }

    It 'works in its own without the parameter' {
        Invoke-Child -Prefix ip, netns, exec, $other { Get-ConntrackStat | ConvertTo-Json -Compress } |
            Should -Be ([ordered]@{
                Count = 2; Maximum = Get-Sysctl $other nf_conntrack_max; FillPercent = 0.0; Buckets = Get-Sysctl $other nf_conntrack_buckets; Namespace = $null
            } | ConvertTo-Json -Compress)
    }

    It 'emits one ConntrackStat' {
        @(Get-ConntrackStat -NetworkNamespace $other).Count | Should -Be 1
        Get-ConntrackStat -NetworkNamespace $other | Should -BeOfType ConntrackPS.Diagnosis.ConntrackStat
    }
}
