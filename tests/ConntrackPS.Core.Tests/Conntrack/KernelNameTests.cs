using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Expectations;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Conntrack;

/// <summary>Names that the kernel would refuse or cut at a NUL, or that do not fit into a request.</summary>
public sealed class KernelNameTests
{
    public static TheoryData<string> Wrong => ["ftp\0x", "\0", new string('x', 16), new string('x', 100_000), "ééééééé\u20ac"];

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_helper_of_such_a_name_is_refused_wherever_it_comes_from(string name)
    {
        ConntrackEntry entry = Entries.Tcp("192.0.2.1", 1000, "198.51.100.7", 21);
        Assert.Throws<FormatException>(() => new EntryTemplate { Helper = name, TimeoutSeconds = 60 }.Copy(entry));
        entry.MakeDetails().Helper = name;
        Assert.Throws<FormatException>(() => new EntryTemplate { TimeoutSeconds = 60 }.Copy(entry));
        Assert.Throws<FormatException>(() => new EntryChange { Helper = name });
        Assert.Throws<FormatException>(() => ExpectationSamples.Data(entry, more: new ExpectationTemplate { Helper = name }));
    }

    [Fact]
    public void A_function_of_such_a_name_is_refused() => Assert.Throws<FormatException>(
        () => ExpectationSamples.Data(Entries.Tcp("192.0.2.1", 1000, "198.51.100.7", 21), more: new ExpectationTemplate { Function = "nat\0" }));

    [Fact]
    public void The_longest_name_is_taken() =>
        Assert.Equal("fifteen-letters", new EntryChange { Helper = "fifteen-letters" }.Helper);
}
