using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations.Wire;

/// <summary>Builds the requests about expectations.</summary>
internal static class ExpectationRequests
{
    /// <summary>IPCTNL_MSG_EXP_GET for all expectations, or for those of one address family.</summary>
    public static Span<byte> Dump(Span<byte> buffer, IPFamily family)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ExpectationMessage.Get, MessageFlags.Dump | MessageFlags.Ack, (byte)family);
        return End(buffer, ref writer);
    }

    /// <summary>IPCTNL_MSG_EXP_GET for the expectation that a connection with this tuple and zone would match.</summary>
    public static Span<byte> Get(Span<byte> buffer, in ConntrackTuple tuple, ushort zone)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ExpectationMessage.Get, MessageFlags.Ack, (byte)tuple.Family);
        WriteKey(ref writer, tuple, zone);
        return End(buffer, ref writer);
    }

    /// <summary>IPCTNL_MSG_EXP_NEW for an expectation that must not exist yet.</summary>
    /// <param name="buffer">The buffer to write to.</param>
    /// <param name="expectation">The expectation.</param>
    /// <param name="master">The tuple by which the kernel finds the master, of either direction.</param>
    /// <remarks>The kernel accepts no timeout here. The expectation starts with that of the helper's class.</remarks>
    public static Span<byte> Create(Span<byte> buffer, ConntrackExpectation expectation, in ConntrackTuple master)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage(
            (ushort)ExpectationMessage.New, MessageFlags.Create | MessageFlags.Exclusive | MessageFlags.Ack, (byte)expectation.AddressFamily);
        WriteKey(ref writer, expectation.Expected, expectation.Zone ?? 0);
        TupleCodec.Write(ref writer, (ushort)ExpectationAttribute.Mask, expectation.Mask);
        TupleCodec.Write(ref writer, (ushort)ExpectationAttribute.Master, master);
        if (expectation.Helper is { } helper)
            writer.PutText((ushort)ExpectationAttribute.HelpName, helper);
        if (expectation.Class is { } number and not 0)
            writer.PutUInt32((ushort)ExpectationAttribute.Class, number);
        if (expectation.Flags is { } flags and not ExpectationFlags.None)
            writer.PutUInt32((ushort)ExpectationAttribute.Flags, (uint)flags);
        if (expectation.Function is { } function)
            writer.PutText((ushort)ExpectationAttribute.Fn, function);
        if (expectation.Nat is { } nat)
            WriteNat(ref writer, expectation.NatDirection ?? TupleDirection.Original, nat);
        return End(buffer, ref writer);
    }

    /// <summary>IPCTNL_MSG_EXP_NEW for an existing expectation. The kernel changes only its timeout.</summary>
    public static Span<byte> ChangeTimeout(Span<byte> buffer, ConntrackExpectation expectation)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ExpectationMessage.New, MessageFlags.Ack, (byte)expectation.AddressFamily);
        WriteKey(ref writer, expectation.Expected, expectation.Zone ?? 0);
        TupleCodec.Write(ref writer, (ushort)ExpectationAttribute.Mask, expectation.Mask);
        TupleCodec.Write(ref writer, (ushort)ExpectationAttribute.Master, expectation.Master);
        writer.PutUInt32((ushort)ExpectationAttribute.Timeout, expectation.TimeoutSeconds ?? 0);
        return End(buffer, ref writer);
    }

    /// <summary>IPCTNL_MSG_EXP_DELETE for one expectation, without acknowledgement, because only refusals are needed.</summary>
    /// <remarks>With only the tuple the kernel would delete any expectation that matches it, and without the tuple it would delete
    /// all.</remarks>
    /// <returns>The message's length.</returns>
    public static int Delete(Span<byte> buffer, in ExpectationKey key)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ExpectationMessage.Delete, MessageFlags.None, (byte)key.Tuple.Family);
        WriteKey(ref writer, key.Tuple, key.Zone);
        writer.PutUInt32((ushort)ExpectationAttribute.Id, key.Id);
        return End(buffer, ref writer).Length;
    }

    /// <summary>IPCTNL_MSG_EXP_DELETE for all expectations of all families.</summary>
    public static Span<byte> Flush(Span<byte> buffer)
    {
        MessageWriter writer = new(buffer);
        writer.BeginMessage((ushort)ExpectationMessage.Delete, MessageFlags.Ack, 0);
        return End(buffer, ref writer);
    }

    private static void WriteKey(ref MessageWriter writer, in ConntrackTuple tuple, ushort zone)
    {
        TupleCodec.Write(ref writer, (ushort)ExpectationAttribute.Tuple, tuple);
        if (zone != 0)
            writer.PutUInt16((ushort)ExpectationAttribute.Zone, zone);
    }

    private static void WriteNat(ref MessageWriter writer, TupleDirection direction, in ConntrackTuple tuple)
    {
        MessageWriter.Nest nest = writer.BeginNest((ushort)ExpectationAttribute.Nat);
        writer.PutUInt32((ushort)ExpectationNatAttribute.Dir, (uint)direction);
        TupleCodec.Write(ref writer, (ushort)ExpectationNatAttribute.Tuple, tuple);
        writer.EndNest(nest);
    }

    private static Span<byte> End(Span<byte> buffer, scoped ref MessageWriter writer)
    {
        writer.EndMessage();
        return buffer[..writer.Written.Length];
    }
}

