using System.Diagnostics;
using System.Globalization;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

/// <summary>What terminals, editors, logs, mails and pages put around a line.</summary>
public class LineFrameTests
{
    private const string Entry = "tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=198.51.100.7 sport=40010 dport=443 src=198.51.100.7 dst=203.0.113.1 sport=443 dport=40010 [ASSURED] mark=0 use=1";
    private const string Event = "[NEW] udp      17 30 src=192.0.2.1 dst=192.0.2.255 sport=17500 dport=17500 [UNREPLIED] src=192.0.2.255 dst=192.0.2.1 sport=17500 dport=17500";
    private const string Stamped = "[1427392756.120001]\t    " + Event;

    private static readonly DateTime Reference = new(2026, 11, 29, 12, 0, 0, DateTimeKind.Local);

    public static TheoryData<string> Fronts =>
    [
        // Mails, and mails of mails.
        "> ", ">> ", ">", "> > > > > > > > > > > ", "| ", "  | ", "&gt; ", "&gt;&gt; ", "&amp;gt; ",
        // grep, zgrep, cat -n, nl, awk, less -N, uniq -c, Select-String.
        "12:", "/var/log/x.log:12:", "x.log:", "./x.log:7:", "x.log-12-", "/var/log/messages-20260716-12-", "     3\t", "  12  ", "3 ", "12: ", "   12 | ",
        "C:\\logs\\x.log:12:", "(standard input):12:", "messages.1.gz:", "12-",
        // diff and lists.
        "+", "-", "+ ", "- ", "* ", "1. ", "1) ", "(1) ", "\u2022 ", "[1] ", "\u251C\u2500\u2500 ",
        // Comments and sources.
        "# ", "#", "// ", "/// ", " * ", "/* ", "; ", "-- ", "### ", "//     ", "\"", "    line := \"", "const string line = \"", "parse(\"", "let ev = parse_event(\"", "\t// \"", "echo \"", "{\"",
        // Terminals.
        "root@OpenWrt:~# ", "[root@gw ~]# ", "user@host:/var/log$ ", "PS C:\\> ", "bash-5.1$ ", "$ ", "/ # ", "~ # ",
        // Logs without a day.
        "kern.info kernel: ", "kernel: [12345.678901] ", "[12345.678901] ", "[    5.123456] ", "[  123.456789][ T1234] ", "07:40:00 ", "07:40:00.123456 ", "[07:40:00] ",
        "conntrack[12]: ", "conntrackd: ", "INFO[0029] ", "[INFO] ", "INFO: ", "[pod/conntrack-abc/logger] ", "router-1  | ", "node1: ", "ERROR:root:", "level=info msg=\"",
        "MESSAGE=", "    MESSAGE=", "<6>", "<134>kernel: ", "rtr daemon.info conntrack[12]: ",
        // Pages.
        "<pre>", "<pre><code>", "<code class=\"language-console\">", "<p>", "<li>", "<br>", "`", "| `", "<!-- ",
        // Of several kinds.
        "> 12:", "> > # ", "+ # ", "| 3 | ", "<blockquote><p>&gt; ", "x.log:12:> ",
    ];

    [Theory]
    [MemberData(nameof(Fronts))]
    public void A_prefix_is_taken_away_from_entries_and_events(string front)
    {
        foreach (string line in front.StartsWith("rtr", StringComparison.Ordinal) ? [] : new[] { Entry, Event, Stamped, "ipv4     2 " + Entry, "178 l3proto = 2 proto=17 src=198.51.100.10 dst=203.0.113.9 sport=0 dport=49170 sip/audio" })
        {
            Assert.True(LineFrame.TryRemove(front + line, Reference, out ReadOnlySpan<char> content, out DateTime? time), line);
            Assert.Equal(line, content.ToString());
            Assert.Null(time);
        }
    }

