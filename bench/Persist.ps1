<#
.SYNOPSIS
    Persists settings below roots full of random links, masks, pipes, sockets, devices and folders, and checks that nothing
    outside a root and nothing but a regular file ever changes; that a kill leaves the old or the new file; and that what is
    swapped in meanwhile survives.
.DESCRIPTION
    Each round creates a root and a folder outside, runs one cmdlet with -PersistRoot, and compares everything before and after:
    inode, kind, mode, owner, device, size, time, link text, and the bytes of files. The kernel resolves names for the check:
    openat2(2) with RESOLVE_IN_ROOT tells beforehand whether a regular file may be written, and afterwards whether the line is
    where boot finds it. The script creates all nodes itself.
.NOTES
    Needs root, Linux 5.6 with overlayfs, and a mount namespace of its own. There /dev/null is a node of the script, and
    /etc, /usr and /run have an overlay, which must be empty at the end:
    unshare -m pwsh bench/Persist.ps1 -Minute 10
#>
[CmdletBinding()]
param(
    [ValidateRange(0.1, 1440)]
    [double] $Minute = 10,

    [int] $Seed = (Get-Random),

    # The number of kills of a process that persists repeatedly.
    [ValidateRange(0, 1000)]
    [int] $Kill = 20
)

$ErrorActionPreference = 'Stop'
if ((Get-Item /proc/self/ns/mnt).LinkTarget -eq (Get-Item /proc/1/ns/mnt).LinkTarget) {
    throw 'Run this in a mount namespace of its own: unshare -m pwsh bench/Persist.ps1'
}
Import-Module "$PSScriptRoot/../tests/ConntrackPS.Tests/Support/TestSupport.psm1", "$PSScriptRoot/../build/ChildPowerShell.psm1"
Import-PackagedModule

Add-Type -TypeDefinition @'
using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

public static class Witness
{
    [DllImport("libc", SetLastError = true)] static extern int open(string path, int flags);
    [DllImport("libc")] static extern int close(int descriptor);
    [DllImport("libc", SetLastError = true)] static extern nint syscall(nint number, int folder, string name, ulong[] how, nint size);
    [DllImport("libc", SetLastError = true, EntryPoint = "renameat2")] static extern int Rename(int folder, string from, int toFolder, string to, uint flags);

    /// <summary>Where openat2 finds a name, with the root as root: its path, or an errno's text.</summary>
    public static string Resolve(string root, string name)
    {
        int folder = open(root, 0x200000 | 0x10000);
        nint found = syscall(437, folder, name, new ulong[] { 0x200000, 0, 0x10 }, 24);
        int errno = Marshal.GetLastPInvokeError();
        close(folder);
        if (found < 0)
            return "errno " + errno;
        string path = File.ResolveLinkTarget("/proc/self/fd/" + found, false).FullName;
        close((int)found);
        return path;
    }

    /// <summary>Lets two names change places, again and again, until it is told to stop.</summary>
    public static Task Swap(string folder, string[] names, string with, CancellationToken stop) => Task.Factory.StartNew(() =>
    {
        int opened = open(folder, 0x10000);
        for (int round = 0; !stop.IsCancellationRequested; round++)
        {
            string name = names[round % names.Length];
            Rename(opened, name, opened, with, 2);
            Thread.SpinWait(3000);
            Rename(opened, name, opened, with, 2);
            Thread.SpinWait(30000);
        }

        close(opened);
    }, TaskCreationOptions.LongRunning);
}
'@

$random = [Random]::new($Seed)
$work = Join-Path ([IO.Path]::GetTempPath()) "cps-persist-$PID"
$root, $outside = "$work/root", "$work/outside"
$ours = 'etc/sysctl.d/99-conntrackps.conf'
$header = '# Written by ConntrackPS'
$folders = 'etc', 'etc/sysctl.d', 'etc/modprobe.d', 'etc/modules-load.d', 'run', 'run/sysctl.d', 'usr', 'usr/lib', 'usr/lib/sysctl.d', 'lib', 'dev'
$files = $ours, 'etc/modprobe.d/conntrackps.conf', 'etc/modules-load.d/conntrackps.conf', 'etc/sysctl.d/50-a.conf', 'etc/sysctl.d/zz.conf',
    'run/sysctl.d/60-b.conf', 'usr/lib/sysctl.d/50-a.conf', 'lib/sysctl.d/70-c.conf', 'etc/sysctl.conf', 'etc/modules', 'usr/file', 'etc/other'
