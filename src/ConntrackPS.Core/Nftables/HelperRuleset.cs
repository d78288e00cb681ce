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

/// <summary>The objects and rules of all nf_tables tables of a namespace that attach helpers.</summary>
/// <param name="Objects">The objects, used by a rule or not.</param>
/// <param name="Rules">The rules. A rule with a map of several helpers is there once for each of them.</param>
internal sealed record HelperRuleset(IReadOnlyList<HelperObject> Objects, IReadOnlyList<HelperRule> Rules)
{
    /// <summary>No nf_tables, so no rules.</summary>
    public static HelperRuleset Empty { get; } = new([], []);

    /// <summary>Reads them. Reads again if the ruleset changes meanwhile.</summary>
    /// <inheritdoc cref="NftRuleset.Read"/>
    public static HelperRuleset Read(NetlinkConnection connection) =>
        Of(NftRuleset.Read(connection, "list the rules that attach helpers", set => set.ObjectType == ObjectType.CtHelper));

    private static HelperRuleset Of(NftRuleset ruleset)
    {
        HelperObject[] objects =
        [
            .. ruleset.Objects.Where(item => item.Type == ObjectType.CtHelper).Select(item => new HelperObject(item.Place, item.Name, HelperOf(item))),
        ];
        ILookup<(NftPlace, string), string?> maps = ruleset.Sets
            .SelectMany(set => (set.Elements ?? []).Select(element => ((set.Place, set.Name), element.Object)))
            .ToLookup(pair => pair.Item1, pair => pair.Object);
        return new HelperRuleset(objects,
        [
            .. from rule in ruleset.Rules
               from expression in rule.Expressions
               from used in (expression.Name switch
               {
                   "objref" => OfObjectReference(expression.Attributes, map => maps[(rule.Place, map)])
                       .SelectMany(name => objects.Where(item => item.Place == rule.Place && item.Name == name))
                       .Select(item => ((string?)item.Name, item.Helper)),
                   "target" => OfTarget(expression.Attributes),
                   _ => [],
               }).DistinctBy(one => one.Helper)
               select new HelperRule(rule.Place, rule.Chain, rule.Handle, used.Item1, used.Helper),
        ]);
    }

    /// <summary>The name of the helper that an object attaches.</summary>
    internal static string HelperOf(NftObject item)
    {
        AttributeReader data = new(item.Data);
        while (data.Read())
        {
            if (data.Type == (ushort)HelperObjectAttribute.Name)
                return data.Text;
        }

        return "";
    }

    /// <summary>The names of the objects that an expression uses. Objects of other types are among them.</summary>
    private static IEnumerable<string?> OfObjectReference(AttributeReader reference, Func<string, IEnumerable<string?>> objectsOfMap)
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

        return map is not null ? objectsOfMap(map) : type == ObjectType.CtHelper ? [name] : [];
    }

    private static IEnumerable<(string? Object, string Helper)> OfTarget(AttributeReader target)
    {
        string name = "", helper = "";
        while (target.Read())
        {
            if (target.Type == (ushort)TargetAttribute.Name)
                name = target.Text;
            else if (target.Type == (ushort)TargetAttribute.Info)
                helper = CtTarget.HelperOf(target.Value);
        }

        return name == CtTarget.Name && helper.Length > 0 ? [(null, helper)] : [];
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
            NftWriter.Helper(ref writer, table, "probe", helper, protocol));

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
