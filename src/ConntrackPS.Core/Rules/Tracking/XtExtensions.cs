using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>The effect of a target of iptables.</summary>
/// <param name="End">The end of the rule.</param>
/// <param name="Effect">The effect beside it.</param>
/// <param name="Words">The effect as a phrase. Empty for none.</param>
/// <param name="Translation">The translation. Null for other effects.</param>
internal sealed record XtTarget(RuleEnd End, RuleEffect Effect = RuleEffect.None, string Words = "", RuleTranslation? Translation = null);

/// <summary>Translates matches and targets of iptables, which iptables-nft uses too, into common terms. An extension that is not of Linux may
/// need entries.</summary>
internal static class XtExtensions
{
    /// <summary>Matches of Linux, and of xtables-addons, that need no entry, and that are not read here.</summary>
    private static readonly HashSet<string> WithoutEntry =
    [
        "addrtype", "ah", "bpf", "cgroup", "cpu", "dccp", "devgroup", "dscp", "dst", "ecn", "esp", "eui64", "frag", "hashlimit", "hbh", "hl", "icmp", "icmp6",
        "ipcomp", "ipv6header", "l2tp", "length", "limit", "mac", "mark", "mh", "nfacct", "osf", "owner", "physdev", "pkttype", "policy", "quota",
        "rateest", "realm", "recent", "rpfilter", "rt", "sctp", "set", "socket", "srh", "statistic", "string", "tcpmss", "time", "tos", "ttl", "u32", "udplite",
        "asn", "condition", "dhcpmac", "fuzzy", "geoip", "gradm", "iface", "ipp2p", "ipv4options", "length2", "psd", "quota2",
    ];

    /// <summary>The conditions of a match.</summary>
    public static IEnumerable<RuleTest> Match(XExtension match, bool isIPv6)
    {
        ReadOnlySpan<byte> data = match.Data;
        switch (match.Name)
        {
            case "comment":
                return [];
            case "tcp" when data.Length >= XtLayout.TcpLength:
                bool hasMore = data[8] != 0 || data[9] != 0;
                return [.. PortRanges(data, data[XtLayout.TcpInvert]), .. hasMore ? (RuleTest[])[new UnknownTest()] : []];
            case "udp" when data.Length >= XtLayout.UdpLength:
                return PortRanges(data, data[XtLayout.UdpInvert]);
            case "multiport" when match.Revision == 1 && data.Length >= XtLayout.MultiportLength:
                return [Multiport(data)];
            case "iprange" when match.Revision == 1 && data.Length >= XtLayout.IprangeLength:
                return AddressRanges(data, isIPv6);
            case "state" when data.Length >= sizeof(uint):
                return [new StateTest((PacketStates)MemoryMarshal.Read<uint>(data))];
            case "conntrack" when match.Revision is >= 1 and <= 3 && data.Length >= XtLayout.ConntrackStateMask + sizeof(ushort):
                return Conntrack(match);
            case "connbytes" or "connmark" or "cluster":
                return [new EntryTest(match.Name, Answer.Maybe, Answer.No)];
            case "conntrack" or "state" or "connlabel" or "helper" or "ipvs":
                return [new EntryTest(match.Name, Answer.Maybe, Answer.Maybe)];
            case "connlimit":
                return [new EntryTest(match.Name, Answer.Maybe, Answer.Maybe)];
            default:
                return WithoutEntry.Contains(match.Name) || match.Name is "tcp" or "udp" or "multiport" or "iprange"
                    ? [new UnknownTest()]
                    : [new EntryTest($"{match.Name} (unknown here)", Answer.Maybe, Answer.Maybe)];
        }
    }