$lines = 'net.netfilter.nf_conntrack_acct=0', 'net/netfilter/nf_conntrack_icmp_timeout = 9', '# a comment', '', 'net.ipv4.ip_forward = 1',
    "# was`rnet.netfilter.nf_conntrack_acct = 0", 'options nf-conntrack hashsize=7 # mine', 'options nf_conntrack acct=1 \', 'nf_conntrack', $header

function Get-One([object[]] $Choice) {
    $Choice[$random.Next($Choice.Count)]
}

function Get-Text {
    $end = Get-One "`n", "`n", "`r`n"
    (@(1..$random.Next(1, 7) | ForEach-Object { Get-One $lines }) -join $end) + (Get-One $end, '')
}

<# The target of a random link: inside, outside, a mask, a loop, or nothing. #>
function Get-Target {
    $name = Get-One ($folders + $files)
    switch ($random.Next(9)) {
        0 { '/dev/null' }
        1 { '../../dev/null' }
        2 { "$outside/$(Get-One 'file', 'folder', 'null', 'pipe', 'none', 'folder/50-a.conf')" }
        3 { '../' * $random.Next(1, 12) + "$outside/$(Get-One 'file', 'folder')".Substring(1) }
        4 { "/$name" }
        5 { "../$(Split-Path -Leaf $name)" }
        6 { Split-Path -Leaf $name }
        7 { "/$name/." }
        8 { '../../' + (Get-One ($folders + $files)) }
    }
}

function New-Thing([string] $Path, [int] $Kind) {
    if (-not (Test-Path -LiteralPath (Split-Path $Path) -PathType Container) -or (Get-Item -LiteralPath $Path -Force -ErrorAction Ignore)) {
        return
    }
    # A folder outside the root, reached by a link, is not filled.
    if (-not (realpath (Split-Path $Path)).StartsWith($root)) {
        return
    }
    switch ($Kind) {
        0 { [IO.File]::WriteAllText($Path, (Get-Text)); chmod (Get-One '600', '644', '640') $Path; chown (Get-One '0:0', '12:34') $Path }
        1 { ln -s (Get-Target) $Path }
        2 { mkfifo $Path }
        3 { mknod $Path c 1 3 }
        4 { mknod $Path c 1 5 }
        5 { mknod $Path b 7 250 }
        6 { $null = New-Item $Path -ItemType Directory }
        7 {
            $socket = [Net.Sockets.Socket]::new('Unix', 'Stream', 'Unspecified')
            $socket.Bind([Net.Sockets.UnixDomainSocketEndPoint]::new($Path))
            # .NET deletes the name together with the socket. A second name remains.
            ln $Path "$Path.kept"
            $socket.Dispose()
            mv "$Path.kept" $Path
        }
    }
}

function New-Arrangement {
    foreach ($folder in $folders) {
        if ($random.Next(8) -eq 0) { New-Thing "$root/$folder" (Get-One 1, 1, 1, 2, 3, 0) }
        elseif ($random.Next(12) -ne 0) { New-Thing "$root/$folder" 6 }
    }
    foreach ($file in $files) {
        switch ($random.Next(10)) {
            { $_ -lt 4 } { New-Thing "$root/$file" 0 }
            { $_ -in 4, 5, 6 } { New-Thing "$root/$file" 1 }
            7 { New-Thing "$root/$file" ($random.Next(2, 8)) }
        }
    }
}

<# Everything below a folder, by name: its kind and content. Only regular files are opened. #>
function Get-State([string] $Folder) {
    $state = @{}
    foreach ($line in find $Folder '!' -type d -printf '%P|%y|%i %m %U:%G %s %T@ %n|%l\n') {
        $name, $kind, $facts, $target = $line -split '\|', 4
        $state[$name] = [pscustomobject]@{
            Kind = $kind; Facts = $facts; Target = $target
            Text = $kind -eq 'f' ? [IO.File]::ReadAllText("$Folder/$name", [Text.Encoding]::Latin1) : ''
        }
    }
    $state
}

