namespace ConntrackPS.Conntrack;

/// <summary>Both tuples of a new entry. The reply is derived from the original, except for parts that are set or translated.</summary>
public sealed record EntryTuples
{
    /// <summary>The original direction.</summary>
    public required ConntrackTuple Original { get; init; }

    /// <summary>The source address of replies. The default is the destination address.</summary>
    public HostAddress? ReplySource { get; init; }

    /// <summary>The destination address of replies. The default is the source address.</summary>
    public HostAddress? ReplyDestination { get; init; }

    /// <summary>The source port of replies. The default is the destination port.</summary>
    public ushort? ReplySourcePort { get; init; }

    /// <summary>The destination port of replies. The default is the source port.</summary>
    public ushort? ReplyDestinationPort { get; init; }

    /// <summary>The address that the kernel translates the source to.</summary>
    public HostAddress? TranslatedSource { get; init; }

    /// <summary>The port that the kernel translates the source port to.</summary>
    public ushort? TranslatedSourcePort { get; init; }

    /// <summary>The address that the kernel translates the destination to.</summary>
    public HostAddress? TranslatedDestination { get; init; }

    /// <summary>The port that the kernel translates the destination port to.</summary>
    public ushort? TranslatedDestinationPort { get; init; }

    /// <summary>The status bits of the translation.</summary>
    internal ConntrackStatus TranslationStatus =>
        (TranslatedSource is null && TranslatedSourcePort is null ? ConntrackStatus.None : ConntrackStatus.SrcNat)
        | (TranslatedDestination is null && TranslatedDestinationPort is null ? ConntrackStatus.None : ConntrackStatus.DstNat);

    /// <summary>Creates the reply tuple.</summary>
    /// <exception cref="FormatException">An address is of another family, or the ICMP type has no reply.</exception>
    internal ConntrackTuple MakeReply()
    {
        ConntrackTuple reply = TupleInversion.ReplyTo(Original);
        return reply with
        {
            Source = Bits(TranslatedDestination ?? ReplySource, reply.Source),
            Destination = Bits(TranslatedSource ?? ReplyDestination, reply.Destination),
            SourcePort = TranslatedDestinationPort ?? ReplySourcePort ?? reply.SourcePort,
            DestinationPort = TranslatedSourcePort ?? ReplyDestinationPort ?? reply.DestinationPort,
        };
    }

    private AddressBits Bits(HostAddress? address, AddressBits otherwise)
    {
        if (address is not { } given)
            return otherwise;
        return given.Family == Original.Family
            ? given.Bits
            : throw new FormatException($"{given} is of another address family than the source and destination.");
    }
}
