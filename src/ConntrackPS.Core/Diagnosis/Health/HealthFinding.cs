using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>The severity of a finding.</summary>
public enum FindingSeverity
{
    /// <summary>No problem was found. The evidence has the values.</summary>
    Ok,

    /// <summary>Useful to know, but not a problem.</summary>
    Information,

    /// <summary>There is a problem, or there will be one soon.</summary>
    Warning,

    /// <summary>Packets are being lost.</summary>
    Critical,
}

/// <summary>A fact about connection tracking that an administrator should know, with its remedies.</summary>
public sealed class HealthFinding
{
    internal HealthFinding(
        FindingSeverity severity, string name, string evidence, string explanation, IReadOnlyList<Remedy> remedies, string? networkNamespace = null) =>
        (Severity, Name, Evidence, Explanation, Remedies, Namespace) = (severity, name, evidence, explanation, remedies, networkNamespace);

    /// <summary>The severity.</summary>
    public FindingSeverity Severity { get; }

    /// <summary>A stable name such as TableFull.</summary>
    public string Name { get; }

    /// <summary>The values that show the problem.</summary>
    public string Evidence { get; }

    /// <summary>The meaning of the values.</summary>
    public string Explanation { get; }

    /// <summary>The network namespace, as the user named it. Null for the caller's own, and for values that all namespaces share.</summary>
    public string? Namespace { get; }

    /// <summary>The commands that fix the problem, in this order. If there is no fix, commands that show details.</summary>
    internal IReadOnlyList<Remedy> Remedies { get; }

    /// <summary>On one line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}

/// <summary>The time when a setting takes effect.</summary>
internal enum RemedyTime
{
    /// <summary>Only now.</summary>
    Now,

    /// <summary>Now and at each boot.</summary>
    NowAndAtBoot,

    /// <summary>At each boot. The current value stays.</summary>
    AtBoot,
}

/// <summary>The scope of a setting.</summary>
/// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
/// <param name="Time">The time when it takes effect.</param>
/// <param name="Root">The file system with the boot configuration.</param>
internal sealed record RemedyScope(string? Namespace, RemedyTime Time, SystemRoot Root)
{
    /// <summary>The place where it can be set, if all network namespaces share the value. Null for a value of each namespace.</summary>
    public MachinePlace? Machine { get; init; }
}

/// <summary>A fix for a finding, or a command that shows details, as data. The calling program converts it to a command line.</summary>
internal abstract record Remedy
{
    /// <summary>The reason why an administrator has to decide, and no program should run it. Null if a program may run it.</summary>
    public string? Judgement { get; init; }

    /// <summary>Sets a setting.</summary>
    /// <param name="Name">The name in this library, such as Maximum.</param>
    /// <param name="Value">A Boolean, a number, or text.</param>
    /// <param name="Scope">The scope.</param>
    /// <param name="ScaleBucket">True to set the number of hash buckets to the same value.</param>
    public sealed record SetSetting(string Name, object Value, RemedyScope Scope, bool ScaleBucket = false) : Remedy;

    /// <summary>Sets a timeout.</summary>
    /// <param name="Protocol">The protocol.</param>
    /// <param name="State">The state, or null for a protocol with one timeout.</param>
    /// <param name="Seconds">The new timeout, in seconds.</param>
    /// <param name="Scope">The scope.</param>
    public sealed record SetTimeout(TimeoutProtocol Protocol, TimeoutState? State, long Seconds, RemedyScope Scope) : Remedy;

    /// <summary>Deletes the entries that match all conditions. At least one condition is set.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record DeleteEntries(string? Namespace) : Remedy
    {
        /// <summary>Entries without a reply.</summary>
        public bool Unreplied { get; init; }

        /// <summary>Entries with this source address, or null for any.</summary>
        public string? Source { get; init; }

        /// <summary>Entries of this protocol, or null for any.</summary>
        public IPProtocol? Protocol { get; init; }

        /// <summary>Entries in one of these states. Empty for any.</summary>
        public IReadOnlyList<ConntrackState> States { get; init; } = [];

        /// <summary>Entries that expire in less than this number of seconds, or null for any.</summary>
        public long? TimeoutBelow { get; init; }

        /// <summary>Entries that expire in more than this number of seconds, or null for any.</summary>
        public long? TimeoutAbove { get; init; }
    }

