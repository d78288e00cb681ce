using System.Buffers.Binary;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;

namespace ConntrackPS.Rules.Tracking;

/// <summary>Translates rules of nf_tables into common terms. An expression that is unknown is a condition that some packets may meet, and
/// may need entries.</summary>
internal sealed class NftDecoder(NftRuleset ruleset)
{
    private static readonly RuleTest Unknown = new UnknownTest();

    /// <summary>The keys of ct in the words of nft, by their number (NFT_CT_*).</summary>
    private static readonly string[] CtWords =
    [
        "ct state", "ct direction", "ct status", "ct mark", "ct secmark", "ct expiration", "ct helper", "ct l3proto", "ct saddr", "ct daddr", "ct protocol",
        "ct proto-src", "ct proto-dst", "ct label", "ct packets", "ct bytes", "ct avgpkt", "ct zone", "ct event", "ct ip saddr", "ct ip daddr", "ct ip6 saddr",
        "ct ip6 daddr", "ct id",
    ];

    private readonly Dictionary<(NftPlace Place, string Name), NftSet> _sets = ruleset.Sets.ToDictionary(set => (set.Place, set.Name));
    private readonly Dictionary<(NftPlace Place, string Name, ObjectType Type), NftObject> _objects =
        ruleset.Objects.DistinctBy(item => (item.Place, item.Name, item.Type)).ToDictionary(item => (item.Place, item.Name, item.Type));

    /// <summary>The tables whose packets pass connection tracking.</summary>
    public static IReadOnlyList<FirewallTable> Tables(NftRuleset ruleset)
    {
        NftDecoder decoder = new(ruleset);
        ILookup<(NftPlace, string), NftRule> rules = ruleset.Rules.ToLookup(rule => (rule.Place, rule.Chain));
        return
        [
            .. from chain in ruleset.Chains
               where chain.Place.Family is not (NetfilterProtocol.Arp or NetfilterProtocol.Netdev) && !ruleset.Dormant.Contains(chain.Place)
               group chain by chain.Place into table
               select new FirewallTable(
                   FamiliesOf(table.Key),
                   table.DistinctBy(chain => chain.Name).ToDictionary(chain => chain.Name, chain => new FirewallChain(
                       chain.Name, [.. rules[(chain.Place, chain.Name)].SelectMany(decoder.Decode)])
                   {
                       Hook = chain.Hook,
                       IsNat = chain.Type == "nat",
                       Policy = chain.Policy == PacketVerdict.Drop ? RuleEnd.Drop : RuleEnd.Accept,
                   })),
        ];
    }

    private static IReadOnlyList<IPFamily> FamiliesOf(NftPlace place) => place.Family switch
    {
        NetfilterProtocol.Ipv4 => [IPFamily.IPv4],
        NetfilterProtocol.Ipv6 => [IPFamily.IPv6],
        _ => [IPFamily.IPv4, IPFamily.IPv6],
    };

    private List<FirewallRule> Decode(NftRule rule)
    {
        Reading reading = new(this, rule);
        foreach (NftExpression expression in rule.Expressions)
            reading.Read(expression);
        return reading.Rules;
    }

    /// <summary>One rule while it is read.</summary>
    private sealed class Reading(NftDecoder decoder, NftRule rule)
    {
        private readonly NftRegisters _registers = new();
        private readonly List<RuleTest> _tests = [];
        private readonly string _place = FormattableString.Invariant($"{rule.Place.FamilyName} {rule.Place.Table} {rule.Chain} handle {rule.Handle}");
        private IPFamily? _family = FamiliesOf(rule.Place) is [var only] ? only : null;

        public List<FirewallRule> Rules { get; } = [];

