using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The default timeouts of a network namespace: by netlink, or by sysctl if netlink is not available.</summary>
/// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
/// <param name="persisted">The values of the files of sysctl.d, or null to omit them.</param>
/// <param name="open">Opens the connection on a thread in the namespace. Null for the usual one.</param>
internal sealed class TimeoutDefaults(
    NetworkNamespace? networkNamespace, PersistedSettings? persisted = null, Func<NetlinkConnection>? open = null)
{
    private readonly Func<NetlinkConnection> _open = open ?? (() => NetlinkConnection.Open());

    /// <summary>Reads all timeouts that this kernel has.</summary>
    /// <exception cref="ConntrackUnavailableException">The kernel has no connection tracking.</exception>
    /// <param name="tell">Called for each timeout that can't be read. Null to throw at the first one.</param>
    /// <exception cref="UnreadableSettingException">A timeout has an unusable value, and <paramref name="tell"/> is null.</exception>
    public IReadOnlyList<ConntrackTimeout> Read(Action<UnreadableSettingException>? tell = null) => NetworkNamespace.RunIn(networkNamespace, () =>
    {
        using NetlinkConnection? connection = TryOpen();
        ConntrackTimeout[] timeouts =
            [.. TimeoutCatalog.All.GroupBy(definition => definition.Protocol).SelectMany(group => Read(connection, group.Key, [.. group], tell))];
        return timeouts.Length > 0 ? timeouts : throw new ConntrackUnavailableException("This kernel has no connection tracking.");
    });

    /// <summary>Reads one timeout.</summary>
    /// <exception cref="UnsupportedTimeoutException">This kernel does not have the timeout.</exception>
    /// <exception cref="UnreadableSettingException">It has an unusable value.</exception>
    public ConntrackTimeout Read(TimeoutDefinition definition)
    {
        UnreadableSettingException? problem = null;
        ConntrackTimeout? found = Read(unreadable => problem = unreadable.Path == PathOf(definition) ? unreadable : problem).FirstOrDefault(timeout => timeout.Definition == definition);
        return found ?? throw (problem ?? (Exception)new UnsupportedTimeoutException($"This kernel keeps no timeout for {definition}."));
    }

    /// <summary>Sets a timeout. It applies to new connections, and to existing ones from their next packet.</summary>
    /// <param name="definition">The timeout.</param>
    /// <param name="seconds">From <see cref="TimeoutRange.Minimum"/> to <see cref="TimeoutRange.Maximum"/>.</param>
    /// <exception cref="NetlinkException">EPERM: CAP_NET_ADMIN is missing.</exception>
    /// <exception cref="UnsupportedTimeoutException">This kernel does not have the timeout.</exception>
    public void Set(TimeoutDefinition definition, uint seconds) => NetworkNamespace.RunIn(networkNamespace, () =>
    {
        try
        {
            using NetlinkConnection connection = _open();
            connection.Request(Encode(TimeoutMessage.DefaultSet, definition.Protocol, (definition, seconds)), "set a default timeout");
        }
        catch (NetlinkException exception) when (IsWithoutNetlink(exception.Errno))
        {
            if (IsUntracked(definition.Protocol, exception.Errno) || PathOf(definition) is not { } path || !File.Exists(path))
                throw new UnsupportedTimeoutException($"This kernel keeps no timeout for {definition} that can be set.", exception);
            Sysctl.WriteNumber(path, seconds);
        }

        return true;
    });

    private IEnumerable<ConntrackTimeout> Read(
        NetlinkConnection? connection, TimeoutProtocol protocol, TimeoutDefinition[] definitions, Action<UnreadableSettingException>? tell)
    {
        Dictionary<byte, uint>? byNetlink = connection is null ? null : TryRead(connection, protocol);
        foreach (TimeoutDefinition definition in definitions)
        {
            uint? seconds = byNetlink is null ? Sysctl.TryRead(() => ReadSysctl(definition), tell)
                : byNetlink.TryGetValue(definition.Attribute, out uint value) ? value : null;
            if (seconds is { } present && !definition.IsObsolete)
                yield return new ConntrackTimeout(definition, present, DefaultOf(definition), persisted?.Find(definition.Sysctl), networkNamespace);
        }
    }

    private static Dictionary<byte, uint>? TryRead(NetlinkConnection connection, TimeoutProtocol protocol)
    {
        Dictionary<byte, uint>? seconds = null;
        try
        {
            connection.Request(Encode(TimeoutMessage.DefaultGet, protocol), "read the default timeouts", message =>
            {
                AttributeReader attributes = message.Attributes;
                while (attributes.Read())
                {
                    if (attributes.Type == (ushort)TimeoutAttribute.Data)
                        seconds = TimeoutCodec.ReadData(attributes.Nested);
                }
            });
        }
        catch (NetlinkException exception) when (IsWithoutNetlink(exception.Errno) || exception.Errno == Errno.NotPermitted)
        {
            // Reading by sysctl requires no privilege.
            return IsUntracked(protocol, exception.Errno) ? [] : null;
        }

        return seconds;
    }

    /// <summary>AF_INET works for ICMPv6 too, because the family is irrelevant for defaults.</summary>
    private static byte[] Encode(TimeoutMessage message, TimeoutProtocol protocol, params (TimeoutDefinition, uint)[] values)
    {
        byte[] buffer = new byte[NetlinkBatch.MaximumMessageSize];
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)message, MessageFlags.Ack, 0);
        TimeoutCodec.Write(ref writer, IPFamily.IPv4, protocol, values);
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }

    private NetlinkConnection? TryOpen()
    {
        try
        {
            return _open();
        }
        catch (NetlinkException)
        {
            return null;
        }
    }

    /// <summary>EINVAL without the module nfnetlink_cttimeout, EOPNOTSUPP for an untracked protocol.</summary>
    private static bool IsWithoutNetlink(Errno errno) => errno is Errno.InvalidArgument or Errno.NotSupported;

    /// <summary>UDP-Lite is not tracked from Linux 7 on. It has no sysctl of its own whose absence would show this.</summary>
    private static bool IsUntracked(TimeoutProtocol protocol, Errno errno) =>
        protocol == TimeoutProtocol.UdpLite && errno == Errno.NotSupported;

    private static uint DefaultOf(TimeoutDefinition definition) =>
        definition is { Protocol: TimeoutProtocol.Sctp, State: TimeoutState.Established } && TimeoutDefinition.HasHeartbeatAcked
            ? TimeoutCatalog.FormerSctpEstablished
            : definition.DefaultSeconds;

    /// <summary>Sysctl accepts any 32-bit number as a timeout, even -1, which is the maximum for the kernel.</summary>
    private static uint? ReadSysctl(TimeoutDefinition definition)
    {
        if (PathOf(definition) is not { } path || Sysctl.ReadNumber(path) is not { } seconds)
            return null;
        return seconds is >= int.MinValue and <= uint.MaxValue
            ? (uint)seconds
            : throw new UnreadableSettingException(path, string.Create(CultureInfo.InvariantCulture, $"has the value {seconds}, which is not a timeout"));
    }

    private static string? PathOf(TimeoutDefinition definition) =>
        definition.Sysctl is null ? null : Sysctl.Netfilter + definition.Sysctl;
}

