using System.Globalization;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The default timeouts of a network namespace: by netlink, or by sysctl where netlink won't.</summary>
/// <param name="networkNamespace">Which namespace; null for the caller's own.</param>
/// <param name="persisted">What the files of sysctl.d set; null to leave them out.</param>
/// <param name="open">Makes the connection, on a thread in the namespace; null for the usual one.</param>
internal sealed class TimeoutDefaults(
    NetworkNamespace? networkNamespace, PersistedSettings? persisted = null, Func<NetlinkConnection>? open = null)
{
    private readonly Func<NetlinkConnection> _open = open ?? (() => NetlinkConnection.Open());

    /// <summary>Reads all timeouts that this kernel has.</summary>
    /// <exception cref="ConntrackUnavailableException">It has none.</exception>
    /// <param name="tell">Is told of each that can't be read, and the others follow; null to end with the first.</param>
    /// <exception cref="UnreadableSettingException">One has no value that can be used, and <paramref name="tell"/> is null.</exception>
    public IReadOnlyList<ConntrackTimeout> Read(Action<UnreadableSettingException>? tell = null) => NetworkNamespace.RunIn(networkNamespace, () =>
    {
        using NetlinkConnection? connection = TryOpen();
        ConntrackTimeout[] timeouts =
            [.. TimeoutCatalog.All.GroupBy(definition => definition.Protocol).SelectMany(group => Read(connection, group.Key, [.. group], tell))];
        return timeouts.Length > 0 ? timeouts : throw new ConntrackUnavailableException("This kernel has no connection tracking.");
    });

    /// <summary>Reads one timeout.</summary>
    /// <exception cref="UnsupportedTimeoutException">This kernel has no such timeout.</exception>
    /// <exception cref="UnreadableSettingException">It has no value that can be used.</exception>
    public ConntrackTimeout Read(TimeoutDefinition definition)
    {
        UnreadableSettingException? problem = null;
        ConntrackTimeout? found = Read(unreadable => problem = unreadable.Path == PathOf(definition) ? unreadable : problem).FirstOrDefault(timeout => timeout.Definition == definition);
        return found ?? throw (problem ?? (Exception)new UnsupportedTimeoutException($"This kernel keeps no timeout for {definition}."));
    }

    /// <summary>Sets a timeout for connections from now on; those in the table take it up with their next packet.</summary>
    /// <param name="definition">Which timeout.</param>
    /// <param name="seconds">From <see cref="TimeoutRange.Minimum"/> to <see cref="TimeoutRange.Maximum"/>.</param>
    /// <exception cref="NetlinkException">EPERM: it needs CAP_NET_ADMIN.</exception>
    /// <exception cref="UnsupportedTimeoutException">This kernel has no such timeout.</exception>
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
            // Reading by sysctl needs no privilege.
            return IsUntracked(protocol, exception.Errno) ? [] : null;
        }

        return seconds;
    }

    /// <summary>ICMPv6 answers to AF_INET here as well: the family does not matter to defaults.</summary>
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

    /// <summary>EINVAL without the module nfnetlink_cttimeout, EOPNOTSUPP for a protocol that is not tracked.</summary>
    private static bool IsWithoutNetlink(Errno errno) => errno is Errno.InvalidArgument or Errno.NotSupported;

    /// <summary>UDP-Lite has no sysctl of its own that would be missing where it is not tracked, from Linux 7 on.</summary>
    private static bool IsUntracked(TimeoutProtocol protocol, Errno errno) =>
        protocol == TimeoutProtocol.UdpLite && errno == Errno.NotSupported;

    private static uint DefaultOf(TimeoutDefinition definition) =>
        definition is { Protocol: TimeoutProtocol.Sctp, State: TimeoutState.Established } && TimeoutDefinition.HasHeartbeatAcked
            ? TimeoutCatalog.FormerSctpEstablished
            : definition.DefaultSeconds;

    /// <summary>Sysctl takes any number of 32 bits for a timeout, -1 among them, which is the longest to the kernel.</summary>
    private static uint? ReadSysctl(TimeoutDefinition definition)
    {
        if (PathOf(definition) is not { } path || Sysctl.ReadNumber(path) is not { } seconds)
            return null;
        return seconds is >= int.MinValue and <= uint.MaxValue
            ? (uint)seconds
            : throw new UnreadableSettingException(path, string.Create(CultureInfo.InvariantCulture, $"has the value {seconds}, which is no timeout"));
    }

    private static string? PathOf(TimeoutDefinition definition) =>
        definition.Sysctl is null ? null : Sysctl.Netfilter + definition.Sysctl;
}

/// <summary>The running kernel does not do what was asked of its timeouts.</summary>
/// <param name="message">What it lacks.</param>
/// <param name="inner">How that showed.</param>
internal sealed class UnsupportedTimeoutException(string message, Exception? inner = null) : NotSupportedException(message, inner);

/// <summary>Writes and reads timeouts of one protocol, those of a policy and the defaults alike.</summary>
/// <remarks>CTA_TIMEOUT_L3PROTO (be16), CTA_TIMEOUT_L4PROTO (u8), CTA_TIMEOUT_DATA (a nest of be32 seconds by state).</remarks>
internal static class TimeoutCodec
{
    /// <summary>Writes the protocol and what timeouts are given.</summary>
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

    /// <summary>Reads CTA_TIMEOUT_DATA: seconds by attribute. States unknown here are kept, and not shown.</summary>
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
