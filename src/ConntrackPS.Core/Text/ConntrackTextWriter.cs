using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Text.Writing;

namespace ConntrackPS.Text;

/// <summary>Writes entries as text, one at a time, as conntrack 1.4.7 or the kernel prints them.</summary>
/// <remarks>Text of conntrack 1.4.7 or kernel 6.18 that is read and written again is identical, with these exceptions:
/// <list type="bullet">
/// <item>delta-time= counts up to <see cref="CapturedAt"/> if StartTime is known: read and write with the same time of capture, or
/// both without one.</item>
/// <item>GRE's timeout= and stream_timeout= in /proc are written as the kernel's defaults, 30 and 180.</item>
/// <item>mark= and, in /proc, zone= are always written; kernels built without them don't.</item>
/// <item>Events are written as events in List, Extended and Xml, and as entries in the other forms. A mark of 0 is left out of them, as
/// the kernel does, unless a program set it or the text had it.</item>
/// <item>Labels of bits without a name, and words that only <see cref="ConntrackEntry.Extra"/> holds, are not written.</item>
/// <item>Save: EXPECTED and -c are left out, for conntrack -R refuses them; options that it demands are added to entries that
/// don't tell, such as those of DCCP where the kernel doesn't know it; ports follow -g and -n where both are there and
/// ports change, or where a port alone is translated.</item>
/// </list>
/// An object must not be used by several threads at the same time.</remarks>
/// <param name="format">The form to write.</param>
public sealed class ConntrackTextWriter(ConntrackTextFormat format)
{
    private readonly StringBuilder _text = new(512);

    /// <summary>Values to add to a list or an XML document.</summary>
    public ConntrackTextDetails Details { get; init; }

    /// <summary>The time that delta-time= counts to; null for the time of each call.</summary>
    public DateTime? CapturedAt { get; init; }

    /// <summary>The names of label bits.</summary>
    public LabelNames Labels { get; init; } = LabelNames.System;

    /// <summary>The text before the first entry; null if there is none.</summary>
    public string? Header => format == ConntrackTextFormat.Xml ? "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>" : null;

    /// <summary>The text after the last entry; null if there is none.</summary>
    public string? Footer => format == ConntrackTextFormat.Xml ? "</conntrack>" : null;

    /// <summary>The entry's line, without a line feed.</summary>
    /// <exception cref="NotSupportedException">The form can't express the entry.</exception>
    /// <exception cref="FormatException">The entry lacks a value that the form requires. Only XML leaves out the type, code and id of
    /// ICMP.</exception>
    public string Write(ConntrackEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry is ConntrackEvent { EventType: ConntrackEventType.Lost })
            return EventWriter.LossIn(format);
        if (format != ConntrackTextFormat.Xml || entry.HasGaps)
            entry.ThrowIfIncomplete();
        _text.Clear();
        ulong now = entry.Has(EntryFields.StartTime) ? ClockText.ToNanoseconds(CapturedAt ?? (entry as ConntrackEvent)?.EventTime ?? DateTime.UtcNow) : 0;
        switch (format)
        {
            case ConntrackTextFormat.Proc:
                ProcWriter.Append(_text, entry, now);
                break;
            case ConntrackTextFormat.Save:
                SaveWriter.Append(_text, entry);
                break;
            case ConntrackTextFormat.Delete:
                DeleteWriter.Append(_text, entry);
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

/// <summary>The forms of text to write entries in.</summary>
public enum ConntrackTextFormat
{
    /// <summary>As <c>conntrack -L</c> prints it, and as /proc/net/ip_conntrack of kernels 2.4 and 2.6 did before.</summary>
    List,

    /// <summary>As <c>conntrack -L -o extended</c> prints it: the list with the address family first.</summary>
    Extended,

    /// <summary>As the kernel prints it in /proc/net/nf_conntrack.</summary>
    Proc,

    /// <summary>As <c>conntrack -L -o save</c> prints it: commands for <c>conntrack -R</c>.</summary>
    Save,

    /// <summary>Commands for <c>conntrack -R</c> that delete the entries, and no others.</summary>
    Delete,

    /// <summary>As <c>conntrack -L -o xml</c> prints it: one document.</summary>
    Xml,
}

/// <summary>Values that conntrack prints only with an option, in the list, extended and XML forms.</summary>
[Flags]
public enum ConntrackTextDetails
{
    /// <summary>No additional values.</summary>
    None = 0,

    /// <summary>The id of the entry: <c>-o id</c>. XML always has it.</summary>
    Id = 1 << 0,

    /// <summary>When the connection started and ended: <c>-o ktimestamp</c>.</summary>
    Timestamp = 1 << 1,

    /// <summary>When events occurred: <c>-o timestamp</c>. XML has it with a precision of seconds.</summary>
    EventTime = 1 << 3,

    /// <summary>Labels: <c>-o labels</c>. Bits that connlabel.conf doesn't name are written as numbers. conntrack leaves them
    /// out.</summary>
    Label = 1 << 2,
}