/// <summary>Fills an expectation from a message. Unknown attributes are skipped. Truncated attributes and malformed lengths are
/// errors.</summary>
internal static class ExpectationDecoder
{
    /// <exception cref="NetlinkProtocolException">The message is malformed.</exception>
    public static ConntrackExpectation Decode(NetlinkMessage message)
    {
        ConntrackExpectation expectation = new();
        Decode(message, expectation);
        return expectation;
    }

    public static void Decode(NetlinkMessage message, ConntrackExpectation expectation)
    {
        AttributeReader attributes = message.Attributes;
        while (attributes.Read())
        {
            switch ((ExpectationAttribute)attributes.Type)
            {
                case ExpectationAttribute.Tuple:
                    expectation.Expected = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Mask:
                    expectation.Mask = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Master:
                    expectation.Master = TupleCodec.Read(attributes.Nested, out _);
                    break;
                case ExpectationAttribute.Nat:
                    ReadNat(attributes.Nested, expectation);
                    break;
                case ExpectationAttribute.Timeout:
                    expectation.TimeoutSeconds = attributes.UInt32;
                    break;
                case ExpectationAttribute.Id:
                    expectation.Id = attributes.UInt32;
                    break;
                case ExpectationAttribute.HelpName:
                    expectation.Helper = attributes.Text;
                    break;
                case ExpectationAttribute.Zone:
                    expectation.Zone = attributes.UInt16;
                    break;
                case ExpectationAttribute.Flags:
                    expectation.Flags = (ExpectationFlags)attributes.UInt32;
                    break;
                case ExpectationAttribute.Class:
                    expectation.Class = attributes.UInt32;
                    break;
                case ExpectationAttribute.Fn:
                    expectation.Function = attributes.Text;
                    break;
            }
        }
    }

    private static void ReadNat(AttributeReader attributes, ConntrackExpectation expectation)
    {
        while (attributes.Read())
        {
            switch ((ExpectationNatAttribute)attributes.Type)
            {
                case ExpectationNatAttribute.Dir:
                    expectation.NatDirection = (TupleDirection)attributes.UInt32;
                    break;
                case ExpectationNatAttribute.Tuple:
                    expectation.Nat = TupleCodec.Read(attributes.Nested, out _);
                    break;
            }
        }
    }
}

/// <summary>Messages of subsystem NFNL_SUBSYS_CTNETLINK_EXP (enum ctnl_exp_msg_types, linux/netfilter/nfnetlink_conntrack.h).</summary>
internal enum ExpectationMessage : ushort
{
    New = 0x200,
    Get,
    Delete,
    GetStatsCpu,
}

/// <summary>CTA_EXPECT_* (enum ctattr_expect).</summary>
internal enum ExpectationAttribute : ushort
{
    Master = 1,
    Tuple,
    Mask,
    Timeout,
    Id,
    HelpName,
    Zone,
    Flags,
    Class,
    Nat,
    Fn,
}

/// <summary>CTA_EXPECT_NAT_* (enum ctattr_expect_nat).</summary>
internal enum ExpectationNatAttribute : ushort
{
    Dir = 1,
    Tuple,
}
