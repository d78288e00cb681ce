BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force

    <# Whether so many sockets of the namespace listen to expectations' events: groups 4 to 6, and none of connections'. #>
    function Test-Listening([string] $Namespace, [int] $Count) {
        @(Invoke-InNamespace $Namespace cat /proc/net/netlink | Where-Object { $_ -match '^\S+ +12 +\d+ +000000(08|[1-3][08]) ' }).Count -eq $Count
    }

    <# Watches in another runspace beside "conntrack -E expect" until both listen, then does something; what both saw. #>
    function Watch-Both([hashtable] $With, [scriptblock] $Do, [int] $Count) {
        $log = Join-Path $TestDrive 'events.txt'
        $witness = Start-Process ip -ArgumentList 'netns', 'exec', $With.NetworkNamespace, 'env', '--default-signal=INT', 'stdbuf', '-oL', 'conntrack', '-E', 'expect' `
            -RedirectStandardOutput $log -RedirectStandardError /dev/null -PassThru
        $shell = [powershell]::Create()
        $null = $shell.AddScript({
                param($Package, $With)
                Import-Module $Package
                Watch-ConntrackEvent -Expectation @With -WarningAction SilentlyContinue
            }).AddArgument("$(Get-PackagePath)/ConntrackPS.psd1").AddArgument($With)
        $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
        try {
            $run = $shell.BeginInvoke([System.Management.Automation.PSDataCollection[psobject]]::new(), $output)
            Wait-Until { Test-Listening $With.NetworkNamespace 2 } 'the two do not listen'
            & $Do
            Wait-Until { ($output.Count -ge $Count -or $run.IsCompleted) -and @(Get-Content $log).Count -ge $Count } { "only $($output.Count) of $Count events came" }
            $shell.Stop()
            [pscustomobject]@{ Ours = @($output); Theirs = @(Get-Content $log | ConvertFrom-ExpectationLine) }
        }
        finally {
            $shell.Dispose()
            $witness.Kill($true)
        }
    }
}

Describe 'Watch-ConntrackEvent -Expectation' {
    BeforeAll {
        $namespace = New-TestNamespace
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_events=1
        $masters = 1000..1002 | ForEach-Object { New-Master $namespace -SourcePort $_ }
        $masters += New-Master $namespace -IPv6
        $listen = @{ NetworkNamespace = $namespace }
        $act = {
            foreach ($i in 0..2) {
                $masters[$i] | New-ConntrackExpectation 198.51.100.0/24 192.0.2.1 -DestinationPort (5000 + $i)
            }
            $masters[3] | New-ConntrackExpectation 2001:db8:1::/64 2001:db8::1 -DestinationPort 5003
            foreach ($i in 0..3) {
                Remove-ConntrackExpectation -DestinationPort (5000 + $i) -NetworkNamespace $namespace
            }
        }
    }

    BeforeEach {
        $null = Invoke-InNamespace $namespace conntrack -F expect
    }

    AfterAll {
        Remove-TestNamespace $namespace
    }

    It 'emits what conntrack -E expect shows, in its order' {
        $seen = Watch-Both $listen $act -Count 8
        $seen.Ours.Count | Should -Be 8
        $seen.Ours.EventType | Should -Be (@('New') * 4 + @('Destroy') * 4)
        $seen.Theirs.EventType | Should -Be (@('NEW') * 4 + @('DESTROY') * 4)
        $seen.Ours.Sequence | Should -Be (1..8)
        foreach ($name in 'SourceAddress', 'SourceMask', 'DestinationAddress', 'DestinationPort', 'MasterSourceAddress', 'MasterSourcePort', 'Helper', 'Class') {
            $seen.Ours | ForEach-Object { "$($_.$name)" } | Should -Be ($seen.Theirs | ForEach-Object { "$($_.$name)" }) -Because $name
        }
        $seen.Ours[4].Id | Should -Be $seen.Ours[0].Id
        [Math]::Abs(([datetime]::Now - $seen.Ours[0].EventTime).TotalMinutes) | Should -BeLessThan 5
        Wait-Until { Test-Listening $namespace 0 } 'somebody still listens'
    }

    It 'listens only to the named types' {
        $seen = Watch-Both ($listen + @{ EventType = @('Destroy') }) $act -Count 4
        Wait-Until { $seen.Ours.Count -ge 4 } 'too few events'
        $seen.Ours.EventType | Select-Object -Unique | Should -Be 'Destroy'
        (Get-Failure { Watch-ConntrackEvent -Expectation -EventType Update @listen -WarningAction SilentlyContinue }).Exception.Message |
            Should -BeLike '*New or Destroy*'
    }

    It 'ends after -Timeout and -MaxEvents' {
        Watch-ConntrackEvent -Expectation -Timeout 0 @listen | Should -BeNullOrEmpty
        (Watch-Both ($listen + @{ MaxEvents = 2 }) $act -Count 2).Ours.Count | Should -Be 2
    }

    It 'pipes into Remove-ConntrackExpectation, whatever the zone' {
        $zoned = New-Master $namespace -Zone 5
        $seen = Watch-Both $listen -Count 2 {
            $zoned, $masters[0] | New-ConntrackExpectation 198.51.100.0/24 192.0.2.1 -DestinationPort 5000
        }
        $seen.Ours[0].Zone | Should -BeNullOrEmpty
        Get-KernelPort $namespace | Should -Be 5000, 5000
        $seen.Ours[0] | Remove-ConntrackExpectation
        (Get-ConntrackExpectation @listen).Zone | Should -Be 0
        Get-KernelPort $namespace | Should -Be 5000
    }

    It 'does not take the filters of connections' {
        (Get-Failure { Watch-ConntrackEvent -Expectation -SourceAddress 192.0.2.1 @listen }).FullyQualifiedErrorId | Should -BeLike 'AmbiguousParameterSet,*'
    }
}
