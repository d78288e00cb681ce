# What the three kinds of rules have in common: they are listed with their counters, and removed, and leave every other table as it is.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule
    Import-Module "$PSScriptRoot/Support/BlockLab.psm1" -Force

    $namespace = New-TestNamespace
    $other = New-TestNamespace
    $here = @{ NetworkNamespace = $namespace }
    Enable-Tracking $namespace
    Invoke-InNamespace $namespace nft add table ip mine
    Invoke-InNamespace $namespace nft add chain ip mine raw '{ type filter hook prerouting priority -300; }'
    Invoke-InNamespace $namespace nft add rule ip mine raw ip saddr 203.0.113.1 counter

    <# The ruleset without the tables of rules, as nft lists it, and without counts. #>
    function Get-OtherTable {
        foreach ($table in @(Invoke-InNamespace $namespace nft list tables) -notmatch ' conntrackps-') {
            (Invoke-InNamespace $namespace nft -a list $table.Split(' ')) -replace 'packets \d+ bytes \d+'
        }
    }

    function Get-RuleTable([string] $Namespace = $namespace) {
        @(Invoke-InNamespace $Namespace nft list tables) -match ' conntrackps-' -replace '^table inet ' | Sort-Object
    }

    <# A rule of each kind. #>
    function Add-EachKind {
        Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 @here
        Limit-ConntrackSource -Maximum 3 -Protocol Udp -DestinationPort 5301 @here
        Enable-ConntrackHelper tftp -DestinationAddress 127.0.0.1 @here
    }

    function Send-Packet([int] $Port, [int] $Count = 1) {
        Invoke-InNamespace $namespace bash -c "for i in $(1..$Count -join ' '); do echo x > /dev/udp/127.0.0.1/$Port; done"
    }
}

AfterAll {
    Get-ConntrackRule -NetworkNamespace $namespace, $other | Remove-ConntrackRule
    Remove-TestNamespace $namespace, $other
}