    public static TheoryData<string, string> Dated => new()
    {
        { "Jul 16 12:54:54 vyos-conntrack-logger[9387]: ", "2026-07-16 12:54:54" },
        { "Jul  6 12:54:54 gw conntrack: ", "2026-07-06 12:54:54" },
        { "Nov 29 12:54:54 gw conntrack[1]: ", "2026-11-29 12:54:54" },
        { "Dec 31 23:59:59 gw conntrack[1]: ", "2025-12-31 23:59:59" },
        { "Feb 29 10:00:00 gw kernel: ", "2024-02-29 10:00:00" },
        { "<134>Jul 16 12:54:54 gw conntrack[1]: ", "2026-07-16 12:54:54" },
        { "Jul 16 12:54:54 gw kernel: [12345.678901] ", "2026-07-16 12:54:54" },
        { "Jul 16 12:54:54.123 gw user.notice conntrack: ", "2026-07-16 12:54:54.123" },
        { "Jul 16 2025 12:54:54 gw: ", "2025-07-16 12:54:54" },
        { "<134>1 2026-11-20T07:40:00.123456+00:00 gw conntrack 12 - - ", "2026-11-20 07:40:00.123456Z" },
        { "<134>1 2026-11-20T07:40:00Z gw conntrack 12 ID47 [ex@32473 iut=\"3\" src=\"x\"] ", "2026-11-20 07:40:00Z" },
        { "2026-11-20T07:40:00.123456+01:00 gw conntrack[1]: ", "2026-11-20 06:40:00.123456Z" },
        { "2026-11-20T07:40:00+0000 gw conntrack[12]: ", "2026-11-20 07:40:00Z" },
        { "2026-11-20T07:40:00-0530 gw conntrack[12]: ", "2026-11-20 13:10:00Z" },
        { "Fri 2026-11-20 07:40:00 UTC gw conntrack[12]: ", "2026-11-20 07:40:00Z" },
        { "Fri 2026-11-20 07:40:00.123456 CET gw conntrack[12]: ", "2026-11-20 06:40:00.123456Z" },
        { "1795160400.123456 gw conntrack[12]: ", "2026-11-20 07:40:00.123456Z" },
        { "Fri Nov 20 07:40:00 2026 daemon.info conntrack[12]: ", "2026-11-20 07:40:00" },
        { "[Fri Nov 20 07:40:00 2026] ", "2026-11-20 07:40:00" },
        { "Fri Nov 20 07:40:00 UTC 2026 ", "2026-11-20 07:40:00Z" },
        { "2026-11-20T07:40:00.123456789Z stdout F ", "2026-11-20 07:40:00.1234567Z" },
        { "router-1  | 2026-11-20T07:40:00.123456789Z ", "2026-11-20 07:40:00.1234567Z" },
        { "[pod/a/b] 2026-11-20T07:40:00Z ", "2026-11-20 07:40:00Z" },
        { "Nov 20 07:40:00 ", "2026-11-20 07:40:00" },
        { "2026-11-20 07:40:00 ", "2026-11-20 07:40:00" },
        { "2026/11/20 07:40:00 ", "2026-11-20 07:40:00" },
        { "20.11.2026 07:40:00 ", "2026-11-20 07:40:00" },
        { "20/Nov/2026:07:40:00 +0100 ", "2026-11-20 06:40:00Z" },
        { "[20/Nov/2026:07:40:00 +0100] ", "2026-11-20 06:40:00Z" },
        { "Fri, 20 Nov 2026 07:40:00 +0000 ", "2026-11-20 07:40:00Z" },
        { "11/20/2026 7:40:00 PM ", "2026-11-20 19:40:00" },
        { "[2026-11-20 07:40:00.123] ", "2026-11-20 07:40:00.123" },
        { "2026-11-20 07:40:00,123 INFO conntrack: ", "2026-11-20 07:40:00.123" },
        { "2026-11-20 07:40:00.123 [info] ", "2026-11-20 07:40:00.123" },
        { "[I] Nov 20 07:40:00 ndm: kernel: ", "2026-11-20 07:40:00" },
        { "time=\"2026-11-20T07:40:00Z\" level=info msg=\"", "2026-11-20 07:40:00Z" },
        { "ts=1795160400.5 level=info msg=\"", "2026-11-20 07:40:00.5Z" },
        { "/var/log/messages:12:Jul 16 12:54:54 gw conntrack: ", "2026-07-16 12:54:54" },
        { "> Jul 16 12:54:54 gw conntrack: ", "2026-07-16 12:54:54" },
        { "2026-11-20T07:40:00Z Jul 16 12:54:54 gw conntrack: ", "2026-11-20 07:40:00Z" },
        { "Nov 20 07:40:00 gw conntrack: Jul 16 12:54:54 ", "2026-11-20 07:40:00" },
    };