        public void Read(NftExpression expression)
        {
            Dictionary<ushort, byte[]> attributes = [];
            AttributeReader reader = expression.Attributes;
            while (reader.Read())
                attributes[reader.Type] = reader.Value.ToArray();
            Values values = new(attributes);
            switch (expression.Name)
            {
                case "payload":
                    ReadPayload(values);
                    break;
                case "meta":
                    ReadMeta(values);
                    break;
                case "ct":
                    ReadCt(values);
                    break;
                case "bitwise":
                    ReadBitwise(values);
                    break;
                case "byteorder":
                    Loaded source = _registers.Get(values.Number(ByteorderAttribute.Sreg));
                    bool isWhole = values.Number(ByteorderAttribute.Size) == (uint)source.Length && BitConverter.IsLittleEndian;
                    _registers.Set(values.Number(ByteorderAttribute.Dreg), source.Kind is LoadedKind.State or LoadedKind.Entry && isWhole
                        ? source with { Changes = [.. source.Changes, null] }
                        : new Loaded(LoadedKind.Unknown, source.Length));
                    break;
                case "cmp":
                    Add(NftComparison.Compare(
                        _registers.Get(values.Number(CompareAttribute.Sreg)), (CompareOperator)values.Number(CompareAttribute.Op), values.Data(CompareAttribute.Data), _family));
                    break;
                case "range":
                    RuleTest inRange = NftComparison.InRange(
                        _registers.Get(values.Number(RangeAttribute.Sreg)), values.Data(RangeAttribute.FromData), values.Data(RangeAttribute.ToData), _family);
                    Add([values.Number(RangeAttribute.Op) == (uint)RangeOperator.Neq ? NftComparison.Not(inRange) : inRange]);
                    break;
                case "lookup":
                    ReadLookup(values);
                    break;
                case "immediate":
                    ReadImmediate(values);
                    break;
                case "nat":
                    bool isSource = values.Number(TranslationAttribute.Type) == (uint)TranslationType.Snat;
                    Translate(
                        new RuleTranslation(
                            isSource,
                            values.Has(TranslationAttribute.RegAddrMin),
                            Constants(values, TranslationAttribute.RegAddrMin, TranslationAttribute.RegAddrMax),
                            Constants(values, TranslationAttribute.RegProtoMin, TranslationAttribute.RegProtoMax) ?? AnyPort(values, TranslationAttribute.RegProtoMin)),
                        isSource ? "snat" : "dnat");
                    break;
                case "masq":
                    Translate(new RuleTranslation(true, true, null, Constants(values, MasqueradeAttribute.RegProtoMin, MasqueradeAttribute.RegProtoMax), IsLocal: true), "masquerade");
                    break;
                case "redir":
                    Translate(
                        new RuleTranslation(
                            false, true, null,
                            Constants(values, RedirectAttribute.RegProtoMin, RedirectAttribute.RegProtoMax) ?? AnyPort(values, RedirectAttribute.RegProtoMin),
                            IsLocal: true),
                        "redirect");
                    break;
                case "objref":
                    ReadObject(values);
                    break;
                case "match":
                    Add(XtExtensions.Match(ExtensionOf(values), isIPv6: _family == IPFamily.IPv6));
                    break;
                case "target":
                    AddTarget(XtExtensions.Target(ExtensionOf(values), _family == IPFamily.IPv6));
                    break;
                case "dynset":
                    if (HasInner(values, "connlimit"))
                        Affect(RuleEffect.UsesEntry, "counts connections (ct count)");
                    Affect(RuleEffect.Changes, "changes a set");
                    Add([Unknown]);
                    break;
                case "connlimit":
                    Affect(RuleEffect.UsesEntry, "counts connections (ct count)");
                    Add([Unknown]);
                    break;
                case "synproxy":
                    Affect(RuleEffect.UsesEntry, "answers for the server (synproxy)");
                    break;
                case "flow_offload":
                    Add([new EntryTest("flow add", Answer.Maybe, Answer.No)]);
                    break;
                case "reject":
                    End(RuleEnd.Drop);
                    break;
                case "queue" or "fwd":
                    End(RuleEnd.Taken);
                    break;
                case "tproxy" or "dup":
                    Affect(RuleEffect.Changes, "redirects or copies packets");
                    break;
                case "counter" or "log" or "last" or "notrack":
                    break;
                case "limit" or "quota":
                    Add([Unknown]);
                    break;
                case "fib" or "rt" or "hash" or "numgen" or "socket" or "osf" or "exthdr" or "xfrm" or "tunnel" or "inner":
                    // They load a value, or do not match. The number of the register is the first or second attribute of each.
                    foreach (uint register in values.Numbers)
                        _registers.Set(register, new Loaded(LoadedKind.Unknown, 4));
                    Add([Unknown]);
                    break;
                default:
                    Affect(RuleEffect.UsesEntry, $"has the expression {expression.Name}, which is unknown here and may need the entry");
                    Add([Unknown]);
                    break;
            }
        }

