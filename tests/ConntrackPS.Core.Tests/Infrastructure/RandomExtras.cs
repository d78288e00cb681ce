using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Sets the values of entries other than the tuples.</summary>
internal sealed class RandomExtras(Random random, IReadOnlyList<(string Name, IPProtocol Protocol)> helpers, bool withLabels)
{
    private int _tcpState;
    private int _sctpState;

    public void Decorate(ConntrackEntry entry)
    {
        // The maximum timeout of a kernel with 1000 ticks per second is 2,147,483 seconds. Others have a higher limit.
        entry.Data.Timeout = (uint)random.Next(300, random.Next(4) == 0 ? 2_147_000 : 432_000);
        entry.Mark = random.Next(2) == 0 ? (uint)random.NextInt64(uint.MaxValue + 1L) : 0;
        Decide(entry, ConntrackStatus.SeenReply, 2);
        Decide(entry, ConntrackStatus.Assured, 3);
        Decide(entry, ConntrackStatus.FixedTimeout, 5);
        GiveZone(entry);
        if (entry.Protocol == IPProtocol.Tcp)
            GiveTcp(entry);
        else if (entry.Protocol == IPProtocol.Sctp)
            GiveSctp(entry);
        if (withLabels && random.Next(3) == 0)
            entry.MakeDetails().Labels = default(LabelBits).With(random.Next(128)).With(random.Next(128));
        GiveHelper(entry);
    }

    private void Decide(ConntrackEntry entry, ConntrackStatus bit, int oneOf)
    {
        if (random.Next(oneOf) == 0)
            entry.Status |= bit;
    }

    private void GiveZone(ConntrackEntry entry)
    {
        ushort zone = (ushort)random.Next(1, 65536);
        switch (random.Next(8))
        {
            case 0:
                entry.Zone = zone;
                break;
            case 1:
                entry.WithZone(TupleDirection.Original, zone);
                break;
            case 2:
                entry.WithZone(TupleDirection.Reply, zone);
                break;
        }
    }

    private void GiveTcp(ConntrackEntry entry)
    {
        IReadOnlyList<ConntrackState> states = ConntrackStates.Of(IPProtocol.Tcp);
        entry.WithState(states[_tcpState++ % states.Count]);
        entry.Fields |= EntryFields.OriginalTcpFlags | EntryFields.ReplyTcpFlags | EntryFields.OriginalWindowScale | EntryFields.ReplyWindowScale;
        entry.Data.OriginalTcpFlags = (TcpTrackingFlags)random.Next(256);
        entry.Data.ReplyTcpFlags = (TcpTrackingFlags)random.Next(256);
        entry.Data.OriginalWindowScale = (byte)random.Next(15);
        entry.Data.ReplyWindowScale = (byte)random.Next(15);
        if (random.Next(4) == 0)
        {
            entry.MakeDetails().OriginalSequence = Sequence();
            entry.MakeDetails().ReplySequence = random.Next(2) == 0 ? Sequence() : null;
        }

        if (random.Next(4) == 0)
        {
            EntryDetails details = entry.MakeDetails();
            (details.SynproxyIsn, details.SynproxyIts, details.SynproxyTimestampOffset) = (Word(), Word(), Word());
        }
    }

    private void GiveSctp(ConntrackEntry entry)
    {
        // The test kernel no longer has the state HEARTBEAT_ACKED.
        ConntrackState[] states = [.. ConntrackStates.Of(IPProtocol.Sctp).Where(state => state != ConntrackState.HeartbeatAcked)];
        entry.WithState(states[_sctpState++ % states.Length]);
        (entry.MakeDetails().OriginalVerificationTag, entry.MakeDetails().ReplyVerificationTag) = (Word(), Word());
    }

    private void GiveHelper(ConntrackEntry entry)
    {
        (string Name, IPProtocol Protocol)[] fitting = [.. helpers.Where(helper => helper.Protocol == entry.Protocol)];
        if (fitting.Length > 0 && random.Next(4) == 0)
            entry.MakeDetails().Helper = fitting[random.Next(fitting.Length)].Name;
    }

    private SequenceAdjustment Sequence() => new(Word(), (int)Word(), (int)Word());

    private uint Word() => (uint)random.NextInt64(uint.MaxValue + 1L);
}