    [Theory]
    [MemberData(nameof(Dated))]
    public void A_log_tells_the_time(string front, string expected)
    {
        foreach (string line in new[] { Entry, Event, Stamped })
        {
            Assert.True(LineFrame.TryRemove(front + line, Reference, out ReadOnlySpan<char> content, out DateTime? time), line);
            Assert.Equal(line, content.ToString());
            Assert.Equal(TimeOf(expected), time);
            Assert.Equal(DateTimeKind.Local, time!.Value.Kind);
        }
    }

    [Theory]
    [InlineData("11/10/2026 07:40:00 ")]
    [InlineData("Fri 2026-11-20 07:40:00 CST gw conntrack[12]: ")]
    [InlineData("Fri 2026-11-20 07:40:00 XYZT gw conntrack[12]: ")]
    [InlineData("Feb 30 07:40:00 gw conntrack: ")]
    [InlineData("[12345.678901] gw conntrack[1]: ")]
    public void A_time_that_may_mean_several_is_none(string front)
    {
        Assert.True(LineFrame.TryRemove(front + Entry, Reference, out ReadOnlySpan<char> content, out DateTime? time));
        Assert.Equal((Entry, null), (content.ToString(), time));
    }

    [Theory]
    [InlineData("2026-01-01 00:30:00", "Dec 31 23:59:59", "2025-12-31 23:59:59")]
    [InlineData("2025-12-31 23:30:00", "Jan  1 00:30:00", "2026-01-01 00:30:00")]
    [InlineData("2026-07-15 12:54:54", "Jul 16 12:54:54", "2026-07-16 12:54:54")]
    [InlineData("2026-07-15 12:54:53", "Jul 16 12:54:54", "2025-07-16 12:54:54")]
    [InlineData("2101-03-01 00:00:00", "Feb 29 00:00:00", "2096-02-29 00:00:00")]
    public void A_time_without_a_year_is_the_latest_that_is_at_most_a_day_ahead(string reference, string text, string expected)
    {
        Assert.True(LineFrame.TryRemove($"{text} gw c: {Entry}", TimeOf(reference), out _, out DateTime? time));
        Assert.Equal(TimeOf(expected), time);
    }

    public static TheoryData<string> Backs =>
    [
        " # here", "  # ", " // NAT", " /* x */", " <-- here", " <--", " <== this", " \u2190 this one", " |", " ...", " [...]", " \u2026", "</pre>", "</code></pre>", "<br>",
        "<br/>", "</p>", "$", " --> wrong", " -- Bob",
    ];

    [Theory]
    [MemberData(nameof(Backs))]
    public void What_stands_behind_is_taken_away(string back)
    {
        foreach (string front in new[] { "", "> ", "Nov 20 07:40:00 gw c: " })
        {
            Assert.True(LineFrame.TryRemove(front + Entry + back, Reference, out ReadOnlySpan<char> content, out _));
            Assert.Equal(Entry, content.ToString());
        }
    }

    [Theory]
    [InlineData("`", "`")]
    [InlineData("\"", "\",")]
    [InlineData("line := \"", "\"")]
    [InlineData("parse(\"", "\").unwrap();")]
    [InlineData("'", "'")]
    [InlineData("| `", "` |")]
    [InlineData("| ", " |")]
    [InlineData("<pre>", "</pre>")]
    [InlineData("**", "**")]
    [InlineData("echo \"", "\" | nc gw 514")]
    [InlineData("time=\"2026-11-20T07:40:00Z\" msg=\"", "\\n\" pid=3")]
    [InlineData("\"", "\\n\" \\")]
    public void What_stands_on_both_sides_is_taken_away(string front, string back)
    {
        foreach (string line in new[] { Entry, Event })
        {
            Assert.True(LineFrame.TryRemove(front + line + back, Reference, out ReadOnlySpan<char> content, out _));
            Assert.Equal(line, content.ToString());
        }
    }

