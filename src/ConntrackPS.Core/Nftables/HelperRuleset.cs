using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>An object of nf_tables that attaches a helper: <c>ct helper std-ftp { type "ftp" protocol tcp; }</c>.</summary>
/// <param name="Place">The table.</param>
/// <param name="Name">The name of the object in its table.</param>
/// <param name="Helper">The name of the helper.</param>
internal sealed record HelperObject(NftPlace Place, string Name, string Helper);

/// <summary>A rule of nf_tables that attaches a helper, by an object, by a map of objects, or by the target CT of iptables.</summary>
/// <param name="Place">The table.</param>
/// <param name="Chain">The chain.</param>
/// <param name="Handle">The number of the rule in its table.</param>
/// <param name="Object">The object. Null for the target CT.</param>
/// <param name="Helper">The name of the helper.</param>
internal sealed record HelperRule(NftPlace Place, string Chain, ulong Handle, string? Object, string Helper);

/// <summary>A table of nf_tables.</summary>
/// <param name="Family">The family of the table (NFPROTO_*).</param>
/// <param name="Table">The name of the table.</param>
internal readonly record struct NftPlace(NetfilterProtocol Family, string Table)
{
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

/// <summary>The objects and rules of all nf_tables tables of a namespace that attach helpers.</summary>
/// <param name="Objects">The objects, used by a rule or not.</param>
/// <param name="Rules">The rules. A rule with a map of several helpers is there once for each of them.</param>
internal sealed record HelperRuleset(IReadOnlyList<HelperObject> Objects, IReadOnlyList<HelperRule> Rules)
{
    private const string Operation = "list the rules that attach helpers";
    private const int MaximumAttempts = 6;

    /// <summary>No nf_tables, so no rules.</summary>
    public static HelperRuleset Empty { get; } = new([], []);

    /// <summary>Reads them. Reads again if the ruleset changes meanwhile.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    /// <exception cref="IncompleteListingException">The ruleset changed during each attempt.</exception>
    public static HelperRuleset Read(NetlinkConnection connection)
    {
        for (int attempt = 1; attempt <= MaximumAttempts; attempt++)
        {
            try
            {
                if (Generation(connection) is not { } before)
                    return Empty;
                HelperRuleset found = ReadOnce(connection);
                if (Generation(connection) == before)
                    return found;
            }
            catch (NetlinkException exception) when (exception.Errno == Errno.NotFound)
            {
                // A table or a map was deleted meanwhile.
            }
        }

        throw new IncompleteListingException(Operation, MaximumAttempts);
    }

    private static HelperRuleset ReadOnce(NetlinkConnection connection)
    {
        List<HelperObject> objects = [];
        Dump(connection, NftMessage.Getobj, 0, objects.Clear, message => AddObject(objects, message));
        List<RuleReference> references = [];
        Dump(connection, NftMessage.Getrule, 0, references.Clear, message => AddRule(references, message));
        Dictionary<(NftPlace Place, string Set), HashSet<string>> maps =
            references.Exists(reference => reference.Map is not null) ? ReadMaps(connection) : [];
        List<HelperRule> rules = [];
        foreach (RuleReference reference in references)
        {
            IEnumerable<(string? Object, string Helper)> used = reference switch
            {
                { Helper: { } helper } => [(null, helper)],
                { Map: { } map } => Of(maps.GetValueOrDefault((reference.Place, map), [])),
                _ => Of([reference.Object!]),
            };
            rules.AddRange(used.DistinctBy(one => one.Helper).Select(one => new HelperRule(reference.Place, reference.Chain, reference.Handle, one.Object, one.Helper)));

            IEnumerable<(string? Object, string Helper)> Of(ICollection<string> names) => objects
                .Where(item => item.Place == reference.Place && names.Contains(item.Name))
                .Select(item => ((string?)item.Name, item.Helper));
        }

        return new HelperRuleset(objects, rules);
    }

    /// <summary>The number of the ruleset, which each change increments. Null if the kernel has no nf_tables.</summary>
    private static uint? Generation(NetlinkConnection connection)
    {
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)NftMessage.Getgen, MessageFlags.Ack, 0);
        writer.EndMessage();
        uint? generation = null;
        try
        {
            connection.Request(writer.Written.ToArray(), Operation, answer =>
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

    /// <summary>The names of the objects in each map of helper objects.</summary>
    private static Dictionary<(NftPlace Place, string Set), HashSet<string>> ReadMaps(NetlinkConnection connection)
    {
        List<(NftPlace Place, string Set)> maps = [];
        Dump(connection, NftMessage.Getset, 0, maps.Clear, message =>
        {
            string table = "", name = "";
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
                    case SetAttribute.ObjType:
                        type = (ObjectType)attributes.UInt32;
                        break;
                    default:
                        break;
                }
            }

            if (type == ObjectType.CtHelper)
                maps.Add((new NftPlace((NetfilterProtocol)message.NetfilterFamily, table), name));
        });
        return maps.ToDictionary(map => map, map => ReadMap(connection, map.Place, map.Set));
    }

    private static HashSet<string> ReadMap(NetlinkConnection connection, NftPlace place, string set)
    {
        HashSet<string> names = [];
        Dump(connection, NftMessage.Getsetelem, (byte)place.Family, names.Clear, Take, Name);
        return names;

        void Name(ref MessageWriter writer)
        {
            writer.PutText((ushort)SetElementListAttribute.Table, place.Table);
            writer.PutText((ushort)SetElementListAttribute.Set, set);
        }

        void Take(NetlinkMessage message)
        {
            AttributeReader attributes = message.Attributes;
            while (attributes.Read())
            {
                if (attributes.Type != (ushort)SetElementListAttribute.Elements)
                    continue;
                AttributeReader elements = attributes.Nested;
                while (elements.Read())
                {
                    AttributeReader element = elements.Nested;
                    while (element.Read())
                    {
                        if (element.Type == (ushort)SetElementAttribute.Objref)
                            names.Add(element.Text);
                    }
                }
            }
        }
    }

    private static void AddObject(List<HelperObject> objects, NetlinkMessage message)
    {
        string table = "", name = "", helper = "";
        ObjectType? type = null;
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
                    AttributeReader data = attributes.Nested;

                    // Objects of other types have other attributes. They are skipped below.
                    while (data.Read())
                    {
                        if (data.Type == (ushort)HelperObjectAttribute.Name)
                            helper = data.Text;
                    }

                    break;
                default:
                    break;
            }
        }

        if (type == ObjectType.CtHelper)
            objects.Add(new HelperObject(new NftPlace((NetfilterProtocol)message.NetfilterFamily, table), name, helper));
    }

    private static void AddRule(List<RuleReference> references, NetlinkMessage message)
    {
        string table = "", chain = "";
        ulong handle = 0;
        AttributeReader expressions = default;
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
                    expressions = attributes.Nested;
                    break;
                default:
                    break;
            }
        }

        NftPlace place = new((NetfilterProtocol)message.NetfilterFamily, table);
        while (expressions.Read())
        {
            if (OfExpression(expressions.Nested) is { } found)
                references.Add(found with { Place = place, Chain = chain, Handle = handle });
        }
    }

    private static RuleReference? OfExpression(AttributeReader expression)
    {
        string name = "";
        while (expression.Read())
        {
            if (expression.Type == (ushort)ExpressionAttribute.Name)
                name = expression.Text;
            else if (expression.Type == (ushort)ExpressionAttribute.Data && name == "objref")
                return OfObjectReference(expression.Nested);
            else if (expression.Type == (ushort)ExpressionAttribute.Data && name == "target")
                return OfTarget(expression.Nested);
        }

        return null;
    }

    private static RuleReference? OfObjectReference(AttributeReader reference)
    {
        ObjectType? type = null;
        string? name = null, map = null;
        while (reference.Read())
        {
            switch ((ObjectReferenceAttribute)reference.Type)
            {
                case ObjectReferenceAttribute.ImmType:
                    type = (ObjectType)reference.UInt32;
                    break;
                case ObjectReferenceAttribute.ImmName:
                    name = reference.Text;
                    break;
                case ObjectReferenceAttribute.SetName:
                    map = reference.Text;
                    break;
                default:
                    break;
            }
        }

        return map is not null ? new RuleReference { Map = map }
            : type == ObjectType.CtHelper && name is not null ? new RuleReference { Object = name }
            : null;
    }

    private static RuleReference? OfTarget(AttributeReader target)
    {
        string name = "", helper = "";
        while (target.Read())
        {
            if (target.Type == (ushort)TargetAttribute.Name)
                name = target.Text;
            else if (target.Type == (ushort)TargetAttribute.Info)
                helper = CtTarget.HelperOf(target.Value);
        }

        return name == CtTarget.Name && helper.Length > 0 ? new RuleReference { Helper = helper } : null;
    }

    private static void Dump(NetlinkConnection connection, NftMessage type, byte family, Action onBegin, MessageHandler onData, NftTransaction.Body? body = null)
    {
        MessageWriter writer = new(new byte[NetlinkBatch.MaximumMessageSize]);
        writer.BeginMessage((ushort)type, MessageFlags.Dump | MessageFlags.Ack, family);
        body?.Invoke(ref writer);
        writer.EndMessage();
        connection.ReadDump(writer.Written.ToArray(), Operation, onBegin, onData);
    }

    /// <summary>A rule as the kernel sends it: with the name of an object, of a map, or of a helper.</summary>
    private sealed record RuleReference
    {
        public NftPlace Place { get; init; }

        public string Chain { get; init; } = "";

        public ulong Handle { get; init; }

        public string? Object { get; init; }

        public string? Map { get; init; }

        public string? Helper { get; init; }
    }
}