<# Describes changes that must not happen. #>
function Compare-State($Before, $After, [switch] $MayWrite) {
    foreach ($name in @($Before.Keys) + @($After.Keys) | Sort-Object -Unique) {
        $old, $new = $Before[$name], $After[$name]
        if ("$old" -eq "$new") {
            continue
        }
        $isOurs = $MayWrite -and $old.Kind -in $null, 'f' -and $new.Kind -in $null, 'f' -and $name -notmatch '/\.conntrackps\.' -and
            ("$($old.Text)$($new.Text)".Contains($header) -or ($old.Text -like '*icmp_timeout*' -and $new.Text -notlike '*icmp_timeout*'))
        if (-not $isOurs) {
            "$name was '$old' and is '$new'"
        }
        elseif ($old -and $new -and ($old.Facts -split ' ')[1, 2] -join ' ' -ne (($new.Facts -split ' ')[1, 2] -join ' ')) {
            "$name has another mode or owner: '$($old.Facts)', '$($new.Facts)'"
        }
    }
}

$counts = [ordered]@{ Seed = $Seed; Rounds = 0; Written = 0; Unchanged = 0; Masked = 0; Refused = 0; Warnings = 0; SlowestMs = 0; Swaps = 0; Kills = 0; Problems = 0 }

function Add-Problem([string] $Text) {
    $counts.Problems++
    Write-Warning "Seed $Seed, round $($counts.Rounds): $Text"
    $null = cp -a $work "$work-problem-$($counts.Problems)"
}

<# Runs one random cmdlet. Returns its messages, and the line that it must have written. #>
function Invoke-Random {
    $value = $random.Next(1, 100000)
    $keep = @{ PersistOnly = $true; PersistRoot = $root; ErrorAction = 'SilentlyContinue'; ErrorVariable = 'failures'; WarningAction = 'SilentlyContinue'; WarningVariable = 'warnings' }
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $line = switch ($random.Next(4)) {
        0 { Set-ConntrackSetting Accounting $true @keep 6>$null; 'net.netfilter.nf_conntrack_acct = 1' }
        1 { Set-ConntrackSetting Buckets $value @keep 6>$null; "net.netfilter.nf_conntrack_buckets = $value" }
        2 { Set-ConntrackTimeout icmp -Timeout $value @keep 6>$null; "net.netfilter.nf_conntrack_icmp_timeout = $value" }
        3 { Set-ConntrackTimeout icmp -Reset @keep 6>$null; '' }
    }
    $counts.SlowestMs = [math]::Max($counts.SlowestMs, $watch.ElapsedMilliseconds)
    $counts.Warnings += $warnings.Count
    [pscustomobject]@{ Line = $line; Failure = $failures | Select-Object -First 1 }
}

function Test-Round {
    rm -rf $root
    $null = New-Item $root -ItemType Directory
    New-Arrangement
    $before, $beforeOutside = (Get-State $root), (Get-State $outside)
    $where = [Witness]::Resolve($root, $ours)
    $done = Invoke-Random
    $after = Get-State $root
    Compare-State $beforeOutside (Get-State $outside) | ForEach-Object { Add-Problem "outside, $_" }
    Compare-State $before $after -MayWrite | ForEach-Object { Add-Problem $_ }
    $counts.Rounds++
    if ($done.Failure) {
        $id = ($done.Failure.FullyQualifiedErrorId -split ',')[0]
        if ($id -notin 'PersistenceMasked', 'NotPersisted') { Add-Problem "an error of another kind: $id, $($done.Failure)" }
        $counts[$id -eq 'PersistenceMasked' ? 'Masked' : 'Refused']++
        Compare-State $before $after | ForEach-Object { Add-Problem "an error, and yet: $_ ($($done.Failure))" }
        # A missing folder may be created. A plain file must be written in every other case.
        if ($where -notmatch '^errno' -and (stat -c %F $where) -like 'regular*' -and "$($done.Failure)" -like "*$root/$ours could not*" ) {
            Add-Problem "the kernel finds a file at $where, but: $($done.Failure)"
        }
        return
    }
    $now = [Witness]::Resolve($root, $ours)
    $isFile = $now -notmatch '^errno' -and (stat -c %F $now) -like 'regular*'
    $counts[(Compare-State $before $after) ? 'Written' : 'Unchanged']++
    if ($done.Line -and (-not $isFile -or [IO.File]::ReadAllText($now) -notmatch "(?m)^$([regex]::Escape($done.Line))\r?$")) {
        Add-Problem "no error, but openat2 finds no line '$($done.Line)' at '$now'"
    }
    if ($where -notmatch '^errno' -and (stat -c %F $where) -notlike 'regular*' -and $done.Line) {
        Add-Problem "no error, though a $(stat -c %F $where) stood at $where"
    }
}

