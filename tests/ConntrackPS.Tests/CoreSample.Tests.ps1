<#
    samples/CoreSample: an example of each thing that the core library does. Every command is run, and what it says or does is
    read back by conntrack, sysctl, nft and nfct.
#>
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force

    $sample = Resolve-Path "$PSScriptRoot/../../samples/CoreSample/bin/Release/net10.0/core-sample.dll"
    $ran = [System.Collections.Generic.HashSet[string]]::new()

    <# The output of a command of the sample. If it fails, the test fails. #>
    function Invoke-Sample {
        $null = $ran.Add($args[0])
        Invoke-Program dotnet $sample --namespace $namespace @args
    }

    <# The error of a command of the sample. #>
    function Get-Complaint {
        $said = dotnet $sample @args 2>&1
        $LASTEXITCODE | Should -Be 1
        "$said"
    }

    <# Starts a command that runs for some seconds. Its output goes to a file. #>
    function Start-Sample {
        $null = $ran.Add($args[0])
        $file = "$TestDrive/$($args[0])-$(Get-Random).txt"
        $process = Start-Process dotnet -ArgumentList (@($sample, '--namespace', $namespace) + $args) -PassThru -RedirectStandardOutput $file
        Wait-Until { (Test-Path $file) -and (Get-Content $file) } "'$args' has said nothing"
        [pscustomobject]@{ Process = $process; File = $file }
    }

    <# The output of the command after its end. #>
    function Wait-Sample($Started) {
        $Started.Process.WaitForExit(30000) | Should -BeTrue
        $Started.Process.ExitCode | Should -Be 0
        Get-Content $Started.File
    }

    $flows = [ordered]@{
        web  = '-s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 4000 --dport 80 --state ESTABLISHED -u ASSURED,SEEN_REPLY --src-nat 203.0.113.9'
        half = '-s 192.0.2.2 -d 198.51.100.7 -p tcp --sport 4001 --dport 80 --state SYN_SENT'
        dns  = '-s 192.0.2.2 -d 198.51.100.53 -p udp --sport 4001 --dport 53'
        six  = '-s 2001:db8::1 -d 2001:db8:1::7 -p udp --sport 5000 --dport 53'
    }
}