        private void ReadPayload(Values values)
        {
            if (values.Has(PayloadAttribute.Sreg))
            {
                Affect(RuleEffect.Changes, "changes packets");
                return;
            }

            _registers.Set(values.Number(PayloadAttribute.Dreg), new Loaded(LoadedKind.Header, (int)values.Number(PayloadAttribute.Len))
            {
                Base = (PayloadBase)values.Number(PayloadAttribute.Base),
                Offset = (int)values.Number(PayloadAttribute.Offset),
            });
        }

        private void ReadMeta(Values values)
        {
            MetaKey key = (MetaKey)values.Number(MetaAttribute.Key);
            if (values.Has(MetaAttribute.Sreg))
            {
                if (key != MetaKey.Nftrace)
                    Affect(RuleEffect.Changes, "sets a mark or another value of the packet");
                return;
            }

            _registers.Set(values.Number(MetaAttribute.Dreg), key switch
            {
                MetaKey.L4proto => new Loaded(LoadedKind.Protocol, 1),
                MetaKey.Nfproto => new Loaded(LoadedKind.Family, 1),
                MetaKey.Protocol => new Loaded(LoadedKind.EthernetType, 2),
                MetaKey.Iif => new Loaded(LoadedKind.InputInterface, 4),
                MetaKey.Oif => new Loaded(LoadedKind.OutputInterface, 4),
                MetaKey.Iifname => new Loaded(LoadedKind.InputInterface, 16),
                MetaKey.Oifname => new Loaded(LoadedKind.OutputInterface, 16),
                _ => new Loaded(LoadedKind.Unknown, 4),
            });
        }

        private void ReadCt(Values values)
        {
            CtKey key = (CtKey)values.Number(CtAttribute.Key);
            string words = (int)key < CtWords.Length ? CtWords[(int)key] : "ct";
            if (values.Has(CtAttribute.Sreg))
            {
                if (key != CtKey.Eventmask)
                    Affect(RuleEffect.UsesEntry, $"sets {words} of the connection");
                return;
            }

            if (key == CtKey.State)
            {
                _registers.Set(values.Number(CtAttribute.Dreg), new Loaded(LoadedKind.State, 4));
                return;
            }

            // Without an entry the rule ends here (nft_ct_get_eval). Some keys also end it for an entry that lacks the value.
            Add([new EntryTest(words, key is CtKey.Direction or CtKey.Status or CtKey.Mark ? Answer.Yes : Answer.Maybe, Answer.No)]);
            int length = key switch
            {
                CtKey.Direction or CtKey.L3protocol or CtKey.Protocol => 1,
                CtKey.ProtoSrc or CtKey.ProtoDst or CtKey.Zone => 2,
                CtKey.Pkts or CtKey.Bytes or CtKey.Avgpkt => 8,
                CtKey.Labels or CtKey.Helper or CtKey.SrcIp6 or CtKey.DstIp6 or CtKey.Src or CtKey.Dst => 16,
                _ => 4,
            };
            _registers.Set(values.Number(CtAttribute.Dreg), new Loaded(LoadedKind.Entry, length) { What = words });
        }

        private void ReadBitwise(Values values)
        {
            Loaded source = _registers.Get(values.Number(BitwiseAttribute.Sreg));
            byte[] mask = values.Data(BitwiseAttribute.Mask), xor = values.Data(BitwiseAttribute.Xor);
            bool isMask = values.Number(BitwiseAttribute.Op) == 0 && mask.Length > 0 && mask.Length == xor.Length;

            // IPS_SRC_NAT and IPS_DST_NAT: no packet of a connection that is not translated has them.
            const uint Translated = (uint)(ConntrackStatus.SrcNat | ConntrackStatus.DstNat);
            bool isTranslation = isMask && source is { Kind: LoadedKind.Entry, What: "ct status", Changes.Count: 0 } && xor.All(part => part == 0)
                && mask.Length == 4 && (BitConverter.ToUInt32(mask) & ~Translated) == 0;
            Loaded result = !isMask ? Unmasked(source) : source with { Changes = [.. source.Changes, (mask, xor)], IsTranslationStatus = isTranslation };
            _registers.Set(values.Number(BitwiseAttribute.Dreg), result);
        }

