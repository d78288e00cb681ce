using ConntrackPS.Events;
using ConntrackPS.Text;

namespace ConntrackPS.Tests.Text;

/// <summary>What stands around entries in a terminal or a script: the program's name, prompts, totals.</summary>
public class PastedTextTests
{
    private const string Options = "-s 10.0.0.1 -d 10.0.0.2 -p udp --sport 7 --dport 2";
    private const string Line = "udp      17 9 src=10.0.0.1 dst=10.0.0.2 sport=7 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=7 mark=0 use=1";

    [Theory]
    [InlineData("conntrack -I -t 9 " + Options, null)]
    [InlineData("conntrack -A -t 9 " + Options, null)]
    [InlineData("conntrack --create -t 9 " + Options, null)]
    [InlineData("  conntrack  -U " + Options + " --mark 5", ConntrackEventType.Update)]
    [InlineData("conntrack -D " + Options, ConntrackEventType.Destroy)]
    [InlineData("sudo conntrack -I -t 9 " + Options, null)]
    [InlineData("/usr/sbin/conntrack -I -t 9 " + Options, null)]
    [InlineData("sudo /usr/sbin/conntrack -I -t 9 " + Options, null)]
    [InlineData("$ conntrack -I -t 9 " + Options, null)]
    [InlineData("root@r1:~# conntrack -I -t 9 " + Options, null)]
    [InlineData("[admin@r1 ~]$ sudo conntrack -I -t 9 " + Options, null)]
    public void A_command_of_a_script_or_terminal_is_an_entry(string text, ConntrackEventType? type)
    {
        ConntrackTextRecord record = TextSamples.ReadOne(text);

        Assert.Equal("udp 10.0.0.1:7 -> 10.0.0.2:2", $"{record.Entry!.Original}");
        Assert.Equal(type, (record.Value as ConntrackEvent)?.EventType);
    }

    [Theory]
    [InlineData("conntrack -L")]
    [InlineData("conntrack -L -o extended,id")]
    [InlineData("$ conntrack -L")]
    [InlineData("root@r1:~# conntrack -E -e NEW")]
    [InlineData("[admin@r1 ~]$ sudo conntrack -G " + Options)]
    [InlineData("PS /root> conntrack --dump")]
    [InlineData("# conntrack -I -t 9 " + Options)]
    [InlineData("conntrack v1.4.8 (conntrack-tools): 1 flow entries have been shown.")]
    [InlineData("conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.")]
    [InlineData("conntrack v0.9.14 (conntrack-tools): 1 flow entries have been deleted.")]
    public void What_stands_before_and_after_a_listing_is_passed_over(string text)
    {
        ConntrackTextReader reader = new();
        List<ConntrackTextItem> items = [.. reader.Read(new StringReader($"{text}\n{Line}\n{text}\n{Line}\n{text}"))];

        Assert.Equal(2, items.Count);
        Assert.All(items, item => Assert.Equal((ushort?)7, Assert.IsType<ConntrackTextRecord>(item).Entry!.SourcePort));
        Assert.Equal((2, 0, 3), (reader.RecordCount, reader.ProblemCount, reader.SkippedCount));
    }

    [Theory]
    [InlineData("conntrack v1.4.8 (conntrack-tools): Operation failed: Operation not permitted")]
    [InlineData("conntrack -I -t 9 -s 10.0.0.1 -p udp --sport 7 --dport 2")]
    [InlineData("conntrack -D -s 10.0.0.1")]
    [InlineData("conntrack")]
    [InlineData("conntrack of all entries")]
    [InlineData("see conntrack -L")]
    public void What_is_neither_is_a_problem_as_before(string text) => TextSamples.ReadProblem(text);

    [Fact]
    public void A_problem_in_a_command_has_its_column()
    {
        const string Text = "sudo conntrack -I -t 9 -s 10.0.0.1 -d 10.0.0.256 -p udp --sport 7 --dport 2";
        ConntrackTextProblem problem = TextSamples.ReadProblem(Text);

        Assert.Equal(("10.0.0.256", Text.IndexOf("10.0.0.256", StringComparison.Ordinal) + 1), (problem.Found, problem.Column));
    }
}
