BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Watches in another runspace until it listens, then does something, then returns what was seen. #>
    function Watch-While([hashtable] $With, [scriptblock] $Do, [int] $Count) {
        $shell = [powershell]::Create()
        $null = $shell.AddScript({
                param($Package, $With)
                Import-Module $Package
                Watch-ConntrackEvent @With -WarningAction SilentlyContinue
            }).AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($With)
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        try {
            $run = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until { (Get-Content /proc/net/netlink -ErrorAction Ignore) -and $shell.InvocationStateInfo.State -eq 'Running' -and (Test-Listening $With.NetworkNamespace) } 'nobody listens'
            & $Do
            Wait-Until { $output.Count -ge $Count -or $run.IsCompleted } "only $($output.Count) of $Count events came"
            $shell.Stop()
            , @($output)
        }
        finally {
            $shell.Dispose()
        }
    }

    <# Whether a netfilter socket of the namespace has joined the groups of events. #>
    function Test-Listening([string] $Namespace) {
        [bool] (Invoke-InNamespace $Namespace cat /proc/net/netlink | Where-Object { $_ -match '^\S+ +12 +\d+ +0000000[1-7] ' })
    }
}

Describe 'Watch-ConntrackEvent' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'emits begin, change and end of a connection, of both families' {
        $events = Watch-While @{ NetworkNamespace = $namespace } -Count 6 {
            foreach ($side in @{ s = '192.0.2.1'; d = '198.51.100.7' }, @{ s = '2001:db8::1'; d = '2001:db8::2' }) {
                $null = Invoke-InNamespace $namespace conntrack -I -s $side.s -d $side.d -p tcp --sport 1 --dport 80 --state ESTABLISHED -t 100
                $null = Invoke-InNamespace $namespace conntrack -U -s $side.s -m 7
                $null = Invoke-InNamespace $namespace conntrack -D -s $side.s
            }
        }
        $events.EventType | Should -Be 'New', 'Update', 'Destroy', 'New', 'Update', 'Destroy'
        $events.Sequence | Should -Be (1..6)
        $events.SourceAddress | Select-Object -Unique | Should -Be '192.0.2.1', '2001:db8::1'
        $events[1].Mark | Should -Be 7
    }

    It 'filters, and an IPv4 filter does not hide IPv6' {
        $with = @{ NetworkNamespace = $namespace; EventType = 'New'; Address = '192.0.2.0/31', '2001:db8::/64'; DestinationPort = '80-81' }
        $events = Watch-While $with -Count 3 {
            Add-KernelLine $namespace @(
                '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED'
                '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1 --dport 82 --state ESTABLISHED'
                '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 1 --dport 80 --state ESTABLISHED'
                '-s 198.51.100.9 -d 192.0.2.0 -p udp --sport 1 --dport 81'
                '-s 2001:db8::1 -d 2001:db8:1::2 -p udp --sport 1 --dport 80'
                '-s 2001:db8:0:1::1 -d 2001:db8:1::2 -p udp --sport 1 --dport 80'
            )
        }
        $events.SourceAddress | Should -Be '192.0.2.1', '198.51.100.9', '2001:db8::1'
    }

    It 'shows the present table first under -IncludeExisting, and ends after -MaxEvents' {
        Add-KernelLine $namespace (New-ManyLine 20)
        $events = Watch-ConntrackEvent -NetworkNamespace $namespace -IncludeExisting -MaxEvents 20 -TimeoutSeconds 60 -WarningAction SilentlyContinue
        $events.Count | Should -Be 20
        $events.EventType | Select-Object -Unique | Should -Be 'Existing'
    }

    It 'ends at once under Select-Object -First, and after -TimeoutSeconds' {
        Add-KernelLine $namespace (New-ManyLine 5)
        $watch = @{ NetworkNamespace = $namespace; WarningAction = 'SilentlyContinue' }
        @(Watch-ConntrackEvent @watch -IncludeExisting | Select-Object -First 2).Count | Should -Be 2
        @(Watch-ConntrackEvent @watch -TimeoutSeconds 1).Count | Should -Be 0
        Test-Listening $namespace | Should -BeFalse
    }

    It 'pipes into Remove-ConntrackEntry' {
        Add-KernelLine $namespace (New-ManyLine 5)
        Watch-ConntrackEvent -NetworkNamespace $namespace -IncludeExisting -MaxEvents 3 -WarningAction SilentlyContinue | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 2
    }

    It 'warns of connections that stay silent, which -EnableEvent turns on and back' {
        $setting = { Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_events }
        & $setting | Should -Be 2
        Watch-ConntrackEvent -NetworkNamespace $namespace -TimeoutSeconds 0 -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*nf_conntrack_events=2*-EnableEvent*'
        Add-KernelLine $namespace (New-ManyLine 2)
        Watch-ConntrackEvent -NetworkNamespace $namespace -EnableEvent -IncludeExisting -WarningVariable warnings |
            Select-Object -First 1 | ForEach-Object { & $setting | Should -Be 1 }
        $warnings | Should -BeNullOrEmpty
        & $setting | Should -Be 2
    }

    It 'shows the receive buffer that it got under -Verbose' {
        $told = Watch-ConntrackEvent -NetworkNamespace $namespace -TimeoutSeconds 0 -ReceiveBufferSize 1MB -Verbose -WarningAction SilentlyContinue 4>&1
        "$told" | Should -BeLike "*$(2MB) bytes*"
    }
}
