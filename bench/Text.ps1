#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Races the text conversion against cat and awk over the same file of a million entries.
.EXAMPLE
    ./build.ps1 Build; pwsh -NoProfile bench/Text.ps1
.NOTES
    Compare the ratios. The figures depend on the machine. Every run is repeated, and the best one is reported. Cpu
    is the time of all threads and child processes, which other load on the machine hardly changes.
#>
[CmdletBinding()]
param(
    [ValidateRange(1000, 100000000)]
    [int] $Lines = 1000000,

    [ValidateRange(1, 20)]
    [int] $Runs = 3,

    [string] $File = (Join-Path ([IO.Path]::GetTempPath()) "conntrack-text-$PID.txt")
)

$ErrorActionPreference = 'Stop'
Import-Module "$PSScriptRoot/../out/ConntrackPS", "$PSScriptRoot/../build/ChildPowerShell.psm1"

# The core alone, without a pipeline. It is compiled, because a script would add its own time.
Add-Type -IgnoreWarnings -WarningAction Ignore -ReferencedAssemblies ([ConntrackPS.Text.ConntrackTextReader].Assembly.Location), System.Runtime, System.Collections, netstandard -TypeDefinition @'
using System.Collections.Generic;
using System.IO;
using ConntrackPS.Conntrack;
using ConntrackPS.Text;

public static class TextRace
{
    public static long ReadLines(string file)
    {
        long count = 0;
        using StreamReader text = new(file);
        while (text.ReadLine() is not null)
            count++;
        return count;
    }

    public static long ReadEntries(string file)
    {
        long count = 0;
        using StreamReader text = new(file);
        foreach (ConntrackTextItem item in new ConntrackTextReader().Read(text))
            count += item is ConntrackTextRecord ? 1 : 0;
        return count;
    }

    public static long ParseLines(string[] lines)
    {
        ConntrackTextReader reader = new();
        foreach (ConntrackTextItem item in reader.Read(new LinesReader(lines)))
        {
        }

        return reader.RecordCount;
    }

    /// <summary>Turns entries into a log of months: a table, events with a time, a vendor's words, syslog, XML and other programs' lines.</summary>
    public static void Mix(string from, string to)
    {
        using StreamReader text = new(from);
        using StreamWriter log = new(to);
        for (long i = 0; text.ReadLine() is string line; i++)
        {
            log.WriteLine((i % 8) switch
            {
                0 or 1 => line,
                2 or 3 => $"[{1795167116 + i / 100}.{i % 1000000:000000}]\t [UPDATE] {line}",
                4 => line + " [RTCACHE o33/r37] swlvl=0x1",
                5 => $"Nov 20 07:{i / 60 % 60:00}:{i % 60:00} router kernel: {line}",
                6 => $"<flow><meta direction=\"original\"><layer3 protonum=\"2\" protoname=\"ipv4\"><src>10.0.0.1</src><dst>10.0.0.2</dst></layer3><layer4 protonum=\"6\" protoname=\"tcp\"><sport>{i % 60000}</sport><dport>80</dport></layer4></meta><meta direction=\"reply\"><layer3 protonum=\"2\" protoname=\"ipv4\"><src>10.0.0.2</src><dst>10.0.0.1</dst></layer3><layer4 protonum=\"6\" protoname=\"tcp\"><sport>80</sport><dport>{i % 60000}</dport></layer4></meta><meta direction=\"independent\"><state>ESTABLISHED</state><timeout>100</timeout><mark>5</mark><unreplied/></meta></flow>",
                _ => $"Nov 20 07:{i / 60 % 60:00}:{i % 60:00} router dnsmasq[1234]: query[A] host{i}.example.net from 10.0.0.1",
            });
        }
    }

    public static long Write(ConntrackEntry[] entries, ConntrackTextFormat format)
    {
        ConntrackTextWriter writer = new(format);
        long length = 0;
        foreach (ConntrackEntry entry in entries)
            length += writer.Write(entry).Length;
        return length;
    }

    private sealed class LinesReader(string[] lines) : TextReader
    {
        private int _next;

        public override string ReadLine() => _next < lines.Length ? lines[_next++] : null;
    }
}
'@

