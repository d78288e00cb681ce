using System.Globalization;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Conntrack;

/// <summary>The properties of a new entry other than its tuples. Null keeps the value of a copied entry.</summary>
public sealed record EntryTemplate
{
    /// <summary>Seconds until the entry expires, at least 1. Required, because the kernel creates no entry without a timeout.</summary>
    public uint? TimeoutSeconds { get; init; }

    /// <summary>The state of a TCP or SCTP connection. Required for these protocols.</summary>
    public ConntrackState? State { get; init; }

    /// <summary>The status bits to set, out of those that can be set. The kernel adds Confirmed and the bits of a translation.</summary>
    public ConntrackStatus? Status { get; init; }

    /// <summary>The connection mark. With a mask, a copied entry keeps its other bits.</summary>
    public MaskedMark? Mark { get; init; }

    /// <summary>The zone of both directions. If the zone of a copied entry applies to one direction, the new one does too.</summary>
    public ushort? Zone { get; init; }

    /// <summary>The zone of only the original direction, 1 to 65535 (CTA_TUPLE_ZONE).</summary>
    public ushort? OriginalZone { get; init; }

    /// <summary>The zone of only the reply direction, 1 to 65535 (CTA_TUPLE_ZONE).</summary>
    public ushort? ReplyZone { get; init; }

    /// <summary>Labels, by bit from 0 to 127. If no rule uses labels, the kernel ignores them without an error.</summary>
    public IReadOnlyList<int>? Label { get; init; }

    /// <summary>The helper's name, at most 15 bytes (NF_CT_HELPER_NAME_LEN).</summary>
    public string? Helper { get; init; }

    /// <summary>The original tuple of the master connection.</summary>
    public ConntrackTuple? Master { get; init; }

    /// <summary>True if an entry may have no timeout, because the caller sets it.</summary>
    internal bool LeavesTimeoutOpen { get; init; }

    /// <summary>Creates an entry from tuples.</summary>
    /// <exception cref="FormatException">A value is missing or invalid. The message says which.</exception>
    public ConntrackEntry Create(EntryTuples tuples)
    {
        ArgumentNullException.ThrowIfNull(tuples);
        ConntrackEntry entry = new() { Original = tuples.Original, Reply = tuples.MakeReply(), Status = tuples.TranslationStatus };
        Apply(entry);
        if (tuples.Original.Protocol is IPProtocol.Tcp or IPProtocol.Sctp && State is null)
            throw new FormatException($"A {tuples.Original.Protocol} entry needs a state.");
        return entry;
    }

    /// <summary>Creates a copy of an entry, with the changes of this template.</summary>
    /// <exception cref="FormatException">A value is missing or invalid. The message says which.</exception>
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

/// <summary>A template, or a filter that must identify one tuple, lacks a property or has properties that conflict.</summary>
/// <remarks>The message contains the names of the properties. A caller that uses other names writes its own message.</remarks>
internal sealed class TemplateException : FormatException
{
    private readonly string _problem;

    /// <param name="problem">A sentence with placeholders {0}, {1} and so on for the names of the properties.</param>
    /// <param name="properties">The properties of the template or filter.</param>
    public TemplateException(string problem, params string[] properties)
        : base(Fill(problem, properties, name => name)) => (_problem, Properties) = (problem, properties);

    /// <summary>The properties that cause the problem.</summary>
    public IReadOnlyList<string> Properties { get; }

    /// <summary>The message, with the names of properties that the caller uses.</summary>
    public string Describe(Func<string, string> nameOf) => Fill(_problem, Properties, nameOf);

    private static string Fill(string problem, IReadOnlyList<string> properties, Func<string, string> nameOf) =>
        string.Format(CultureInfo.InvariantCulture, problem, [.. properties.Select(nameOf)]);
}