Describe 'samples/CoreSample' {
    BeforeEach {
        $namespace = New-TestNamespace $flows
    }

    AfterEach {
        Remove-TestNamespace $namespace
    }

    It 'list: the table, or the connections of a prefix' {
        (Invoke-Sample list).Count | Should -Be 4
        (Invoke-Sample list 192.0.2.2 | Sort-Object) -replace ' \d+s ', ' ' | Should -Be 'tcp SynSent 192.0.2.2 -> 198.51.100.7', 'udp  192.0.2.2 -> 198.51.100.53'
    }

    It 'translated: which host has which address' {
        Invoke-Sample translated | Should -Be '192.0.2.1:4000 is 203.0.113.9:4000'
        Invoke-Sample translated 203.0.113.10 | Should -BeNullOrEmpty
    }

    It 'find: one connection, by a packet of either direction' {
        $id = (Get-KernelEntry $namespace | Where-Object Name -EQ web).Id
        Invoke-Sample find tcp 192.0.2.1 4000 198.51.100.7 80 | Should -BeLike "*, id $id"
        Invoke-Sample find tcp 198.51.100.7 80 203.0.113.9 4000 | Should -BeLike "*, id $id"
        Invoke-Sample find tcp 192.0.2.1 4001 198.51.100.7 80 | Should -Be 'There is none.'
    }

    It 'dying: what packets still hold, which is nothing here' {
        Invoke-Sample dying | Should -BeNullOrEmpty
    }

    It 'namespaces: the tables of all of them' {
        $null = $ran.Add('namespaces')
        Invoke-InNamespace $namespace sysctl -qw net.ipv4.ip_forward=1
        @(Invoke-Program dotnet $sample namespaces) -match "^$namespace`:" | Should -BeLike '*: 4 entries of *, ip_forward 1'
    }

    It 'history: the present values, after those of before' {
        $file = "$TestDrive/sample-history.csv"
        Invoke-Sample history $file | Should -BeLike '1: 4 of * entries, 0 drops/s'
        (Invoke-Sample history $file)[1] | Should -BeLike '2: 4 of * entries, 0 drops/s'
        @(Get-ConntrackHistory $file).ForEach{ $_.Count } | Should -Be 4, 4
    }

    It 'delete: the connections of a source, and no others' {
        Invoke-Sample delete 192.0.2.2 | Should -Be '2 deleted, 0 were gone already, 0 refused'
        Get-KernelName $namespace | Should -Be six, web
        Get-Complaint --namespace $namespace delete 0.0.0.0/0 | Should -BeLike '*is every address*'
        Get-KernelName $namespace | Should -Be six, web
    }

    It 'delete-each: those that the program chooses' {
        Invoke-Sample delete-each 192.0.2.0/24 | Should -Be '1 deleted, 0 were gone already, 0 refused'
        Get-KernelName $namespace | Should -Be dns, six, web
    }

    It 'clear: a family, then all' {
        Invoke-Sample clear ipv6
        Get-KernelName $namespace | Should -Be dns, half, web
        Invoke-Sample clear
        Get-KernelCount $namespace | Should -Be 0
    }

    It 'create: an entry, once' {
        Invoke-Sample create tcp 192.0.2.3 5000 198.51.100.7 443 | Should -Be '1 created'
        (Invoke-Sample create tcp 192.0.2.3 5000 198.51.100.7 443) -replace '^tcp .*: ' | Should -Be 'It exists already.', '0 created'
        Invoke-InNamespace $namespace conntrack -L -s 192.0.2.3 |
            Should -BeLike 'tcp * ESTABLISHED src=192.0.2.3 dst=198.51.100.7 sport=5000 dport=443 src=198.51.100.7 dst=192.0.2.3 sport=443 dport=40000 *mark=7 *'
    }

    It 'mark: under a mask, the other bits stay' {
        Invoke-InNamespace $namespace conntrack -U -s 192.0.2.2 -p tcp --mark 7
        Invoke-Sample mark 192.0.2.2 0x30/0xf0 | Should -Be '2 changed, 0 were gone already'
        (Invoke-InNamespace $namespace conntrack -L -s 192.0.2.2) -replace '.* mark=(\d+).*', '$1' | Sort-Object | Should -Be 48, 55
        (Invoke-InNamespace $namespace conntrack -L -s 192.0.2.1) | Should -BeLike '*mark=0 *'
    }

    It 'label: by its number' {
        # The kernel keeps labels only while a rule uses them.
        (Invoke-Sample label 192.0.2.1 5) -replace '^tcp .*: ' | Should -Be 'The kernel could not change a connection-tracking entry (ENOSPC).', '0 changed, 0 were gone already'
        Invoke-InNamespace $namespace nft 'add table ip l; add chain ip l c { type filter hook input priority 0; ct label set 5; }'
        Invoke-Sample create tcp 192.0.2.4 5000 198.51.100.7 443
        Invoke-Sample label 192.0.2.4 5 | Should -Be '1 changed, 0 were gone already'
        (Get-ConntrackEntry 192.0.2.4 -NetworkNamespace $namespace).Labels | Should -Be 5
    }

    It 'watch: connections as they begin and end' {
        $watch = Start-Sample watch 3
        Add-KernelLine $namespace '-s 192.0.2.77 -d 198.51.100.7 -p tcp --sport 7000 --dport 80 --state SYN_SENT'
        Invoke-InNamespace $namespace conntrack -D -s 192.0.2.77
        Wait-Sample $watch | Should -Be 'Watching.', 'New 192.0.2.77:7000 -> 198.51.100.7:80', 'Destroy 192.0.2.77:7000 -> 198.51.100.7:80'
    }

    It 'block: drops packets of a source, and counts them' {
        Enable-Tracking $namespace
        Invoke-InNamespace $namespace ip address add 192.0.2.2/32 dev lo
        Invoke-InNamespace $namespace ip address add 192.0.2.9/32 dev lo
        $block = Start-Sample block 192.0.2.2 4
        "$(Invoke-InNamespace $namespace nft list ruleset)" | Should -Match 'table inet conntrackps-\d+-'
        ip netns exec $namespace ping -c 1 -W 1 -I 192.0.2.2 192.0.2.9 *> $null
        $LASTEXITCODE | Should -Not -Be 0
        ip netns exec $namespace ping -c 1 -W 1 -I 192.0.2.9 192.0.2.9 *> $null
        $LASTEXITCODE | Should -Be 0
        $said = Wait-Sample $block
        $said[0] | Should -BeLike '*2 connections of now among them.'
        $said[1] | Should -Match '^[1-9]\d* packets were dropped'
        Get-KernelName $namespace | Should -Not -Contain half
        "$(Invoke-InNamespace $namespace nft list ruleset)" | Should -Not -Match conntrackps
    }

    It 'stat, cpu: the counters' {
        Invoke-Sample stat | Should -BeLike "$(Get-KernelCount $namespace) entries of $(Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_max) *"
        (Invoke-Sample cpu).Count | Should -Be (Invoke-InNamespace $namespace conntrack -S).Count
    }

    It 'group: the largest first' {
        Invoke-Sample group SourceAddress Protocol | Select-Object -First 1 | Should -BeLike '1 *'
        Invoke-Sample group SourceAddress | Should -HaveCount 3
        (Invoke-Sample group SourceAddress)[0] | Should -Be '2 192.0.2.2'
        Get-Complaint --namespace $namespace group Colour | Should -BeLike "*no property 'Colour'*SourceAddress*"
    }

    It 'rate: by two readings' {
        (Invoke-Sample rate 0.2) -replace '.* ' | Sort-Object | Should -Be 192.0.2.1, 192.0.2.2, 2001:db8::1
    }

    It 'health: what is wrong' {
        Invoke-InNamespace $namespace sysctl -qw net.netfilter.nf_conntrack_acct=0
        @(Invoke-Sample health) -match '^Information AccountingOff: ' | Should -HaveCount 1
    }

    It 'metrics: writes them in each format' {
        $lines = Invoke-Sample metrics
        $lines | Should -Contain "conntrack_entries{namespace=`"$namespace`"} $(Get-KernelCount $namespace)"
        @(Invoke-Sample metrics openmetrics)[-1] | Should -Be '# EOF'
        @(Invoke-Sample metrics influx) -match "^conntrack,namespace=$namespace entries=" | Should -HaveCount 1
        Get-Complaint metrics xml | Should -BeLike "*no format 'xml'*"
    }

    It 'alerts: shows what is wrong from the beginning' {
        $lines = @(Invoke-Sample alerts 0.5 0)
        $lines[0] | Should -BeLike "Raised Fill in $($namespace): $(Get-KernelCount $namespace) of *"
        $lines[-1] | Should -Match '^[1-9]\d* of the alerts are still Raised\.$'
    }

    It 'timeout: lists and sets' {
        Invoke-Sample timeout tcp SynSent 33
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_tcp_timeout_syn_sent | Should -Be 33
        (Invoke-Sample timeout) -match '^Tcp SynSent ' | Should -Be "Tcp SynSent 33s, the kernel's default is 120s"
        Get-Complaint --namespace $namespace timeout tcp SynSent 2147484 | Should -BeLike '*1 to 2147483 seconds*'
        Get-Complaint --namespace $namespace timeout udp SynSent 3 | Should -BeLike '*The states are Unreplied, Replied.'
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_tcp_timeout_syn_sent | Should -Be 33
    }

    It 'setting: lists and sets' {
        Invoke-Sample setting Accounting true
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
        Invoke-Sample setting | Should -Contain 'Accounting True'
        Get-Complaint --namespace $namespace setting Accounting maybe | Should -BeLike "*'maybe' is not a value of Accounting: write true or false.*"
        Get-Complaint --namespace $namespace setting Maximum 1000000 | Should -BeLike '*in the initial network namespace alone*'
        Get-Complaint --namespace $namespace setting Nothing 1 | Should -BeLike "*no setting 'Nothing'*"
        Invoke-InNamespace $namespace sysctl -n net.netfilter.nf_conntrack_acct | Should -Be 1
    }

    It 'policy: creates, lists and removes' {
        Invoke-Sample policy create web Established 77
        $witness = Invoke-InNamespace $namespace nfct timeout list
        "$witness" | Should -Match '\.web = .*\.ESTABLISHED = 77,'
        $said = Invoke-Sample policy
        $said[0] | Should -Be 'web: IPv4 Tcp, used by 0 rules'
        $said | Should -Contain '    Established 77s'
        Get-Complaint --namespace $namespace policy create other Sleeping 5 | Should -BeLike "*no timeout for a state 'Sleeping'*"
        Invoke-Sample policy remove web
        Invoke-InNamespace $namespace nfct timeout list | Should -BeNullOrEmpty
        Get-Complaint --namespace $namespace policy remove web | Should -BeLike '*ENOENT*'
    }

    It 'helpers: what the kernel has, and the rules that attach it' {
        Invoke-InNamespace $namespace iptables-nft -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp
        $said = @(Invoke-Sample helpers)
        $said[0] | Should -BeLike 'ftp: Only connections that match rules get it: *1 rule attaches it.'
        $said[1] | Should -Be '  ip raw PREROUTING, port 21'
        $said[2] | Should -BeLike 'tftp: No connection gets it: *'
    }

    It 'tracking: what needs the entries of traffic' {
        Invoke-Sample tracking 192.0.2.77 53 | Should -BeLike 'Nothing needs entries with protocol Udp *'
        Invoke-InNamespace $namespace nft add table inet stateful
        Invoke-InNamespace $namespace nft add chain inet stateful c '{ type filter hook prerouting priority 0; policy drop; }'
        Invoke-InNamespace $namespace nft add rule inet stateful c ct state established accept
        try {
            Invoke-Sample tracking 192.0.2.77 53 | Should -BeLike 'inet stateful c handle *: accepts packets of the state established, *'
        }
        finally {
            Invoke-InNamespace $namespace nft delete table inet stateful
        }
    }

    It 'rules: what there is, and its end' {
        Invoke-InNamespace $namespace nft add table inet conntrackps-notrack-3
        Invoke-Sample rules | Should -Be 'NoTrack conntrackps-notrack-3: unknown, unknown: no file describes it; 0 packets; from no file'
        Invoke-Sample rules remove conntrackps-notrack-3 | Should -BeLike 'removed conntrackps-notrack-3 (*'
        Invoke-InNamespace $namespace nft list tables | Should -Not -BeLike '*conntrackps-*'
        Get-Complaint --namespace $namespace rules remove conntrackps-notrack-3 | Should -BeLike '*There is no rule*'
    }

    It 'expect, expect-watch, expect-delete: connections that are announced' {
        $watch = Start-Sample expect-watch 5
        $null = New-Master $namespace
        Invoke-Sample expect 192.0.2.1 1000 198.51.100.7 21 3000
        Get-KernelPort $namespace | Should -Be 3000
        Invoke-Sample expect | Should -BeLike '192.0.2.1 -> 198.51.100.7:3000, *s, helper ftp, Permanent'
        Invoke-Sample expect-delete 198.51.100.8 | Should -BeLike '0 deleted*'
        Get-KernelPort $namespace | Should -Be 3000
        Invoke-Sample expect-delete 198.51.100.7 | Should -BeLike '1 deleted*'
        Get-KernelPort $namespace | Should -BeNullOrEmpty
        Wait-Sample $watch | Should -Be 'Watching.', 'New 198.51.100.7:3000', 'Destroy 198.51.100.7:3000'
    }

    It 'save, read, restore: the table as text' {
        $null = $ran.Add('read'), $ran.Add('restore')
        $theirs = Invoke-InNamespace $namespace conntrack -L -o 'extended,id' | Sort-Object
        $ours = Invoke-Sample save | Sort-Object
        # Without values that count down.
        ($ours -replace '^(\S+ +\d+ \S+ +\d+) \d+', '$1').Trim() | Should -Be ($theirs -replace '^(\S+ +\d+ \S+ +\d+) \d+', '$1').Trim()
        $ours | Set-Content "$TestDrive/saved.txt"
        $read = Invoke-Program sh -c "dotnet $sample read < '$TestDrive/saved.txt'"
        $read | Should -Contain 'tcp 192.0.2.1:4000 -> 198.51.100.7:80 source as 203.0.113.9:4000'
        Invoke-Program sh -c "echo nonsense | dotnet $sample read" | Should -BeLike 'Line 1: * was expected, not ''nonsense'''
        Invoke-Program sh -c "echo '    [NEW] udp 17 30 src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1' | dotnet $sample read" |
            Should -BeLike 'New udp 1.1.1.1:1 -> 2.2.2.2:2*'
        Invoke-InNamespace $namespace conntrack -F
        Invoke-Program sh -c "dotnet $sample --namespace $namespace restore < '$TestDrive/saved.txt'" | Should -Be '4 created'
        Get-KernelName $namespace | Should -Be dns, half, six, web
    }

    It 'says what is wrong, and changes nothing' {
        Get-Complaint --namespace no-such-namespace list | Should -BeLike "*no network namespace 'no-such-namespace'*"
        Get-Complaint --namespace $namespace list 192.0.2.0/40 | Should -BeLike 'core-sample: *'
        Get-Complaint frobnicate | Should -BeLike '*core-sample * COMMAND*'
        "$(setpriv --reuid 65534 --clear-groups dotnet $sample --namespace $namespace list 2>&1)" | Should -Match 'CAP_|permitted|denied'
        (Get-KernelName $namespace) | Should -Be dns, half, six, web
    }

    It 'has no command that was not tried' {
        $usage = [regex]::Matches((Get-Complaint help), '(?m)(?<=^ {2}|  )([a-z][a-z-]*)(?=[ \n]|$)').Value | Sort-Object -Unique
        $usage.Count | Should -BeGreaterThan 20
        $usage | Where-Object { -not $ran.Contains($_) } | Should -BeNullOrEmpty
    }
}
