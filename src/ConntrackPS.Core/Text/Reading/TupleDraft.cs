using System.Numerics;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Text.Reading;

/// <summary>One direction that is being read. Each part is set once.</summary>
internal struct TupleDraft
{
    private const TupleParts SourceSide = TupleParts.SourcePort | TupleParts.SourceKey | TupleParts.IcmpId;
    private const TupleParts DestinationSide =
        TupleParts.DestinationPort | TupleParts.DestinationKey | TupleParts.IcmpType | TupleParts.IcmpCode;

    private IPFamily _sourceFamily;
    private IPFamily _destinationFamily;
    private AddressBits _source;
    private AddressBits _destination;
    private ushort _sourcePort;
    private ushort _destinationPort;
    private TupleGaps _gaps;

    public TupleParts Parts { get; private set; }

    /// <summary>The family of both addresses; Unspecified if they differ.</summary>
    public readonly IPFamily Family => _sourceFamily == _destinationFamily ? _sourceFamily : IPFamily.Unspecified;

    /// <summary>The text read as the source port.</summary>
    public readonly ushort SourcePort => _sourcePort;

    /// <summary>The text read as the destination port.</summary>
    public readonly ushort DestinationPort => _destinationPort;

    /// <summary>The family of the addresses of both directions; Unspecified if they differ. A hidden address fits any family. If all are
    /// hidden, the family is IPv4.</summary>
    public readonly IPFamily FamilyWith(in TupleDraft other)
    {
        IPFamily family = IPFamily.Unspecified;
        foreach (IPFamily next in (ReadOnlySpan<IPFamily>)[_sourceFamily, _destinationFamily, other._sourceFamily, other._destinationFamily])
        {
            if (next != IPFamily.Unspecified && family != IPFamily.Unspecified && next != family)
                return IPFamily.Unspecified;
            if (next != IPFamily.Unspecified)
                family = next;
        }

        return family == IPFamily.Unspecified ? IPFamily.IPv4 : family;
    }

    public readonly bool Has(TupleParts parts) => (Parts & parts) == parts;

    public bool TrySetAddress(TupleParts part, ReadOnlySpan<char> text)
    {
        if (!AddressText.TryParse(text, out IPFamily family, out AddressBits address) || !TryMark(part))
            return false;
        if (part == TupleParts.Source)
            (_sourceFamily, _source) = (family, address);
        else
            (_destinationFamily, _destination) = (family, address);
        return true;
    }

    /// <summary>Records that an address or a port exists but is hidden.</summary>
    public bool TryHide(TupleParts part)
    {
        if (!TryMark(part))
            return false;
        _gaps |= part switch
        {
            TupleParts.Source => TupleGaps.Source,
            TupleParts.Destination => TupleGaps.Destination,
            TupleParts.SourcePort or TupleParts.IcmpId => TupleGaps.SourcePort,
            _ => TupleGaps.DestinationPort,
        };
        return true;
    }

    /// <summary>Sets a port, a key or a field of ICMP.</summary>
    public bool TrySet(TupleParts part, ushort number)
    {
        if (!TryMark(part))
            return false;
        switch (part)
        {
            case TupleParts.SourcePort or TupleParts.SourceKey or TupleParts.IcmpId:
                _sourcePort = number;
                break;
            case TupleParts.IcmpType:
                _destinationPort |= (ushort)(number << 8);
                break;
            default:
                _destinationPort |= number;
                break;
        }

        return true;
    }

    /// <summary>The first missing part of the given ones, by its word in a line; null if all are there.</summary>
    public readonly string? NameMissing(TupleParts needed)
    {
        TupleParts missing = needed & ~Parts;
        return missing == TupleParts.None ? null : (TupleParts)(1 << BitOperations.TrailingZeroCount((int)missing)) switch
        {
            TupleParts.Source => "src=",
            TupleParts.Destination => "dst=",
            TupleParts.SourcePort => "sport=",
            TupleParts.DestinationPort => "dport=",
            TupleParts.IcmpType => "type=",
            TupleParts.IcmpCode => "code=",
            TupleParts.IcmpId => "id=",
            TupleParts.SourceKey => "srckey=",
            _ => "dstkey=",
        };
    }

    /// <summary>Takes missing parts from another tuple.</summary>
    /// <param name="tuple">The values for missing parts.</param>
    /// <param name="ports">The existing parts besides the addresses.</param>
    /// <param name="sourcePort">A better value for the source port, if there is one.</param>
    /// <param name="destinationPort">A better value for the destination port, if there is one.</param>
    public void FillFrom(in ConntrackTuple tuple, TupleParts ports, ushort? sourcePort, ushort? destinationPort)
    {
        if (TryMark(TupleParts.Source))
            (_sourceFamily, _source) = (tuple.Family, tuple.Source);
        if (TryMark(TupleParts.Destination))
            (_destinationFamily, _destination) = (tuple.Family, tuple.Destination);
        if ((ports & SourceSide & ~Parts) != 0)
            _sourcePort = sourcePort ?? tuple.SourcePort;
        if ((ports & DestinationSide & ~Parts) != 0)
            _destinationPort = destinationPort ?? tuple.DestinationPort;
        Parts |= ports;
    }

    public readonly ConntrackTuple ToTuple(IPProtocol protocol) => ToTuple(protocol, _sourceFamily);

    public readonly ConntrackTuple ToTuple(IPProtocol protocol, IPFamily family) => new()
    {
        Gaps = _gaps,
        Family = family,
        Protocol = protocol,
        HasPorts = (Parts & ~TupleParts.Addresses) != 0,
        SourcePort = _sourcePort,
        DestinationPort = _destinationPort,
        Source = _source,
        Destination = _destination,
    };

    private static TupleParts KindOf(TupleParts part) => part switch
    {
        TupleParts.SourcePort or TupleParts.DestinationPort => TupleParts.Ports,
        TupleParts.SourceKey or TupleParts.DestinationKey => TupleParts.SourceKey | TupleParts.DestinationKey,
        TupleParts.IcmpType or TupleParts.IcmpCode or TupleParts.IcmpId => TupleParts.IcmpType | TupleParts.IcmpCode | TupleParts.IcmpId,
        _ => TupleParts.None,
    };

    private bool TryMark(TupleParts part)
    {
        // Ports, the keys of GRE and the numbers of ICMP exclude one another.
        if ((Parts & part) != 0 || (KindOf(part) is var kind && kind != TupleParts.None && (Parts & ~(TupleParts.Addresses | kind)) != 0))
            return false;
        Parts |= part;
        return true;
    }
}