    /// <summary>Lists the entries with helpers.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    /// <param name="Helpers">The helpers' names.</param>
    public sealed record ListHelped(string? Namespace, IReadOnlyList<string> Helpers) : Remedy;

    /// <summary>Lists the sources with the most entries.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record ListBusiestSources(string? Namespace) : Remedy;

    /// <summary>Shows the counters of each processor for a minute.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record ShowCounters(string? Namespace) : Remedy;

    /// <summary>Shows a setting that all network namespaces share.</summary>
    /// <param name="Name">The name in this library, such as Buckets.</param>
    public sealed record ShowSetting(string Name) : Remedy;

    /// <summary>Shows all settings with their boot values.</summary>
    public sealed record ShowPersisted : Remedy;

    /// <summary>Lists files with their types.</summary>
    /// <param name="Paths">Files and folders. Some may not exist.</param>
    public sealed record ListFiles(IReadOnlyList<string> Paths) : Remedy;

    /// <summary>Shows one block of this process. This also tries to restore the block.</summary>
    /// <param name="Id">The number of the block.</param>
    public sealed record ShowBlock(int Id) : Remedy;

    /// <summary>Shows one rule for traffic.</summary>
    /// <param name="Name">The name of the rule.</param>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record ShowRule(string Name, string? Namespace) : Remedy;

    /// <summary>Loads the file of a persisted rule. It replaces the table of the rule, and changes nothing else.</summary>
    /// <param name="File">The file.</param>
    public sealed record LoadRules(string File) : Remedy;

    /// <summary>Comments out the lines of a file that set a parameter, in any spelling. Every other byte stays.</summary>
    /// <param name="File">The file.</param>
    /// <param name="Key">The parameter, with dots.</param>
    public sealed record CommentOut(string File, string Key) : Remedy
    {
        /// <summary>The start of these lines, as a regular expression.</summary>
        public string Beginning => $@"[ \t]*-*[ \t]*[./]*net\S*[./]{Key.Split('.')[^1]}[ \t]*(?:=|\r?$)";
    }

    /// <summary>Comments out the lines of a modprobe.d file that set the hash table's size. There may be several.</summary>
    /// <param name="File">The file.</param>
    public sealed record CommentOutHashSize(string File) : Remedy
    {
        /// <summary>The start of these lines, as a regular expression.</summary>
        public const string Beginning = @"[ \t]*options[ \t]+nf[-_]conntrack[ \t].*\bhashsize\b";
    }
}

/// <summary>Decides which remedies a program may run, and which need an administrator.</summary>
internal static class RemedyJudgement
{
    /// <summary>The reason why an administrator has to decide. Null if a program may run it.</summary>
    public static string? Of(Remedy remedy) => remedy.Judgement ?? remedy switch
    {
        Remedy.ListHelped => "It only lists the entries that have a helper. You have to decide whether you want these helpers.",
        Remedy.ListBusiestSources => "It only lists the sources with the most entries. You have to decide what to do about them.",
        Remedy.ShowCounters => "It only shows the counters. The cause lies outside of connection tracking.",
        Remedy.ShowSetting => "It only shows the setting. Find out who changes it.",
        Remedy.ShowPersisted => "It only shows what boot sets. You have to decide which value is wanted.",
        Remedy.ListFiles => "It only lists the files. You have to look at them.",
        Remedy.ShowRule => "It only shows the rule. Add the rule again, or remove it.",
        Remedy.LoadRules => "It loads a file of nft rules. You have to decide whether the rule is still wanted.",
        Remedy.ShowBlock => "It only shows the block. Block the traffic again, or end the block.",
        _ => null,
    };
}

/// <summary>Creates remedies for the network namespace and the files of a snapshot.</summary>
internal static class Remedies
{
    /// <summary>Sets a setting of the finding's namespace, now and at boot if possible. The files configure only one namespace.</summary>
    public static Remedy LastingSetting(this HealthSnapshot snapshot, string name, object value) =>
        new Remedy.SetSetting(name, value, snapshot.Lasting());

