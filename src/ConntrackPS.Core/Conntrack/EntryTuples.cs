namespace ConntrackPS.Conntrack;

/// <summary>Both tuples of an entry that is to be created. The reply follows from the original, unless parts of it are
/// given or translated.</summary>
public sealed record EntryTuples
{
    /// <summary>The original direction.</summary>
    public required ConntrackTuple Original { get; init; }

    /// <summary>Where replies come from, in place of the destination.</summary>
    public HostAddress? ReplySource { get; init; }

    /// <summary>Where replies go to, in place of the source.</summary>
    public HostAddress? ReplyDestination { get; init; }

    /// <summary>The port replies come from, in place of the destination's.</summary>
    public ushort? ReplySourcePort { get; init; }

    /// <summary>The port replies go to, in place of the source's.</summary>
    public ushort? ReplyDestinationPort { get; init; }

    /// <summary>What the kernel translates the source to.</summary>
    public HostAddress? TranslatedSource { get; init; }

    /// <summary>What the kernel translates the source port to.</summary>
    public ushort? TranslatedSourcePort { get; init; }

    /// <summary>What the kernel translates the destination to.</summary>
    public HostAddress? TranslatedDestination { get; init; }

    /// <summary>What the kernel translates the destination port to.</summary>
    public ushort? TranslatedDestinationPort { get; init; }

    /// <summary>The status bits that the translation amounts to.</summary>
    internal ConntrackStatus TranslationStatus =>
        (TranslatedSource is null && TranslatedSourcePort is null ? ConntrackStatus.None : ConntrackStatus.SrcNat)
        | (TranslatedDestination is null && TranslatedDestinationPort is null ? ConntrackStatus.None : ConntrackStatus.DstNat);

    /// <summary>Makes the reply's tuple.</summary>
    /// <exception cref="FormatException">An address is of another family, or an ICMP type has no reply.</exception>
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