        /// <summary>A value that was changed in an unknown way. One of the entry still depends on it.</summary>
        private static Loaded Unmasked(Loaded source) => source.Kind is LoadedKind.State or LoadedKind.Entry
            ? new Loaded(LoadedKind.Entry, source.Length) { What = source.Kind == LoadedKind.State ? "ct state" : source.What }
            : new Loaded(LoadedKind.Unknown, source.Length);

        private void ReadImmediate(Values values)
        {
            uint register = values.Number(ImmediateAttribute.Dreg);
            byte[] data = values.Raw(ImmediateAttribute.Data);
            if (register != (uint)NftRegister.Verdict)
            {
                byte[] bytes = NftRuleset.ValueOf(new AttributeReader(data));
                _registers.Set(register, new Loaded(LoadedKind.Constant, bytes.Length) { Bytes = bytes });
            }
            else if (NftVerdict.Of(new AttributeReader(data)) is { } verdict)
            {
                End(verdict, []);
            }
        }

        private void ReadLookup(Values values)
        {
            bool isInverted = (values.Number(LookupAttribute.Flags) & (uint)LookupFlags.Inv) != 0;
            bool isVerdict = values.Has(LookupAttribute.Dreg) && values.Number(LookupAttribute.Dreg) == (uint)NftRegister.Verdict;
            NftSet? set = decoder._sets.GetValueOrDefault((rule.Place, values.Text(LookupAttribute.Set)));
            IReadOnlyList<Loaded> fields = _registers.Fields(values.Number(LookupAttribute.Sreg), set?.KeyLength ?? 4);
            NftSetContent content = new(set, fields, _family);
            if (isVerdict)
            {
                foreach ((NftVerdict verdict, RuleTest[] tests) in content.Verdicts())
                    End(verdict, tests);
                return;
            }

            RuleTest test = content.ToTest();
            Add([isInverted ? NftComparison.Not(test) : test]);
            if (values.Has(LookupAttribute.Dreg))
                _registers.Set(values.Number(LookupAttribute.Dreg), new Loaded(LoadedKind.Unknown, 4));
        }

        private void ReadObject(Values values)
        {
            string? map = values.Has(ObjectReferenceAttribute.SetName) ? values.Text(ObjectReferenceAttribute.SetName) : null;
            NftSet? set = map is null ? null : decoder._sets.GetValueOrDefault((rule.Place, map));
            ObjectType? type = map is null ? (ObjectType)values.Number(ObjectReferenceAttribute.ImmType) : set?.ObjectType;
            switch (type)
            {
                case ObjectType.CtHelper:
                    string helper = map is null && decoder._objects.TryGetValue((rule.Place, values.Text(ObjectReferenceAttribute.ImmName), ObjectType.CtHelper), out NftObject? item)
                        ? " " + HelperRuleset.HelperOf(item)
                        : "";
                    Affect(RuleEffect.UsesEntry, $"gives connections a helper{helper}");
                    break;
                case ObjectType.CtExpect:
                    Affect(RuleEffect.UsesEntry, "expects further connections (ct expectation)");
                    break;
                case ObjectType.Connlimit:
                    Affect(RuleEffect.UsesEntry, "counts connections (ct count)");
                    break;
                case ObjectType.Synproxy:
                    Affect(RuleEffect.UsesEntry, "answers for the server (synproxy)");
                    break;
                case ObjectType.Secmark or ObjectType.Tunnel:
                    Affect(RuleEffect.Changes, "sets a mark or another value of the packet");
                    break;

                // A timeout is one of the entry. Without an entry there is nothing to expire.
                case ObjectType.Counter or ObjectType.CtTimeout:
                    break;
                default:
                    break;
            }

            if (type is not (ObjectType.CtHelper or ObjectType.CtTimeout or ObjectType.Counter) || map is not null)
                Add([Unknown]);
        }

        private void Add(IEnumerable<RuleTest> tests)
        {
            foreach (RuleTest test in tests)
            {
                _tests.Add(test);
                if (test is FamilyTest { IsNegated: false } family)
                    _family = family.Family;
            }
        }

        private void Affect(RuleEffect effect, string words) =>
            Rules.Add(new FirewallRule(_place, [.. _tests], RuleEnd.Continue) { Effect = effect, Words = words });