<# Replaces the file by a node, a link and a file in turn while it is written. #>
function Test-Swap {
    rm -rf $root
    $folder = "$root/etc/sysctl.d"
    $null = New-Item $folder -ItemType Directory
    mknod "$folder/node" c 1 3
    mkfifo "$folder/pipe"
    ln -s "$outside/file" "$folder/link"
    Set-Content "$folder/99-conntrackps.conf" 'a.b = 1'
    $identities = { Get-ChildItem $folder -Force | ForEach-Object { stat -c '%i %F' $_.FullName } }
    $wanted = & $identities | Where-Object { $_ -notlike '*regular*' }
    $beforeOutside = Get-State $outside
    $stop = [Threading.CancellationTokenSource]::new()
    $swapper = [Witness]::Swap($folder, ('node', 'pipe', 'link'), '99-conntrackps.conf', $stop.Token)
    foreach ($i in 1..100) { Set-ConntrackTimeout icmp -Timeout $i -PersistOnly -PersistRoot $root -ErrorAction Ignore -WarningAction Ignore 6>$null }
    $stop.Cancel()
    $swapper.Wait()
    $present = & $identities
    $wanted | Where-Object { $_ -notin $present } | ForEach-Object { Add-Problem "swapped in, and gone: $_" }
    Compare-State $beforeOutside (Get-State $outside) | ForEach-Object { Add-Problem "outside, while swapped: $_" }
    $counts.Swaps += 100
}

<# Kills a process that persists repeatedly. The file must be complete, with one value or the next. #>
function Test-Kill {
    rm -rf $root
    $null = New-Item "$root/etc/sysctl.d" -ItemType Directory
    $filler = (1..4000 | ForEach-Object { "# line $_ of a long file" }) -join "`n"
    Set-Content "$root/$ours" $filler
    $child = Start-PowerShell -Argument '-NoProfile', '-Command', (
        "Import-Module '$(Get-PackagePath)/ConntrackPS.psd1'; for (`$i = 1; ; `$i++) { Set-ConntrackTimeout icmp -Timeout `$i -PersistOnly -PersistRoot '$root' 6>`$null }")
    Wait-Until { [IO.File]::ReadAllText("$root/$ours") -match 'icmp_timeout = \d' } 'the child has not written' -Seconds 120
    Start-Sleep -Milliseconds $random.Next(200)
    $child.Kill($true)
    $child.WaitForExit()
    $text = [IO.File]::ReadAllText("$root/$ours")
    if ($text -notmatch "\A$header.*\n$([regex]::Escape($filler))\nnet\.netfilter\.nf_conntrack_icmp_timeout = \d+\n\z") {
        Add-Problem "a kill left $($text.Length) bytes"
    }
    $counts.Kills++
}

rm -rf $work
$null = New-Item $outside, "$outside/folder" -ItemType Directory
mknod -m 666 "$work/null" c 1 3
mount --bind "$work/null" /dev/null
$layers = "$work.layers"
$null = New-Item $layers -ItemType Directory
mount -t tmpfs none $layers
foreach ($name in 'etc', 'usr', 'run') {
    $null = New-Item "$layers/$name/upper", "$layers/$name/work" -ItemType Directory
    mount -t overlay none -o "lowerdir=/$name,upperdir=$layers/$name/upper,workdir=$layers/$name/work" "/$name"
    if ($LASTEXITCODE) { throw "There is no layer over /$name." }
}
mknod "$outside/null" c 1 3
mkfifo "$outside/pipe"
Set-Content "$outside/file" 'theirs = 1'
Set-Content "$outside/folder/50-a.conf" 'net.netfilter.nf_conntrack_acct = 0'
Set-Content "$outside/folder/99-conntrackps.conf" 'theirs = 2'
$node = stat -c '%i %F %t:%T' /dev/null
$deadline = [DateTime]::UtcNow.AddMinutes($Minute)
try {
    for ($i = 0; $i -lt $Kill; $i++) { Test-Kill }
    while ([DateTime]::UtcNow -lt $deadline) {
        Test-Round
        if ($counts.Rounds % 100 -eq 0) { Test-Swap }
    }
    if ((stat -c '%i %F %t:%T' /dev/null) -ne $node) { Add-Problem '/dev/null is another' }
    foreach ($name in find $layers -path '*/upper/*' '!' -type d) { Add-Problem "outside: $name" }
}
finally {
    umount -l /etc /usr /run $layers /dev/null
    rm -rf $work $layers
    [pscustomobject] $counts
}
