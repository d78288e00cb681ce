using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;

namespace ConntrackPS.Pipeline;

/// <summary>Reads which expectation, or which master connection, an object in the pipeline names. The object is live or
/// deserialised.</summary>
internal static class InputExpectation
{
    /// <summary>True for an expectation. Entries have no mask. An expectation that was read from text has the property, but maybe no
    /// value.</summary>
    public static bool IsExpectation(PSObject input) =>
        input.BaseObject is ConntrackExpectation || input.Properties[nameof(ConntrackExpectation.SourceMask)] is not null;

    /// <summary>The key of an expectation.</summary>
    /// <returns>Null if its zone is not known and it no longer exists.</returns>
    /// <exception cref="FormatException">The object does not name an expectation exactly; the message completes a sentence.</exception>
    public static ExpectationKey? KeyOf(PSObject input, ExpectationTable table)
    {
        if (input.BaseObject is ConntrackExpectation { Id: not null } live)
        {
            IncompleteTupleException.ThrowIfIncomplete(live.Expected);
            return table.KeyOf(live);
        }

        if (!IsExpectation(input))
            throw new FormatException("it has no SourceMask.");
        PropertyBag properties = new(input);
        ConntrackTuple tuple = properties.Tuple("");
        IncompleteTupleException.ThrowIfIncomplete(tuple);
        uint id = properties.Number("Id", uint.MaxValue) ?? throw new FormatException("it has no Id.");
        return properties.Port("Zone") is { } zone ? new ExpectationKey(tuple, zone, id) : table.Locate(tuple, id);
    }

    /// <summary>The network namespace that the object came from; null for the caller's own.</summary>
    public static string? NamespaceOf(PSObject input) =>
        input.BaseObject is ConntrackExpectation live ? live.Namespace : InputEntry.NamespaceOf(input);

    /// <summary>The connection that announced expectations: an entry, or the master of an expectation.</summary>
    /// <param name="input">The object.</param>
    /// <param name="needsZone">True to refuse an expectation of unknown zone, such as an event's: another connection may have its
    /// master's tuple in zone 0.</param>
    /// <exception cref="FormatException">The object names none; the message completes a sentence.</exception>
    public static EntryKey MasterOf(PSObject input, bool needsZone = false)
    {
        if (!IsExpectation(input))
            return InputEntry.KeyOf(input, needsOriginal: true);
        PropertyBag properties = new(input);
        ConntrackTuple master;
        if (input.BaseObject is ConntrackExpectation live)
        {
            live.ThrowIfMasterIncomplete();
            master = live.Master;
        }
        else
        {
            master = properties.Tuple("Master");
            IncompleteTupleException.ThrowIfIncomplete(master, "Master");
        }

        ushort? zone = properties.Port("Zone");
        return zone is null && needsZone
            ? throw new FormatException("it has no Zone. Give the entry of the master in its place.")
            : new EntryKey(master, zone ?? 0, null, null);
    }

    /// <summary>The filter of an object that does not identify a connection, but has a part of the tuple of expectations.</summary>
    /// <returns>Null if it has no such part, or other values too.</returns>
    public static ExpectationFilter? FilterOf(PSObject input)
    {
        if (IsExpectation(input) || InputFilter.TryRead(input)?.Filter is not { } part)
            return null;
        ExpectationFilter filter = new() { Protocol = part.Protocol, Zone = part.Zone };
        foreach (TupleProperty property in TupleProperties.All.Where(property => property.IsAsked(part)))
        {
            if (typeof(ExpectationFilter).GetProperty(property.Name) is not { } its)
                return null;
            its.SetValue(filter, typeof(ConntrackFilter).GetProperty(property.Name)!.GetValue(part));
        }

        return filter;
    }