        private void Translate(RuleTranslation translation, string word) => Rules.Add(new FirewallRule(_place, [.. _tests], RuleEnd.Accept)
        {
            Effect = RuleEffect.Translates,
            Words = $"translates the {(translation.IsSource ? "source" : "destination")} ({word})",
            Translation = translation,
        });

        private void End(RuleEnd end) => Rules.Add(new FirewallRule(_place, [.. _tests], end));

        private void End(NftVerdict verdict, RuleTest[] tests)
        {
            RuleEnd end = verdict.Code switch
            {
                (int)PacketVerdict.Accept => RuleEnd.Accept,
                (int)PacketVerdict.Drop => RuleEnd.Drop,
                (int)ChainVerdict.Jump => RuleEnd.Jump,
                (int)ChainVerdict.Goto => RuleEnd.Goto,
                (int)ChainVerdict.Return => RuleEnd.Return,
                (int)ChainVerdict.Continue or (int)ChainVerdict.Break => RuleEnd.Continue,
                _ => RuleEnd.Taken,
            };
            Rules.Add(new FirewallRule(_place, [.. _tests, .. tests], end) { Chain = verdict.Chain });
        }

        private void AddTarget(XtTarget target) => Rules.Add(new FirewallRule(_place, [.. _tests], target.End)
        {
            Effect = target.Effect,
            Words = target.Words,
            Translation = target.Translation,
        });

        private static XExtension ExtensionOf(Values values) => new(
            values.Text(MatchAttribute.Name), (byte)values.Number(MatchAttribute.Rev), values.Raw(MatchAttribute.Info));

        private ValueRanges? Constants<T>(Values values, T first, T last)
            where T : Enum
        {
            if (!values.Has(first) || _registers.Get(values.Number(first)) is not { Kind: LoadedKind.Constant } from)
                return null;
            Loaded to = values.Has(last) ? _registers.Get(values.Number(last)) : from;
            UInt128 low = ValueRanges.NumberOf(from.Bytes), high = ValueRanges.NumberOf(to.Bytes);
            return to.Kind == LoadedKind.Constant && low <= high && from.Length == to.Length ? ValueRanges.Of(from.Length, [(low, high)]) : null;
        }

        /// <summary>All ports, if the port is changed to one that is not constant.</summary>
        private static ValueRanges? AnyPort<T>(Values values, T attribute)
            where T : Enum => values.Has(attribute) ? ValueRanges.All(sizeof(ushort)) : null;

        private static bool HasInner(Values values, string name)
        {
            foreach (byte[] value in values.All)
            {
                if (value.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(name)) >= 0)
                    return true;
            }

            return false;
        }
    }

    /// <summary>The attributes of an expression.</summary>
    private readonly struct Values(Dictionary<ushort, byte[]> attributes)
    {
        public IEnumerable<byte[]> All => attributes.Values;

        /// <summary>All attributes that can be numbers of registers.</summary>
        public IEnumerable<uint> Numbers =>
            attributes.Values.Where(value => value.Length == 4).Select(value => BinaryPrimitives.ReadUInt32BigEndian(value)).Where(number => number is > 0 and < 24);

        public bool Has<T>(T attribute)
            where T : Enum => attributes.ContainsKey(Convert.ToUInt16(attribute, null));

        public byte[] Raw<T>(T attribute)
            where T : Enum => attributes.GetValueOrDefault(Convert.ToUInt16(attribute, null), []);

        public uint Number<T>(T attribute)
            where T : Enum => Raw(attribute) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;

        public byte[] Data<T>(T attribute)
            where T : Enum => NftRuleset.ValueOf(new AttributeReader(Raw(attribute)));

        public string Text<T>(T attribute)
            where T : Enum => XExtension.TextOf(Raw(attribute));
    }
}

/// <summary>The elements of a set as conditions on the fields of its key.</summary>
/// <param name="set">The set. Null if it is unknown.</param>
/// <param name="fields">The values of the key, in its order.</param>
/// <param name="family">The family of the packet, if it is known.</param>
internal sealed class NftSetContent(NftSet? set, IReadOnlyList<Loaded> fields, IPFamily? family)
{
    /// <summary>Packets or timeouts change the elements of some sets.</summary>
    private bool IsSteady => set is { Elements: not null } && (set.Flags & (SetFlags.Dynamic | SetFlags.Timeout)) == 0;

