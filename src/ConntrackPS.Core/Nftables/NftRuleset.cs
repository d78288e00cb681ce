using System.Globalization;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>A table of nf_tables.</summary>
/// <param name="Family">The family of the table (NFPROTO_*).</param>
/// <param name="Table">The name of the table.</param>
internal readonly record struct NftPlace(NetfilterProtocol Family, string Table)
{
    /// <summary>The table of a message of the kernel.</summary>
    public static NftPlace Of(NetlinkMessage message, string table) => new((NetfilterProtocol)message.NetfilterFamily, table);

    /// <summary>The family in the words of nft.</summary>
    public string FamilyName => Family switch
    {
        NetfilterProtocol.Inet => "inet",
        NetfilterProtocol.Ipv4 => "ip",
        NetfilterProtocol.Arp => "arp",
        NetfilterProtocol.Netdev => "netdev",
        NetfilterProtocol.Bridge => "bridge",
        NetfilterProtocol.Ipv6 => "ip6",
        _ => ((byte)Family).ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>A chain.</summary>
/// <param name="Place">The table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Type">The type of a base chain: filter, nat or route. Null for a chain that only other chains use.</param>
/// <param name="Hook">The hook of a base chain. Null for a chain that only other chains use.</param>
/// <param name="Policy">The verdict of a base chain on packets that reach its end.</param>
internal sealed record NftChain(NftPlace Place, string Name, string? Type, Hook? Hook, PacketVerdict Policy);

/// <summary>A rule.</summary>
/// <param name="Place">The table.</param>
/// <param name="Chain">The chain.</param>
/// <param name="Handle">The number of the rule in its table.</param>
/// <param name="Expressions">Its expressions, in their order.</param>
internal sealed record NftRule(NftPlace Place, string Chain, ulong Handle, IReadOnlyList<NftExpression> Expressions)
{
    /// <summary>Decodes a message of the kernel about a rule.</summary>
    public static NftRule Of(NetlinkMessage message)
    {
        string table = "", chain = "";
        ulong handle = 0;
        List<NftExpression> expressions = [];
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((RuleAttribute)attributes.Type)
            {
                case RuleAttribute.Table:
                    table = attributes.Text;
                    break;
                case RuleAttribute.Chain:
                    chain = attributes.Text;
                    break;
                case RuleAttribute.Handle:
                    handle = attributes.UInt64;
                    break;
                case RuleAttribute.Expressions:
                    AttributeReader list = attributes.Nested;
                    while (list.Read())
                        expressions.Add(NftExpression.Of(list.Nested));
                    break;
                default:
                    break;
            }
        }

        return new NftRule(NftPlace.Of(message, table), chain, handle, expressions);
    }
}

/// <summary>An expression of a rule.</summary>
/// <param name="Name">Its type, such as payload or cmp.</param>
/// <param name="Data">Its attributes (NFTA_EXPR_DATA). Empty for none.</param>
internal sealed record NftExpression(string Name, byte[] Data)
{
    /// <summary>Reads the attributes.</summary>
    public AttributeReader Attributes => new(Data);

    /// <summary>Decodes an element of a list of expressions.</summary>
    public static NftExpression Of(AttributeReader attributes)
    {
        string name = "";
        byte[] data = [];
        while (attributes.Read())
        {
            if (attributes.Type == (ushort)ExpressionAttribute.Name)
                name = attributes.Text;
            else if (attributes.Type == (ushort)ExpressionAttribute.Data)
                data = attributes.Value.ToArray();
        }

        return new NftExpression(name, data);
    }
}

/// <summary>A set or a map.</summary>
/// <param name="Place">The table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Flags">The form of its elements.</param>
/// <param name="KeyLength">The length of a key, in bytes. The fields of a concatenation each have whole registers.</param>
/// <param name="ObjectType">The type of the objects of a map of objects. Null for others.</param>
internal sealed record NftSet(NftPlace Place, string Name, SetFlags Flags, int KeyLength, ObjectType? ObjectType)
{
    /// <summary>The elements. Null if they were not read.</summary>
    public IReadOnlyList<NftElement>? Elements { get; init; }
}

/// <summary>An element of a set or a map.</summary>
/// <param name="Key">The key. Empty for the element that matches what no other does.</param>
/// <param name="KeyEnd">The last key of a range of a concatenation. Null if there is none.</param>
/// <param name="Flags">The form of the element.</param>
/// <param name="Verdict">The verdict of a map of verdicts. Null for others.</param>
/// <param name="Object">The name of the object of a map of objects. Null for others.</param>
internal sealed record NftElement(byte[] Key, byte[]? KeyEnd, SetElementFlags Flags, NftVerdict? Verdict, string? Object);

/// <summary>A verdict.</summary>
/// <param name="Code"><see cref="PacketVerdict"/> or <see cref="ChainVerdict"/>.</param>
/// <param name="Chain">The chain of a jump.</param>
internal sealed record NftVerdict(int Code, string? Chain)
{
    /// <summary>Reads NFTA_DATA_VERDICT in an attribute of data. Null if it has a value instead.</summary>
    public static NftVerdict? Of(AttributeReader data)
    {
        while (data.Read())
        {
            if (data.Type != (ushort)DataAttribute.Verdict)
                continue;
            int code = 0;
            string? chain = null;
            AttributeReader verdict = data.Nested;
            while (verdict.Read())
            {
                if (verdict.Type == (ushort)VerdictAttribute.Code)
                    code = (int)verdict.UInt32;
                else if (verdict.Type == (ushort)VerdictAttribute.Chain)
                    chain = verdict.Text;
            }

            return new NftVerdict(code, chain);
        }

        return null;
    }
}

/// <summary>A named object.</summary>
/// <param name="Place">The table.</param>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Data">Its attributes, which depend on the type.</param>
internal sealed record NftObject(NftPlace Place, string Name, ObjectType Type, byte[] Data);

/// <summary>The ruleset of a network namespace, of all families, as it was at one time.</summary>
/// <param name="Chains">The chains.</param>
/// <param name="Rules">The rules, in the order of each chain.</param>
/// <param name="Sets">The sets and maps.</param>
/// <param name="Objects">The objects.</param>
/// <param name="Dormant">The tables that see no packets.</param>
internal sealed record NftRuleset(
    IReadOnlyList<NftChain> Chains, IReadOnlyList<NftRule> Rules, IReadOnlyList<NftSet> Sets, IReadOnlyList<NftObject> Objects, IReadOnlySet<NftPlace> Dormant)
{
    private const int MaximumAttempts = 6;

    /// <summary>No nf_tables, so no rules.</summary>
    public static NftRuleset Empty { get; } = new([], [], [], [], new HashSet<NftPlace>());

    /// <summary>Reads the ruleset. Reads again if it changes meanwhile.</summary>
    /// <param name="connection">The socket.</param>
    /// <param name="operation">The purpose, for errors, as a phrase that completes "could not ...".</param>
    /// <param name="needsElements">True for the sets whose elements are read. Sets may have millions.</param>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="IncompleteListingException">The ruleset changed during each attempt.</exception>
    public static NftRuleset Read(NetlinkConnection connection, string operation, Func<NftSet, bool> needsElements)
    {
        Reader reader = new(connection, operation);
        for (int attempt = 1; attempt <= MaximumAttempts; attempt++)
        {
            try
            {
                if (reader.Generation() is not { } before)
                    return Empty;
                NftRuleset found = reader.ReadOnce(needsElements);
                if (reader.Generation() == before)
                    return found;
            }
            catch (NetlinkException exception) when (exception.Errno == Errno.NotFound)
            {
                // A table or a set was deleted meanwhile.
            }
        }

        throw new IncompleteListingException(operation, MaximumAttempts);
    }

    private sealed class Reader(NetlinkConnection connection, string operation)
    {
        /// <summary>The number of the ruleset, which each change increments. Null if the kernel has no nf_tables.</summary>
        public uint? Generation()
        {
            MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
            writer.BeginMessage((ushort)NftMessage.Getgen, MessageFlags.Ack, 0);
            writer.EndMessage();
            uint? generation = null;
            try
            {
                connection.Request(writer.Written.ToArray(), operation, answer =>
                {
                    AttributeReader attributes = answer.Attributes;
                    while (attributes.Read())
                    {
                        if (attributes.Type == (ushort)GenerationAttribute.Id)
                            generation = attributes.UInt32;
                    }
                });
            }
            catch (NetlinkException exception) when (exception.Errno is Errno.InvalidArgument or Errno.NotSupported)
            {
                // The request has no attribute that could be invalid, so the kernel has no nf_tables.
                return null;
            }

            return generation;
        }

        public NftRuleset ReadOnce(Func<NftSet, bool> needsElements)
        {
            HashSet<NftPlace> dormant = [];
            Dump(NftMessage.Gettable, dormant.Clear, message => AddIfDormant(dormant, message));
            List<NftObject> objects = [];
            Dump(NftMessage.Getobj, objects.Clear, message => objects.Add(ObjectOf(message)));
            List<NftChain> chains = [];
            Dump(NftMessage.Getchain, chains.Clear, message => chains.Add(ChainOf(message)));
            List<NftRule> rules = [];
            Dump(NftMessage.Getrule, rules.Clear, message => rules.Add(NftRule.Of(message)));
            List<NftSet> sets = [];
            Dump(NftMessage.Getset, sets.Clear, message => sets.Add(SetOf(message)));
            return new NftRuleset(chains, rules, [.. sets.Select(set => needsElements(set) ? set with { Elements = ReadElements(set) } : set)], objects, dormant);
        }

        private List<NftElement> ReadElements(NftSet set)
        {
            List<NftElement> elements = [];
            Dump(NftMessage.Getsetelem, elements.Clear, message =>
            {
                AttributeReader attributes = message.Attributes;
                while (attributes.Read())
                {
                    if (attributes.Type != (ushort)SetElementListAttribute.Elements)
                        continue;
                    AttributeReader list = attributes.Nested;
                    while (list.Read())
                        elements.Add(ElementOf(list.Nested));
                }
            }, (byte)set.Place.Family, (ref MessageWriter writer) =>
            {
                writer.PutText((ushort)SetElementListAttribute.Table, set.Place.Table);
                writer.PutText((ushort)SetElementListAttribute.Set, set.Name);
            });
            return elements;
        }

        private void Dump(NftMessage type, Action onBegin, MessageHandler onData, byte family = 0, NftTransaction.Body? body = null)
        {
            MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
            writer.BeginMessage((ushort)type, MessageFlags.Dump | MessageFlags.Ack, family);
            body?.Invoke(ref writer);
            writer.EndMessage();
            connection.ReadDump(writer.Written.ToArray(), operation, onBegin, onData);
        }
    }

    private static void AddIfDormant(HashSet<NftPlace> dormant, NetlinkMessage message)
    {
        NamedTable table = NamedTable.Of(message);
        if (table.Flags.HasFlag(TableFlags.Dormant))
            dormant.Add(NftPlace.Of(message, table.Name));
    }

    private static NftObject ObjectOf(NetlinkMessage message)
    {
        string table = "", name = "";
        ObjectType type = 0;
        byte[] data = [];
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((ObjectAttribute)attributes.Type)
            {
                case ObjectAttribute.Table:
                    table = attributes.Text;
                    break;
                case ObjectAttribute.Name:
                    name = attributes.Text;
                    break;
                case ObjectAttribute.Type:
                    type = (ObjectType)attributes.UInt32;
                    break;
                case ObjectAttribute.Data:
                    data = attributes.Value.ToArray();
                    break;
                default:
                    break;
            }
        }

        return new NftObject(NftPlace.Of(message, table), name, type, data);
    }

    private static NftChain ChainOf(NetlinkMessage message)
    {
        string table = "", name = "";
        string? type = null;
        Hook? hook = null;
        PacketVerdict policy = PacketVerdict.Accept;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((ChainAttribute)attributes.Type)
            {
                case ChainAttribute.Table:
                    table = attributes.Text;
                    break;
                case ChainAttribute.Name:
                    name = attributes.Text;
                    break;
                case ChainAttribute.Type:
                    type = attributes.Text;
                    break;
                case ChainAttribute.Policy:
                    policy = (PacketVerdict)attributes.UInt32;
                    break;
                case ChainAttribute.Hook:
                    AttributeReader nest = attributes.Nested;
                    while (nest.Read())
                    {
                        if (nest.Type == (ushort)HookAttribute.Hooknum)
                            hook = (Hook)nest.UInt32;
                    }

                    break;
                default:
                    break;
            }
        }

        return new NftChain(NftPlace.Of(message, table), name, type, hook, policy);
    }

    private static NftSet SetOf(NetlinkMessage message)
    {
        string table = "", name = "";
        SetFlags flags = 0;
        int keyLength = 0;
        ObjectType? type = null;
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((SetAttribute)attributes.Type)
            {
                case SetAttribute.Table:
                    table = attributes.Text;
                    break;
                case SetAttribute.Name:
                    name = attributes.Text;
                    break;
                case SetAttribute.Flags:
                    flags = (SetFlags)attributes.UInt32;
                    break;
                case SetAttribute.KeyLen:
                    keyLength = (int)attributes.UInt32;
                    break;
                case SetAttribute.ObjType:
                    type = (ObjectType)attributes.UInt32;
                    break;
                default:
                    break;
            }
        }

        return new NftSet(NftPlace.Of(message, table), name, flags, keyLength, type);
    }

    private static NftElement ElementOf(AttributeReader attributes)
    {
        byte[] key = [];
        byte[]? keyEnd = null;
        SetElementFlags flags = 0;
        NftVerdict? verdict = null;
        string? name = null;
        while (attributes.Read())
        {
            switch ((SetElementAttribute)attributes.Type)
            {
                case SetElementAttribute.Key:
                    key = ValueOf(attributes.Nested);
                    break;
                case SetElementAttribute.KeyEnd:
                    keyEnd = ValueOf(attributes.Nested);
                    break;
                case SetElementAttribute.Flags:
                    flags = (SetElementFlags)attributes.UInt32;
                    break;
                case SetElementAttribute.Data:
                    verdict = NftVerdict.Of(attributes.Nested);
                    break;
                case SetElementAttribute.Objref:
                    name = attributes.Text;
                    break;
                default:
                    break;
            }
        }

        return new NftElement(key, keyEnd, flags, verdict, name);
    }

    /// <summary>NFTA_DATA_VALUE in an attribute of data. Empty if it has a verdict instead.</summary>
    internal static byte[] ValueOf(AttributeReader data)
    {
        while (data.Read())
        {
            if (data.Type == (ushort)DataAttribute.Value)
                return data.Value.ToArray();
        }

        return [];
    }
}
