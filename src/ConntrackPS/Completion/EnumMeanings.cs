using ConntrackPS.Conntrack;

namespace ConntrackPS.Completion;

/// <summary>What states and status bits mean, in a few words.</summary>
internal static class EnumMeanings
{
    public static string Of(ConntrackState state) => state switch
    {
        ConntrackState.SynSent => "TCP: a SYN went out, no answer yet",
        ConntrackState.SynRecv => "TCP: a SYN was answered, the last ACK is missing",
        ConntrackState.Established => "TCP, SCTP: open",
        ConntrackState.FinWait => "TCP: the first FIN was seen",
        ConntrackState.CloseWait => "TCP: the first FIN was acknowledged",
        ConntrackState.LastAck => "TCP: the second FIN was seen",
        ConntrackState.TimeWait => "TCP, DCCP: closed, kept for late packets",
        ConntrackState.Close => "TCP: reset",
        ConntrackState.SynSent2 => "TCP: both ends sent a SYN",
        >= ConntrackState.Closed and <= ConntrackState.HeartbeatAcked => "SCTP",
        _ => "DCCP",
    };

    public static string Of(ConntrackStatus bit) => bit switch
    {
        ConntrackStatus.Expected => "an expectation announced it",
        ConntrackStatus.SeenReply => "packets went both ways",
        ConntrackStatus.Assured => "never dropped early when the table is full",
        ConntrackStatus.Confirmed => "its first packet has left the machine",
        ConntrackStatus.SrcNat => "the source is translated",
        ConntrackStatus.DstNat => "the destination is translated",
        ConntrackStatus.SeqAdjust => "TCP sequence numbers are adjusted",
        ConntrackStatus.SrcNatDone => "source translation was decided, perhaps for none",
        ConntrackStatus.DstNatDone => "destination translation was decided, perhaps for none",
        ConntrackStatus.Dying => "out of the table, about to be freed",
        ConntrackStatus.FixedTimeout => "packets don't renew the timeout",
        ConntrackStatus.Template => "a rule's template, not a connection",
        ConntrackStatus.Untracked => "obsolete",
        ConntrackStatus.Helper => "a rule or ctnetlink attached the helper",
        ConntrackStatus.Offload => "a flow table forwards it",
        ConntrackStatus.HwOffload => "hardware forwards it",
        _ => "no bit",
    };
}