Describe 'Get-ConntrackRule and Remove-ConntrackRule' {
    BeforeEach {
        $untouched = Get-OtherTable
        $rules = @(Add-EachKind)
        $null = $untouched, $rules
    }

    AfterEach {
        Get-ConntrackRule -NetworkNamespace $namespace, $other | Remove-ConntrackRule
        Get-RuleTable | Should -BeNullOrEmpty
        Get-OtherTable | Should -Be $untouched
    }

    It 'list each kind, with its table and all it is' {
        $listed = @(Get-ConntrackRule @here)
        $listed.Kind | Should -Be NoTrack, Limit, Helper
        $listed.Name | Should -Be $rules.Name
        $listed.Name | Sort-Object | Should -Be (Get-RuleTable)
        $listed.Lifetime | Select-Object -Unique | Should -Be Process
        $listed.ProcessId | Select-Object -Unique | Should -Be $PID
        $listed.IsInForce | Select-Object -Unique | Should -BeTrue
        $listed[0].Traffic | Should -Be 'entries with protocol Udp and destination port 5300'
        $listed.Namespace | Select-Object -Unique | Should -Be $namespace
        $listed[0].Since | Should -BeGreaterThan ([datetime]::Now.AddMinutes(-1))
        foreach ($rule in $listed) {
            "$(Invoke-InNamespace $namespace nft list table inet $rule.Name)" | Should -BeLike "*flags owner*comment `"$($rule.Effect): *"
        }
    }

    It 'count the packets that each matched, as nft does' {
        Send-Packet 5300 4
        $rule = Get-ConntrackRule $rules[0].Name @here
        $rule.Packets | Should -BeGreaterOrEqual 4
        $witness = [regex]::Matches("$(Invoke-InNamespace $namespace nft list table inet $rule.Name)", 'counter packets (\d+) bytes (\d+)')
        $rule.Packets | Should -Be ($witness | ForEach-Object { [long] $_.Groups[1].Value } | Measure-Object -Sum).Sum
        $rule.Bytes | Should -Be ($witness | ForEach-Object { [long] $_.Groups[2].Value } | Measure-Object -Sum).Sum
    }

    It 'find by name, wildcard, kind and pipeline' {
        (Get-ConntrackRule $rules[1].Name.ToUpper() @here).Name | Should -Be $rules[1].Name
        (Get-ConntrackRule '*-helper-*' @here).Name | Should -Be $rules[2].Name
        (Get-ConntrackRule -Kind Limit, Helper @here).Name | Should -Be $rules[1, 2].Name
        ($rules[0] | Get-ConntrackRule).Name | Should -Be $rules[0].Name
        Get-ConntrackRule nothing* @here | Should -BeNullOrEmpty
    }

    It 'say so where there is no such rule, and continue' {
        $found = Get-ConntrackRule conntrackps-limit-99, $rules[0].Name @here -ErrorVariable failure -ErrorAction SilentlyContinue
        $found.Name | Should -Be $rules[0].Name
        $failure.FullyQualifiedErrorId | Should -Be 'RuleNotFound,ConntrackPS.Commands.GetConntrackRuleCommand'
        $failure[0].CategoryInfo.Category | Should -Be ObjectNotFound
        Remove-ConntrackRule conntrackps-limit-99, $rules[0].Name @here -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure.FullyQualifiedErrorId | Should -Be 'RuleNotFound,ConntrackPS.Commands.RemoveConntrackRuleCommand'
        Get-RuleTable | Should -Be ($rules[1, 2].Name | Sort-Object)
    }

    It 'refuse a malformed pattern, and remove nothing: <_>' -ForEach 'Get-ConntrackRule', 'Remove-ConntrackRule', 'Enable-ConntrackTracking' {
        $failure = @(Get-Failure { & $_ '[a-' @here })
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidValue,*'
        "$failure" | Should -Match "'\[a-' is not a pattern of names"
        @(Get-RuleTable).Count | Should -Be 3
    }

    It 'remove all by one command, and emit the last counters with -PassThru' {
        Send-Packet 5300 2
        $removed = @(Remove-ConntrackRule * -PassThru @here)
        $removed.Name | Should -Be $rules.Name
        $removed[0].Packets | Should -BeGreaterOrEqual 2
        Get-RuleTable | Should -BeNullOrEmpty
    }

    It 'change nothing with -WhatIf, and name what would go' {
        $said = Invoke-Child {
            $rule = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5302 -NetworkNamespace $Namespace
            $rule | Remove-ConntrackRule -WhatIf
            @(Get-ConntrackRule $rule.Name -NetworkNamespace $Namespace).Count
        } -Namespace $namespace
        "$said" | Should -BeLike "What if: *`"Remove conntrack rule`" on target `"conntrackps-notrack-*-1 (not tracked: *5302) in network namespace '$namespace'`".*1"
    }

    It 'show the rules of another process, which end with it' {
        $said = Invoke-Child {
            $null = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5303 -NetworkNamespace $Namespace
            $others = @(Get-ConntrackRule -NetworkNamespace $Namespace | Where-Object ProcessId -NE $PID)
            "$($others.Kind)", $others[0].Effect, $others[0].Traffic
            $others[0] | Remove-ConntrackRule -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", "$failure"
            Remove-ConntrackRule * -NetworkNamespace $Namespace 3>&1 | ForEach-Object Message
        } -Namespace $namespace
        $said[0] -split ' ' | Sort-Object | Should -Be Helper, Limit, NoTrack
        $said[3] | Should -Be 'RuleOfOtherProcess,ConntrackPS.Commands.RemoveConntrackRuleCommand'
        $said[4] | Should -Be PermissionDenied
        $said[5] | Should -BeLike "*belongs to process $PID*"
        $said[6] | Should -BeLike '3 rules of other processes stay*'

        # The child's own are gone with it.
        Wait-Until { "$(Get-RuleTable)" -eq "$($rules.Name | Sort-Object)" } 'the rules of the child'
    }

    It 'add a rule again whose table the kernel lost, and tell of it; Test-ConntrackHealth finds it' {
        Remove-KernelTable $rules[0].Name
        Wait-Until { (Get-RuleTable) -contains $rules[0].Name } 'the table is not made again'
        $shown = Get-ConntrackRule $rules[0].Name @here -WarningVariable warning -WarningAction SilentlyContinue
        $shown.IsInForce, $shown.LossCount | Should -Be $true, 1
        "$warning" | Should -BeLike "$($rules[0].Name): The kernel has lost the rule's table * once, last at *; it had no effect until it was created again."
        $finding = @(Test-ConntrackHealth @here -SampleTime 0) | Where-Object Name -Like 'Rule*'
        $finding.Name, "$($finding.Severity)" | Should -Be RuleLost, Warning
        (Invoke-Expression "$($finding.Remedy) | Out-String" 3> $null) | Should -Match 'LossCount +: 1'
    }

    It 'tell of a rule that cannot be in force' {
        Remove-KernelTable $rules[0].Name -Usurp
        (Get-ConntrackRule $rules[0].Name @here -WarningAction Ignore).IsInForce | Should -BeFalse
        $finding = @(Test-ConntrackHealth @here -SampleTime 0) | Where-Object Name -Like 'Rule*'
        $finding.Name, "$($finding.Severity)" | Should -Be RuleNotInForce, Critical
        Remove-ConntrackRule $rules[0].Name @here
        Invoke-InNamespace $namespace nft delete table inet $rules[0].Name
    }

    It 'keep namespaces apart, and list several with theirs' {
        $there = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 -NetworkNamespace $other
        (Get-ConntrackRule -NetworkNamespace $other).Name | Should -Be $there.Name
        $all = @(Get-ConntrackRule -NetworkNamespace $namespace, $other)
        $all.Namespace | Should -Be $namespace, $namespace, $namespace, $other
        ($all | Out-String -Width 80).Trim() -split "`n" | Select-Object -First 1 | Should -Match '^Name +Namespace +Rule'
        $there | Remove-ConntrackRule
        Get-RuleTable $other | Should -BeNullOrEmpty
        @(Get-ConntrackRule @here).Count | Should -Be 3
    }

    It 'keep a rule that does the same already' {
        (Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 @here).Name | Should -Be $rules[0].Name
        @(Get-RuleTable).Count | Should -Be 3
    }

    It 'show a rule on 80 columns' {
        $lines = ($rules | Out-String -Width 80).Trim() -split "`n"
        $lines[0] | Should -Match '^Name +Packets Rule'
        $lines[2] | Should -Match "^$($rules[0].Name) +0 not tracked: protocol Udp"
    }

    It 'complete names' {
        $typed = "Remove-ConntrackRule -NetworkNamespace $namespace -Name conntrackps-l"
        (TabExpansion2 $typed $typed.Length).CompletionMatches.CompletionText | Should -Be $rules[1].Name
    }

    It 'end with the module' {
        Invoke-Child {
            $null = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5304 -NetworkNamespace $Namespace
            @(ip netns exec $Namespace nft list tables) -match "-$PID-"
            Remove-Module ConntrackPS
            $deadline = [datetime]::Now.AddSeconds(5)
            while (@(ip netns exec $Namespace nft list tables) -match "-$PID-" -and [datetime]::Now -lt $deadline) { Start-Sleep -Milliseconds 20 }
            "left: $(@(ip netns exec $Namespace nft list tables) -match "-$PID-")"
        } -Namespace $namespace | Should -Match '^(table inet conntrackps-notrack-\d+-1|left: )$'
    }
}

