using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Diagnosis.Health;

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Nothing was found; the figures come with it.</summary>
    Ok,

    /// <summary>Worth knowing; nothing is wrong.</summary>
    Information,

    /// <summary>Something is wrong, or soon will be.</summary>
    Warning,

    /// <summary>Packets are being lost.</summary>
    Critical,
}

/// <summary>Something about connection tracking that an administrator should know, and what to do about it.</summary>
public sealed class HealthFinding
{
    internal HealthFinding(
        FindingSeverity severity, string name, string evidence, string explanation, IReadOnlyList<Remedy> remedies, string? networkNamespace = null) =>
        (Severity, Name, Evidence, Explanation, Remedies, Namespace) = (severity, name, evidence, explanation, remedies, networkNamespace);

    /// <summary>How bad it is.</summary>
    public FindingSeverity Severity { get; }

    /// <summary>What it is, as a stable name such as TableFull.</summary>
    public string Name { get; }

    /// <summary>The figures that show it.</summary>
    public string Evidence { get; }

    /// <summary>What they mean.</summary>
    public string Explanation { get; }

    /// <summary>The network namespace, as the user named it; null for the caller's own, and for what all share.</summary>
    public string? Namespace { get; }

    /// <summary>What mends it, in this order; or what shows more, where nothing is to be mended so.</summary>
    internal IReadOnlyList<Remedy> Remedies { get; }

    /// <summary>On one line: <c>Critical TableFull: 262144 of 262144 entries</c>.</summary>
    public override string ToString() => $"{Severity} {Name}: {Evidence}";
}

/// <summary>When a value is to be set.</summary>
internal enum RemedyTime
{
    /// <summary>Now alone.</summary>
    Now,

    /// <summary>Now, and at each boot.</summary>
    NowAndAtBoot,

    /// <summary>At each boot; the present value stays.</summary>
    AtBoot,
}

/// <summary>Where a value is to be set, and when.</summary>
/// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
/// <param name="Time">When.</param>
/// <param name="Root">The system whose files hold what boot sets.</param>
internal sealed record RemedyScope(string? Namespace, RemedyTime Time, SystemRoot Root)
{
    /// <summary>Where it can be set, if all network namespaces share the value; null for a value that each has.</summary>
    public MachinePlace? Machine { get; init; }
}

/// <summary>What mends a finding, or shows more of it, as data: the program that shows the finding makes a command line of it.
/// </summary>
internal abstract record Remedy
{
    /// <summary>Why a person has to decide, and no program should run it; null where a program may.</summary>
    public string? Judgement { get; init; }

    /// <summary>Sets a setting.</summary>
    /// <param name="Name">Its name here, such as Maximum.</param>
    /// <param name="Value">A Boolean, a number, or a word.</param>
    /// <param name="Scope">Where and when.</param>
    /// <param name="ScaleBucket">Whether the hash table gets as many buckets.</param>
    public sealed record SetSetting(string Name, object Value, RemedyScope Scope, bool ScaleBucket = false) : Remedy;

    /// <summary>Sets a timeout.</summary>
    /// <param name="Protocol">The protocol.</param>
    /// <param name="State">The state; null for a protocol with one timeout.</param>
    /// <param name="Seconds">The new timeout, in seconds.</param>
    /// <param name="Scope">Where and when.</param>
    public sealed record SetTimeout(TimeoutProtocol Protocol, TimeoutState? State, long Seconds, RemedyScope Scope) : Remedy;

    /// <summary>Deletes the entries that all the given conditions hold for. At least one is given.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record DeleteEntries(string? Namespace) : Remedy
    {
        /// <summary>Those that never had a reply.</summary>
        public bool Unreplied { get; init; }

        /// <summary>Those of one source address; null for any.</summary>
        public string? Source { get; init; }

        /// <summary>Those of one protocol; null for any.</summary>
        public IPProtocol? Protocol { get; init; }

        /// <summary>Those in one of these states; none for any.</summary>
        public IReadOnlyList<ConntrackState> States { get; init; } = [];

        /// <summary>Those whose timeout ends in less than so many seconds; null for any.</summary>
        public long? TimeoutBelow { get; init; }

        /// <summary>Those whose timeout ends in more than so many seconds; null for any.</summary>
        public long? TimeoutAbove { get; init; }
    }

    /// <summary>Lists the entries that helpers serve.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    /// <param name="Helpers">The helpers' names.</param>
    public sealed record ListHelped(string? Namespace, IReadOnlyList<string> Helpers) : Remedy;

    /// <summary>Lists the sources with most entries.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record ListBusiestSources(string? Namespace) : Remedy;

    /// <summary>Shows what each processor counts for a minute.</summary>
    /// <param name="Namespace">The network namespace, as the user named it; null for the caller's own.</param>
    public sealed record ShowCounters(string? Namespace) : Remedy;

    /// <summary>Shows a setting that all network namespaces share.</summary>
    /// <param name="Name">Its name here, such as Buckets.</param>
    public sealed record ShowSetting(string Name) : Remedy;

    /// <summary>Shows all settings beside what boot sets them to.</summary>
    public sealed record ShowPersisted : Remedy;

    /// <summary>Lists files, with their kinds.</summary>
    /// <param name="Paths">Files and folders; some may not be there.</param>
    public sealed record ListFiles(IReadOnlyList<string> Paths) : Remedy;