    [Theory]
    [InlineData("{\"MESSAGE\":\"@\",\"__REALTIME_TIMESTAMP\":\"1795160400123456\",\"_PID\":\"12\"}", "2026-11-20 07:40:00.123456Z")]
    [InlineData("{ \"__REALTIME_TIMESTAMP\" : \"1795160400123456\", \"MESSAGE\" : \"@\" }", "2026-11-20 07:40:00.123456Z")]
    [InlineData("{\"log\":\"@\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T07:40:00.123456789Z\"}", "2026-11-20 07:40:00.1234567Z")]
    [InlineData("{\"log\":\"{\\\"msg\\\":\\\"@\\\"}\\n\",\"time\":\"2026-11-20T07:40:00Z\"}", "2026-11-20 07:40:00Z")]
    [InlineData("{\"level\":\"info\",\"ts\":1795160400.5,\"msg\":\"@\"}", "2026-11-20 07:40:00.5Z")]
    [InlineData("{\"message\":\"Nov 20 07:40:00 gw conntrack: @\"},", "2026-11-20 07:40:00")]
    [InlineData("    \"MESSAGE\" : \"@\",", null)]
    public void A_record_in_JSON_is_read(string record, string? expected)
    {
        Assert.True(LineFrame.TryRemove(record.Replace("@", Entry, StringComparison.Ordinal), Reference, out ReadOnlySpan<char> content, out DateTime? time));
        Assert.Equal(Entry, content.ToString());
        Assert.Equal(expected is null ? null : TimeOf(expected), time);
    }

    [Fact]
    public void Journald_gives_coloured_text_as_its_bytes()
    {
        string bytes = string.Join(",", System.Text.Encoding.UTF8.GetBytes("\x1B[31m" + Entry + "\x1B[0m"));

        Assert.True(LineFrame.TryRemove($"{{\"MESSAGE\":[{bytes}],\"_PID\":\"1\"}}", Reference, out ReadOnlySpan<char> content, out _));
        Assert.Equal(Entry, content.ToString());
    }

    [Theory]
    [InlineData("<span class=\"k\">tcp</span>      6 9 <b>src=192.0.2.1</b> dst=192.0.2.2", "tcp      6 9 src=192.0.2.1 dst=192.0.2.2")]
    [InlineData("tcp 6 9 src=3D192.0.2.1 dst=3D192.0.2.2 mark=3D0=20", "tcp 6 9 src=192.0.2.1 dst=192.0.2.2 mark=0")]
    [InlineData("> tcp 6 9 src=3D192.0.2.1 dst=3D192.0.2.2 sport=3D5=", "tcp 6 9 src=192.0.2.1 dst=192.0.2.2 sport=5")]
    [InlineData("&lt;flow type=&quot;new&quot;&gt;&lt;/flow&gt;", "<flow type=\"new\"></flow>")]
    [InlineData("tcp&nbsp;6 9 src=192.0.2.1&nbsp;dst=192.0.2.2", "tcp 6 9 src=192.0.2.1 dst=192.0.2.2")]
    public void The_escapes_of_pages_and_mails_are_read(string line, string expected)
    {
        Assert.True(LineFrame.TryRemove(line, Reference, out ReadOnlySpan<char> content, out _));
        Assert.Equal(expected, content.ToString());
    }

    [Theory]
    [InlineData("root@gw:~# conntrack -I -s 10.0.0.1 -d 10.0.0.2 # test", "conntrack -I -s 10.0.0.1 -d 10.0.0.2")]
    [InlineData("> -A -t 9 -s 10.0.0.1 --dport 80", "-A -t 9 -s 10.0.0.1 --dport 80")]
    [InlineData("12:-A -t 9 -s 10.0.0.1", "-A -t 9 -s 10.0.0.1")]
    public void A_command_has_the_same_layers(string line, string expected)
    {
        Assert.True(LineFrame.TryRemove(line, Reference, out ReadOnlySpan<char> content, out _));
        Assert.Equal(expected, content.ToString());
    }

