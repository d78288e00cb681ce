using System.Globalization;
using ConntrackPS.Conntrack.Filtering;

namespace ConntrackPS.Conntrack.Table;

/// <summary>The changes to an entry. Null leaves a value unchanged.</summary>
public sealed record EntryChange
{
    private readonly string? _helper;
    private readonly ConntrackStatus? _setStatus;

    /// <summary>The new bits of the mark under a mask (CTA_MARK, CTA_MARK_MASK).</summary>
    public MaskedMark? Mark { get; init; }

    /// <summary>Seconds until the entry expires. 0 deletes it immediately (CTA_TIMEOUT).</summary>
    public uint? TimeoutSeconds { get; init; }

    /// <summary>Labels to set, by bit from 0 to 127 (CTA_LABELS). The kernel keeps them only while a rule uses labels, and otherwise fails
    /// with ENOSPC.</summary>
    public IReadOnlyList<int> AddLabel { get; init; } = [];

    /// <summary>Labels to clear, by bit from 0 to 127 (CTA_LABELS_MASK).</summary>
    public IReadOnlyList<int> RemoveLabel { get; init; } = [];

    /// <summary>Status bits to set (CTA_STATUS). The kernel does not allow clearing them.</summary>
    /// <exception cref="FormatException">The kernel would ignore some of the bits.</exception>
    public ConntrackStatus? SetStatus
    {
        get => _setStatus;
        init => _setStatus = value is { } bits ? SettableStatus.Check(bits, SettableStatus.OfExisting) : null;
    }

    /// <summary>The new state (CTA_PROTOINFO).</summary>
    public ConntrackState? State { get; init; }

    /// <summary>The helper's name. An empty name removes the helper (CTA_HELP).</summary>
    /// <exception cref="FormatException">The kernel does not accept the name.</exception>
    public string? Helper
    {
        get => _helper;
        init => _helper = KernelName.Check(value, "helper", KernelName.MaximumHelperBytes);
    }

    /// <summary>The change that makes an existing entry equal to another, as far as the kernel allows: helper and translation
    /// stay.</summary>
    internal static EntryChange MakeLike(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return LabelLike(entry) with
        {
            Mark = entry.Mark is { } mark ? new MaskedMark(mark) : null,
            TimeoutSeconds = entry.TimeoutSeconds,
            State = entry.State,
            SetStatus = (entry.Status & SettableStatus.OfNew) == ConntrackStatus.None ? null : entry.Status & SettableStatus.OfNew,
        };
    }

    /// <summary>The change that sets the labels of another entry.</summary>
    internal static EntryChange LabelLike(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return new EntryChange { AddLabel = entry.Details?.Labels is { } bits ? [.. bits.SetBits()] : [] };
    }

    /// <summary>True if there is no change.</summary>
    public bool IsEmpty =>
        this is { Mark: null, TimeoutSeconds: null, SetStatus: null, State: null, Helper: null, AddLabel.Count: 0, RemoveLabel.Count: 0 };

    /// <summary>The changes as text: <c>state SynSent, timeout 300 s, mark 0x100/0xff00</c>.</summary>
    public override string ToString() => string.Join(", ", Parts());

    private IEnumerable<string> Parts()
    {
        if (State is { } state)
            yield return $"state {state}";
        if (TimeoutSeconds is { } timeout)
            yield return string.Create(CultureInfo.InvariantCulture, $"timeout {timeout} s");
        if (Mark is { } mark)
            yield return $"mark {mark}";
        if (SetStatus is { } bits)
            yield return $"status {bits}";
        if (AddLabel.Count > 0)
            yield return $"labels {NamesOf(AddLabel)}";
        if (RemoveLabel.Count > 0)
            yield return $"no labels {NamesOf(RemoveLabel)}";
        if (Helper is { } helper)
            yield return helper.Length == 0 ? "no helper" : $"helper {helper}";
    }

    private static string NamesOf(IReadOnlyList<int> bits) => string.Join(", ", bits.Select(LabelNames.System.ToName));
}
