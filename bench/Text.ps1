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
Import-Module "$PSScriptRoot/../out/ConntrackPS"

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
        foreach (string line in lines)
        {
            reader.Add(line);
            while (reader.TryTake(out _))
            {
            }
        }

        reader.Complete();
        return reader.RecordCount;
    }

    public static long Write(ConntrackEntry[] entries, ConntrackTextFormat format)
    {
        ConntrackTextWriter writer = new(format);
        long length = 0;
        foreach (ConntrackEntry entry in entries)
            length += writer.Write(entry).Length;
        return length;
    }
}
'@

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
        Measure-Best 'Get-Content | ConvertFrom-ConntrackText > $null' { Get-Content $File | ConvertFrom-ConntrackText > $null }
        Measure-Best 'Get-Content -ReadCount 1000 | ConvertFrom-... > $null' { Get-Content $File -ReadCount 1000 | ConvertFrom-ConntrackText > $null }
        Measure-Best 'Get-Content -ReadCount 0 | ConvertFrom-... > $null' { Get-Content $File -ReadCount 0 | ConvertFrom-ConntrackText > $null }
        $entries = [ConntrackPS.Conntrack.ConntrackEntry[]]@(ConvertFrom-ConntrackText -Path $File)
        foreach ($format in [Enum]::GetValues([ConntrackPS.Text.ConntrackTextFormat])) {
            Measure-Best "core: writing, $format" { $null = [TextRace]::Write($entries, $format) }
        }
        Measure-Best 'ConvertTo-ConntrackText > $null' { $entries | ConvertTo-ConntrackText > $null }
    )
    $cat = $results[0].Cpu
    $awk = $results[1].Cpu
    $results | Select-Object *,
        @{ Name = 'CpuTimesCat'; Expression = { [Math]::Round($_.Cpu / $cat, 1) } },
        @{ Name = 'CpuTimesAwk'; Expression = { [Math]::Round($_.Cpu / $awk, 2) } } | Format-Table -AutoSize | Out-String -Width 180
}
finally {
    Remove-Item $File -ErrorAction Ignore
}
