BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/ExpectationSupport.psm1" -Force

    $namespace = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace }
    @'
table inet filter {
    ct helper std-ftp { type "ftp" protocol tcp; }
    ct helper std-tftp { type "tftp" protocol udp; }
    ct helper idle { type "irc" protocol tcp; l3proto ip; }
    chain prerouting {
        type filter hook prerouting priority 0;
        tcp dport 21 ct helper set "std-ftp"
        ip daddr 192.0.2.1 tcp dport 2121 ct helper set "std-ftp"
        ct helper set udp dport map { 69 : "std-tftp", 6969 : "std-tftp" }
        ct helper "ftp" accept
    }
}
'@ | Set-Content "$TestDrive/rules.nft"
    Invoke-InNamespace $namespace nft -f "$TestDrive/rules.nft"

    1000..1002 | ForEach-Object { $null = New-Master $namespace -SourcePort $_ }
    $null = New-Master $namespace -IPv6
    $null = New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol udp -SourcePort 5060 -DestinationPort 5060 -Timeout 600 -Helper sip -PassThru @here
    $null = New-ConntrackEntry 192.0.2.1 198.51.100.7 -Protocol udp -SourcePort 53 -DestinationPort 53 -Timeout 600 -PassThru @here
    Get-ConntrackEntry -Helper ftp -SourcePort 1000 -AddressFamily IPv4 @here | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5000
    Get-ConntrackEntry -Helper ftp -SourcePort 1001 @here | New-ConntrackExpectation 198.51.100.7 192.0.2.1 -DestinationPort 5001
    $helpers = Get-ConntrackHelper @here
    $ftp = $helpers | Where-Object Name -EQ ftp
}

AfterAll {
    Remove-TestNamespace $namespace
}

