using System.Globalization;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Conntrack;

/// <summary>What a new entry is to have besides its tuples; null leaves what a copied entry has.</summary>
public sealed record EntryTemplate
{
    /// <summary>Seconds until the entry goes, 1 or more; needed, since the kernel makes no entry without.</summary>
    public uint? TimeoutSeconds { get; init; }

    /// <summary>The state of a TCP or SCTP connection; needed for these.</summary>
    public ConntrackState? State { get; init; }

    /// <summary>The status bits, of those that can be set; the kernel adds Confirmed and those of a translation.</summary>
    public ConntrackStatus? Status { get; init; }

    /// <summary>The connection mark; under a mask, a copied entry keeps its other bits.</summary>
    public MaskedMark? Mark { get; init; }

    /// <summary>The zone of both directions; a copied entry whose zone holds for one direction keeps it to that one.</summary>
    public ushort? Zone { get; init; }

    /// <summary>The zone of the original direction alone, 1 to 65535 (CTA_TUPLE_ZONE).</summary>
    public ushort? OriginalZone { get; init; }

    /// <summary>The zone of the reply direction alone, 1 to 65535 (CTA_TUPLE_ZONE).</summary>
    public ushort? ReplyZone { get; init; }

    /// <summary>Labels, by bit from 0 to 127. The kernel drops them without a word where no rule uses labels.</summary>
    public IReadOnlyList<int>? Label { get; init; }

    /// <summary>The helper's name, at most 15 bytes (NF_CT_HELPER_NAME_LEN).</summary>
    public string? Helper { get; init; }

    /// <summary>The original tuple of the connection that expected this one.</summary>
    public ConntrackTuple? Master { get; init; }

    /// <summary>Whether an entry may be left without a timeout, for the caller to set.</summary>
    internal bool LeavesTimeoutOpen { get; init; }

    /// <summary>Makes an entry of tuples.</summary>
    /// <exception cref="FormatException">Something is missing or does not fit; the message says what.</exception>
    public ConntrackEntry Create(EntryTuples tuples)
    {
        ArgumentNullException.ThrowIfNull(tuples);
        ConntrackEntry entry = new() { Original = tuples.Original, Reply = tuples.MakeReply(), Status = tuples.TranslationStatus };
        Apply(entry);
        if (tuples.Original.Protocol is IPProtocol.Tcp or IPProtocol.Sctp && State is null)
            throw new FormatException($"A {tuples.Original.Protocol} entry needs a state.");
        return entry;
    }

    /// <summary>Makes an entry like another, with what this template sets.</summary>
    /// <exception cref="FormatException">Something is missing or does not fit; the message says what.</exception>
    public ConntrackEntry Copy(ConntrackEntry source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ConntrackEntry entry = source.Clone();
        Apply(entry);
        return entry;
    }

    private void Apply(ConntrackEntry entry)
    {
        if (TimeoutSeconds is { } timeout)
            entry.SetTimeout(timeout);
        if (!entry.Has(EntryFields.Timeout) && !LeavesTimeoutOpen)
            throw new FormatException("The entry needs a timeout.");
        if (entry.TimeoutSeconds == 0)
            throw new FormatException("The entry's timeout is 0 seconds, and the kernel does not create such an entry. Give a longer timeout.");
        if (State is { } state)
            SetState(entry, state);
        entry.Status |= SettableStatus.Check(Status ?? ConntrackStatus.None, SettableStatus.OfNew | entry.Status);
        if (Mark is { } mark)
            entry.Mark = mark.ApplyTo(entry.Mark ?? 0);
        SetZones(entry);
        if (Label is not null)
            entry.MakeDetails().Labels = Label.Aggregate(default(LabelBits), (bits, bit) => bits.With(bit));
        if (Helper is not null)
            entry.MakeDetails().Helper = Helper;
        _ = KernelName.Check(entry.Helper, "helper", KernelName.MaximumHelperBytes);
        if (Master is not null)
            entry.MakeDetails().Master = Master;
    }

    private static void SetState(ConntrackEntry entry, ConntrackState state)
    {
        if (ConntrackStates.ToKernel(entry.Protocol, state) is null)
        {
            string choices = string.Join(", ", ConntrackStates.Of(entry.Protocol).Where(choice => choice != ConntrackState.None));
            throw new FormatException(choices.Length == 0
                ? $"{entry.Protocol} connections have no state."
                : $"{state} is not a state of {entry.Protocol}; these are {choices}.");
        }

        entry.Data.State = state;
        entry.Fields |= EntryFields.State;
    }

    private void SetZones(ConntrackEntry entry)
    {
        if (new[] { Zone, OriginalZone, ReplyZone }.Count(zone => zone is not null) > 1)
            throw new TemplateException("An entry has one zone: give one of {0}, {1} and {2}.", nameof(Zone), nameof(OriginalZone), nameof(ReplyZone));
        if (OriginalZone == 0 || ReplyZone == 0)
            throw new FormatException("Zone 0 can't be that of one direction: give a number from 1 to 65535.");
        if (Zone is { } zone)
            SetZone(entry, zone);
        if ((OriginalZone ?? ReplyZone) is null)
            return;
        entry.Zone = 0;
        entry.Fields &= ~(EntryFields.OriginalZone | EntryFields.ReplyZone);
        (entry.Data.OriginalZone, entry.Data.ReplyZone) = (OriginalZone ?? 0, ReplyZone ?? 0);
        entry.Fields |= OriginalZone is null ? EntryFields.ReplyZone : EntryFields.OriginalZone;
    }

    private static void SetZone(ConntrackEntry entry, ushort zone)
    {
        if (entry.Has(EntryFields.OriginalZone))
            entry.Data.OriginalZone = zone;
        else if (entry.Has(EntryFields.ReplyZone))
            entry.Data.ReplyZone = zone;
        else
            entry.Zone = zone;
    }
}

/// <summary>A template, or a filter that has to name one tuple, lacks a property or has some that don't go together.</summary>
/// <remarks>The message contains the names of the properties. A caller with other names for them writes its own message.</remarks>
internal sealed class TemplateException : FormatException
{
    private readonly string _problem;

    /// <param name="problem">A sentence, with {0}, {1} and so on where the properties' names belong.</param>
    /// <param name="properties">The properties of the template or filter.</param>
    public TemplateException(string problem, params string[] properties)
        : base(Fill(problem, properties, name => name)) => (_problem, Properties) = (problem, properties);

    /// <summary>The properties that the problem is about.</summary>
    public IReadOnlyList<string> Properties { get; }

    /// <summary>The message, with each property called as its user knows it.</summary>
    public string Describe(Func<string, string> nameOf) => Fill(_problem, Properties, nameOf);

    private static string Fill(string problem, IReadOnlyList<string> properties, Func<string, string> nameOf) =>
        string.Format(CultureInfo.InvariantCulture, problem, [.. properties.Select(nameOf)]);
}