    [Theory]
    [InlineData(Entry)]
    [InlineData(Stamped)]
    [InlineData("-A -t 9 -s 10.0.0.1")]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("see tcp 6 and the rest of it")]
    [InlineData("The table shows that tcp 6 431999 ESTABLISHED src=192.0.2.1 is there")]
    [InlineData("I ran conntrack -L and saw udp 17")]
    [InlineData("> Note that tcp 6 is the protocol")]
    [InlineData("# conntrack -I -s 10.0.0.1")]
    [InlineData("# -A -t 9 -s 10.0.0.1")]
    [InlineData("## // conntrack -D -s 10.0.0.1")]
    [InlineData("Nov 20 07:40:00 gw conntrack: Operation failed")]
    [InlineData("src=192.0.2.1 dst=192.0.2.2")]
    [InlineData("Nov 20 07:40:00 gw kernel: IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP SPT=1 DPT=2")]
    [InlineData("{\"MESSAGE\":\"hello\"}")]
    [InlineData("[ASSURED] tcp 6 9 src=192.0.2.1")]
    [InlineData("<mark>0</mark>")]
    [InlineData("12 13 14")]
    [InlineData("icmp 6 9 src=1.1.1.1")]
    [InlineData("a b c d e tcp 6 9 src=192.0.2.1")]
    public void What_has_no_layer_or_nothing_in_it_stays(string line)
    {
        Assert.False(LineFrame.TryRemove(line, Reference, out _, out _));
    }

    [Theory]
    [InlineData("> dport=3 [UNREPLIED]", "dport=3 [UNREPLIED]")]
    [InlineData("> > >  dport=3", "dport=3")]
    [InlineData("// dport=3", "dport=3")]
    [InlineData("#      src=1.1.1.1", "src=1.1.1.1")]
    [InlineData("  dport=3", "dport=3")]
    [InlineData("| dport=3 |", "dport=3")]
    public void A_continuation_loses_its_quote(string line, string expected) => Assert.Equal(expected, LineFrame.WithoutQuote(line).ToString());

    [Theory]
    [InlineData("```")]
    [InlineData("```console")]
    [InlineData("~~~ text")]
    [InlineData("> ```")]
    [InlineData("<pre>")]
    [InlineData("</code></pre>")]
    [InlineData("<!-- language: lang-none -->")]
    [InlineData("<br/>")]
    [InlineData("--")]
    [InlineData("-----------")]
    [InlineData(">")]
    [InlineData("> >")]
    [InlineData("...")]
    [InlineData("[...]")]
    [InlineData("(snip)")]
    [InlineData("<snip>")]
    [InlineData("[ 12 lines omitted ]")]
    [InlineData("--More--")]
    [InlineData("(END)")]
    [InlineData("total 12")]
    [InlineData("$")]
    [InlineData("root@OpenWrt:~#")]
    [InlineData("root@OpenWrt:~# ")]
    [InlineData("[root@gw ~]#")]
    [InlineData("/ #")]
    [InlineData("root@OpenWrt:~# cat /proc/net/nf_conntrack | grep udp")]
    [InlineData("root@OpenWrt:~# date; uptime")]
    [InlineData("$ cat /proc/net/nf_conntrack")]
    [InlineData("cat /proc/net/nf_conntrack | head")]
    [InlineData("sudo grep udp /proc/net/nf_conntrack")]
    [InlineData("# cat /proc/net/nf_conntrack")]
    [InlineData("# a comment")]
    [InlineData("# conntrack -I -s 10.0.0.1")]
    [InlineData("conntrack -L")]
    [InlineData("root@r1:~# conntrack -E -e NEW")]
    [InlineData("PS /root> conntrack --dump")]
    [InlineData("conntrack v1.4.8 (conntrack-tools): 1 flow entries have been shown.")]
    [InlineData("> conntrack v1.4.8 (conntrack-tools): 1 flow entries have been shown.")]
    [InlineData("Nov 20 07:40:00 gw sh[12]: conntrack v1.4.8 (conntrack-tools): 2 expectations have been shown.")]
    [InlineData("conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.")]
    [InlineData("conntrack: 2 flow entries have been shown.")]
    [InlineData("@@ -1,3 +1,4 @@")]
    [InlineData("+++ b/after.txt")]
    [InlineData("diff --git a/x b/x")]
    [InlineData("-- Logs begin at Fri 2026-11-20 07:40:00 UTC. --")]
    [InlineData("-- Boot 0123456789abcdef --")]
    [InlineData("Every 2.0s: conntrack -L                gw: Fri Nov 20 07:40:00 2026")]
    [InlineData("Fri Nov 20 07:40:00 UTC 2026")]
    [InlineData("Fri Nov 20 07:40:00 CET 2026")]
    [InlineData("_PID=12")]
    [InlineData("__REALTIME_TIMESTAMP=1795160400123456")]
    [InlineData("PRIORITY=6")]
    [InlineData("gw | CHANGED | rc=0 >>")]
    public void A_line_that_describes_nothing_is_a_remark(string line) => Assert.True(LineRemark.IsRemark(line));

    [Theory]
    [InlineData(Entry)]
    [InlineData(Event)]
    [InlineData("> " + Entry)]
    [InlineData("# " + Entry)]
    [InlineData("root@OpenWrt:~# " + Entry)]
    [InlineData("root@r1:~# conntrack -I -t 9 -s 10.0.0.1 -d 10.0.0.2")]
    [InlineData("[admin@r1 ~]$ sudo conntrack -D -s 10.0.0.1")]
    [InlineData("$ conntrack -I -t 9")]
    [InlineData("-A -t 9 -s 10.0.0.1")]
    [InlineData("conntrack v1.4.8 (conntrack-tools): Operation failed: Operation not permitted")]
    [InlineData("conntrack -I -t 9 -s 10.0.0.1 -p udp --sport 7 --dport 2")]
    [InlineData("conntrack -D -s 10.0.0.1")]
    [InlineData("conntrack")]
    [InlineData("conntrack of all entries")]
    [InlineData("see conntrack -L")]
    [InlineData("Nov 20 07:40:00 gw kernel: IN=eth0 OUT= SRC=192.0.2.1")]
    [InlineData("IN=eth0 OUT= SRC=192.0.2.1")]
    [InlineData("MESSAGE=hello")]
    [InlineData("src=192.0.2.1 dst=192.0.2.2")]
    [InlineData("    src=192.0.2.1 \\")]
    [InlineData("WARNING: We have hit ENOBUFS! We are losing events.")]
    [InlineData("[DESTROY] tcp 6 ...")]
    [InlineData("443 dport=3")]
    [InlineData("443")]
    [InlineData("mark=0 use=1")]
    [InlineData("<flow type=\"new\">")]
    [InlineData("<mark>0</mark>")]
    [InlineData("cpu=0 found=1")]
    [InlineData("x.x.x.x")]
    public void Anything_else_is_none(string line) => Assert.False(LineRemark.IsRemark(line));

    [Fact]
    public void Random_layers_never_throw_and_what_is_found_begins_an_entry()
    {
        Random random = new(20261129);
        string[] pieces = [.. Texts(Fronts), .. Texts(Dated), .. Texts(Backs), Entry, Event, "{", "}", "\"", "[", "]", "<", "=", "&", "12", "Nov", "word", "\t", "\ud800"];
        int found = 0;
        for (int run = 0; run < 30_000; run++)
        {
            string Draw(int most) => string.Concat(Enumerable.Range(0, random.Next(most)).Select(_ => pieces[random.Next(pieces.Length)]));
            string line = Draw(6) + (random.Next(2) == 0 ? Entry : "") + Draw(3);
            if (random.Next(3) == 0)
                line = line[..random.Next(line.Length + 1)];
            LineRemark.IsRemark(line);
            if (!LineFrame.TryRemove(line, Reference, out ReadOnlySpan<char> content, out _))
                continue;
            found++;
            Assert.NotEqual(LineKind.Other, LineBeginning.Of(content));
        }

        Assert.True(found > 1000);
    }

    [Theory]
    [InlineData("> ")]
    [InlineData("12:")]
    [InlineData("x.log:")]
    [InlineData("x-1-")]
    [InlineData("Nov 20 07:40:00 gw ")]
    [InlineData("[x] ")]
    [InlineData("[")]
    [InlineData("<pre>")]
    [InlineData("<")]
    [InlineData("&gt; ")]
    [InlineData("&")]
    [InlineData("# ")]
    [InlineData("a@b ")]
    [InlineData("time=\"x\" ")]
    [InlineData("{\"log\":")]
    [InlineData("\"")]
    [InlineData("word ")]
    [InlineData("src=3D dst=3D")]
    [InlineData("<b>src=</b>")]
    public void Layers_without_end_take_time_that_grows_with_them(string piece)
    {
        string endless = string.Concat(Enumerable.Repeat(piece, (1 << 20) / piece.Length));
        foreach (string line in new[] { endless, endless + Entry, Entry + endless, Entry + " #" + endless })
        {
            long start = Stopwatch.GetTimestamp();
            LineFrame.TryRemove(line, Reference, out _, out _);
            LineRemark.IsRemark(line);

            // Quadratic time would be minutes.
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5));
        }
    }

    private static IEnumerable<string> Texts(IEnumerable<object?[]> rows) => rows.Select(row => (string)row[0]!);

    private static DateTime TimeOf(string text) => DateTime.Parse(
        text, CultureInfo.InvariantCulture, text.EndsWith('Z') ? DateTimeStyles.None : DateTimeStyles.AssumeLocal);
}
