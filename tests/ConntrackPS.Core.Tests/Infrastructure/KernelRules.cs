using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>What the kernel makes of an entry that was created by netlink, where it isn't what was asked.</summary>
internal static class KernelRules
{
    public static ConntrackEntry Apply(ConntrackEntry entry)
    {
        EntryDetails details = entry.MakeDetails();
        if ((entry.Status & (ConntrackStatus.SrcNat | ConntrackStatus.DstNat)) != 0)
            entry.Status |= ConntrackStatus.SrcNatDone | ConntrackStatus.DstNatDone;
        if (details.Helper is not null)
            entry.Status |= ConntrackStatus.Helper;
        if (details.Master is not null)
            entry.Status |= ConntrackStatus.Expected;
        if (details.OriginalSequence is not null)
        {
            // Both directions are kept together, and shown together.
            entry.Status |= ConntrackStatus.SeqAdjust;
            details.ReplySequence ??= new SequenceAdjustment(0, 0, 0);
        }

        // Every entry made by netlink has room for SYNPROXY's numbers, and shows them.
        details.SynproxyIsn ??= 0;
        details.SynproxyIts ??= 0;
        details.SynproxyTimestampOffset ??= 0;

        // Window scales hold only where both ends offered scaling.
        if (entry.Protocol == IPProtocol.Tcp && !(entry.Data.OriginalTcpFlags & entry.Data.ReplyTcpFlags).HasFlag(TcpTrackingFlags.WindowScale))
            (entry.Data.OriginalWindowScale, entry.Data.ReplyWindowScale) = (0, 0);
        return entry;
    }
}
