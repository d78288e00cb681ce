BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Starts a watch in another runspace, waits until it listens, runs an action, and returns the events. #>
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
            Wait-Until { $output.Count -ge $Count -or $run.IsCompleted } { "only $($output.Count) of $Count events came" }
            $shell.Stop()
            , @($output)
        }
        finally {
            $shell.Dispose()
        }
    }
}

Describe 'Watch-ConntrackEvent' {
    BeforeAll {
        $namespace = New-TestNamespace
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=2
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
        $events = Watch-ConntrackEvent -NetworkNamespace $namespace -IncludeExisting -MaxEvents 20 -Timeout 60 -WarningAction SilentlyContinue
        $events.Count | Should -Be 20
        $events.EventType | Select-Object -Unique | Should -Be 'Existing'
    }

    It 'ends at once under Select-Object -First, and after -Timeout' {
        Add-KernelLine $namespace (New-ManyLine 5)
        $watch = @{ NetworkNamespace = $namespace; WarningAction = 'SilentlyContinue' }
        @(Watch-ConntrackEvent @watch -IncludeExisting | Select-Object -First 2).Count | Should -Be 2
        @(Watch-ConntrackEvent @watch -Timeout 1).Count | Should -Be 0
        Test-Listening $namespace | Should -BeFalse
    }

    It 'pipes into Remove-ConntrackEntry' {
        Add-KernelLine $namespace (New-ManyLine 5)
        Watch-ConntrackEvent -NetworkNamespace $namespace -IncludeExisting -MaxEvents 3 -WarningAction SilentlyContinue | Remove-ConntrackEntry
        Get-KernelCount $namespace | Should -Be 2
    }

    It 'warns of connections that are there and stay silent, with -EnableEvent too' {
        $watch = @{ NetworkNamespace = $namespace; TimeoutSeconds = 0; WarningAction = 'SilentlyContinue' }
        Watch-ConntrackEvent @watch -WarningVariable warnings
        $warnings | Should -BeNullOrEmpty -Because 'the table is empty'
        # At 2 there would be events while a listener is running in any namespace.
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=0
        Add-KernelLine $namespace (New-ManyLine 1)
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=2
        foreach ($enable in $false, $true) {
            Watch-ConntrackEvent @watch -EnableEvent:$enable -WarningVariable warnings
            "$warnings" | Should -BeLike "*produce no events*nf_conntrack_events=2*Set-ConntrackSetting -Name Events -Value On -NetworkNamespace '$namespace'"
        }
        $told = Watch-While @{ NetworkNamespace = $namespace; EventType = 'Destroy'; EnableEvent = $true } -Count 1 {
            Add-KernelLine $namespace '-s 192.0.2.77 -d 198.51.100.7 -p udp --sport 1 --dport 53'
            $null = Invoke-InNamespace $namespace conntrack -F
        }
        $told.SourceAddress | Should -Be '192.0.2.77' -Because 'the warning is true: the older one ended in silence'
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1
        Add-KernelLine $namespace (New-ManyLine 1)
        Watch-ConntrackEvent @watch -WarningVariable warnings
        $warnings | Should -BeNullOrEmpty
    }

    It 'turns events on with -EnableEvent where they are off, and back' {
        $setting = { Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_events }
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=0
        Watch-ConntrackEvent -NetworkNamespace $namespace -Timeout 0 -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*no events*nf_conntrack_events=0*-EnableEvent*'
        Add-KernelLine $namespace (New-ManyLine 2)
        Watch-ConntrackEvent -NetworkNamespace $namespace -EnableEvent -IncludeExisting -WarningAction SilentlyContinue |
            Select-Object -First 1 | ForEach-Object { & $setting | Should -Be 1 }
        & $setting | Should -Be 0
    }

    It 'makes a flow log of ended connections, with duration and bytes' {
        foreach ($setting in 'acct', 'timestamp') {
            $null = Invoke-InNamespace $namespace sysctl -qw "net.netfilter.nf_conntrack_$setting=1"
        }
        $with = @{ NetworkNamespace = $namespace; EventType = 'Destroy' }
        $events = Watch-While $with -Count 2 {
            Add-KernelLine $namespace (New-ManyLine 2)
            $null = Invoke-InNamespace $namespace conntrack -F
        }
        $events | Export-Csv "$TestDrive/flows.csv"
        $log = Import-Csv "$TestDrive/flows.csv"
        $log.Count | Should -Be 2
        $log[0].TotalBytes | Should -Be '0'
        [double] $log[0].Duration | Should -BeGreaterOrEqual 0
        [datetime] $log[0].StopTime | Should -BeGreaterOrEqual ([datetime] $log[0].StartTime)
    }

    It 'warns where bytes are asked for and accounting is off' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
        Watch-ConntrackEvent -NetworkNamespace $namespace -MinimumBytes 1 -Timeout 0 -WarningVariable warnings -WarningAction SilentlyContinue
        "$warnings" | Should -BeLike '*nf_conntrack_acct*'
    }

    It 'says how many events a slow consumer lost, and numbers on past them' {
        Add-KernelLine $namespace '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 53'
        $watch = @{ NetworkNamespace = $namespace; EventType = 'New'; ReceiveBufferSize = 4096; BacklogSize = 64KB; EnableEvent = $true; IncludeExisting = $true; TimeoutSeconds = 60 }
        $seen = @(Watch-ConntrackEvent @watch -WarningVariable warnings -WarningAction SilentlyContinue | ForEach-Object {
                if ($_.EventType -eq 'Existing') {
                    Add-KernelLine $namespace (New-ManyLine 40000)
                }
                # The loss can be the last event.
                if ($_.EventType -eq 'Lost' -and -not $more) {
                    $more = $true
                    Add-KernelLine $namespace '-s 192.0.2.2 -d 198.51.100.7 -p udp --sport 1 --dport 53'
                }
                $_
            } | Where-Object { $_.EventType -eq 'Lost' -or $previous.EventType -eq 'Lost'; $previous = $_ } | Select-Object -First 2)
        $lost, $next = $seen[0, 1]
        $lost.LostCount | Should -BeGreaterThan 0
        "$lost" | Should -Be "$($lost.LostCount) event$($lost.LostCount -eq 1 ? '' : 's') lost"
        $next.Sequence | Should -Be ($lost.Sequence + ($next.LostCount ?? 1))
        "$warnings" | Should -BeLike '*The backlog of 65536 bytes is full with * events.* event* lost: raise -BacklogSize, or narrow the filter.*'
        @($warnings -like '*is full*').Count | Should -Be 1
    }

    It 'names the kernel''s buffer where the backlog was never full' {
        # While the process is stopped, events wait in the kernel's buffer.
        $child = Start-PowerShell '-NoProfile', '-Command', (
            "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; " +
            "Watch-ConntrackEvent -NetworkNamespace $namespace -EventType New -ReceiveBufferSize 4096 -Timeout 60 -WarningVariable w -WarningAction Ignore | " +
            "Where-Object EventType -eq Lost | Select-Object -First 1 | Out-Null; Set-Content '$TestDrive/said' `$w")
        try {
            Wait-Until { Test-Listening $namespace } 'nobody listens'
            kill -STOP $child.Id
            Add-KernelLine $namespace (New-ManyLine 200)
            kill -CONT $child.Id
            Wait-Until { $child.HasExited } 'no loss is told'
        }
        finally {
            $child.Kill()
        }
        Get-Content "$TestDrive/said" -Raw | Should -BeLike '*events were lost: raise -ReceiveBufferSize, or narrow the filter.*'
    }

    It 'loses nothing of a burst behind a slow pipeline' {
        $null = Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1
        Add-KernelLine $namespace '-s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1 --dport 53'
        $watch = @{ NetworkNamespace = $namespace; EventType = 'New', 'Destroy'; IncludeExisting = $true; MaxEvents = 10002; TimeoutSeconds = 300 }
        Watch-ConntrackEvent @watch -WarningVariable warnings -WarningAction SilentlyContinue | ForEach-Object {
            if ($_.EventType -eq 'Existing') {
                Add-KernelLine $namespace (New-ManyLine 5000)
                $null = Invoke-InNamespace $namespace conntrack -F
            }
            $_
        } | Export-Csv "$TestDrive/burst.csv"
        $warnings | Should -BeNullOrEmpty
        Import-Csv "$TestDrive/burst.csv" | Group-Object EventType -NoElement | Sort-Object Name | ForEach-Object { "$($_.Name) $($_.Count)" } |
            Should -Be 'Destroy 5001', 'Existing 1', 'New 5000'
    }

    It 'watches all namespaces, and says which each event is of' {
        $other = New-TestNamespace
        try {
            $with = @{ AllNamespace = $true; Address = '192.0.2.200'; EventType = 'New' }
            $shell = [powershell]::Create()
            $null = $shell.AddScript('param($Package, $With) Import-Module $Package; Watch-ConntrackEvent @With -WarningAction SilentlyContinue').AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($with)
            $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
            $null = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until { (Test-Listening $namespace) -and (Test-Listening $other) } 'nobody listens'
            foreach ($where in $namespace, $other) {
                Add-KernelLine $where '-s 192.0.2.200 -d 198.51.100.7 -p udp --sport 1 --dport 53'
            }
            Wait-Until { $output.Count -eq 2 } 'not both events came'
            $output[0].Namespace, $output[1].Namespace | Sort-Object | Should -Be ($namespace, $other | Sort-Object)
            Remove-TestNamespace $other
            $other = $null
            Wait-Until { $shell.Streams.Error.Count -gt 0 } 'no error told of the deleted namespace'
            $shell.Streams.Error[0].FullyQualifiedErrorId | Should -BeLike 'NetworkNamespaceGone*'
            Test-Listening $namespace | Should -BeTrue -Because 'the others go on'
        }
        finally {
            $shell.Stop()
            $shell.Dispose()
            Remove-TestNamespace $other
        }
    }

    It 'ends with one error when its namespace is deleted' {
        $gone = New-TestNamespace
        Add-KernelLine $gone (New-ManyLine 1)
        $shell = [powershell]::Create()
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        try {
            $null = $shell.AddScript('param($Package, $With) Import-Module $Package; Watch-ConntrackEvent @With -WarningAction SilentlyContinue').AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument(@{ NetworkNamespace = $gone; IncludeExisting = $true })
            $run = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until { $output.Count -eq 1 } 'nothing is watched'
            Remove-TestNamespace $gone
            Wait-Until { $run.IsCompleted } 'it still watches'
            $shell.Streams.Error.FullyQualifiedErrorId | Should -BeLike 'NetworkNamespaceGone*'
        }
        finally {
            $shell.Dispose()
        }
    }

    It 'refuses a buffer that the kernel does not give, and a kernel without events' {
        $refused = Invoke-Child -Prefix 'unshare', '-rn' {
            try { Watch-ConntrackEvent -ReceiveBufferSize 64MB -Timeout 0 -WarningAction SilentlyContinue } catch { $_.FullyQualifiedErrorId; "$_" }
        }
        "$refused" | Should -BeLike 'ReceiveBufferRefused*net.core.rmem_max*'
        $without = Invoke-Child -Prefix 'unshare', '-nm', 'sh', '-c', 'mount -t tmpfs none /proc/sys/net/netfilter && exec "$@"', 'sh' {
            try { Watch-ConntrackEvent -Timeout 0 } catch { $_.FullyQualifiedErrorId; "$_" }
        }
        "$without" | Should -BeLike 'EventsUnavailable*CONFIG_NF_CONNTRACK_EVENTS*'
    }

    It 'refuses -AllNamespace with -NetworkNamespace' {
        (Get-Failure { Watch-ConntrackEvent -AllNamespace -NetworkNamespace $namespace }).FullyQualifiedErrorId | Should -BeLike 'AllOrOneNamespace*'
    }

    It 'shows the receive buffer that it got under -Verbose' {
        $told = Watch-ConntrackEvent -NetworkNamespace $namespace -Timeout 0 -ReceiveBufferSize 1MB -Verbose -WarningAction SilentlyContinue 4>&1
        "$told" | Should -BeLike "*$(2MB) bytes*$(64MB) bytes*"
        $told = Watch-ConntrackEvent -NetworkNamespace $namespace -Timeout 0 -BacklogSize 1MB -Verbose -WarningAction SilentlyContinue 4>&1
        "$told" | Should -BeLike "*$(128MB) bytes*$(1MB) bytes*" -Because '64 MiB is the default'
    }
}
