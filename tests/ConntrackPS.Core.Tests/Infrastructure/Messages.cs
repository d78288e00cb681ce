using System.Buffers.Binary;
using System.Text;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Builds messages as the kernel writes them, byte by byte, without the library's writer.</summary>
internal static class Messages
{
    /// <summary>Any message type of a netfilter subsystem. This one is conntrack's new entry.</summary>
    public const ushort DataType = 0x100;

    private const ushort ErrorType = 2;
    private const ushort DoneType = 3;

    /// <summary>struct nlmsghdr and a payload, with padding.</summary>
    public static byte[] Message(ushort type, uint sequence, MessageFlags flags = MessageFlags.None, params ReadOnlySpan<byte> payload)
    {
        byte[] message = new byte[(16 + payload.Length + 3) & ~3];
        BitConverter.TryWriteBytes(message, 16 + payload.Length);
        BitConverter.TryWriteBytes(message.AsSpan(4), type);
        BitConverter.TryWriteBytes(message.AsSpan(6), (ushort)flags);
        BitConverter.TryWriteBytes(message.AsSpan(8), sequence);
        payload.CopyTo(message.AsSpan(16));
        return message;
    }

    /// <summary>A data message with only a netfilter header, and a number in res_id to identify it.</summary>
    public static byte[] Data(uint sequence, ushort number = 0, MessageFlags flags = MessageFlags.Multi) =>
        Message(DataType, sequence, flags, 2, 0, (byte)(number >> 8), (byte)number);

    public static byte[] Acknowledgement(uint sequence) => Error(sequence, Errno.None);

    /// <summary>NLMSG_ERROR as with NETLINK_CAP_ACK: only the request's header.</summary>
    public static byte[] Error(uint sequence, Errno errno, params byte[][] attributes)
    {
        MessageFlags flags = MessageFlags.Capped | (attributes.Length > 0 ? MessageFlags.AckAttributes : MessageFlags.None);
        return Message(ErrorType, sequence, flags, [.. Number(errno), .. Message(DataType, sequence), .. attributes.SelectMany(bytes => bytes)]);
    }

    /// <summary>NLMSG_ERROR with the whole request, followed by extended ACK attributes.</summary>
    public static byte[] UncappedError(uint sequence, Errno errno, byte[] request, params byte[][] attributes) =>
        Message(ErrorType, sequence, MessageFlags.AckAttributes, [.. Number(errno), .. request, .. attributes.SelectMany(bytes => bytes)]);

    public static byte[] Done(uint sequence, Errno errno = Errno.None, params byte[][] attributes)
    {
        MessageFlags flags = MessageFlags.Multi | (attributes.Length > 0 ? MessageFlags.AckAttributes : MessageFlags.None);
        return Message(DoneType, sequence, flags, [.. Number(errno), .. attributes.SelectMany(bytes => bytes)]);
    }

    /// <summary>NLMSGERR_ATTR_MSG.</summary>
    public static byte[] KernelMessage(string text) => Attribute(1, Encoding.UTF8.GetBytes(text + "\0"));

    /// <summary>NLMSGERR_ATTR_OFFS, in host byte order.</summary>
    public static byte[] Offset(uint offset) => Attribute(2, BitConverter.GetBytes(offset));

    /// <summary>struct nlattr and a value, with padding.</summary>
    public static byte[] Attribute(ushort type, params byte[] value)
    {
        byte[] attribute = new byte[(4 + value.Length + 3) & ~3];
        BitConverter.TryWriteBytes(attribute, (ushort)(4 + value.Length));
        BitConverter.TryWriteBytes(attribute.AsSpan(2), type);
        value.CopyTo(attribute.AsSpan(4));
        return attribute;
    }

    public static byte[] BigEndian(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Number(Errno errno) => BitConverter.GetBytes(-(int)errno);
}
