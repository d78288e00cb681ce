using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tuning.Policies;

/// <summary>The timeout policies of a network namespace.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <remarks>All methods throw <see cref="NetlinkException"/> if the kernel refuses the request: EPERM without CAP_NET_ADMIN.</remarks>
internal sealed class TimeoutPolicies(NetworkNamespace? networkNamespace)
{
    /// <summary>The network namespace, or null for the caller's own.</summary>
    public NetworkNamespace? NetworkNamespace { get; } = networkNamespace;

    /// <summary>Reads all policies.</summary>
    public IReadOnlyList<ConntrackTimeoutPolicy> Read() => Attempt(List);

    /// <summary>Reads one policy.</summary>
    /// <exception cref="NetlinkException">ENOENT: the name does not exist.</exception>
    public ConntrackTimeoutPolicy Find(string name) => Attempt(connection => Find(connection, name));

    /// <summary>Creates a policy. States that are not set use the namespace's current defaults.</summary>
    /// <exception cref="NetlinkException">EEXIST: the name already exists. EOPNOTSUPP: the protocol is not tracked.</exception>
    public void Create(string name, IPFamily family, TimeoutProtocol protocol, IReadOnlyDictionary<TimeoutDefinition, uint> values)
    {
        PolicyName.Check(name);
        Attempt(connection =>
        {
            connection.Request(
                PolicyCodec.Encode(TimeoutMessage.New, MessageFlags.Create | MessageFlags.Exclusive | MessageFlags.Ack, name, family, protocol, values),
                "create a timeout policy");
            return true;
        });
    }

    /// <summary>Changes a policy in place, also for the connections that already have it.</summary>
    /// <exception cref="NetlinkException">ENOENT: the name does not exist.</exception>
    public void Change(string name, IReadOnlyDictionary<TimeoutDefinition, uint> values) => Attempt(connection =>
    {
        // A replacement resets everything that it does not contain to the defaults, so it contains everything.
        ConntrackTimeoutPolicy present = Find(connection, name);
        Dictionary<TimeoutDefinition, uint> all = TimeoutCatalog.Of(present.Protocol)
            .Where(definition => present.Timeout.Contains(TimeoutValues.KeyOf(definition)))
            .ToDictionary(definition => definition, definition => (uint)present.Timeout[TimeoutValues.KeyOf(definition)]!);
        foreach ((TimeoutDefinition definition, uint seconds) in values)
            all[definition] = seconds;
        connection.Request(
            PolicyCodec.Encode(TimeoutMessage.New, MessageFlags.Replace | MessageFlags.Ack, name, present.AddressFamily, present.Protocol, all),
            "change a timeout policy");
        return true;
    });

    /// <summary>Removes a policy.</summary>
    /// <exception cref="NetlinkException">ENOENT: the name does not exist. EBUSY: rules use it.</exception>
    public void Remove(string name) => Attempt(connection =>
    {
        // Without a name the kernel would remove all policies.
        PolicyName.Check(name);
        connection.Request(PolicyCodec.Encode(TimeoutMessage.Delete, MessageFlags.Ack, name), "remove a timeout policy");
        return true;
    });

    private List<ConntrackTimeoutPolicy> List(NetlinkConnection connection)
    {
        List<ConntrackTimeoutPolicy> policies = [];
        connection.ReadDump(
            PolicyCodec.Encode(TimeoutMessage.Get, MessageFlags.Dump | MessageFlags.Ack, null),
            "list the timeout policies",
            policies.Clear,
            message => policies.Add(PolicyCodec.Decode(message, NetworkNamespace)));
        return policies;
    }

    private ConntrackTimeoutPolicy Find(NetlinkConnection connection, string name)
    {
        PolicyName.Check(name);
        ConntrackTimeoutPolicy? found = null;
        connection.Request(
            PolicyCodec.Encode(TimeoutMessage.Get, MessageFlags.Ack, name), "read a timeout policy",
            message => found = PolicyCodec.Decode(message, NetworkNamespace));
        return found ?? throw new NetlinkProtocolException("The kernel acknowledged a request for a timeout policy without an answer.");
    }

    private T Attempt<T>(Func<NetlinkConnection, T> work)
    {
        using NetlinkConnection connection = NetlinkConnection.Open(NetworkNamespace);
        try
        {
            return work(connection);
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.InvalidArgument && !HasPolicies(connection))
        {
            throw new ConntrackUnavailableException("This kernel has no timeout policies (module nfnetlink_cttimeout).", exception);
        }
    }

    /// <summary>A plain listing has no attribute that could be invalid, so EINVAL means that the message type is unknown.</summary>
    private bool HasPolicies(NetlinkConnection connection)
    {
        try
        {
            List(connection);
            return true;
        }
        catch (NetlinkException exception) when (exception.Errno == Errno.InvalidArgument)
        {
            return false;
        }
    }
}

/// <summary>Encodes and decodes timeout policies (enum ctattr_timeout, linux/netfilter/nfnetlink_cttimeout.h).</summary>
internal static class PolicyCodec
{
    /// <summary>A request for the policy with a name, or for all policies.</summary>
    public static byte[] Encode(TimeoutMessage message, MessageFlags flags, string? name)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)message, flags, 0);
        if (name is not null)
            writer.PutText((ushort)TimeoutAttribute.Name, name);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <summary>A request with a complete policy.</summary>
    public static byte[] Encode(
        TimeoutMessage message, MessageFlags flags, string name, IPFamily family, TimeoutProtocol protocol, IReadOnlyDictionary<TimeoutDefinition, uint> values)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)message, flags, 0);
        writer.PutText((ushort)TimeoutAttribute.Name, name);
        TimeoutCodec.Write(ref writer, family, protocol, values.Select(pair => (pair.Key, pair.Value)));
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackTimeoutPolicy Decode(NetlinkMessage message, NetworkNamespace? networkNamespace)
    {
        ConntrackTimeoutPolicy policy = new() { Namespace = networkNamespace?.Name };
        Dictionary<byte, uint> seconds = [];
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((TimeoutAttribute)attributes.Type)
            {
                case TimeoutAttribute.Name:
                    policy.Name = attributes.Text;
                    break;
                case TimeoutAttribute.L3proto:
                    policy.AddressFamily = (IPFamily)attributes.UInt16;
                    break;
                case TimeoutAttribute.L4proto:
                    policy.Protocol = (TimeoutProtocol)attributes.Byte;
                    break;
                case TimeoutAttribute.Data:
                    seconds = TimeoutCodec.ReadData(attributes.Nested);
                    break;
                case TimeoutAttribute.Use:
                    policy.UseCount = Math.Max(attributes.UInt32, 1) - 1;
                    break;
            }
        }

        foreach (TimeoutDefinition definition in TimeoutCatalog.Of(policy.Protocol))
        {
            if (seconds.TryGetValue(definition.Attribute, out uint value) && !definition.IsObsolete)
                policy.Timeout.Add(TimeoutValues.KeyOf(definition), value);
        }

        return policy;
    }
}

/// <summary>Checks policy names.</summary>
internal static class PolicyName
{
    /// <summary>CTNL_TIMEOUT_NAME_MAX without the terminating NUL.</summary>
    public const int MaximumBytes = 31;

    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    public static void Check(string name)
    {
        if (name.Length == 0 || !KernelName.Fits(name, MaximumBytes))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{name}' is not a name for a timeout policy: it has {Encoding.UTF8.GetByteCount(name)} bytes, and the kernel accepts 1 to {MaximumBytes}, without NUL."));
        }
    }
}
