using System.Globalization;
using System.Security;
using System.Text;
using System.Xml;
using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes expectations and their events as text, as conntrack 1.4.7 or the kernel prints them.</summary>
/// <remarks>snprintf_expect_default and snprintf_expect_xml of libnetfilter_conntrack 1.0.9, exp_seq_show of
/// net/netfilter/nf_conntrack_expect.c. Their output that is read and written again is identical. An object must not be used by several
/// threads at the same time.</remarks>
/// <param name="format">The form to write.</param>
internal sealed class ExpectationWriter(ConntrackTextFormat format)
{
    private readonly StringBuilder _text = new(512);

    /// <summary>Values to add. Timestamp adds the time of events, as conntrack -E -o timestamp does.</summary>
    public ConntrackTextDetails Details { get; init; }

    /// <summary>The text before the first expectation; null if there is none.</summary>
    public string? Header => format == ConntrackTextFormat.Xml ? "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>" : null;

    /// <summary>The text after the last expectation; null if there is none.</summary>
    public string? Footer => format == ConntrackTextFormat.Xml ? "</expect>" : null;

    /// <summary>The expectation's line, without a line feed.</summary>
    /// <exception cref="NotSupportedException">The form can't express expectations, or not this one.</exception>
    /// <exception cref="FormatException">The expectation lacks a value that the form requires.</exception>
    public string Write(ConntrackExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        if (expectation is ConntrackExpectationEvent { EventType: ConntrackEventType.Lost })
            throw new NotSupportedException("conntrack has no words for events that were lost.");
        _text.Clear();
        switch (format)
        {
            case ConntrackTextFormat.List or ConntrackTextFormat.Extended:
                AppendLine(expectation);
                break;
            case ConntrackTextFormat.Proc:
                AppendProcLine(expectation);
                break;
            case ConntrackTextFormat.Xml:
                AppendElement(expectation);
                break;
            default:
                throw new NotSupportedException($"conntrack has no form {format} of expectations: conntrack -R takes entries alone. Write List, Extended, Proc or Xml.");
        }

        return _text.ToLine();
    }

    /// <summary>The parts besides the addresses. A master whose protocol is unknown has ports, as all connections with helpers
    /// have.</summary>
    private static TupleParts PartsOf(in ConntrackTuple tuple, IPProtocol? protocol) =>
        !tuple.HasPorts ? TupleParts.None : protocol is { } known ? ProtocolText.PartsOf(known) : TupleParts.Ports;

    private static void ThrowIfIncomplete(ConntrackExpectation expectation, bool needsTuple)
    {
        if (needsTuple || expectation.Expected.HasGaps)
            IncompleteTupleException.ThrowIfIncomplete(expectation.Expected);
        if (!expectation.HasMask)
            throw new IncompleteTupleException(nameof(ConntrackExpectation.SourceMask));
        if (!expectation.HasMaster)
            throw new IncompleteTupleException($"{nameof(ConntrackExpectation.MasterSourceAddress)}, {nameof(ConntrackExpectation.MasterDestinationAddress)}");
        if (expectation.Master.HasGaps)
            IncompleteTupleException.ThrowIfIncomplete(expectation.Master, "Master");
    }

    /// <summary>The mask as it was read. Its destination is all ones, unless the text had another mask.</summary>
    private static ConntrackTuple MaskOf(ConntrackExpectation expectation)
    {
        ConntrackTuple mask = expectation.Mask with { Destination = ExpectationText.AllOnes, DestinationPort = ushort.MaxValue };
        if (expectation.Extra is not { } extra)
            return mask;
        if (extra.TryGetValue(ExpectationText.DestinationMask, out string? text) && AddressText.TryParse(text, out _, out AddressBits address))
            mask = mask with { Destination = address };
        return extra.TryGetValue(ExpectationText.DestinationPortMask, out text) && TextNumber.TryRead(text, out ushort port)
            ? mask with { DestinationPort = port }
            : mask;
    }

    private void AppendLine(ConntrackExpectation expectation)
    {
        ThrowIfIncomplete(expectation, needsTuple: true);
        AppendEvent(expectation);
        if (expectation.TimeoutSeconds is { } timeout)
            _text.Append(CultureInfo.InvariantCulture, $"{timeout} ");
        _text.AppendField("proto", (ulong)expectation.Protocol);
        TupleParts parts = PartsOf(expectation.Expected, expectation.Protocol);
        AppendTuple("", expectation.Expected, parts);
        AppendTuple("mask-", MaskOf(expectation), parts);
        AppendTuple("master-", expectation.Master, PartsOf(expectation.Master, expectation.MasterProtocol));
        if (expectation.Zone is { } zone and not 0)
            _text.AppendField("zone", zone);
        AppendFlags(expectation);
        if (expectation.Class is { } number)
            _text.AppendField("class", number);
        FlowWriter.AppendName(_text, "helper", expectation.Helper);
    }

    private void AppendEvent(ConntrackExpectation expectation)
    {
        if (expectation is not ConntrackExpectationEvent { EventType: var type, EventTime: var time } || type == ConntrackEventType.Existing)
            return;
        bool isTimed = (Details & ConntrackTextDetails.EventTime) != 0 && time is not null;
        EventText.AppendHead(_text, type, isTimed ? ClockText.ToNanoseconds(time!.Value) : null);
    }