    /// <summary>The condition that the set has the key.</summary>
    public RuleTest ToTest()
    {
        if (!IsSteady)
            return Unsteady();
        RuleTest[][] elements = [.. Elements().Select(element => element.Tests)];
        if (elements.Length == 0)
            return new NeverTest();
        if (elements.All(tests => tests is [PartTest]) && elements.Select(tests => ((PartTest)tests[0]).Part).Distinct().Count() == 1)
        {
            PartTest first = (PartTest)elements[0][0];
            return first with { Values = ValueRanges.Of(first.Values.Length, elements.SelectMany(tests => ((PartTest)tests[0]).Values.Ranges)) };
        }

        if (elements.All(tests => tests is [StateTest]))
            return new StateTest(elements.Aggregate(PacketStates.None, (all, tests) => all | ((StateTest)tests[0]).Accepted));
        return new AnyTest(elements);
    }

    /// <summary>The verdicts of a map, each with the conditions of its key. The first whose conditions are met applies.</summary>
    public IEnumerable<(NftVerdict Verdict, RuleTest[] Tests)> Verdicts() => IsSteady
        ? Elements().Where(element => element.Verdict is not null).Select(element => (element.Verdict!, element.Tests))
        : (set?.Elements ?? []).Where(element => element.Verdict is not null).Select(element => (element.Verdict!, (RuleTest[])[Unsteady()]));

    private RuleTest Unsteady() => fields.FirstOrDefault(field => field.Kind is LoadedKind.State or LoadedKind.Entry) is { } field
        ? new EntryTest(field.Kind == LoadedKind.State ? "ct state" : field.What, Answer.Maybe, field.Kind == LoadedKind.State ? Answer.Maybe : Answer.No)
        : new UnknownTest();

    private IEnumerable<(RuleTest[] Tests, NftVerdict? Verdict)> Elements()
    {
        NftElement[] all = [.. set!.Elements!.Where(element => !element.Flags.HasFlag(SetElementFlags.Catchall))];
        IEnumerable<(byte[] First, byte[] Last, NftVerdict? Verdict)> ranges = set.Flags.HasFlag(SetFlags.Interval) && all.All(element => element.KeyEnd is null)
            ? Intervals(all)
            : all.Select(element => (element.Key, element.KeyEnd ?? element.Key, element.Verdict));
        foreach ((byte[] first, byte[] last, NftVerdict? verdict) in ranges)
            yield return (TestsOf(first, last), verdict);
        foreach (NftElement element in set.Elements!.Where(element => element.Flags.HasFlag(SetElementFlags.Catchall)))
            yield return ([], element.Verdict);
    }

    /// <summary>Each range is an element with its first value, up to the next element, which may only mark the end.</summary>
    private static IEnumerable<(byte[] First, byte[] Last, NftVerdict? Verdict)> Intervals(NftElement[] elements)
    {
        NftElement[] sorted = [.. elements.OrderBy(element => ValueRanges.NumberOf(element.Key)).ThenByDescending(element => element.Flags.HasFlag(SetElementFlags.IntervalEnd))];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Flags.HasFlag(SetElementFlags.IntervalEnd))
                continue;
            byte[] first = sorted[i].Key;
            ValueRanges all = ValueRanges.All(Math.Min(first.Length, 16));
            UInt128 last = i + 1 < sorted.Length ? ValueRanges.NumberOf(sorted[i + 1].Key) - 1 : all.Ranges[0].Last;
            yield return (first, all.Bytes(last), sorted[i].Verdict);
        }
    }

    private RuleTest[] TestsOf(byte[] first, byte[] last)
    {
        if (fields.Count == 1)
            return [NftComparison.InRange(fields[0], first, last, family)];
        List<RuleTest> tests = [];
        int start = 0;
        foreach (Loaded field in fields)
        {
            if (start + field.Length > first.Length || start + field.Length > last.Length)
                return [new UnknownTest(), Unsteady()];
            tests.Add(NftComparison.InRange(field, first[start..(start + field.Length)], last[start..(start + field.Length)], family));
            start += ElementType.Registers(field.Length) * 4;
        }

        return [.. tests];
    }
}
