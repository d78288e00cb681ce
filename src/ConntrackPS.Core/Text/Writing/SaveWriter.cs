using System.Text;
using ConntrackPS.Conntrack;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Text.Writing;

/// <summary>Writes entries as commands for <c>conntrack -R</c>.</summary>
/// <remarks>Follows ct_save_snprintf of conntrack-tools 1.4.7, with these changes, so that <c>-R</c> accepts every line and loses less:
/// <list type="bullet">
/// <item>-m is added for marks, which conntrack leaves out;</item>
/// <item>options that -A requires are always written, even if the entry lacks them: -t, --state, ports, --orig-vtag;</item>
/// <item>-u never has EXPECTED. The kernel rejects it without the master connection, and -R would end there;</item>
/// <item>-n and -g have the port if -R would not translate it otherwise: the address doesn't change, or both directions change.</item>
/// </list>
/// This form can't express: helper, labels (two lines with labels crash -R), counters, times, master, the ICMP id after
/// translation.</remarks>
internal static class SaveWriter
{
    /// <summary>The timeout of entries without one, such as those that a flow table forwards. A live connection renews it.</summary>
    private const uint DefaultTimeout = 30;

    private static readonly (ConntrackStatus Bit, string Name)[] StatusNames =
    [
        (ConntrackStatus.SeenReply, "SEEN_REPLY"), (ConntrackStatus.Assured, "ASSURED"), (ConntrackStatus.FixedTimeout, "FIXED_TIMEOUT"),
    ];

    public static void Append(StringBuilder text, ConntrackEntry entry)
    {
        text.Append("-A ");
        Append(text, "-t ", entry.TimeoutSeconds ?? DefaultTimeout);
        AppendStatus(text, entry.Status);
        if (entry.Zone != 0)
            Append(text, "-w ", entry.Zone);
        if (entry.OriginalZone is { } originalZone)
            Append(text, "--orig-zone ", originalZone);
        if (entry.ReplyZone is { } replyZone)
            Append(text, "--reply-zone ", replyZone);
        if (entry.Data.Mark != 0)
            Append(text, "-m ", entry.Data.Mark);
        AppendAddresses(text, entry);
        AppendProtocol(text, entry);
    }

    private static void AppendStatus(StringBuilder text, ConntrackStatus status)
    {
        string separator = "-u ";
        foreach ((ConntrackStatus bit, string name) in StatusNames)
        {
            if ((status & bit) == 0)
                continue;
            text.Append(separator);
            text.Append(name);
            separator = ",";
        }

        text.Append(separator == "," ? " " : "-u UNSET ");
    }

    private static void AppendAddresses(StringBuilder text, ConntrackEntry entry)
    {
        ConntrackTuple original = entry.Original, reply = entry.Reply;
        bool hasPorts = ProtocolText.PartsOf(entry.Protocol) is TupleParts.Ports or TupleParts.Keys;
        bool movesSource = (entry.Status & (ConntrackStatus.SrcNat | ConntrackStatus.SrcNatDone)) != 0 && Translation.SourceAddressDiffers(entry);
        bool movesDestination = (entry.Status & (ConntrackStatus.DstNat | ConntrackStatus.DstNatDone)) != 0 && Translation.DestinationAddressDiffers(entry);
        bool movesSourcePort = hasPorts && Translation.SourcePortDiffers(entry);
        bool movesDestinationPort = hasPorts && Translation.DestinationPortDiffers(entry);

        // Only a port differs: only the status distinguishes translation from an unusual reply.
        bool movesPortOnly = movesSourcePort && !movesSource && (entry.Status & ConntrackStatus.SrcNat) != 0;
        bool movesDestinationPortOnly = movesDestinationPort && !movesDestination && (entry.Status & ConntrackStatus.DstNat) != 0;
        bool movesBoth = (movesSource || movesPortOnly) && (movesDestination || movesDestinationPortOnly);

        AppendAddress(text, "-s ", original.Family, original.Source);
        AppendAddress(text, "-d ", original.Family, original.Destination);
        AppendAddress(
            text, movesDestination || movesDestinationPortOnly ? "-g " : "-r ", reply.Family, reply.Source,
            movesDestinationPortOnly || (movesBoth && movesDestinationPort) ? reply.SourcePort : null);
        AppendAddress(
            text, movesSource || movesPortOnly ? "-n " : "-q ", reply.Family, reply.Destination,
            movesPortOnly || (movesBoth && movesSourcePort) ? reply.DestinationPort : null);
    }

    /// <summary>Writes an option with an address and, if needed, a port.</summary>
    public static void AppendAddress(StringBuilder text, string option, IPFamily family, AddressBits address, ushort? port = null)
    {
        text.Append(option);
        bool needsBrackets = port is not null && family == IPFamily.IPv6;
        if (needsBrackets)
            text.Append('[');
        AddressText.Append(text, family, address);
        if (needsBrackets)
            text.Append(']');
        if (port is { } number)
        {
            text.Append(':');
            text.Append(number);
        }

        text.Append(' ');
    }