Describe 'Get-ConntrackHelper' {
    It 'lists the helpers of Linux' {
        $helpers.Name | Should -Be 'ftp', 'tftp', 'sip', 'irc', 'RAS', 'Q.931', 'H.245', 'pptp', 'snmp', 'amanda', 'netbios-ns', 'sane'
        $helpers.Namespace | Select-Object -Unique | Should -Be $namespace
        $helpers.Description | ForEach-Object { $_ | Should -Match '^\S.{15,}\.$' }
    }

    It 'counts the entries that conntrack lists with the helper: <_>' -ForEach 'ftp', 'sip', 'tftp' {
        $name = $_
        $lines = @('ipv4', 'ipv6' | ForEach-Object { Invoke-InNamespace $namespace conntrack -L -f $_ })
        ($helpers | Where-Object Name -EQ $name).EntryCount | Should -Be @($lines -match "helper=$name( |$)").Count
    }

    It 'counts what is there' {
        $ftp.EntryCount | Should -Be 4
        ($helpers | Where-Object Name -EQ sip).EntryCount | Should -Be 1
        ($helpers | Where-Object Name -EQ tftp).EntryCount | Should -Be 0
    }

    It 'counts the expectations that the kernel lists' {
        $ftp.ExpectationCount | Should -Be 2
        @(Invoke-InNamespace $namespace cat /proc/net/nf_conntrack_expect | Where-Object { $_ -match ' ftp' }).Count | Should -Be 2
        @(Get-KernelExpectation $namespace | Where-Object Helper -EQ ftp).Count | Should -Be 2
        ($helpers | Where-Object Name -EQ sip).ExpectationCount | Should -Be 0
    }

    It 'finds the rules that nft lists, by their handles' {
        $listed = Invoke-InNamespace $namespace nft -a list ruleset
        $handles = @($listed | Select-String 'ct helper set "std-ftp" # handle (\d+)').ForEach({ [ulong] $_.Matches[0].Groups[1].Value })
        $handles.Count | Should -Be 2
        $ftp.RuleCount | Should -Be 2
        $ftp.Rules.Handle | Should -Be $handles
        $ftp.Rules[0] | Should -BeOfType ConntrackPS.Helpers.HelperUse
        "$($ftp.Rules[0])" | Should -Be "inet filter prerouting handle $($handles[0])"
        $tftp = $helpers | Where-Object Name -EQ tftp
        $tftp.RuleCount | Should -Be 1
        $tftp.Rules.ObjectName | Should -Be std-tftp
    }

    It 'shows an object that no rule uses' {
        $irc = $helpers | Where-Object Name -EQ irc
        "$($irc.Objects)" | Should -Be 'inet filter idle'
        $irc.RuleCount | Should -Be 0
        $irc.Effect | Should -BeLike 'No connection gets it: *'
    }

    It 'says what the rules do' {
        $ftp.Effect | Should -BeLike 'Only connections that match rules get it: * and 2 rules attach it.'
        ($helpers | Where-Object Name -EQ sane).Effect | Should -BeLike 'No connection gets it: *, and no rule of nf_tables or iptables names it.'
    }

    It 'finds rules of iptables: <_>' -ForEach 'iptables-nft', 'iptables-legacy', 'ip6tables-legacy' -Skip:(-not (Get-Command iptables-legacy -ErrorAction Ignore)) {
        $other = New-TestNamespace
        try {
            Invoke-InNamespace $other $_ -t raw -A PREROUTING -p tcp --dport 6566 -j CT --helper sane
            Invoke-InNamespace $other $_ -t raw -A PREROUTING -p tcp --dport 80 -j CT --notrack
            $sane = Get-ConntrackHelper sane -NetworkNamespace $other
            $sane.RuleCount | Should -Be 1
            "$($sane.Rules)" | Should -Match ($_ -eq 'iptables-nft' ? '^ip raw PREROUTING handle \d+$' : "^$($_ -replace '-legacy') -t raw PREROUTING 1$")
            Invoke-InNamespace $other $_ -t raw -S PREROUTING 1 | Should -Match 'helper sane'
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'shows what the kernel''s files say of a module' {
        $config = if (Test-Path /proc/config.gz) { gzip -dc /proc/config.gz } elseif (Test-Path "/boot/config-$(uname -r)") { Get-Content "/boot/config-$(uname -r)" }
        if (-not $config) {
            Set-ItResult -Skipped -Because 'this kernel shows no build options'
            return
        }
        foreach ($helper in $helpers | Where-Object { $config -contains "CONFIG_$($_.Module.ToUpperInvariant())=y" }) {
            $helper.State | Should -Be BuiltIn -Because $helper.Name
        }
        $ftp.State | Should -Be ($config -contains 'CONFIG_NF_CONNTRACK_FTP=y' ? 'BuiltIn' : 'Loaded')
        if ($config -contains 'CONFIG_NF_NAT_FTP=y') {
            $ftp.NatState | Should -Be BuiltIn
        }
    }

    It 'has the ports of the running module: <Name>' -ForEach @(
        @{ Name = 'ftp'; Default = 21 }, @{ Name = 'tftp'; Default = 69 }, @{ Name = 'sip'; Default = 5060 }, @{ Name = 'irc'; Default = 6667 }, @{ Name = 'sane'; Default = 6566 }
    ) {
        $helper = $helpers | Where-Object Name -EQ $Name
        $helper.DefaultPorts | Should -Be $Default
        $file = "/sys/module/$($helper.Module)/parameters/ports"
        $helper.Ports | Should -Be ((Test-Path $file) ? [ushort[]] ((Get-Content $file) -split ',') : $Default)
    }

    It 'says whether the kernel assigns helpers by itself' {
        $file = '/proc/sys/net/netfilter/nf_conntrack_helper'
        $helpers.AutomaticAssignment | Select-Object -Unique | Should -Be ((Test-Path $file) ? (Get-Content $file) -ne '0' : $null)
        if (-not (Test-Path $file)) {
            $ftp.AutomaticAssignment | Should -BeNullOrEmpty
            $ftp.Effect | Should -BeLike '*this kernel attaches helpers only by rules*'
        }
    }

    It 'finds <Name>' -ForEach @(
        @{ Name = 'FTP'; Expected = @('ftp') }
        @{ Name = '*ftp'; Expected = 'ftp', 'tftp' }
        @{ Name = 'q.931', 'sip'; Expected = 'Q.931', 'sip' }
        @{ Name = 'x*'; Expected = @() }
    ) {
        @(Get-ConntrackHelper $Name @here | ForEach-Object Name) | Should -Be $Expected
    }

    It 'says that a name is unknown, lists those there are, and goes on' {
        $found = (Get-ConntrackHelper ftpp, sip @here -ErrorVariable failure -ErrorAction SilentlyContinue).Name
        $failure.Count | Should -Be 1
        $failure.FullyQualifiedErrorId | Should -Be 'HelperNotFound,ConntrackPS.Commands.GetConntrackHelperCommand'
        $failure.CategoryInfo.Category | Should -Be ObjectNotFound
        "$failure" | Should -BeLike "*'ftpp'*ftp, tftp, sip*"
        $found | Should -Be sip
    }

    It 'takes its own objects from <_>, and reads them where they are from' -ForEach 'the pipeline', 'CSV', 'JSON', 'CLIXML' {
        $saved = switch ($_) {
            'CSV' { $ftp | ConvertTo-Csv | ConvertFrom-Csv }
            'JSON' { $ftp | ConvertTo-Json -EnumsAsStrings | ConvertFrom-Json }
            'CLIXML' { $ftp | Export-Clixml "$TestDrive/ftp.xml"; Import-Clixml "$TestDrive/ftp.xml" }
            default { $ftp }
        }
        $again = $saved | Get-ConntrackHelper
        $again.Name | Should -Be ftp
        $again.Namespace | Should -Be $namespace
        $again.EntryCount | Should -Be 4
    }

    It 'reads the helpers of entries' {
        $names = @(Get-ConntrackEntry @here | Where-Object Helper | Select-Object -ExpandProperty Helper -Unique)
        $names | Sort-Object | Should -Be ftp, sip
        ($names | Get-ConntrackHelper @here).Name | Should -Be $names
    }

    It 'keeps its values in JSON and CLIXML' {
        $ftp | Export-Clixml "$TestDrive/saved.xml"
        $read = Import-Clixml "$TestDrive/saved.xml"
        $read.State | Should -Be $ftp.State
        $read.State | Should -BeOfType ConntrackPS.Helpers.ModuleState
        $json = $ftp | ConvertTo-Json -EnumsAsStrings -Depth 3 | ConvertFrom-Json
        $json.State | Should -Be "$($ftp.State)"
        $json.Rules.Handle | Should -Be $ftp.Rules.Handle
        $json.Protocols | Should -Be Tcp
        $json.PSObject.Properties.Name | Should -Not -Contain Entries
    }

    It 'changes nothing' {
        $other = New-TestNamespace
        try {
            $null = Get-ConntrackHelper -NetworkNamespace $other
            Invoke-InNamespace $other nft list ruleset | Should -BeNullOrEmpty
            Invoke-InNamespace $other sh -c 'cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null; true' | Should -BeNullOrEmpty
        }
        finally {
            Remove-TestNamespace $other
        }
    }

    It 'fits 80 columns' {
        $lines = $helpers | Format-Table | Out-String -Width 80 -Stream | Where-Object { $_ }
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $lines -match '…' | Should -BeNullOrEmpty
    }
}
