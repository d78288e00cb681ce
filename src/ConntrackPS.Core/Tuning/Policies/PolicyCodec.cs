using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tuning.Policies;

/// <summary>Timeout policies as messages (enum ctattr_timeout, linux/netfilter/nfnetlink_cttimeout.h).</summary>
internal static class PolicyCodec
{
    /// <summary>A request about the policy of a name, or about all.</summary>
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

    /// <summary>A request with a whole policy in it.</summary>
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
            if (seconds.TryGetValue(definition.Attribute, out uint value) && !definition.IsRelic)
                policy.Timeout.Add(TimeoutValues.KeyOf(definition), value);
        }

        return policy;
    }
}
