using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Diagnosis;
using ConntrackPS.Events;
using ConntrackPS.Expectations.Events;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;
using ConntrackPS.Tuning.Policies;

namespace ConntrackPS.Fuzzing;

/// <summary>Does the same with a datagram as the library: reads its messages, decodes each by its type, reads every property of the result,
/// and writes it again.</summary>
internal static class MessageReading
{
    private const byte ConntrackSubsystem = 1, ExpectationSubsystem = 2, TimeoutSubsystem = 8;

    /// <summary>The kernel answers IPCTNL_MSG_EXP_GET_STATS_CPU with the number of the other subsystem.</summary>
    private const ushort ExpectationStatsAnswer = 0x103;

    /// <exception cref="NetlinkProtocolException">The datagram is malformed.</exception>
    public static void Read(ReadOnlySpan<byte> datagram)
    {
        MessageReader reader = new(datagram);
        while (reader.TryRead(out NetlinkMessage message))
            Decode(message);
    }

    private static void Decode(NetlinkMessage message)
    {
        switch (message.Type >> 8)
        {
            case 0 when message.Type is ControlMessage.Error or ControlMessage.Done:
                _ = NetlinkAnswer.Decode(message).ToException("ask").Message;
                break;
            case ConntrackSubsystem when message.Type == (ushort)ConntrackMessage.GetStatsCpu:
                _ = NetlinkCounterReader.Decode(message);
                break;
            case ConntrackSubsystem when message.Type == ExpectationStatsAnswer:
                NetlinkCounterReader.DecodeExpectations(message, new CpuCounters(0));
                break;
            case ConntrackSubsystem when message.Type == (ushort)ConntrackMessage.GetStats:
                _ = TableCount.Decode(message);
                break;
            case ConntrackSubsystem:
                Inspect(EntryDecoder.Decode(message));
                if (EventDecoder.Decode(message) is { } happened)
                    PropertyReading.ReadAll(happened);
                break;
            case ExpectationSubsystem:
                PropertyReading.ReadAll(ExpectationDecoder.Decode(message));
                if (ExpectationEventDecoder.Decode(message) is { } expected)
                    PropertyReading.ReadAll(expected);
                break;
            case TimeoutSubsystem:
                PropertyReading.ReadAll(PolicyCodec.Decode(message, null));
                break;
            default:
                // A message of another subsystem, which the library skips. Its attributes are read anyway.
                AttributeReader attributes = message.Attributes;
                while (attributes.Read())
                    _ = attributes.Text;
                break;
        }
    }

    private static void Inspect(ConntrackEntry entry)
    {
        PropertyReading.ReadAll(entry);
        Span<byte> buffer = stackalloc byte[NetlinkBatch.MaximumMessageSize];
        try
        {
            _ = TableRequests.Delete(buffer, (EntryAddress.Of(EntryKey.Of(entry)), entry.Data.Id));
            _ = EntryEncoder.Create(buffer, new EntryTemplate { TimeoutSeconds = 1 }.Copy(entry), MessageFlags.Create);
        }
        catch (FormatException)
        {
            // Refused: an incomplete tuple, or a value that the kernel would not accept.
        }
    }
}