    /// <summary>The effect of a target that has a name.</summary>
    public static XtTarget Target(XExtension target, bool isIPv6)
    {
        switch (target.Name)
        {
            case "REJECT":
                return new XtTarget(RuleEnd.Drop);
            case "NFQUEUE" or "TARPIT" or "DELUDE":
                return new XtTarget(RuleEnd.Taken);
            case "LOG" or "NFLOG" or "TRACE" or "AUDIT" or "RATEEST" or "LED" or "NOTRACK":
                return new XtTarget(RuleEnd.Continue);
            case "SNAT" or "DNAT":
                bool isSource = target.Name == "SNAT";
                return Translate(NatRange(target, isSource), target.Name);
            case "MASQUERADE":
                return Translate(new RuleTranslation(true, true, null, null, IsLocal: true), target.Name);
            case "REDIRECT":
                return Translate(new RuleTranslation(false, true, null, ValueRanges.All(sizeof(ushort)), IsLocal: true), target.Name);
            case "NETMAP":
                // In the chains before routing it translates the destination, in the others the source. Both are checked.
                return Translate(new RuleTranslation(false, true, null, null), target.Name);
            case "CT":
                string helper = CtTarget.HelperOf(target.Data);
                return helper.Length > 0 ? new XtTarget(RuleEnd.Continue, RuleEffect.UsesEntry, $"gives connections a helper {helper}")
                    : target.Data is [_, _, 0, 0, ..] ? new XtTarget(RuleEnd.Continue)
                    : new XtTarget(RuleEnd.Continue, RuleEffect.UsesEntry, "assigns connections to a zone");
            case "CONNMARK" or "CONNSECMARK":
                return new XtTarget(RuleEnd.Continue, RuleEffect.UsesEntry, $"stores or restores a mark of the connection ({target.Name})");
            case "SYNPROXY":
                return new XtTarget(RuleEnd.Drop, RuleEffect.UsesEntry, "answers for the server (SYNPROXY)");
            case "MARK" or "CLASSIFY" or "TOS" or "DSCP" or "TTL" or "HL" or "TCPMSS" or "TCPOPTSTRIP" or "SET" or "SECMARK" or "CHECKSUM" or "TEE" or "IDLETIMER" or "ECN" or "HMARK":
                return new XtTarget(RuleEnd.Continue, RuleEffect.Changes, $"changes or copies packets ({target.Name})");
            case "TPROXY":
                return new XtTarget(RuleEnd.Taken, RuleEffect.Changes, "redirects packets (TPROXY)");
            default:
                return new XtTarget(RuleEnd.Continue, RuleEffect.UsesEntry, $"has the target {target.Name}, which is unknown here and may need the entry");
        }
    }

    private static XtTarget Translate(RuleTranslation translation, string name) => new(
        RuleEnd.Accept, RuleEffect.Translates, $"translates the {(translation.IsSource ? "source" : "destination")} ({name})", translation);

    /// <summary>The new address, of struct nf_nat_range (revision 1 and later) or nf_nat_ipv4_multi_range_compat.</summary>
    private static RuleTranslation NatRange(XExtension target, bool isSource)
    {
        const uint HasAddresses = 1, HasPorts = 2;
        ReadOnlySpan<byte> data = target.Data;
        bool isOld = target.Revision == 0;
        if (data.Length < (isOld ? XtLayout.OldNatLength : XtLayout.NatLength) || (isOld && MemoryMarshal.Read<uint>(data) != 1))
            return new RuleTranslation(isSource, true, null, ValueRanges.All(sizeof(ushort)));
        if (isOld)
            data = data[sizeof(uint)..];
        uint flags = MemoryMarshal.Read<uint>(data);
        int slot = isOld ? 4 : 16;

        // The family of the table decides how much of the union is used. IPv4 leaves the rest empty.
        int length = isOld || data.Slice(4 + 4, 12).IndexOfAnyExcept((byte)0) < 0 && data.Slice(4 + slot + 4, 12).IndexOfAnyExcept((byte)0) < 0 ? 4 : 16;
        UInt128 first = ValueRanges.NumberOf(data.Slice(4, length)), last = ValueRanges.NumberOf(data.Slice(4 + slot, length));
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(data[(4 + 2 * slot)..]), lastPort = BinaryPrimitives.ReadUInt16BigEndian(data[(6 + 2 * slot)..]);
        return new RuleTranslation(
            isSource,
            (flags & HasAddresses) != 0,
            (flags & HasAddresses) != 0 && first <= last ? ValueRanges.Of(length, [(first, last)]) : null,
            (flags & HasPorts) != 0 ? port <= lastPort ? ValueRanges.Of(sizeof(ushort), [(port, lastPort)]) : ValueRanges.All(sizeof(ushort)) : null);
    }