<# Peak memory in MB of a process that reads a file, by proc(5), status. #>
function Get-PeakMemory([string] $Path) {
    [long] (Invoke-PowerShell '-NoProfile', '-Command', "Import-Module '$PSScriptRoot/../out/ConntrackPS'
        ConvertFrom-ConntrackText -Path '$Path' -ErrorAction Ignore -WarningAction Ignore > `$null
        [IO.File]::ReadAllText('/proc/self/status') -match 'VmHWM:\s+(\d+)' > `$null; `$Matches[1]") / 1024
}

<# Seconds of processor time that this process and its ended children have had: proc(5), stat, fields 14 to 17. #>
function Get-CpuSeconds {
    $fields = [IO.File]::ReadAllText('/proc/self/stat') -replace '^.*\) ' -split ' '
    ([long[]] $fields[11..14] | Measure-Object -Sum).Sum / 100
}

function Measure-Best([string] $Name, [scriptblock] $Action) {
    $best = [double]::MaxValue
    $bestCpu = [double]::MaxValue
    foreach ($run in 1..$Runs) {
        [GC]::Collect()
        $cpu = Get-CpuSeconds
        $clock = [Diagnostics.Stopwatch]::StartNew()
        & $Action
        $best = [Math]::Min($best, $clock.Elapsed.TotalSeconds)
        $bestCpu = [Math]::Min($bestCpu, (Get-CpuSeconds) - $cpu)
    }
    [pscustomobject]@{
        What = $Name; Seconds = [Math]::Round($best, 3); LinesPerSecond = [long] ($Lines / $best)
        Cpu = [Math]::Round($bestCpu, 2); LinesPerCpuSecond = [long] ($Lines / [Math]::Max($bestCpu, 0.01))
    }
}

$mixed = "$File.mixed"
$one = "$File.one"
try {
    # Four kinds of lines, as in a router's table.
    $writer = [IO.StreamWriter]::new($File)
    for ($i = 0; $i -lt $Lines; $i++) {
        $a = $i -shr 16 -band 255
        $b = $i -shr 8 -band 255
        $c = $i -band 255
        $port = 1024 + $i % 60000
        $writer.WriteLine($(switch ($i -band 3) {
            0 { "ipv4     2 tcp      6 431999 ESTABLISHED src=10.$a.$b.$c dst=198.51.100.7 sport=$port dport=443 packets=12 bytes=3456 src=198.51.100.7 dst=203.0.113.5 sport=443 dport=$port packets=10 bytes=98765 [ASSURED] mark=0 zone=0 delta-time=17 use=2" }
            1 { "ipv4     2 udp      17 28 src=10.$a.$b.$c dst=198.51.100.53 sport=$port dport=53 packets=1 bytes=60 [UNREPLIED] src=198.51.100.53 dst=203.0.113.5 sport=53 dport=$port packets=0 bytes=0 mark=0 zone=0 delta-time=2 use=2" }
            2 { "ipv4     2 tcp      6 117 SYN_SENT src=10.$a.$b.$c dst=192.0.2.99 sport=$port dport=80 packets=1 bytes=60 [UNREPLIED] src=192.0.2.99 dst=203.0.113.5 sport=80 dport=$port packets=0 bytes=0 mark=7 zone=0 delta-time=3 use=2" }
            3 { "ipv4     2 icmp     1 29 src=10.$a.$b.$c dst=192.0.2.1 type=8 code=0 id=$($i -band 65535) packets=4 bytes=336 src=192.0.2.1 dst=203.0.113.5 type=0 code=0 id=$($i -band 65535) packets=4 bytes=336 mark=0 zone=0 delta-time=9 use=2" }
        }))
    }
    $writer.Dispose()
    "$Lines lines, $([Math]::Round((Get-Item $File).Length / 1MB)) MB, best of $Runs runs"

    $results = @(
        Measure-Best 'cat > /dev/null' { sh -c "cat '$File' > /dev/null" }
        Measure-Best 'awk, one field of a line' { sh -c "awk '{ n[`$7]++ } END { print length(n) }' '$File'" > $null }
        Measure-Best 'core: lines of the file, unread' { $null = [TextRace]::ReadLines($File) }
        Measure-Best 'core: entries of the file' { $null = [TextRace]::ReadEntries($File) }
        $all = [IO.File]::ReadAllLines($File)
        Measure-Best 'core: entries of lines in memory' { $null = [TextRace]::ParseLines($all) }
        $all = $null
        Measure-Best 'Get-Content > $null, to compare' { Get-Content $File > $null }
        Measure-Best 'ConvertFrom-ConntrackText -Path > $null' { ConvertFrom-ConntrackText -Path $File > $null }
        [TextRace]::Mix($File, $mixed)
        Measure-Best 'core: a mixed log' { $null = [TextRace]::ReadEntries($mixed) }
        Measure-Best 'ConvertFrom-ConntrackText -Path, a mixed log' { ConvertFrom-ConntrackText -Path $mixed -ErrorAction Ignore -WarningAction Ignore > $null }
        Measure-Best 'Get-Content | ConvertFrom-ConntrackText > $null' { Get-Content $File | ConvertFrom-ConntrackText > $null }
        Measure-Best 'Get-Content -ReadCount 1000 | ConvertFrom-... > $null' { Get-Content $File -ReadCount 1000 | ConvertFrom-ConntrackText > $null }
        Measure-Best 'Get-Content -ReadCount 0 | ConvertFrom-... > $null' { Get-Content $File -ReadCount 0 | ConvertFrom-ConntrackText > $null }
        $entries = [ConntrackPS.Conntrack.ConntrackEntry[]]@(ConvertFrom-ConntrackText -Path $File)
        foreach ($format in [Enum]::GetValues([ConntrackPS.Text.ConntrackTextFormat])) {
            Measure-Best "core: writing, $format" { $null = [TextRace]::Write($entries, $format) }
        }
        Measure-Best 'ConvertTo-ConntrackText > $null' { $entries | ConvertTo-ConntrackText > $null }
    )
    [IO.File]::WriteAllLines($one, [string[]]@(Get-Content $mixed -TotalCount 1))
    "Peak memory of reading the mixed log: $([Math]::Round((Get-PeakMemory $mixed))) MB; of reading its first line: $([Math]::Round((Get-PeakMemory $one))) MB"
    $cat = $results[0].Cpu
    $awk = $results[1].Cpu
    $results | Select-Object *,
        @{ Name = 'CpuTimesCat'; Expression = { [Math]::Round($_.Cpu / $cat, 1) } },
        @{ Name = 'CpuTimesAwk'; Expression = { [Math]::Round($_.Cpu / $awk, 2) } } | Format-Table -AutoSize | Out-String -Width 180
}
finally {
    Remove-Item $File, $mixed, $one -ErrorAction Ignore
}