    /// <summary>Builds the same expectation again. Its helper is left out, because the helper in a request has another meaning.</summary>
    /// <exception cref="FormatException">A property is missing or bad; the message completes a sentence.</exception>
    public static ConntrackExpectation Read(PSObject input)
    {
        PropertyBag properties = new(input);
        ConntrackTuple tuple = properties.Tuple("");
        ConntrackTuple master = properties.Tuple("Master");
        IncompleteTupleException.ThrowIfIncomplete(tuple);
        IncompleteTupleException.ThrowIfIncomplete(master, "Master");
        return new ConntrackExpectation
        {
            Expected = tuple,
            Mask = tuple with
            {
                Source = properties.Address("SourceMask", out _),
                SourcePort = properties.Port("SourcePortMask")
                    ?? (tuple.SourcePort == 0 ? (ushort)0 : throw new FormatException("it has a SourcePort, but no SourcePortMask. Use 65535 for only that port.")),
            },
            Master = master,
            Nat = ReadNat(properties, master),
            NatDirection = ReadDirection(properties),
            Flags = (ExpectationFlags?)properties.Flags<ExpectationFlags>("Flags"),
            Class = properties.Number("Class", uint.MaxValue),
            Function = properties.Text("Function"),
            TimeoutSeconds = properties.Number("TimeoutSeconds", uint.MaxValue),
            Zone = properties.Port("Zone"),
            Namespace = properties.Namespace,
        };
    }

    /// <summary>Reads all values that text has of an expectation or its event. Missing values stay unknown.</summary>
    /// <exception cref="FormatException">A property is missing or bad; the message completes a sentence.</exception>
    public static ConntrackExpectation ReadForText(PSObject input)
    {
        PropertyBag properties = new(input);
        ConntrackTuple tuple = properties.Tuple("");
        ConntrackExpectation read = ReadEventType(properties) is { } type
            ? new ConntrackExpectationEvent(type) { EventTime = ReadTime(properties) }
            : new ConntrackExpectation();
        (read.Expected, read.Helper, read.Zone) = (tuple, properties.Text("Helper"), properties.Port("Zone"));
        read.Extra = properties.Words("Extra");
        (read.Class, read.TimeoutSeconds) = (properties.Number("Class", uint.MaxValue), properties.Number("TimeoutSeconds", uint.MaxValue));
        read.Flags = (ExpectationFlags?)properties.Flags<ExpectationFlags>("Flags");
        if (properties.Text("SourceMask") is not null)
        {
            AddressBits mask = properties.Address("SourceMask", out _);
            read.Mask = tuple with { Source = mask, SourcePort = tuple.HasPorts ? properties.Port("SourcePortMask") ?? throw new FormatException("it has no SourcePortMask.") : (ushort)0 };
        }

        if (properties.Text("MasterSourceAddress") is not null)
        {
            read.IsMasterProtocolUnknown = properties.Text("MasterProtocol") is null;
            read.Master = properties.Tuple("Master", read.IsMasterProtocolUnknown);
        }

        return read;
    }

    private static ConntrackEventType? ReadEventType(PropertyBag properties)
    {
        if (properties.Text("EventType") is not { } text)
            return null;
        return Enum.TryParse(text, ignoreCase: true, out ConntrackEventType type) && Enum.IsDefined(type)
            ? type
            : throw new FormatException($"its EventType '{text}' is not known.");
    }

    private static DateTime? ReadTime(PropertyBag properties) =>
        properties.Time("EventTime", "EventTimestamp") is { } nanoseconds
            ? DateTime.UnixEpoch.AddTicks((long)(nanoseconds / 100)).ToLocalTime()
            : null;

    private static ConntrackTuple? ReadNat(PropertyBag properties, in ConntrackTuple master) =>
        properties.Text("NatAddress") is null
            ? null
            : master with
            {
                Source = properties.Address("NatAddress", out _),
                SourcePort = properties.Port("NatPort") ?? 0,
                Destination = default,
                DestinationPort = 0,
            };

    private static TupleDirection? ReadDirection(PropertyBag properties)
    {
        if (properties.Text("NatDirection") is not { } text)
            return null;
        return Enum.TryParse(text, ignoreCase: true, out TupleDirection direction) && Enum.IsDefined(direction)
            ? direction
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"its NatDirection '{text}' is neither Original nor Reply."));
    }
}