    /// <summary>Source and destination ports in host byte order, at the beginning of struct xt_tcp and struct xt_udp.</summary>
    private static List<RuleTest> PortRanges(ReadOnlySpan<byte> data, byte inverted)
    {
        ReadOnlySpan<ushort> ports = MemoryMarshal.Cast<byte, ushort>(data[..8]);
        List<RuleTest> tests = [];
        for (int i = 0; i < 2; i++)
        {
            ValueRanges all = ValueRanges.All(sizeof(ushort));
            ValueRanges values = ports[2 * i] <= ports[2 * i + 1] ? ValueRanges.Of(sizeof(ushort), [(ports[2 * i], ports[2 * i + 1])]) : new ValueRanges(sizeof(ushort), []);
            if ((inverted & 1 << i) != 0)
                values = values.Complement();
            if (!values.Equals(all))
                tests.Add(values.IsEmpty ? new NeverTest() : new PartTest(i == 0 ? PacketPart.SourcePort : PacketPart.DestinationPort, values));
        }

        return tests;
    }

    private static RuleTest Multiport(ReadOnlySpan<byte> data)
    {
        const byte Source = 0, Destination = 1;
        int count = Math.Min(data[1], (byte)XtLayout.MultiportCount);
        ReadOnlySpan<ushort> ports = MemoryMarshal.Cast<byte, ushort>(data.Slice(2, 2 * XtLayout.MultiportCount));
        ReadOnlySpan<byte> isRange = data.Slice(2 + 2 * XtLayout.MultiportCount, XtLayout.MultiportCount);
        List<(UInt128, UInt128)> ranges = [];
        for (int i = 0; i < count; i++)
        {
            ushort first = ports[i];
            ushort last = isRange[i] != 0 && i + 1 < count ? ports[++i] : first;
            if (first <= last)
                ranges.Add((first, last));
        }

        ValueRanges values = ValueRanges.Of(sizeof(ushort), ranges);
        bool isInverted = data[XtLayout.MultiportInvert] != 0;
        return data[0] switch
        {
            Source => new PartTest(PacketPart.SourcePort, isInverted ? values.Complement() : values),
            Destination => new PartTest(PacketPart.DestinationPort, isInverted ? values.Complement() : values),
            _ when isInverted => new UnknownTest(),
            _ => new AnyTest([[new PartTest(PacketPart.SourcePort, values)], [new PartTest(PacketPart.DestinationPort, values)]]),
        };
    }

    private static List<RuleTest> AddressRanges(ReadOnlySpan<byte> data, bool isIPv6)
    {
        int length = isIPv6 ? 16 : 4;
        byte flags = data[XtLayout.IprangeFlags];
        List<RuleTest> tests = [];
        for (int i = 0; i < 2; i++)
        {
            if ((flags & 1 << i) == 0)
                continue;
            UInt128 first = ValueRanges.NumberOf(data.Slice(32 * i, length)), last = ValueRanges.NumberOf(data.Slice(32 * i + 16, length));
            ValueRanges values = first <= last ? ValueRanges.Of(length, [(first, last)]) : new ValueRanges(length, []);
            tests.Add(new PartTest(i == 0 ? PacketPart.Source : PacketPart.Destination, (flags & 1 << (4 + i)) != 0 ? values.Complement() : values));
        }

        return tests;
    }

