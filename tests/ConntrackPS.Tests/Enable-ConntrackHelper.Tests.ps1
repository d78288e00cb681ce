# Helpers are attached to real FTP, TFTP and SIP through a NAT router.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-Module "$PSScriptRoot/Support/HelperLab.psm1" -Force
    Import-PackagedModule

    $lab = New-HelperLab
    $router = $lab.Router
    $here = @{ NetworkNamespace = $router }
    $others = Invoke-InNamespace $router nft -a list ruleset

    function Get-Table {
        @(Invoke-InNamespace $router nft list tables) -match 'conntrackps' -replace '^table inet '
    }
}

AfterAll {
    Get-ConntrackRule @here | Remove-ConntrackRule
    Remove-HelperLab $lab
}

Describe 'Enable-ConntrackHelper' {
    AfterEach {
        Get-ConntrackRule @here | Remove-ConntrackRule
        Invoke-InNamespace $router nft -a list ruleset | Should -Be $others -Because 'other tables stay as they are'
    }

    Context 'through NAT' {
        It 'lets the data connection of <Protocol> pass: <Family>' -ForEach @(
            @{ Helper = 'ftp'; Protocol = 'ftp-active'; Family = 'IPv4'; Server = '198.51.100.10' }
            @{ Helper = 'ftp'; Protocol = 'ftp-active'; Family = 'IPv6'; Server = '2001:db8:100::10' }
            @{ Helper = 'ftp'; Protocol = 'ftp-passive'; Family = 'IPv4'; Server = '198.51.100.1' }
            @{ Helper = 'ftp'; Protocol = 'ftp-passive'; Family = 'IPv6'; Server = '2001:db8:100::1' }
            @{ Helper = 'tftp'; Protocol = 'tftp'; Family = 'IPv4'; Server = '198.51.100.10' }
            @{ Helper = 'tftp'; Protocol = 'tftp'; Family = 'IPv6'; Server = '2001:db8:100::10' }
            @{ Helper = 'sip'; Protocol = 'sip-udp'; Family = 'IPv4'; Server = '198.51.100.10' }
            @{ Helper = 'sip'; Protocol = 'sip-tcp'; Family = 'IPv4'; Server = '198.51.100.10' }
            @{ Helper = 'sip'; Protocol = 'sip-udp'; Family = 'IPv6'; Server = '2001:db8:100::10' }
        ) {
            Test-HelperTraffic $lab $Protocol $Family | Should -BeFalse
            Get-DataConnection $lab $Family | Should -BeNullOrEmpty
            $before = Get-ExpectationCount $lab
            Invoke-InNamespace $router conntrack -F

            $rule = Enable-ConntrackHelper $Helper -DestinationAddress $Server @here
            Test-HelperTraffic $lab $Protocol $Family | Should -BeTrue
            Get-DataConnection $lab $Family | Should -Match 'src='
            Get-ExpectationCount $lab | Should -BeGreaterThan $before
            (Get-ConntrackEntry -Status Expected @here).MasterDestinationAddress | Select-Object -Unique | Should -Be $Server
            (Get-ConntrackRule $rule.Name @here).Packets | Should -BeGreaterThan 0
        }

        It 'attaches it to further ports' {
            $null = Enable-ConntrackHelper ftp -Port 21, 2121 -SourceAddress 10.77.1.0/24 @here
            Test-HelperTraffic $lab ftp-active IPv4 -Port 2121 | Should -BeTrue
            Test-HelperTraffic $lab ftp-active IPv4 | Should -BeTrue
        }

        It 'attaches it to nothing else' {
            $null = Enable-ConntrackHelper ftp -Port 2121 -SourceAddress 10.77.1.0/24 @here
            Test-HelperTraffic $lab ftp-active IPv4 | Should -BeFalse
            $null = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 @here
            Test-HelperTraffic $lab ftp-active IPv4 | Should -BeFalse
        }

        It 'warns that connections of the table do not get it' {
            $null = Test-HelperTraffic $lab ftp-active IPv4
            $null = Enable-ConntrackHelper ftp -DestinationAddress 198.51.100.10 @here -WarningVariable said -WarningAction SilentlyContinue
            "$said" | Should -BeLike '1 connection of this traffic is in the table already, and does not get the helper.*Remove-ConntrackEntry*'
            Invoke-InNamespace $router conntrack -F
            $null = Enable-ConntrackHelper ftp -DestinationAddress 198.51.100.11 @here -WarningVariable said
            $said | Should -BeNullOrEmpty
        }
    }

    Context 'rules' {
        It 'adds one table, with an object for each protocol' {
            $rule = Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1, 2001:db8::1 @here
            Get-Table | Should -Be $rule.Name
            $rule.Kind | Should -Be Helper
            $text = "$(Invoke-InNamespace $router nft list table inet $rule.Name)" -replace '\s+', ' '
            $text | Should -Match 'flags owner'
            foreach ($part in 'ct helper sip-udp { type "sip" protocol udp', 'ct helper sip-tcp { type "sip" protocol tcp', 'hook prerouting priority -199', 'hook output priority -199') {
                $text | Should -BeLike "*$part*"
            }
            @([regex]::Matches($text, 'ct helper set "sip-udp"')).Count | Should -Be 4
            @([regex]::Matches($text, 'ct helper set "sip-tcp"')).Count | Should -Be 4
        }

        It 'adds it in one transaction, as nft monitor shows' {
            $file = "$TestDrive/monitor"
            $monitor = Start-Process ip -ArgumentList netns, exec, $router, nft, monitor -RedirectStandardOutput $file -PassThru
            try {
                # The first table may be added before nft listens.
                Wait-Until {
                    Invoke-InNamespace $router nft 'add table ip probe; delete table ip probe'
                    (Get-Content $file -Raw) -match 'probe'
                } 'nft monitor listens'
                $rule = Enable-ConntrackHelper tftp -DestinationAddress 192.0.2.1 @here
                Wait-Until { (Get-Content $file -Raw) -match $rule.Name } 'nft monitor shows the rule'
                Start-Sleep -Milliseconds 200
            }
            finally {
                Stop-Process $monitor
                $monitor.WaitForExit()
            }
            $shown = (Get-Content $file -Raw) -split '(?<=# new generation \d+[^\n]*\n)' | Where-Object { $_ -match 'conntrackps' }
            @($shown).Count | Should -Be 1
            $shown | Should -Match 'create table inet conntrackps-helper'
            $shown | Should -Match 'ct helper set'
            $shown | Should -Not -Match 'inet lab|(?m)^delete'
        }

        It 'uses only the protocol of -Protocol' {
            $rule = Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 -Protocol Tcp @here
            $text = Invoke-InNamespace $router nft list table inet $rule.Name
            "$text" | Should -BeLike '*sip-tcp*'
            "$text" | Should -Not -BeLike '*sip-udp*'
        }

        It 'adds rules of IPv4 only for a helper of IPv4: pptp' {
            $rule = Enable-ConntrackHelper pptp -Force @here
            "$(Invoke-InNamespace $router nft list table inet $rule.Name)" | Should -Match 'nfproto ipv4'
        }

        It 'is shown by Get-ConntrackHelper' {
            $rule = Enable-ConntrackHelper ftp -DestinationAddress 198.51.100.10 @here
            $ftp = Get-ConntrackHelper ftp @here
            $ftp.RuleCount | Should -Be 2
            $ftp.Rules.Table | Select-Object -Unique | Should -Be $rule.Name
            $ftp.Objects.Table | Should -Be $rule.Name
        }

        It 'keeps a rule that does the same already' {
            $first = Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 @here
            (Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 @here).Name | Should -Be $first.Name
            (Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 -Protocol Tcp @here).Name | Should -Not -Be $first.Name
            @(Get-Table).Count | Should -Be 2
        }

        It 'takes several names, and helpers from the pipeline in their namespace' {
            (Enable-ConntrackHelper ftp, TFTP -DestinationAddress 192.0.2.1 @here).Effect | Should -Be 'helper ftp', 'helper tftp'
            (Get-ConntrackHelper ftp, sane @here | Enable-ConntrackHelper -DestinationAddress 192.0.2.2).Namespace | Should -Be $router, $router
            ('amanda' | Enable-ConntrackHelper -DestinationAddress 192.0.2.2 @here).Effect | Should -Be 'helper amanda'
            @(Get-Table).Count | Should -Be 5
        }

        It 'completes names' {
            (TabExpansion2 'Enable-ConntrackHelper t' 24).CompletionMatches.CompletionText | Should -Be tftp
        }

        It 'changes nothing with -WhatIf' {
            Invoke-Child { Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -NetworkNamespace $Namespace -WhatIf } -Namespace $router |
                Should -BeLike 'What if: *"Attach the helper ftp until Remove-ConntrackRule*" on target "*destination address 192.0.2.1*"*'
            Get-Table | Should -BeNullOrEmpty
        }

        It 'prints rules for nft with -AsNft, and changes nothing' {
            $text = Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 -AsNft
            Get-Table | Should -BeNullOrEmpty
            $text | Set-Content "$TestDrive/as.nft"
            Invoke-InNamespace $router nft -f "$TestDrive/as.nft"
            try {
                (Get-ConntrackHelper sip @here).RuleCount | Should -Be 4
            }
            finally {
                Invoke-InNamespace $router nft delete table inet conntrackps-helper-1
            }
        }

        It 'ends with its process' {
            Invoke-Child { (Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -NetworkNamespace $Namespace).Name } -Namespace $router | Should -Match '^conntrackps-helper-\d+-1$'
            Wait-Until { -not (Get-Table) } 'the rule of the child'
        }
    }

    Context 'bad input' {
        It 'is refused, and changes nothing: <Name> <Arguments.Keys>' -ForEach @(
            @{ Name = 'ftp'; Arguments = @{}; Id = 'HelperUnsafe'; Category = 'InvalidOperation'; Text = '*-DestinationAddress*-SourceAddress*-Force*' }
            @{ Name = 'ftp'; Arguments = @{ DestinationAddress = '0.0.0.0/0' }; Id = 'HelperUnsafe'; Category = 'InvalidOperation'; Text = '*-Force*' }
            @{ Name = 'sip'; Arguments = @{ SourceAddress = '10.0.0.0/8' }; Id = 'HelperUnsafe'; Category = 'InvalidOperation'; Text = '*servers as -DestinationAddress. To*-Force*' }
            @{ Name = 'nosuch'; Arguments = @{ Force = $true }; Id = 'HelperNotFound'; Category = 'ObjectNotFound'; Text = '*ftp, tftp*' }
            @{ Name = 'ftp*'; Arguments = @{ Force = $true }; Id = 'HelperNotFound'; Category = 'ObjectNotFound'; Text = '*' }
            @{ Name = 'H.245'; Arguments = @{ Force = $true }; Id = 'HelperHasNoPort'; Category = 'InvalidArgument'; Text = '*RAS, Q.931*' }
            @{ Name = 'tftp'; Arguments = @{ Protocol = 'tcp'; Force = $true }; Id = 'HelperMismatch'; Category = 'InvalidArgument'; Text = '*reads udp, not tcp*-Protocol*' }
            @{ Name = 'irc'; Arguments = @{ DestinationAddress = '2001:db8::1' }; Id = 'HelperMismatch'; Category = 'InvalidArgument'; Text = '*only IPv4*-DestinationAddress*' }
            @{ Name = 'ftp'; Arguments = @{ SourceAddress = '10.0.0.0/8'; DestinationAddress = '2001:db8::1' }; Id = 'ContradictoryFilter'; Category = 'InvalidArgument'; Text = '*' }
        ) {
            Enable-ConntrackHelper $Name @Arguments @here -ErrorVariable failure -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $failure.FullyQualifiedErrorId | Should -Be "$Id,ConntrackPS.Commands.EnableConntrackHelperCommand"
            $failure[0].CategoryInfo.Category | Should -Be $Category
            "$($failure[0].ErrorDetails ?? $failure[0])" | Should -BeLike $Text
            Get-Table | Should -BeNullOrEmpty
        }

        It 'continues with the next name' {
            (Enable-ConntrackHelper nosuch, ftp -DestinationAddress 192.0.2.1 @here -ErrorAction SilentlyContinue).Effect | Should -Be 'helper ftp'
        }

        It 'is refused by parameters: <_>' -ForEach '-Port 70000', '-Port nosuchservice', '-DestinationAddress example', '-Protocol nosuch', "-Name ''" {
            { Invoke-Expression "Enable-ConntrackHelper ftp $_ -Force -NetworkNamespace $router" } | Should -Throw
            Get-Table | Should -BeNullOrEmpty
        }

        It 'attaches it to all traffic with -Force' {
            (Enable-ConntrackHelper ftp -Force @here).Traffic | Should -Be 'entries with protocol Tcp and destination port 21'
            Test-HelperTraffic $lab ftp-active IPv6 | Should -BeTrue
        }
    }
}

