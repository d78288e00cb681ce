using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The changes that the kernel makes to an entry that is created by netlink.</summary>
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
            // The kernel stores and sends both directions together.
            entry.Status |= ConntrackStatus.SeqAdjust;
            details.ReplySequence ??= new SequenceAdjustment(0, 0, 0);
        }

        // Every entry created by netlink has SYNPROXY values, and sends them.
        details.SynproxyIsn ??= 0;
        details.SynproxyIts ??= 0;
        details.SynproxyTimestampOffset ??= 0;

        // Window scales apply only if both ends offered scaling.
        if (entry.Protocol == IPProtocol.Tcp && !(entry.Data.OriginalTcpFlags & entry.Data.ReplyTcpFlags).HasFlag(TcpTrackingFlags.WindowScale))
            (entry.Data.OriginalWindowScale, entry.Data.ReplyWindowScale) = (0, 0);
        return entry;
    }
}