    /// <summary>The match conntrack (conntrack_mt of xt_conntrack.c): without an entry only the state counts.</summary>
    private static List<RuleTest> Conntrack(XExtension match)
    {
        const ushort State = 1 << 0, Alias = 1 << 13, Untracked = 1 << 8;
        const PacketStates Tracked = PacketStates.Invalid | PacketStates.Established | PacketStates.Related | PacketStates.New;
        ReadOnlySpan<byte> data = match.Data;
        ushort flags = MemoryMarshal.Read<ushort>(data[XtLayout.ConntrackFlags..]), inverted = MemoryMarshal.Read<ushort>(data[XtLayout.ConntrackInvert..]);
        ushort mask = match.Revision == 1 ? data[XtLayout.ConntrackStateMask] : MemoryMarshal.Read<ushort>(data[XtLayout.ConntrackStateMask..]);
        bool hasState = (flags & State) != 0;
        List<RuleTest> tests = [];
        if (hasState)
        {
            // The bits SNAT and DNAT are also in the mask. No packet of a connection that is not translated has them.
            PacketStates states = (PacketStates)mask & Tracked;
            if ((mask & Untracked) != 0)
                states |= PacketStates.Untracked;
            tests.Add((inverted & State) != 0 ? NftComparison.Not(new StateTest(states)) : new StateTest(states));
        }

        if ((flags & ~(State | Alias)) != 0)
            tests.Add(new EntryTest("conntrack", Answer.Maybe, hasState ? Answer.Yes : Answer.No));
        return tests;
    }
}

/// <summary>Sizes and offsets of the structs of matches and targets (linux/netfilter/xt_*.h, nf_nat.h).</summary>
internal static class XtLayout
{
    public const int TcpLength = 12;
    public const int TcpInvert = 11;
    public const int UdpLength = 10;
    public const int UdpInvert = 8;
    public const int MultiportLength = 48;
    public const int MultiportCount = 15;
    public const int MultiportInvert = 47;
    public const int IprangeLength = 68;
    public const int IprangeFlags = 64;
    public const int ConntrackFlags = 146;
    public const int ConntrackInvert = 148;
    public const int ConntrackStateMask = 150;
    public const int NatLength = 40;
    public const int OldNatLength = 20;
}

/// <summary>Translates the tables of the kernel's own iptables into common terms.</summary>
internal static class XtDecoder
{
    private const byte InvertInput = 0x01;
    private const byte InvertOutput = 0x02;
    private const byte InvertSource = 0x08;
    private const byte InvertDestination = 0x10;
    private const byte InvertProtocol = 0x40;
    private const byte Goto = 0x02;
    private const byte FragmentsOrProtocol = 0x01;

    /// <summary>Translates a table. Null if it has a form that is unknown.</summary>
    /// <param name="table">The table.</param>
    /// <param name="name">Its name, such as filter.</param>
    /// <param name="isIPv6">True for ip6tables.</param>
    public static FirewallTable? Decode(XTable table, string name, bool isIPv6)
    {
        if (XTableRule.Parse(table, isIPv6) is not { } rules)
            return null;
        Dictionary<int, string> chainAt = [];
        foreach (XTableRule rule in rules)
            chainAt.TryAdd(rule.Start, rule.Chain);
        string command = $"{(isIPv6 ? "ip6tables" : "iptables")} -t {name}";
        return new FirewallTable([isIPv6 ? IPFamily.IPv6 : IPFamily.IPv4], rules.GroupBy(rule => rule.Chain).ToDictionary(
            chain => chain.Key,
            chain => new FirewallChain(chain.Key, [.. chain.Select(rule => Decode(rule, command, chainAt, isIPv6))])
            {
                Hook = chain.First().Hook is { } hook ? (Hook)hook : null,
                IsNat = name == "nat",
            }));
    }

