using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;

namespace ConntrackPS.Pipeline;

/// <summary>Reads which expectation, or which master connection, an object in the pipeline names. The object is live or
/// deserialised.</summary>
internal static class InputExpectation
{
    /// <summary>True for an expectation. Entries have no mask.</summary>
    public static bool IsExpectation(PSObject input) =>
        input.BaseObject is ConntrackExpectation || new PropertyBag(input).Text("SourceMask") is not null;

    /// <summary>The key of an expectation.</summary>
    /// <returns>Null if its zone is not known and it no longer exists.</returns>
    /// <exception cref="FormatException">The object does not name an expectation exactly; the message completes a sentence.</exception>
    public static ExpectationKey? KeyOf(PSObject input, ExpectationTable table)
    {
        if (input.BaseObject is ConntrackExpectation { Id: not null } live)
            return table.KeyOf(live);
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

    /// <summary>The master connection: an entry, or the master of an expectation.</summary>
    /// <exception cref="FormatException">The object names no connection. The message completes a sentence.</exception>
    public static EntryKey MasterOf(PSObject input)
    {
        if (input.BaseObject is ConntrackExpectation live)
            return new EntryKey(live.Master, live.Zone ?? 0, null, null);
        if (!IsExpectation(input))
            return InputEntry.KeyOf(input, needsOriginal: true);
        ConntrackTuple master = new PropertyBag(input).Tuple("Master");
        IncompleteTupleException.ThrowIfIncomplete(master, "Master");
        return new EntryKey(master, new PropertyBag(input).Port("Zone") ?? 0, null, null);
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
            Flags = (ExpectationFlags?)properties.Flags<ExpectationFlags>("Flags") ?? ExpectationFlags.None,
            Class = properties.Number("Class", uint.MaxValue) ?? 0,
            Function = properties.Text("Function"),
            TimeoutSeconds = properties.Number("TimeoutSeconds", uint.MaxValue),
            Zone = properties.Port("Zone"),
            Namespace = properties.Text("Namespace"),
        };
    }

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
