using ConntrackPS.Fuzzing;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Fuzzing;

/// <summary>Mutants of real messages and lines. ConntrackPS.Bench runs the same with millions of cases and other seeds.</summary>
public sealed class FuzzTests
{
    private const int Seed = 8;

    [Fact]
    public void A_damaged_message_is_decoded_or_a_protocol_error_and_never_read_past_its_end()
    {
        FuzzReport report = FuzzRun.Messages(200_000, Seed);
        Assert.Equal("", string.Join('\n', report.Failures));
        Assert.Equal(200_000, report.Cases);

        // If all mutants were refused, or none, the test would prove little.
        Assert.Equal([nameof(NetlinkProtocolException)], report.Exceptions.Keys);
        Assert.InRange(report.Exceptions[nameof(NetlinkProtocolException)], report.Cases / 10, report.Cases * 9 / 10);
    }

    [Fact]
    public void A_damaged_line_is_never_an_exception()
    {
        FuzzReport report = FuzzRun.Text(50_000, Seed);
        Assert.Equal("", string.Join('\n', report.Failures));
        Assert.Equal(50_000, report.Cases);
    }
}
