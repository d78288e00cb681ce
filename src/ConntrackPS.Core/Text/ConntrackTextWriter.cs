using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>Writes entries as text, one after the other, as conntrack 1.4.7 or the kernel prints them.</summary>
/// <remarks>Not safe for use from several threads at once.</remarks>
/// <param name="format">The form.</param>
public sealed class ConntrackTextWriter(ConntrackTextFormat format)
{
    private readonly TextBuffer _text = new();

    /// <summary>What to add to a list or an XML document.</summary>
    public ConntrackTextDetails Details { get; init; }

    /// <summary>The time that delta-time= counts to; null for that of each call.</summary>
    public DateTime? CapturedAt { get; init; }

    /// <summary>The names of label bits.</summary>
    public LabelNames Labels { get; init; } = LabelNames.System;

    /// <summary>What comes before the first entry; null for nothing.</summary>
    public string? Header => format == ConntrackTextFormat.Xml ? "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>" : null;

    /// <summary>What comes after the last entry; null for nothing.</summary>
    public string? Footer => format == ConntrackTextFormat.Xml ? "</conntrack>" : null;

    /// <summary>The entry's line, without a line feed.</summary>
    public string Write(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        _text.Clear();
        ulong now = entry.Has(EntryFields.StartTime) ? ClockText.ToNanoseconds(CapturedAt ?? DateTime.UtcNow) : 0;
        switch (format)
        {
            case ConntrackTextFormat.Proc:
                ProcWriter.Append(_text, entry, now);
                break;
            case ConntrackTextFormat.Save:
                SaveWriter.Append(_text, entry);
                break;
            case ConntrackTextFormat.Xml:
                XmlFlowWriter.Append(_text, entry, Details, Labels, now);
                break;
            default:
                ListWriter.Append(_text, entry, format == ConntrackTextFormat.Extended, Details, Labels, now);
                break;
        }

        return _text.ToLine();
    }
}
