using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Pipeline;

/// <summary>Builds an entry from an object of the pipeline, live or deserialised.</summary>
internal static class EntryFromProperties
{
    /// <remarks>Its tuple can be incomplete. Callers that send it to the kernel check that.</remarks>
    /// <exception cref="FormatException">A property is missing or bad; the message completes a sentence.</exception>
    public static ConntrackEntry Read(PSObject input) => Read(input, withTimes: true);

    /// <summary>Reads the values that can be created again. The kernel sets the start time itself, so it is not read.</summary>
    /// <exception cref="FormatException">A property is missing or bad; the message completes a sentence.</exception>
    public static ConntrackEntry ReadToCreate(PSObject input) => Read(input, withTimes: false);

    private static ConntrackEntry Read(PSObject input, bool withTimes)
    {
        if (input.BaseObject is ConntrackEntry live)
            return live.Clone();
        PropertyBag properties = new(input);
        EntryKey key = InputEntry.ReadKey(input);

        // With the reply alone, the original tuple is the one without translation.
        ConntrackTuple original = key.IsByReply ? TupleInversion.ReplyTo(key.Reply!.Value) : key.Original;
        ConntrackEntry entry = new()
        {
            Original = original,
            Reply = InputEntry.ReplyTuple(properties, original),
            Status = (ConntrackStatus?)properties.Flags<ConntrackStatus>("Status") ?? ConntrackStatus.None,
            Mark = properties.Number("Mark", uint.MaxValue),
            Zone = properties.Port("Zone") ?? 0,
            Namespace = properties.Namespace,
        };
        ReadState(properties, entry);
        ReadNumbers(properties, entry);
        if (withTimes)
            ReadTimes(properties, entry);
        ReadDetails(properties, entry);
        return entry;
    }

    private static void ReadState(PropertyBag properties, ConntrackEntry entry)
    {
        if (properties.Text("State") is not { } text)
            return;
        entry.Data.State = byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte number)
            ? (ConntrackState)number
            : ConntrackStates.TryParse(text, out ConntrackState state) ? state : throw new FormatException($"its State '{text}' is not known.");
        entry.Fields |= EntryFields.State;
    }

    private static void ReadNumbers(PropertyBag properties, ConntrackEntry entry)
    {
        Set(EntryFields.Id, ref entry.Data.Id, properties.Number("Id", uint.MaxValue));
        Set(EntryFields.Timeout, ref entry.Data.Timeout, properties.Number("TimeoutSeconds", uint.MaxValue));
        Set(EntryFields.UseCount, ref entry.Data.Use, properties.Number("UseCount", uint.MaxValue));
        Set(EntryFields.OriginalPackets, ref entry.Data.OriginalPackets, properties.LongNumber("OriginalPackets"));
        Set(EntryFields.OriginalBytes, ref entry.Data.OriginalBytes, properties.LongNumber("OriginalBytes"));
        Set(EntryFields.ReplyPackets, ref entry.Data.ReplyPackets, properties.LongNumber("ReplyPackets"));
        Set(EntryFields.ReplyBytes, ref entry.Data.ReplyBytes, properties.LongNumber("ReplyBytes"));
        Set(EntryFields.OriginalZone, ref entry.Data.OriginalZone, properties.Port("OriginalZone"));
        Set(EntryFields.ReplyZone, ref entry.Data.ReplyZone, properties.Port("ReplyZone"));
        Set(EntryFields.OriginalWindowScale, ref entry.Data.OriginalWindowScale, (byte?)properties.Number("OriginalWindowScale", byte.MaxValue));
        Set(EntryFields.ReplyWindowScale, ref entry.Data.ReplyWindowScale, (byte?)properties.Number("ReplyWindowScale", byte.MaxValue));
        Set(EntryFields.OriginalTcpFlags, ref entry.Data.OriginalTcpFlags, (TcpTrackingFlags?)properties.Flags<TcpTrackingFlags>("OriginalTcpFlags"));
        Set(EntryFields.ReplyTcpFlags, ref entry.Data.ReplyTcpFlags, (TcpTrackingFlags?)properties.Flags<TcpTrackingFlags>("ReplyTcpFlags"));

        void Set<T>(EntryFields field, ref T target, T? value)
            where T : struct
        {
            if (value is not { } present)
                return;
            target = present;
            entry.Fields |= field;
        }
    }

    private static void ReadTimes(PropertyBag properties, ConntrackEntry entry)
    {
        if (properties.Time("StartTime", "StartTimestamp") is { } start)
            (entry.Data.Start, entry.Fields) = (start, entry.Fields | EntryFields.StartTime);
        else if (ulong.TryParse(properties.Text("Age"), NumberStyles.None, CultureInfo.InvariantCulture, out ulong age))
            entry.SetAgeAlone(age);
        if (properties.Time("StopTime", "StopTimestamp") is { } stop)
            (entry.Data.Stop, entry.Fields) = (stop, entry.Fields | EntryFields.StopTime);
    }

    private static void ReadDetails(PropertyBag properties, ConntrackEntry entry)
    {
        EntryDetails details = new()
        {
            Labels = ReadLabels(properties),
            Helper = properties.Text("Helper"),
            SecurityContext = properties.Text("SecurityContext"),
            Master = properties.Text("MasterProtocol") is null ? null : properties.Tuple("Master"),
            OriginalSequence = ReadSequence(properties, "OriginalSequence"),
            ReplySequence = ReadSequence(properties, "ReplySequence"),
            SynproxyIsn = properties.Number("SynproxyIsn", uint.MaxValue),
            SynproxyIts = properties.Number("SynproxyIts", uint.MaxValue),
            SynproxyTimestampOffset = properties.Number("SynproxyTimestampOffset", uint.MaxValue),
            OriginalVerificationTag = properties.Number("OriginalVerificationTag", uint.MaxValue),
            ReplyVerificationTag = properties.Number("ReplyVerificationTag", uint.MaxValue),
            DccpRole = (byte?)properties.Number("DccpRole", byte.MaxValue),
            DccpHandshakeSequence = properties.LongNumber("DccpHandshakeSequence"),
            Extra = properties.Words("Extra"),
        };
        if (properties.Number("SecurityMark", uint.MaxValue) is { } mark)
        {
            details.Secmark = mark;
            entry.Fields |= EntryFields.Secmark;
        }

        entry.Data.Details = details;
    }

    private static LabelBits? ReadLabels(PropertyBag properties)
    {
        if (properties.Text("Labels") is not { } text)
            return null;
        return LabelNames.System.ParseBits(text, out string? unknown)
            ?? throw new FormatException($"its label '{unknown}' is neither in connlabel.conf nor a bit from 0 to 127.");
    }

    private static SequenceAdjustment? ReadSequence(PropertyBag properties, string direction) =>
        properties.Number(direction + "Position", uint.MaxValue) is { } position
            ? new SequenceAdjustment(
                position,
                properties.SignedNumber(direction + "OffsetBefore") ?? throw new FormatException($"it has {direction}Position, but no {direction}OffsetBefore."),
                properties.SignedNumber(direction + "OffsetAfter") ?? throw new FormatException($"it has {direction}Position, but no {direction}OffsetAfter."))
            : null;
}