Describe 'Enable-ConntrackHelper -Persist' {
    BeforeAll {
        $boot = New-TestNamespace

        <# -PersistRoot is for the caller's own namespace, because boot configures one. #>
        function Invoke-Here([scriptblock] $Script) {
            Invoke-Child ([scriptblock]::Create("`$root = '$root'; $Script")) -Prefix ip, netns, exec, $boot
        }
    }

    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $null = New-Item "$root/etc/systemd/system/sysinit.target.wants/nftables.service" -Force
        Set-Content "$root/etc/nftables.conf" '#!/usr/sbin/nft -f', 'flush ruleset'
        $null = $root
    }

    AfterAll {
        Remove-TestNamespace $boot
    }

    It 'writes a file that loads the same rules at boot, and Disable- takes it out' {
        $said = Invoke-Here {
            $rule = Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1, 2001:db8::1 -Persist -PersistRoot $root
            $rule.File
            (Get-ConntrackHelper sip).RuleCount
        }
        $said[0] | Should -Be "$root/etc/nftables.d/conntrackps-helper-1.nft"
        $said[1] | Should -Be 8

        # As a boot does.
        Invoke-InNamespace $boot nft flush ruleset
        Invoke-InNamespace $boot nft -f $said[0]
        (Get-ConntrackHelper sip -NetworkNamespace $boot).RuleCount | Should -Be 8

        Invoke-Here {
            $null = Enable-ConntrackHelper tftp -DestinationAddress 192.0.2.1 -Persist -PersistRoot $root
            Disable-ConntrackHelper sip -PersistRoot $root
            (Get-ConntrackRule -PersistRoot $root).Effect
        } | Should -Be 'helper tftp'
        Get-ChildItem "$root/etc/nftables.d" | ForEach-Object Name | Should -Be conntrackps-helper-2.nft
        Invoke-InNamespace $boot nft list tables | Should -Be 'table inet conntrackps-helper-2'
        Invoke-Here { Disable-ConntrackHelper * -PersistRoot $root }
        Get-ChildItem "$root/etc/nftables.d" | Should -BeNullOrEmpty
        Invoke-InNamespace $boot nft list tables | Should -BeNullOrEmpty
    }

    It 'changes nothing if a file cannot be written' {
        $null = New-Item "$root/etc/nftables.d/conntrackps-helper-1.nft" -ItemType Directory
        $said = Invoke-Here {
            Enable-ConntrackHelper sip -DestinationAddress 192.0.2.1 -Persist -PersistRoot $root -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId
        }
        $said | Should -Be 'NotPersisted,ConntrackPS.Commands.EnableConntrackHelperCommand'
        Get-Content "$root/etc/nftables.conf" | Should -Be '#!/usr/sbin/nft -f', 'flush ruleset'
        Invoke-InNamespace $boot nft list tables | Should -BeNullOrEmpty
    }
}