    private void AppendTuple(string prefix, in ConntrackTuple tuple, TupleParts parts)
    {
        // The first two words of a tuple are its addresses.
        if (prefix.Length == 0)
        {
            FlowWriter.AppendTuple(_text, tuple, parts);
            return;
        }

        StringBuilder plain = new();
        FlowWriter.AppendTuple(plain, tuple, parts);
        _text.Append(plain.Replace("src=", $"{prefix}src=", 0, 4).Replace(" dst=", $" {prefix}dst="));
    }

    private void AppendFlags(ConntrackExpectation expectation)
    {
        if (expectation.Flags is not (null or ExpectationFlags.None))
            _text.AppendJoin(',', ExpectationText.WordsOf(expectation.Flags)).Append(' ');
    }

    private void AppendProcLine(ConntrackExpectation expectation)
    {
        IncompleteTupleException.ThrowIfIncomplete(expectation.Expected);
        string? negative = expectation.Extra?.GetValueOrDefault(ExpectationText.Timeout);
        _text.Append(expectation.TimeoutSeconds?.ToString(CultureInfo.InvariantCulture) ?? negative ?? "-");
        _text.Append(CultureInfo.InvariantCulture, $" l3proto = {(int)expectation.AddressFamily} proto={(int)expectation.Protocol} ");
        FlowWriter.AppendTuple(_text, expectation.Expected, PartsOf(expectation.Expected, expectation.Protocol), isExpanded: true);
        AppendFlags(expectation);
        if (expectation.Helper is not { } helper)
            return;
        string? name = ExpectationText.ClassNameOf(helper, expectation.Class) ?? expectation.Extra?.GetValueOrDefault(ExpectationText.Class);
        _text.Append(string.Concat((name is null ? helper : $"{helper}/{name}").Select(letter => char.IsWhiteSpace(letter) || char.IsControl(letter) ? '_' : letter)));
    }

    private void AppendElement(ConntrackExpectation expectation)
    {
        ThrowIfIncomplete(expectation, needsTuple: false);
        ConntrackTuple mask = MaskOf(expectation);
        ConntrackExpectationEvent? happened = expectation as ConntrackExpectationEvent;
        EventText.AppendFlow(_text, happened?.EventType);
        _text.Append(CultureInfo.InvariantCulture, $"<layer3 protonum=\"{(int)expectation.AddressFamily}\" protoname=\"{FlowWriter.NameOf(expectation.AddressFamily)}\">");
        AppendAddresses("expected", expectation.Expected);
        AppendAddresses("mask", mask);
        AppendAddresses("master", expectation.Master);
        _text.Append(CultureInfo.InvariantCulture, $"</layer3><layer4 protonum=\"{(int)expectation.Protocol}\" protoname=\"{ProtocolNames.ToTracked(expectation.Protocol)}\">");
        TupleParts parts = PartsOf(expectation.Expected, expectation.Protocol);
        AppendPorts("expected", expectation.Expected, parts);
        AppendPorts("mask", mask, parts);
        AppendPorts("master", expectation.Master, PartsOf(expectation.Master, expectation.MasterProtocol));
        _text.Append("</layer4><meta>");
        AppendValue("helper-name", expectation.Helper);
        AppendValue("timeout", Text(expectation.TimeoutSeconds));
        AppendValue("class", Text(expectation.Class));
        AppendValue("zone", expectation.Zone is 0 ? null : Text(expectation.Zone));
        if ((Details & ConntrackTextDetails.EventTime) != 0 && happened?.EventTime is { } time)
            EventText.AppendWhen(_text, time.ToLocalTime());
        foreach (string word in ExpectationText.WordsOf(expectation.Flags))
            _text.Append(CultureInfo.InvariantCulture, $"<{word.ToLowerInvariant()}/>");
        _text.Append("</meta></flow>");
    }

    private void AppendAddresses(string name, in ConntrackTuple tuple)
    {
        _text.Append(CultureInfo.InvariantCulture, $"<{name}><src>");
        AddressText.Append(_text, tuple.Family, tuple.Source);
        _text.Append("</src><dst>");
        AddressText.Append(_text, tuple.Family, tuple.Destination);
        _text.Append(CultureInfo.InvariantCulture, $"</dst></{name}>");
    }

    private void AppendPorts(string name, in ConntrackTuple tuple, TupleParts parts)
    {
        _text.Append(CultureInfo.InvariantCulture, $"<{name}>");
        if (parts == TupleParts.Ports)
            _text.Append(CultureInfo.InvariantCulture, $"<sport>{tuple.SourcePort}</sport><dport>{tuple.DestinationPort}</dport>");
        else if (parts == TupleParts.Keys)
            _text.Append(CultureInfo.InvariantCulture, $"<srckey>0x{tuple.SourcePort:x}</srckey><dstkey>0x{tuple.DestinationPort:x}</dstkey>");
        _text.Append(CultureInfo.InvariantCulture, $"</{name}>");
    }

    private void AppendValue(string name, string? value)
    {
        if (value is null)
            return;
        string valid = string.Concat(value.Select(letter => XmlConvert.IsXmlChar(letter) ? letter : '?'));
        _text.Append(CultureInfo.InvariantCulture, $"<{name}>{SecurityElement.Escape(valid)}</{name}>");
    }

    private static string? Text(uint? number) => number?.ToString(CultureInfo.InvariantCulture);
}