/// <summary>The target CT of iptables (struct xt_ct_target_info of linux/netfilter/xt_CT.h; all revisions begin alike).</summary>
internal static class CtTarget
{
    public const string Name = "CT";

    /// <summary>offsetof(struct xt_ct_target_info, helper).</summary>
    internal const int HelperOffset = 12;

    /// <summary>sizeof(xt_ct_target_info.helper).</summary>
    internal const int HelperLength = 16;

    /// <summary>The helper that the target attaches. Empty for none, as with --notrack.</summary>
    public static string HelperOf(ReadOnlySpan<byte> info)
    {
        if (info.Length < HelperOffset + HelperLength)
            return "";
        ReadOnlySpan<byte> helper = info.Slice(HelperOffset, HelperLength);
        int end = helper.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? helper : helper[..end]);
    }
}

/// <summary>Asks the kernel whether it has a helper, without a change: the transaction creates a table with an object for the helper, and
/// never ends, so that the kernel undoes it.</summary>
/// <remarks>nft_ct_helper_obj_init (net/netfilter/nft_ct.c) requests the module nfct-helper-NAME if it does not find the helper. So call
/// this only if the kernel can't load modules on demand.</remarks>
internal static class HelperProbe
{
    private const string Operation = "look for a helper";

    /// <returns>Null if the kernel's answer does not decide it.</returns>
    /// <exception cref="NetlinkException">The kernel refused the request: EPERM without CAP_NET_ADMIN.</exception>
    public static bool? HasHelper(NetlinkConnection connection, NetfilterProtocol family, string helper, byte protocol)
    {
        string table = "conntrackps-" + RandomNumberGenerator.GetHexString(16, lowercase: true);
        NetlinkBatch batch = connection.CreateBatch(Operation);
        Add(batch, (ushort)BatchMessage.Begin, MessageFlags.None, 0, NftTransaction.Subsystem, static (ref MessageWriter _) => { });
        Add(batch, (ushort)NftMessage.Newtable, MessageFlags.Create | MessageFlags.Exclusive, (byte)family, 0, (ref MessageWriter writer) => NftWriter.TableName(ref writer, table));
        Add(batch, (ushort)NftMessage.Newobj, MessageFlags.Create, (byte)family, 0, (ref MessageWriter writer) =>
        {
            writer.PutText((ushort)ObjectAttribute.Table, table);
            writer.PutText((ushort)ObjectAttribute.Name, "probe");
            writer.PutUInt32((ushort)ObjectAttribute.Type, (uint)ObjectType.CtHelper);
            MessageWriter.Nest data = writer.BeginNest((ushort)ObjectAttribute.Data);
            writer.PutText((ushort)HelperObjectAttribute.Name, helper);
            writer.PutByte((ushort)HelperObjectAttribute.L4proto, protocol);
            writer.EndNest(data);
        });

        Errno answer = Errno.None;
        int refused = -1;
        batch.Send((index, reply) => (refused, answer) = refused < 0 ? (index, reply.Errno) : (refused, answer));
        return (refused, answer) switch
        {
            (-1, _) => true,
            (2, Errno.NotFound) => false,
            _ => null,
        };
    }

    private static void Add(NetlinkBatch batch, ushort type, MessageFlags flags, byte family, ushort resourceId, NftTransaction.Body body)
    {
        MessageWriter writer = new(batch.NextMessage);
        writer.BeginMessage(type, flags, family, resourceId: resourceId);
        body(ref writer);
        writer.EndMessage();
        batch.Add(writer.Written.Length);
    }
}
