using ConntrackPS.Conntrack;
using ConntrackPS.Events;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Events;

namespace ConntrackPS.Text.Reading;

/// <summary>An expectation that is being read, from a line or from XML. The object is reused for the next one.</summary>
internal sealed class ExpectationDraft
{
    private readonly TupleDraft[] _tuples = new TupleDraft[3];
    private ExpectationTuple _current;
    private Dictionary<string, string>? _extra;

    public IPProtocol Protocol { get; set; }

    public IPFamily? Family { get; set; }

    public ConntrackEventType? EventType { get; set; }

    public DateTime? EventTime { get; set; }

    public uint? Timeout { get; set; }

    public uint? Class { get; set; }

    public uint? Id { get; set; }

    public ushort? Zone { get; set; }

    public string? Helper { get; set; }

    public ExpectationFlags? Flags { get; set; }

    /// <summary>The tuple that the next values belong to.</summary>
    public ref TupleDraft Current => ref _tuples[(int)_current];

    public ExpectationTuple CurrentTuple
    {
        get => _current;
        set => _current = value;
    }

    private ref TupleDraft Expected => ref _tuples[(int)ExpectationTuple.Expected];

    private ref TupleDraft Mask => ref _tuples[(int)ExpectationTuple.Mask];

    private ref TupleDraft Master => ref _tuples[(int)ExpectationTuple.Master];

    public void Begin()
    {
        Array.Clear(_tuples);
        UnknownWords = [];
        (_current, _extra, Protocol, Family, EventType, EventTime) = (ExpectationTuple.Expected, null, default, null, null, null);
        (Timeout, Class, Id, Zone, Helper, Flags) = (null, null, null, null, null, ExpectationFlags.None);
    }

    /// <summary>The names of words that are not known.</summary>
    public IReadOnlyList<string> UnknownWords { get; private set; } = [];

    /// <summary>Notes a word that is not known.</summary>
    public void AddUnknown(string word, string value)
    {
        UnknownWords = [.. UnknownWords, word];
        AddExtra(word, value);
    }

    /// <summary>Keeps a word that has no property. If the word occurs again, its value is added to the first.</summary>
    public void AddExtra(string word, string value)
    {
        _extra ??= new Dictionary<string, string>(StringComparer.Ordinal);
        _extra[word] = _extra.TryGetValue(word, out string? before) && value.Length > 0 ? $"{before}, {value}" : value;
    }

    /// <summary>Finds a missing part or a contradiction, after everything was read. Null if there is none.</summary>
    /// <param name="mayLackPorts">True for XML, which lacks type, code and id of ICMP.</param>
    public string? Check(bool mayLackPorts = false)
    {
        TupleParts ports = Expected.Parts & ~TupleParts.Addresses;
        TupleParts needed = mayLackPorts ? ports : ProtocolText.NeededParts(Protocol, Expected.Parts);
        if ((ports & ~ProtocolText.PartsOf(Protocol)) != 0)
            return "the parts that the protocol has";
        if ((Mask.Parts & ~TupleParts.Addresses & ~ports) != 0)
            return "the parts that the expectation has, and no others, in the mask";
        string? missing = Expected.NameMissing(TupleParts.Addresses | needed) is { } part ? part + " of the expectation"
            : Mask.Parts != TupleParts.None && Mask.NameMissing(TupleParts.Addresses | needed) is { } other ? other + " of the mask"
            : Master.Parts != TupleParts.None && Master.NameMissing(TupleParts.Addresses | PartsOfMaster()) is { } third ? third + " of the master"
            : null;
        if (missing is not null)
            return missing;
        IPFamily family = Expected.Family;
        return family == IPFamily.Unspecified || (Family ?? family) != family
            || (Mask.Parts != TupleParts.None && Mask.Family != family)
            || (Master.Parts != TupleParts.None && Master.Family != family)
                ? "addresses of one family"
                : null;
    }

    /// <summary>Creates the expectation. Call it if <see cref="Check"/> has found nothing.</summary>
    public ConntrackExpectation ToExpectation()
    {
        ConntrackExpectation made = EventType is { } type ? new ConntrackExpectationEvent(type) { EventTime = EventTime } : new ConntrackExpectation();
        made.Expected = Expected.ToTuple(Protocol);
        if (Mask.Parts != TupleParts.None)
            made.Mask = ToMask();
        if (Master.Parts != TupleParts.None)
            SetMaster(made);
        (made.TimeoutSeconds, made.Class, made.Id, made.Zone) = (Timeout, Class, Id, Zone);
        (made.Helper, made.Flags, made.Extra) = (Helper, Flags, _extra);
        return made;
    }

    /// <summary>The kernel's mask of the destination is all ones. Another mask has no property, so it is kept in Extra.</summary>
    private ConntrackTuple ToMask()
    {
        ConntrackTuple mask = Mask.ToTuple(Protocol);
        AddressBits all = mask.Family == IPFamily.IPv6 ? ExpectationText.AllOnes : new AddressBits(0, uint.MaxValue);
        if (mask.Destination != all)
            AddExtra(ExpectationText.DestinationMask, mask.Destination.ToString(mask.Family));
        if (mask.HasPorts && mask.DestinationPort != ushort.MaxValue)
            AddExtra(ExpectationText.DestinationPortMask, mask.DestinationPort.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return mask with { Destination = ExpectationText.AllOnes, DestinationPort = mask.HasPorts ? ushort.MaxValue : (ushort)0 };
    }

    /// <summary>No form of text contains the protocol of the master, unless it is one without ports.</summary>
    private void SetMaster(ConntrackExpectation made)
    {
        IPProtocol? protocol = Master.Parts switch
        {
            TupleParts.Addresses | TupleParts.Keys => IPProtocol.Gre,
            TupleParts.Addresses | TupleParts.Icmp => Master.Family == IPFamily.IPv6 ? IPProtocol.IcmpV6 : IPProtocol.Icmp,
            _ => null,
        };
        (made.Master, made.IsMasterProtocolUnknown) = (Master.ToTuple(protocol ?? default), protocol is null);
    }

    private TupleParts PartsOfMaster() => (Master.Parts & ~TupleParts.Addresses) switch
    {
        TupleParts.None => TupleParts.None,
        var parts when (parts & TupleParts.Ports) != 0 => TupleParts.Ports,
        var parts when (parts & TupleParts.Keys) != 0 => TupleParts.Keys,
        _ => TupleParts.Icmp,
    };
}

/// <summary>The tuples of an expectation, in the order of the text.</summary>
internal enum ExpectationTuple
{
    /// <summary>The expected connection.</summary>
    Expected,

    /// <summary>The bits of the expected connection that must match.</summary>
    Mask,

    /// <summary>The connection that announced the expected one.</summary>
    Master,
}