    private static FirewallRule Decode(XTableRule rule, string command, Dictionary<int, string> chainAt, bool isIPv6)
    {
        string place = FormattableString.Invariant($"{command} {rule.Chain} {rule.Number}");
        RuleTest[] tests = [.. HeaderTests(rule.Header, isIPv6), .. rule.Matches.SelectMany(match => XtExtensions.Match(match, isIPv6))];
        if (rule.Target.Name.Length > 0)
        {
            XtTarget target = XtExtensions.Target(rule.Target, isIPv6);
            bool isNetmapOfSource = rule.Target.Name == "NETMAP" && rule.Hook is (int)Hook.PostRouting or (int)Hook.LocalIn or null;
            RuleTranslation? translation = isNetmapOfSource ? target.Translation! with { IsSource = true } : target.Translation;
            return new FirewallRule(place, tests, target.End) { Effect = target.Effect, Words = target.Words, Translation = translation };
        }

        int verdict = rule.Target.Data.Length >= sizeof(int) ? MemoryMarshal.Read<int>(rule.Target.Data) : 0;
        const int Accept = -2, Drop = -1, Return = -5;
        bool isGoto = (rule.Header[isIPv6 ? 131 : 82] & Goto) != 0;
        return verdict switch
        {
            Accept => new FirewallRule(place, tests, RuleEnd.Accept),
            Drop => new FirewallRule(place, tests, RuleEnd.Drop),
            Return => new FirewallRule(place, tests, RuleEnd.Return),
            < 0 => new FirewallRule(place, tests, RuleEnd.Taken),
            _ when verdict == rule.Next => new FirewallRule(place, tests, RuleEnd.Continue),
            _ => new FirewallRule(place, tests, isGoto ? RuleEnd.Goto : RuleEnd.Jump) { Chain = chainAt.GetValueOrDefault(verdict) },
        };
    }

    /// <summary>The conditions of struct ipt_ip and struct ip6t_ip6.</summary>
    private static List<RuleTest> HeaderTests(byte[] header, bool isIPv6)
    {
        int length = isIPv6 ? 16 : 4, interfaces = 4 * length, protocol = interfaces + 64;
        byte flags = header[isIPv6 ? 131 : 82], inverted = header[isIPv6 ? 132 : 83];
        List<RuleTest> tests = [];
        AddAddress(PacketPart.Source, header.AsSpan(0, length), header.AsSpan(2 * length, length), InvertSource);
        AddAddress(PacketPart.Destination, header.AsSpan(length, length), header.AsSpan(3 * length, length), InvertDestination);
        ushort number = MemoryMarshal.Read<ushort>(header.AsSpan(protocol));
        if (number is > 0 and <= byte.MaxValue && (!isIPv6 || (flags & FragmentsOrProtocol) != 0))
        {
            ValueRanges values = ValueRanges.Of([(IPProtocol)number]);
            tests.Add(new PartTest(PacketPart.Protocol, (inverted & InvertProtocol) != 0 ? values.Complement() : values));
        }

        AddInterface(isInput: true, InvertInput);
        AddInterface(isInput: false, InvertOutput);

        // Fragments and the type of service are unknown.
        const byte Known = InvertInput | InvertOutput | InvertSource | InvertDestination | InvertProtocol;
        if ((!isIPv6 && (flags & FragmentsOrProtocol) != 0) || (isIPv6 && header[130] != 0) || (inverted & ~Known) != 0)
            tests.Add(new UnknownTest());

        return tests;

        void AddInterface(bool isInput, byte invert)
        {
            Span<byte> name = header.AsSpan(interfaces + (isInput ? 0 : 16), 16), mask = header.AsSpan(interfaces + (isInput ? 32 : 48), 16);
            if (mask.IndexOfAnyExcept((byte)0) < 0)
                return;

            // The mask of a complete name includes its NUL.
            bool isComplete = mask[..Math.Min(XExtension.TextOf(name).Length + 1, mask.Length)].IndexOf((byte)0) < 0;
            tests.Add(isComplete ? new InterfaceTest(isInput, name.StartsWith("lo\0"u8), (inverted & invert) != 0, XExtension.TextOf(name)) : new UnknownTest());
        }

        void AddAddress(PacketPart part, Span<byte> address, Span<byte> mask, byte invert)
        {
            UInt128 bits = ValueRanges.NumberOf(mask), all = ValueRanges.All(length).Ranges[0].Last, others = ~bits & all;
            if (bits == 0 && (inverted & invert) == 0)
                return;
            UInt128 first = ValueRanges.NumberOf(address);
            if ((others & (others + 1)) != 0 || (first & others) != 0)
            {
                tests.Add(new UnknownTest());
                return;
            }

            ValueRanges values = ValueRanges.Of(length, [(first, first | others)]);
            tests.Add(new PartTest(part, (inverted & invert) != 0 ? values.Complement() : values));
        }
    }
}
