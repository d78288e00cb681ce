namespace ConntrackPS.Top.Snapshots;

/// <summary>The columns of a live view, in the order in which they stand, and what it can be sorted by.</summary>
public enum TopColumn
{
    /// <summary>The source address.</summary>
    Source,

    /// <summary>The source port; the identifier of ICMP.</summary>
    SourcePort,

    /// <summary>What replaces the source.</summary>
    TranslatedSource,

    /// <summary>The destination address.</summary>
    Destination,

    /// <summary>The destination port; the type and code of ICMP.</summary>
    DestinationPort,

    /// <summary>What replaces the destination.</summary>
    TranslatedDestination,

    /// <summary>The layer 4 protocol.</summary>
    Protocol,

    /// <summary>The state of TCP, SCTP and DCCP connections.</summary>
    State,

    /// <summary>Time until the entry goes, unless a packet renews it.</summary>
    TimeLeft,

    /// <summary>Bits per second both ways, since the refresh before; needs accounting.</summary>
    Rate,

    /// <summary>Bytes both ways; needs accounting.</summary>
    Bytes,

    /// <summary>Packets per second both ways; needs accounting.</summary>
    PacketRate,

    /// <summary>Packets both ways; needs accounting.</summary>
    Packets,

    /// <summary>The connection mark.</summary>
    Mark,

    /// <summary>The zone.</summary>
    Zone,
}