    private static void AppendProtocol(StringBuilder text, ConntrackEntry entry)
    {
        ConntrackTuple original = entry.Original, reply = entry.Reply;
        AppendProtocolName(text, entry.Protocol);
        switch (ProtocolText.PartsOf(entry.Protocol))
        {
            case TupleParts.Ports:
                Append(text, "--sport ", original.SourcePort);
                Append(text, "--dport ", original.DestinationPort);
                Append(text, "--reply-port-src ", reply.SourcePort);
                Append(text, "--reply-port-dst ", reply.DestinationPort);
                AppendState(text, entry);
                break;
            case TupleParts.Keys:
                Append(text, "--srckey ", original.SourcePort);
                Append(text, "--dstkey ", original.DestinationPort);
                Append(text, "--reply-key-src ", reply.SourcePort);
                Append(text, "--reply-key-dst ", reply.DestinationPort);
                break;
            case TupleParts.Icmp:
                AppendIcmp(text, original);
                break;
        }
    }

    /// <summary>Writes -p with the name, or with the number if conntrack has no name.</summary>
    public static void AppendProtocolName(StringBuilder text, IPProtocol protocol)
    {
        string name = ProtocolNames.ToTracked(protocol);
        text.Append("-p ");
        if (name == ProtocolNames.Untracked)
            text.Append((ulong)protocol);
        else
            text.Append(name);
        text.Append(' ');
    }

    /// <summary>Writes type, code and id of an ICMP or ICMPv6 request.</summary>
    public static void AppendIcmp(StringBuilder text, in ConntrackTuple original)
    {
        string name = ProtocolNames.ToTracked(original.Protocol);
        Append(text, $"--{name}-type ", (uint)original.DestinationPort >> 8);
        Append(text, $"--{name}-code ", (byte)original.DestinationPort);
        Append(text, $"--{name}-id ", original.SourcePort);
    }

    private static void AppendState(StringBuilder text, ConntrackEntry entry)
    {
        if (!ProtocolText.HasState(entry.Protocol))
            return;

        // A flow table forwards established connections. The kernel gives NONE to a new entry, and conntrack doesn't know the heartbeats of
        // SCTP.
        ConntrackState state = entry.State ?? ((entry.Status & ConntrackStatus.Offload) != 0 && entry.Protocol == IPProtocol.Tcp
            ? ConntrackState.Established
            : ConntrackState.None);
        if (state is ConntrackState.HeartbeatSent or ConntrackState.HeartbeatAcked)
            state = ConntrackState.None;
        text.Append("--state ");
        text.Append(StateNames.Of(entry.Protocol, state));
        text.Append(' ');
        if (entry.Protocol == IPProtocol.Sctp)
        {
            Append(text, "--orig-vtag ", SaveOptions.SwapTag(entry.OriginalVerificationTag ?? 0));
            Append(text, "--reply-vtag ", SaveOptions.SwapTag(entry.ReplyVerificationTag ?? 0));
        }
        else if (entry.Protocol == IPProtocol.Dccp)
        {
            text.Append(entry.DccpRole == 1 ? "--role server " : "--role client ");
        }
    }

    /// <summary>Writes an option with a number.</summary>
    public static void Append(StringBuilder text, string option, uint number)
    {
        text.Append(option);
        text.Append(number);
        text.Append(' ');
    }
}

/// <summary>Writes commands for <c>conntrack -R</c> that delete this entry and no other.</summary>
/// <remarks>conntrack -D filters by all given options. So a line has the tuple and the zone, and nothing that may have changed since.
/// conntrack ignores GRE keys: a line for one tunnel would delete all tunnels between two hosts.</remarks>
internal static class DeleteWriter
{
    /// <exception cref="NotSupportedException">conntrack can't distinguish the entry from others.</exception>
    public static void Append(StringBuilder text, ConntrackEntry entry)
    {
        TupleParts parts = ProtocolText.PartsOf(entry.Protocol);
        if (parts == TupleParts.Keys)
            throw new NotSupportedException("conntrack -D ignores GRE keys, and would delete other tunnels between the two hosts.");
        text.Append("-D ");
        SaveWriter.Append(text, "-w ", entry.Zone);
        if (entry.OriginalZone is { } originalZone)
            SaveWriter.Append(text, "--orig-zone ", originalZone);
        if (entry.ReplyZone is { } replyZone)
            SaveWriter.Append(text, "--reply-zone ", replyZone);
        SaveWriter.AppendAddress(text, "-s ", entry.AddressFamily, entry.Original.Source);
        SaveWriter.AppendAddress(text, "-d ", entry.AddressFamily, entry.Original.Destination);
        SaveWriter.AppendProtocolName(text, entry.Protocol);
        if (parts == TupleParts.Icmp)
        {
            SaveWriter.AppendIcmp(text, entry.Original);
        }
        else if (parts == TupleParts.Ports)
        {
            SaveWriter.Append(text, "--sport ", entry.Original.SourcePort);
            SaveWriter.Append(text, "--dport ", entry.Original.DestinationPort);
        }
    }
}