/// <summary>The running kernel does not support an operation on timeouts.</summary>
/// <param name="message">The missing feature.</param>
/// <param name="inner">The cause.</param>
internal sealed class UnsupportedTimeoutException(string message, Exception? inner = null) : NotSupportedException(message, inner);

/// <summary>Encodes and decodes the timeouts of one protocol, for policies and for defaults.</summary>
/// <remarks>CTA_TIMEOUT_L3PROTO (be16), CTA_TIMEOUT_L4PROTO (u8), CTA_TIMEOUT_DATA (a nest of be32 seconds by state).</remarks>
internal static class TimeoutCodec
{
    /// <summary>Writes the protocol and the given timeouts.</summary>
    public static void Write(
        ref MessageWriter writer, IPFamily family, TimeoutProtocol protocol, IEnumerable<(TimeoutDefinition Definition, uint Seconds)> values)
    {
        writer.PutUInt16((ushort)TimeoutAttribute.L3proto, (ushort)family);
        writer.PutByte((ushort)TimeoutAttribute.L4proto, (byte)protocol);
        MessageWriter.Nest data = writer.BeginNest((ushort)TimeoutAttribute.Data);
        foreach ((TimeoutDefinition definition, uint seconds) in values)
            writer.PutUInt32(definition.Attribute, seconds);
        writer.EndNest(data);
    }

    /// <summary>Reads CTA_TIMEOUT_DATA: seconds by attribute. Unknown states are kept, but not shown.</summary>
    public static Dictionary<byte, uint> ReadData(AttributeReader data)
    {
        Dictionary<byte, uint> seconds = [];
        while (data.Read())
            seconds[(byte)data.Type] = data.UInt32;
        return seconds;
    }
}

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK_TIMEOUT (enum ctnl_timeout_msg_types,
/// linux/netfilter/nfnetlink_cttimeout.h).</summary>
internal enum TimeoutMessage : ushort
{
    New = 0x800,
    Get,
    Delete,
    DefaultSet,
    DefaultGet,
}

/// <summary>CTA_TIMEOUT_* (enum ctattr_timeout).</summary>
internal enum TimeoutAttribute : ushort
{
    Name = 1,
    L3proto,
    L4proto,
    Data,
    Use,
}