Describe 'Enable-ConntrackHelper on a kernel with modules' {
    BeforeAll {
        $network = New-TestNamespace

        # A machine of the test's own, in a mount namespace: its files say that ftp is a module, and its modprobe writes what it was
        # called with. The kernel has ftp in any case.
        $script = @'
set -e
mount -t tmpfs none /mnt
mount -t tmpfs none /sys/module
mkdir -p /mnt/etc /mnt/etc-work /mnt/sbin /mnt/sbin-work /mnt/modules/$(uname -r)/a /lib/modules
for file in /proc/config.gz /proc/modules; do [ ! -e $file ] || mount --bind /dev/null $file; done
mount -t tmpfs none /boot
mount --bind /mnt/modules /lib/modules
cd /lib/modules/$(uname -r)
touch a/nf_conntrack_ftp.ko a/nf_nat_ftp.ko
printf 'a/nf_conntrack_ftp.ko:\na/nf_nat_ftp.ko: a/nf_conntrack_ftp.ko\n' >modules.dep
echo a/nf_tables.ko >modules.builtin
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/etc-work /etc
[ -z "$BLACKLIST" ] || { mkdir -p /etc/modprobe.d; echo "$BLACKLIST" >/etc/modprobe.d/no-ftp.conf; }
mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=/mnt/sbin,workdir=/mnt/sbin-work /usr/sbin
rm -f /usr/sbin/modprobe
printf '#!/bin/sh\necho "$* $(nft list tables | grep -c conntrackps)" >>/mnt/calls\n%s\n' "$MODPROBE" >/usr/sbin/modprobe
chmod 755 /usr/sbin/modprobe
exec "$@"
'@
        Set-Content "$TestDrive/machine.sh" $script

        function Invoke-Machine([scriptblock] $Script, [string] $Modprobe, [string] $Blacklist) {
            Invoke-Child $Script -Prefix ip, netns, exec, $network, unshare, -m, env, "MODPROBE=$Modprobe", "BLACKLIST=$Blacklist", bash, "$TestDrive/machine.sh"
        }
    }

    AfterAll {
        Remove-TestNamespace $network
    }

    It 'loads the module and that of NAT before it adds the rule' {
        $said = Invoke-Machine {
            (Get-ConntrackHelper ftp).State
            Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -WhatIf
            Test-Path /mnt/calls
            (Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1).Effect
            Get-Content /mnt/calls
        }
        $said[0] | Should -Be Available
        $said[1] | Should -BeLike 'What if: *"Load nf_conntrack_ftp and nf_nat_ftp, and attach the helper ftp until *'
        $said[2..5] | Should -Be False, 'helper ftp', 'nf_conntrack_ftp 0', 'nf_nat_ftp 0' -Because 'no rule was there yet'
    }

    It 'adds no rule if modprobe fails, and shows its error' {
        $said = Invoke-Machine {
            Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", "$failure"
            @(nft list tables).Count
        } -Modprobe 'echo "modprobe: ERROR: could not insert: Key was rejected by service" >&2; exit 1'
        $said[0] | Should -Be 'HelperModuleNotLoaded,ConntrackPS.Commands.EnableConntrackHelperCommand'
        $said[1] | Should -Be ResourceUnavailable
        $said[2] | Should -BeLike 'nf_conntrack_ftp could not be loaded: modprobe: ERROR: could not insert: Key was rejected by service*No rule was added.'
        $said[3] | Should -Be 0
    }

    It 'names the line that forbids a module' {
        $said = Invoke-Machine {
            Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId, "$failure", (Test-Path /mnt/calls)
        } -Blacklist 'blacklist nf_nat_ftp'
        $said[0] | Should -Be 'HelperModuleBlacklisted,ConntrackPS.Commands.EnableConntrackHelperCommand'
        $said[1] | Should -BeLike 'nf_nat_ftp may not be loaded: /etc/modprobe.d/no-ftp.conf: blacklist nf_nat_ftp. Remove this line*'
        $said[2] | Should -Be False
    }

    It 'says that the kernel has no such module' {
        $said = Invoke-Machine {
            Enable-ConntrackHelper irc -DestinationAddress 192.0.2.1 -ErrorVariable failure -ErrorAction SilentlyContinue
            $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", "$failure"
        }
        $said[0] | Should -Be 'HelperModuleMissing,ConntrackPS.Commands.EnableConntrackHelperCommand'
        $said[1] | Should -Be NotInstalled
        $said[2] | Should -BeLike 'The kernel has no nf_conntrack_irc. Install*'
    }

    It 'names modules for boot, with the rule, and takes them out with it: <_>' -ForEach 'Disable-ConntrackHelper ftp', 'Remove-ConntrackRule *' {
        $script = {
            $root = '/mnt/root'
            $null = New-Item $root/etc/systemd/system/sysinit.target.wants/nftables.service -Force
            Set-Content $root/etc/nftables.conf '#!/usr/sbin/nft -f'
            $null = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.1 -Persist -PersistRoot $root
            $null = Enable-ConntrackHelper ftp -DestinationAddress 192.0.2.2 -Persist -PersistRoot $root
            Get-Content $root/etc/modules-load.d/conntrackps.conf
            Remove-ConntrackRule conntrackps-helper-1 -PersistRoot $root
            (Get-Content $root/etc/modules-load.d/conntrackps.conf).Count
            REMOVE -PersistRoot $root
            Test-Path $root/etc/modules-load.d/conntrackps.conf
        }
        $said = Invoke-Machine ([scriptblock]::Create(("$script" -creplace 'REMOVE', $_)))
        $said[0] | Should -BeLike '# Written by ConntrackPS (Enable-ConntrackHelper -Persist)*'
        $said[1..5] | Should -Be '# Modules of the helper ftp:', nf_conntrack_ftp, nf_nat_ftp, 4, False
    }
}
