# Links, masks, pipes and devices in the places of boot's files. The mask is a node of the test, which is mounted over /dev/null in a
# separate mount namespace. If it were replaced, the machine's /dev/null would not change.
BeforeAll {
    Import-Module "$PSScriptRoot/Support/TestSupport.psm1" -Force
    Import-PackagedModule

    <# Runs a script where /dev/null and /etc/sysctl.d are the test's; not for good. #>
    function Invoke-Shielded([string] $Script) {
        Invoke-Child ([scriptblock]::Create($Script)) -Prefix timeout, -k, 5, 120, unshare, -m, sh, -c,
            "mount --bind '$TestDrive/null' /dev/null && mount --bind '$TestDrive/sysctl.d' /etc/sysctl.d && exec `"`$@`"", sh
    }

    function Get-Node([string] $Path) {
        stat -c '%i %F %t:%T %s' $Path
    }

    $report = 'foreach ($failure in $failures) { $failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", "$failure" }'
}

Describe 'Persistence' {
    BeforeEach {
        $root = "$TestDrive/$(New-Guid)"
        $ours = "$root/etc/sysctl.d/99-conntrackps.conf"
        $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
        Remove-Item "$TestDrive/null", "$TestDrive/sysctl.d" -Recurse -ErrorAction Ignore
        mknod -m 666 "$TestDrive/null" c 1 3
        $null = New-Item "$TestDrive/sysctl.d" -ItemType Directory
        $null = $root, $ours, $report
    }

    It 'reports a mask of the running system, what masks and what to do; its remedy fixes it' {
        ln -s /dev/null "$TestDrive/sysctl.d/99-conntrackps.conf"
        $node = Get-Node "$TestDrive/null"
        $seen = Invoke-Shielded @"
Set-ConntrackSetting Accounting `$true -PersistOnly -ErrorVariable failures -ErrorAction SilentlyContinue
$report
(Get-Item /etc/sysctl.d/99-conntrackps.conf).LinkTarget
`$null = "`$failures" -match '\((Remove-Item .*?)\)'
& ([scriptblock]::Create(`$Matches[1]))
Set-ConntrackSetting Accounting `$true -PersistOnly 6>`$null
Get-Content /etc/sysctl.d/99-conntrackps.conf | Select-Object -Last 1
"@
        $seen[0] | Should -Be 'PersistenceMasked,ConntrackPS.Commands.SetConntrackSettingCommand'
        $seen[1] | Should -Be 'InvalidOperation'
        $seen[2] | Should -BeLike '*/etc/sysctl.d/99-conntrackps.conf is masked: it leads to /dev/null*current value is not changed*another file*'
        $seen[3] | Should -Be '/dev/null'
        $seen[4] | Should -Be 'net.netfilter.nf_conntrack_acct = 1'
        Get-Node "$TestDrive/null" | Should -Be $node
    }

    It 'reports a mask below -PersistRoot: <Link>' -ForEach @(
        @{ Link = '/dev/null' }
        @{ Link = '../../dev/null' }
        @{ Link = '/etc/nothing' }
    ) {
        ln -s ../dev/null "$root/etc/nothing"
        ln -s $Link $ours
        $seen = Invoke-Shielded @"
Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot '$root' -ErrorVariable failures -ErrorAction SilentlyContinue
$report
"@
        $seen[0] | Should -Be 'PersistenceMasked,ConntrackPS.Commands.SetConntrackTimeoutCommand'
        $seen[2] | Should -BeLike "*$ours*is masked*Remove-Item -LiteralPath '$ours'*"
        (Get-Item $ours -Force).LinkTarget | Should -Be $Link
        "$root/dev" | Should -Not -Exist
    }

    It 'writes nothing outside -PersistRoot' {
        Set-Content "$TestDrive/outside" 'theirs = 1'
        ln -s "$TestDrive/outside" $ours
        $failure = @(Get-Failure { Set-ConntrackSetting Accounting $true -PersistOnly -PersistRoot $root 6>$null })
        $failure.FullyQualifiedErrorId | Should -Match '^NotPersisted,'
        $failure.CategoryInfo.Category | Should -Be 'WriteError'
        "$failure" | Should -BeLike "*$ours leads to a folder that does not exist*Get-Item -Force -LiteralPath '$ours'*"
        $null = New-Item "$root$TestDrive" -ItemType Directory
        Set-ConntrackSetting Accounting $true -PersistOnly -PersistRoot $root 6>$null
        Get-Content "$TestDrive/outside" | Should -Be 'theirs = 1'
        Get-Content "$root$TestDrive/outside" | Select-Object -Last 1 | Should -Be 'net.netfilter.nf_conntrack_acct = 1'
    }

    It 'refuses <Kind> at once, and leaves it there' -ForEach @(
        @{ Kind = 'a pipe'; Node = @('p'); Message = '*is a FIFO (named pipe), not a file*' }
        @{ Kind = 'a character device'; Node = 'c', '1', '5'; Message = '*is a character device (1, 5), not a file*' }
        @{ Kind = 'a block device'; Node = 'b', '7', '250'; Message = '*is a block device (7, 250), not a file*' }
    ) {
        mknod $ours @Node
        $before = Get-Node $ours
        $seen = Invoke-Shielded @"
Set-ConntrackSetting Accounting `$true -PersistOnly -PersistRoot '$root' -ErrorVariable failures -ErrorAction SilentlyContinue
$report
"@
        $seen[0] | Should -BeLike 'NotPersisted,*'
        $seen[2] | Should -BeLike $Message
        Get-Node $ours | Should -Be $before
    }

    It 'warns of a pipe among boot''s files, and continues: <Command>' -ForEach @(
        @{ Command = 'Get-ConntrackSetting Accounting'; Output = 'Accounting *' }
        @{ Command = 'Get-ConntrackTimeout icmp'; Output = 'Icmp*' }
        @{ Command = 'Set-ConntrackSetting Accounting $true -PersistOnly'; Output = $null }
        @{ Command = 'Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly'; Output = $null }
    ) {
        mkfifo "$root/etc/sysctl.d/50-pipe.conf"
        $seen = @(Invoke-Shielded @"
`$out = $Command -PersistRoot '$root' -WarningVariable warnings -WarningAction SilentlyContinue 6>`$null
"`$warnings"
"`$out"
"@)
        $seen[0] | Should -Be "$root/etc/sysctl.d/50-pipe.conf is a FIFO (named pipe), not a file: it is skipped."
        if ($Output) {
            $seen[1] | Should -BeLike $Output
        }
    }

    It 'is judged by the health check with what can''t be read among boot''s files' {
        mkfifo "$root/etc/sysctl.d/50-pipe.conf"
        $seen = Invoke-Shielded "Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -EQ PersistedUnread | ForEach-Object { `$_.Evidence; & ([scriptblock]::Create(`$_.Remedy)) | ForEach-Object Name }"
        $seen | Should -Be "$root/etc/sysctl.d/50-pipe.conf is a FIFO (named pipe), not a file: it is skipped.", '50-pipe.conf'
    }

    # NFS and others can't exchange names. A launcher makes the call fail in the same way.
    It 'replaces, makes and deletes files where the file system can''t exchange names' {
        Set-Content "$TestDrive/launcher.c" @'
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
int main(int argc, char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { 4, code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) || execvp(argv[1], argv + 1);
}
'@
        gcc -o "$TestDrive/launcher" "$TestDrive/launcher.c" 2>&1 | Should -BeNullOrEmpty
        $seen = Invoke-Child -Prefix timeout, -k, 5, 120, "$TestDrive/launcher" ([scriptblock]::Create(@"
foreach (`$value in 5, 6) {
    Set-ConntrackTimeout icmp -Timeout `$value -PersistOnly -PersistRoot '$root' 6>`$null
    Get-Content '$ours' | Select-Object -Last 1
}
Set-ConntrackTimeout icmp -Reset -PersistOnly -PersistRoot '$root' 6>`$null
(Get-ChildItem '$root/etc/sysctl.d' -Force).Count
mknod '$ours' p
Set-ConntrackTimeout icmp -Timeout 5 -PersistOnly -PersistRoot '$root' -ErrorVariable failures -ErrorAction SilentlyContinue
`$failures.FullyQualifiedErrorId
"@))
        $seen | Should -Be 'net.netfilter.nf_conntrack_icmp_timeout = 5', 'net.netfilter.nf_conntrack_icmp_timeout = 6', 0,
            'NotPersisted,ConntrackPS.Commands.SetConntrackTimeoutCommand'
    }

    It 'has remedies that stay within the root, and leave every other byte' {
        $text = "# caf$([char]0xe9)\rnet.netfilter.nf_conntrack_acct=1`r`nnet.netfilter.nf_conntrack_acct = 1`r`nnet.ipv4.ip_forward = 1"
        $text = $text.Replace('\r', "`r")
        $null = New-Item "$root$TestDrive" -ItemType Directory
        [IO.File]::WriteAllText("$TestDrive/linked", $text, [Text.Encoding]::Latin1)
        [IO.File]::WriteAllText("$root$TestDrive/linked", $text, [Text.Encoding]::Latin1)
        ln -s "$TestDrive/linked" "$root/etc/sysctl.d/99-zz.conf"
        Set-Content $ours 'net.netfilter.nf_conntrack_acct = 0'
        $null = Invoke-Shielded "Test-ConntrackHealth -SampleTime 0 -PersistRoot '$root' | Where-Object Name -EQ PersistedElsewhere | ForEach-Object { & ([scriptblock]::Create(`$_.Remedy)) }"
        [IO.File]::ReadAllText("$TestDrive/linked", [Text.Encoding]::Latin1) | Should -BeExactly $text
        [IO.File]::ReadAllText("$root$TestDrive/linked", [Text.Encoding]::Latin1) |
            Should -BeExactly $text.Replace("`nnet.netfilter", "`n# net.netfilter")
    }
}

Describe 'Other files that users name' {
    BeforeEach {
        Remove-Item "$TestDrive/null", "$TestDrive/sysctl.d", "$TestDrive/pipe" -Recurse -ErrorAction Ignore
        mknod -m 666 "$TestDrive/null" c 1 3
        $null = New-Item "$TestDrive/sysctl.d" -ItemType Directory
        mkfifo "$TestDrive/pipe"
    }

    It 'are no network namespaces, if they are pipes' {
        $seen = Invoke-Shielded "try { Get-ConntrackEntry -NetworkNamespace '$TestDrive/pipe' -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId }"
        $seen | Should -Be 'NetworkNamespaceInvalid,ConntrackPS.Commands.GetConntrackEntryCommand'
    }

    It 'give no names to labels, if they are pipes' {
        $seen = Invoke-Shielded @"
cp -a /etc '$TestDrive/etc'
`$null = New-Item '$TestDrive/etc/xtables' -ItemType Directory
mkfifo '$TestDrive/etc/xtables/connlabel.conf'
mount --bind '$TestDrive/etc' /etc
'udp      17 170 src=10.0.0.1 dst=10.0.0.2 sport=1034 dport=53 src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1034 use=1 labels=7' | ConvertFrom-ConntrackText | ForEach-Object Labels
"@
        $seen | Should -Be 7
    }
}
