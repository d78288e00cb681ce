using System.Globalization;
using System.Text.RegularExpressions;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Tests.Tuning;

/// <summary>Compares our boot values with the programs that set them: each program runs with the test's files, in its own root and network
/// namespace, and the kernel shows the result.</summary>
public sealed partial class BootProgramTests : IDisposable
{
    private const string Prefix = "net.netfilter.nf_conntrack_";

    /// <summary>A root with the machine's programs and the test's files.</summary>
    private const string Script = """
        new=$(mktemp -d) && mount -t tmpfs none "$new" && cd "$new" && mkdir -p usr proc dev etc run tmp || exit 1
        mount --rbind /usr usr && for link in bin sbin lib lib64; do ln -s "usr/$link" "$link"; done
        mount --bind /proc proc && mount --bind /dev dev || exit 1
        mount -t tmpfs none usr/lib/sysctl.d && mkdir -p usr/local && mount -t tmpfs none usr/local || exit 1
        cp -a "$1/." . 2>/dev/null
        shift
        export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console
        chroot . "$@" 2>&1
        cd /proc/sys/net/netfilter && grep -H . *timeout* nf_conntrack_tcp_max_retrans
        """;

    private static readonly string[] Names =
        ["generic_timeout", "icmp_timeout", "icmpv6_timeout", "gre_timeout", "udp_timeout", "udp_timeout_stream", "tcp_max_retrans"];

    private readonly PersistenceFixture _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Both_programs_set_what_we_say()
    {
        _files.Write("etc/sysctl.d/50-a.conf", Prefix + "generic_timeout=11", Prefix + "tcp_max_retrans=5");
        _files.Write("run/sysctl.d/50-a.conf", Prefix + "generic_timeout=12");
        _files.Write("etc/sysctl.d/60-b.conf", "net/netfilter/nf_conntrack_icmp_timeout=0x1F", "net.netfilter/nf_conntrack_icmpv6_timeout=22",
            "/net/netfilter/nf_conntrack_udp_timeout_stream=010", "- " + Prefix + "gre_timeout = 25", Prefix + "udp_timeout= 31 # seconds");
        _files.Write("etc/sysctl.d/.hidden.conf", Prefix + "icmpv6_timeout=41");
        _files.Write("etc/sysctl.d/a.conf", Prefix + "udp_timeout=43");
        _files.Write("etc/sysctl.d/B.conf", "--" + Prefix + "udp_timeout=42", Prefix + "udp_timeout=44;");
        _files.Write("etc/sysctl.d/z.conf", Prefix + "g*_timeout=77", "-" + Prefix + "generic_timeout");
        _files.Write("etc/sysctl.conf", Prefix + "tcp_max_retrans=6");
        RequireSame();
    }

    /// <summary>All spellings, in any order, in any file.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Both_programs_set_what_we_say_about_random_files(int seed)
    {
        Random random = new(seed);
        string[] files = ["etc/sysctl.d/a.conf", "etc/sysctl.d/b.conf", "run/sysctl.d/a.conf", "usr/lib/sysctl.d/C.conf", "usr/local/lib/sysctl.d/b.conf", "etc/sysctl.d/.x.conf", "etc/sysctl.conf"];
        foreach (string file in files.Where(_ => random.Next(4) > 0))
            _files.Write(file, [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => RandomLine(random))]);
        RequireSame();
    }

    /// <summary>The maximum has two names, which systemd-sysctl treats as two parameters. A line with the same value keeps its earlier
    /// position.</summary>
    [Theory]
    [InlineData("net.netfilter.nf_conntrack_max=1", "net.nf_conntrack_max=2", "net.netfilter.nf_conntrack_max=1")]
    [InlineData("net.netfilter.nf_conntrack_max=1", "net.nf_conntrack_max=2", "net.netfilter.nf_conntrack_max=3")]
    [InlineData("net.nf_conntrack_max=1", "net.netfilter.nf_conntrack_max=2", "net.nf_conntrack_max=2")]
    public void Systemd_writes_the_maximum_last_that_we_say(params string[] lines)
    {
        _files.Write("etc/sysctl.d/a.conf", lines);
        string written = MaximumWritten().Matches(Run("/usr/lib/systemd/systemd-sysctl"))[^1].Groups["value"].Value;
        Assert.Equal(written, PersistedSettings.Read(_files.Root).FindFor("nf_conntrack_max", BootReaders.Systemd)!.Text);
    }

    private static string RandomLine(Random random)
    {
        string key = Prefix + Names[random.Next(Names.Length)];
        key = random.Next(6) switch
        {
            0 => key.Replace('.', '/'),
            1 => "/" + key.Replace('.', '/'),
            2 => "net.netfilter/" + key["net.netfilter.".Length..],
            _ => key,
        };
        key = random.Next(8) switch { 0 => "-" + key, 1 => "- " + key, 2 => "--" + key, 3 => "  " + key + "\t", _ => key };
        string value = random.Next(5) switch { 0 => " 0x" + random.Next(16, 100), 1 => "0" + random.Next(10, 70).ToString(CultureInfo.InvariantCulture).Replace('8', '7').Replace('9', '7'), 2 => $" {random.Next(1, 200)} ", _ => random.Next(1, 200).ToString(CultureInfo.InvariantCulture) };
        return random.Next(10) switch { 0 => "# " + key + "=" + value, 1 => ";" + key + "=" + value, 2 => key, _ => key + "=" + value };
    }

    private void RequireSame()
    {
        PersistedSettings settings = PersistedSettings.Read(_files.Root);
        Dictionary<string, Int128> untouched = Values(Run("/bin/true"));
        foreach ((BootReaders reader, string[] command) in new[]
        {
            (BootReaders.Systemd, new[] { "/usr/lib/systemd/systemd-sysctl" }), (BootReaders.Procps, ["/sbin/sysctl", "--system"]),
        })
        {
            Dictionary<string, Int128> set = Values(Run(command));
            Assert.All(Names, name =>
            {
                PersistedValue? said = settings.FindFor("nf_conntrack_" + name, reader);
                Assert.True(
                    (said is null ? untouched[name] : said.Number ?? untouched[name]) == set[name], $"{reader} sets {name} to {set[name]}, and we say {said}.");
            });
        }
    }

    private string Run(params string[] command) => Shell.Run("unshare", ["-mn", "sh", "-c", Script, "sh", _files.Path(""), .. command]);

    private static Dictionary<string, Int128> Values(string output) => ValueLine().Matches(output).ToDictionary(
        match => match.Groups["name"].Value, match => Int128.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"^nf_conntrack_(?<name>\w+):(?<value>-?\d+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex ValueLine();

    [GeneratedRegex(@"Setting '/proc/sys/net/(netfilter/)?nf_conntrack_max' to '(?<value>\d+)'", RegexOptions.ExplicitCapture)]
    private static partial Regex MaximumWritten();
}
