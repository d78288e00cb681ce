using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

public sealed class ConntrackStatesTests
{
    private static readonly IPProtocol[] Protocols = [IPProtocol.Tcp, IPProtocol.Sctp, IPProtocol.Dccp];

    public static TheoryData<IPProtocol> Stateful => [.. Protocols];

    [Theory]
    [MemberData(nameof(Stateful))]
    public void Every_number_a_kernel_could_send_passes_through(IPProtocol protocol)
    {
        for (int number = 0; number < 0x80; number++)
            Assert.Equal((byte)number, ConntrackStates.ToKernel(protocol, ConntrackStates.FromKernel(protocol, (byte)number)));
    }

    [Theory]
    [MemberData(nameof(Stateful))]
    public void A_number_past_the_known_ones_is_unknown_and_not_another_state(IPProtocol protocol)
    {
        byte number = (byte)ConntrackStates.Of(protocol).Count;
        ConntrackState state = ConntrackStates.FromKernel(protocol, number);
        Assert.Equal((int)ConntrackState.Unknown + number, (int)state);
        Assert.False(Enum.IsDefined(state));
    }

    [Theory]
    [InlineData(IPProtocol.Tcp, ConntrackState.CookieWait)]
    [InlineData(IPProtocol.Sctp, ConntrackState.SynSent)]
    [InlineData(IPProtocol.Udp, ConntrackState.Established)]
    public void Another_protocol_s_state_has_no_number(IPProtocol protocol, ConntrackState state) =>
        Assert.Null(ConntrackStates.ToKernel(protocol, state));

    /// <summary>The number of a named state, or any number of a protocol without states, must not become the state of an entry.</summary>
    [Theory]
    [InlineData(IPProtocol.Tcp, 0x80 + 3)]
    [InlineData(IPProtocol.Sctp, 0x80 + 9)]
    [InlineData(IPProtocol.Udp, 0x80 + 12)]
    public void A_state_without_a_name_has_no_number_of_another_state(IPProtocol protocol, byte state) =>
        Assert.Null(ConntrackStates.ToKernel(protocol, (ConntrackState)state));

    [Theory]
    [InlineData("140", 140)]
    [InlineData("255", 255)]
    [InlineData("128", -1)]
    [InlineData("3", -1)]
    [InlineData("256", -1)]
    [InlineData("+140", -1)]
    public void A_number_is_the_name_of_a_state_that_has_no_other(string text, int state)
    {
        Assert.Equal(state >= 0, ConntrackStates.TryParse(text, out ConntrackState parsed));
        if (state >= 0)
            Assert.Equal((text, state), (parsed.ToString(), (int)parsed));
    }

    [Fact]
    public void Protocols_without_state_have_none() => Assert.Empty(ConntrackStates.Of(IPProtocol.Udp));

    [Fact]
    public void Every_state_belongs_to_a_protocol()
    {
        IEnumerable<ConntrackState> known = Protocols.SelectMany(ConntrackStates.Of);
        Assert.Empty(Enum.GetValues<ConntrackState>().Except(known).Except([ConntrackState.Unknown]));
    }

    /// <summary>enum ct_dccp_states. No user-space header has it, so the comparison with C can't check it.</summary>
    [Fact]
    public void DCCP_s_states_are_in_the_kernel_s_order() => Assert.Equal(
        "None Request Respond PartOpen Open CloseReq Closing TimeWait Ignore Invalid",
        string.Join(' ', ConntrackStates.Of(IPProtocol.Dccp)));

    /// <summary>Several protocols share a name, each with its own number.</summary>
    [Fact]
    public void Shared_names_have_each_protocol_s_number()
    {
        Assert.Equal((byte)3, ConntrackStates.ToKernel(IPProtocol.Tcp, ConntrackState.Established));
        Assert.Equal((byte)4, ConntrackStates.ToKernel(IPProtocol.Sctp, ConntrackState.Established));
        Assert.Equal((byte)7, ConntrackStates.ToKernel(IPProtocol.Tcp, ConntrackState.TimeWait));
        Assert.Equal((byte)7, ConntrackStates.ToKernel(IPProtocol.Dccp, ConntrackState.TimeWait));
    }
}