    /// <summary>Like LastingSetting, for a timeout.</summary>
    public static Remedy LastingTimeout(this HealthSnapshot snapshot, TimeoutState state, long seconds) =>
        new Remedy.SetTimeout(TimeoutProtocol.Tcp, state, seconds, snapshot.Lasting());

    /// <summary>Sets a setting that all network namespaces share, in the initial one.</summary>
    public static Remedy Set(this HealthSnapshot snapshot, string name, long value, bool scaleBucket = false) => new Remedy.SetSetting(
        name, value, new RemedyScope(null, RemedyTime.NowAndAtBoot, snapshot.Root) { Machine = snapshot.MachinePlace }, scaleBucket);

    /// <summary>Sets the maximum, and the number of buckets if that is smaller.</summary>
    public static Remedy SetMaximum(this HealthSnapshot snapshot, long value) =>
        snapshot.Set("Maximum", value, scaleBucket: snapshot.Buckets < value);

    /// <summary>Doubles the maximum, but uses at most a quarter of the memory. If it is already there, lists the sources with the most
    /// entries.</summary>
    public static Remedy RaiseMaximum(this HealthSnapshot snapshot)
    {
        long wanted = snapshot.Maximum * 2;
        long possible = Math.Min(wanted, snapshot.AffordableMaximum() ?? wanted);
        return possible > snapshot.Maximum ? snapshot.SetMaximum(possible) : new Remedy.ListBusiestSources(snapshot.Namespace);
    }

    /// <summary>The number of entries that fit in a quarter of the memory, with as many buckets.</summary>
    public static long? AffordableMaximum(this HealthSnapshot snapshot) =>
        snapshot.MemoryBytes / 4 / ((snapshot.EntryBytes ?? EntryMemory.DefaultEntryBytes) + EntryMemory.ExtensionBytes + EntryMemory.BucketBytes);

    private static RemedyScope Lasting(this HealthSnapshot snapshot) =>
        new(snapshot.Namespace, snapshot.IsSetByBoot ? RemedyTime.NowAndAtBoot : RemedyTime.Now, snapshot.Root);
}

/// <summary>Formats numbers for findings. The format is the same in every culture.</summary>
internal static class Figures
{
    /// <summary>Formats 1234567 as 1,234,567.</summary>
    public static string Of(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A part of a total: <c>1,200 of 2,000 (60 %)</c>.</summary>
    public static string Share(long part, long whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{Of(part)} of {Of(whole)} ({(whole == 0 ? 0 : 100.0 * part / whole):0.#} %)");

    /// <summary>Bytes in MiB.</summary>
    public static string Mebibytes(long bytes) => Of(bytes >> 20) + " MiB";

    /// <summary>A count over a time: <c>120 in 1 s</c>.</summary>
    public static string In(ulong count, TimeSpan sample) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} in {sample.TotalSeconds:0.#} s");

    /// <summary>An age in its largest unit.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalDays: >= 2 } => $"{Of((long)age.TotalDays)} days ago",
        { TotalHours: >= 2 } => $"{Of((long)age.TotalHours)} hours ago",
        { TotalMinutes: >= 2 } => $"{Of((long)age.TotalMinutes)} minutes ago",
        _ => $"{Of((long)Math.Max(0, age.TotalSeconds))} seconds ago",
    };

    /// <summary>Sources with their counts: <c>192.0.2.1 (1,200), 192.0.2.2 (300)</c>.</summary>
    public static string Sources(IEnumerable<SourceCount> sources) =>
        string.Join(", ", sources.Select(source => $"{source.Text} ({Of(source.Count)})"));
}