    /// <summary>Shows one block of this process, which has it tried again.</summary>
    /// <param name="Id">Its number.</param>
    public sealed record ShowBlock(int Id) : Remedy;

    /// <summary>Makes comments of a file's lines that set a parameter, in whatever spelling; every other byte stays.</summary>
    /// <param name="File">The file.</param>
    /// <param name="Key">The parameter, with dots.</param>
    public sealed record CommentOut(string File, string Key) : Remedy
    {
        /// <summary>How these lines begin, as a regular expression.</summary>
        public string Beginning => $@"[ \t]*-*[ \t]*[./]*net\S*[./]{Key.Split('.')[^1]}[ \t]*(?:=|\r?$)";
    }

    /// <summary>Makes comments of the lines of a file of modprobe.d that give the hash table's size; a file may have more.
    /// </summary>
    /// <param name="File">The file.</param>
    public sealed record CommentOutHashSize(string File) : Remedy
    {
        /// <summary>How these lines begin, as a regular expression.</summary>
        public const string Beginning = @"[ \t]*options[ \t]+nf[-_]conntrack[ \t].*\bhashsize\b";
    }
}

/// <summary>Which remedies a program may run, and which are for a person.</summary>
internal static class RemedyJudgement
{
    /// <summary>Why a person has to decide; null where a program may run it.</summary>
    public static string? Of(Remedy remedy) => remedy.Judgement ?? remedy switch
    {
        Remedy.ListHelped => "It only lists the entries that have a helper. Whether you want these helpers, you have to decide.",
        Remedy.ListBusiestSources => "It only lists who fills the table. What to do about them, you have to decide.",
        Remedy.ShowCounters => "It only shows the counters. The cause lies outside of connection tracking.",
        Remedy.ShowSetting => "It only shows the setting. Find out who changes it.",
        Remedy.ShowPersisted => "It only shows what boot sets. Which value is wanted, you have to decide.",
        Remedy.ListFiles => "It only lists the files. You have to look at them.",
        Remedy.ShowBlock => "It only shows the block. Block the traffic again, or end the block.",
        _ => null,
    };
}

/// <summary>Remedies for the network namespace and the files that a snapshot is of.</summary>
internal static class Remedies
{
    /// <summary>Sets a setting of the finding's namespace, for now and after the next boot where that can be: files hold for one
    /// namespace alone.</summary>
    public static Remedy LastingSetting(this HealthSnapshot snapshot, string name, object value) =>
        new Remedy.SetSetting(name, value, snapshot.Lasting());

    /// <summary>The same for a timeout.</summary>
    public static Remedy LastingTimeout(this HealthSnapshot snapshot, TimeoutState state, long seconds) =>
        new Remedy.SetTimeout(TimeoutProtocol.Tcp, state, seconds, snapshot.Lasting());

    /// <summary>Sets a setting that all network namespaces share, in the initial one.</summary>
    public static Remedy Set(this HealthSnapshot snapshot, string name, long value, bool scaleBucket = false) => new Remedy.SetSetting(
        name, value, new RemedyScope(null, RemedyTime.NowAndAtBoot, snapshot.Root) { Machine = snapshot.MachinePlace }, scaleBucket);

    /// <summary>Sets the maximum, and the buckets too where they are fewer.</summary>
    public static Remedy SetMaximum(this HealthSnapshot snapshot, long value) =>
        snapshot.Set("Maximum", value, scaleBucket: snapshot.Buckets < value);

    /// <summary>Raises the maximum as far as a quarter of the memory goes; where it is there already, lists who fills the
    /// table.</summary>
    public static Remedy RaiseMaximum(this HealthSnapshot snapshot)
    {
        long wanted = snapshot.Maximum * 2;
        long possible = Math.Min(wanted, snapshot.AffordableMaximum() ?? wanted);
        return possible > snapshot.Maximum ? snapshot.SetMaximum(possible) : new Remedy.ListBusiestSources(snapshot.Namespace);
    }

    /// <summary>Entries for which a quarter of the memory is enough, with as many buckets.</summary>
    public static long? AffordableMaximum(this HealthSnapshot snapshot) =>
        snapshot.MemoryBytes / 4 / ((snapshot.EntryBytes ?? EntryMemory.DefaultEntryBytes) + EntryMemory.ExtensionBytes + EntryMemory.BucketBytes);

    private static RemedyScope Lasting(this HealthSnapshot snapshot) =>
        new(snapshot.Namespace, snapshot.IsSetByBoot ? RemedyTime.NowAndAtBoot : RemedyTime.Now, snapshot.Root);
}

/// <summary>Figures as people read them in findings, the same in every culture.</summary>
internal static class Figures
{
    /// <summary>1234567 becomes 1,234,567.</summary>
    public static string Of(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A share of a whole: <c>1,200 of 2,000 (60 %)</c>.</summary>
    public static string Share(long part, long whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{Of(part)} of {Of(whole)} ({(whole == 0 ? 0 : 100.0 * part / whole):0.#} %)");

    /// <summary>Bytes in MiB.</summary>
    public static string Mebibytes(long bytes) => Of(bytes >> 20) + " MiB";

    /// <summary>What was counted in a time: <c>120 in 1 s</c>.</summary>
    public static string In(ulong count, TimeSpan sample) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} in {sample.TotalSeconds:0.#} s");

    /// <summary>How long ago: the largest unit is enough.</summary>
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