Describe 'A persisted rule' {
    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $null = New-Item "$root/etc/systemd/system/sysinit.target.wants/nftables.service" -Force
        Set-Content "$root/etc/nftables.conf" '#!/usr/sbin/nft -f', 'flush ruleset'
        $null = $root
    }

    <# -PersistRoot is for the caller's own namespace, because boot configures one. #>
    BeforeAll {
        function Invoke-Here([scriptblock] $Script) {
            Invoke-Child ([scriptblock]::Create("`$root = '$root'; $Script")) -Prefix ip, netns, exec, $other
        }
    }

    AfterEach {
        Invoke-InNamespace $other nft flush ruleset
    }

    It 'stays after its process, comes back from its file, and is removed with it by another process: <Kind>' -ForEach @(
        @{ Kind = 'NoTrack'; Add = 'Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300' }
        @{ Kind = 'Limit'; Add = 'Limit-ConntrackSource -Maximum 3 -Protocol Udp -DestinationPort 5301' }
        @{ Kind = 'Helper'; Add = 'Enable-ConntrackHelper tftp -DestinationAddress 192.0.2.69' }
    ) {
        $name = "conntrackps-$($Kind.ToLower())-1"
        $said = Invoke-Here ([scriptblock]::Create("`$rule = $Add -Persist -PersistRoot `$root; `$rule.Name, `"`$(`$rule.Lifetime)`", `$rule.File"))
        $said | Should -Be $name, Persistent, "$root/etc/nftables.d/$name.nft"
        Get-RuleTable $other | Should -Be $name
        $live = Invoke-InNamespace $other nft list table inet $name

        # As a boot does: the ruleset is empty, and the main file is loaded. Only its path is the test's.
        Invoke-InNamespace $other nft flush ruleset
        (Get-Content "$root/etc/nftables.conf") -replace '"/etc/', "`"$root/etc/" | Set-Content "$root/boot.nft"
        Invoke-InNamespace $other nft -f "$root/boot.nft"
        Get-RuleTable $other | Should -Be $name
        @(Invoke-InNamespace $other nft list table inet $name).Count | Should -BeGreaterThan 5
        $null = $live

        $said = Invoke-Here {
            $rule = Get-ConntrackRule -PersistRoot $root
            $rule.Name, "$($rule.Kind)", $rule.IsInForce, "$($rule.ProcessId)"
            $rule | Remove-ConntrackRule -PersistRoot $root
            @(Get-ConntrackRule -PersistRoot $root).Count
        }
        $said | Should -Be $name, $Kind, True, '', 0
        Get-RuleTable $other | Should -BeNullOrEmpty
        Get-ChildItem "$root/etc/nftables.d" | Should -BeNullOrEmpty
    }

    It 'is found by Test-ConntrackHealth when its table is gone, and the remedy brings it back' {
        $said = Invoke-Here {
            $null = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 -Persist -PersistRoot $root
            nft flush ruleset
            (Get-ConntrackRule -PersistRoot $root).IsInForce
            $finding = @(Test-ConntrackHealth -PersistRoot $root -SampleTime 0) | Where-Object Name -Like 'Rule*'
            "$($finding.Name) $($finding.Severity)"
            Invoke-Expression $finding.Remedy
            @(Test-ConntrackHealth -PersistRoot $root -SampleTime 0 | Where-Object Name -Like 'Rule*').Count
            (Get-ConntrackRule -PersistRoot $root).IsInForce
        }
        $said | Should -Be False, 'RuleNotInForce Warning', 0, True
    }

    It 'is refused for a namespace that boot does not set up, and then changes nothing' {
        $failure = Get-Failure { Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 -Persist @here }
        $failure.FullyQualifiedErrorId | Should -Be 'NotPersistable,ConntrackPS.Commands.DisableConntrackTrackingCommand'
        Get-RuleTable | Should -BeNullOrEmpty
    }

    It 'is refused without an nftables service, and then changes nothing' {
        Remove-Item "$root/etc/nftables.conf"
        $said = Invoke-Here {
            try {
                Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 -Persist -PersistRoot $root
            }
            catch {
                $_.FullyQualifiedErrorId, "$($_.CategoryInfo.Category)", "$_"
            }
        }
        $said[0] | Should -Be 'NoNftablesService,ConntrackPS.Commands.DisableConntrackTrackingCommand'
        $said[1] | Should -Be NotInstalled
        $said[2] | Should -BeLike '*Install it (package nftables)*-AsNft*'
        Get-RuleTable $other | Should -BeNullOrEmpty
    }

    It 'tells that boot does not load it while the service is not enabled' {
        Remove-Item "$root/etc/systemd" -Recurse
        Invoke-Here { $null = Disable-ConntrackTracking -Protocol Udp -DestinationPort 5300 -Persist -PersistRoot $root -WarningVariable said 3>$null; "$said" } |
            Should -BeLike '*systemctl enable nftables*'
    }
}
