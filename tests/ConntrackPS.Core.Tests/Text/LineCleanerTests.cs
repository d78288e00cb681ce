using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

/// <summary>What terminals, editors and broken disks put between the characters of a line.</summary>
public class LineCleanerTests
{
    private const string Line = "tcp      6 117 TIME_WAIT src=192.0.2.1 dst=198.51.100.1 sport=1 dport=80 src=198.51.100.1 dst=192.0.2.1 sport=80 dport=1 [ASSURED] mark=0 use=1";

    [Theory]
    [InlineData(Line)]
    [InlineData("")]
    [InlineData("[1427392756.120001]\t    [NEW] udp      17 30 src=192.0.2.1 dst=192.0.2.2")]
    [InlineData("[1415968843.2363  ]\t [UPDATE] udp      17 30")]
    [InlineData("tcp 6 1 [ASSURED] [FASTNAT] [RTCACHE o33/r37] [5m] [30m ago] [K] [mac 1] [m] mark=0 attrs= use=2")]
    [InlineData("tcp      6 431946 ESTABLISHED \\")]
    [InlineData("C:\\temp\\x.log:12:tcp 6 1")]
    [InlineData("tcp 6 1 src=192.0.2.1 labels=Büro,東京 #1 ^x")]
    [InlineData("active [active since 185s]")]
    public void A_clean_line_is_the_same_object(string line) => Assert.Same(line, LineCleaner.Clean(line));

    public static TheoryData<string, string> Escapes => new()
    {
        { "\x1B[01;31m\x1B[Kdport=80\x1B[m\x1B[K", "dport=80" },
        { "^[[01;31m^[[Kdport=80^[[m^[[K", "dport=80" },
        { "\\e[01;31mdport=80\\e[0m", "dport=80" },
        { "\\x1b[1mdport=80\\x1B[0m", "dport=80" },
        { "\\033[1mdport=80\\033[0m", "dport=80" },
        { "\\u001b[1mdport=80\\u001b[0m", "dport=80" },
        { "\u241B[1mdport=80\u241B[0m", "dport=80" },
        { "ESC[01;31mdport=80ESC[0m", "dport=80" },
        { "#033[01;31m#033[Kdport=80#033[m#033[K", "dport=80" },
        { "[01;31m[Kdport=80[m[K", "dport=80" },
        { "[1mdport=80[0m", "dport=80" },
        { "[31mdport=80[m", "dport=80" },
        { "\u009B1mdport=80\u009B0m", "dport=80" },
        { "\x1B]0;root@gw: ~\adport=80", "dport=80" },
        { "\x1B]8;;http://x/\x1B\\dport=80\x1B]8;;\x1B\\", "dport=80" },
        { "^[]0;root@gw: ~^Gdport=80", "dport=80" },
        { "\u009D0;title\u009Cdport=80", "dport=80" },
        { "\x1B(B\x1B[mdport=80\x1B=", "dport=80" },
        { "^[(B^[[mdport=80", "dport=80" },
        { "\x1B[?25ldport=80\x1B[?25h\x1B[2J", "dport=80" },
        { "\x1B[38;2;255;0;0mdport=80\x1B[39;49m", "dport=80" },
        { "\x1B[38:5:9mdport=80\x1B[0 q", "dport=80" },
    };

    [Theory]
    [MemberData(nameof(Escapes))]
    public void Escape_sequences_are_taken_out_however_they_are_shown(string text, string clean)
    {
        Assert.Equal(clean, LineCleaner.Clean(text));
        Assert.Equal(Line.Replace("dport=80", clean, StringComparison.Ordinal), LineCleaner.Clean(Line.Replace("dport=80", text, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("use=1\r", "use=1")]
    [InlineData("use=1\r\r", "use=1")]
    [InlineData("\ruse=1", "use=1")]
    [InlineData("use=1^M", "use=1")]
    [InlineData("use=1#015", "use=1")]
    [InlineData("use=1\\r\\n", "use=1")]
    [InlineData("\uFEFFuse=1", "use=1")]
    [InlineData("\u00EF\u00BB\u00BFuse=1", "use=1")]
    [InlineData("sport=1\u200B0 \u2060dport=2\u00AD2\u200E", "sport=10 dport=22")]
    [InlineData("mark=0\u00A0use=1\u2007id=1\u3000", "mark=0 use=1 id=1 ")]
    [InlineData("mark=0\u00C2\u00A0use=1", "mark=0 use=1")]
    [InlineData("mark=0\uFFFDuse=1", "mark=0 use=1")]
    [InlineData("labels=B\uFFFDro use=1\r", "labels=B\uFFFDro use=1")]
    [InlineData("u\bus\bse\be=\b=1\b1", "use=1")]
    [InlineData("_\bu_\bs_\be=1", "use=1")]
    [InlineData("u\b_s\b_e\b_=1", "use=1")]
    [InlineData("u^Hus^Hse^He=1", "use=1")]
    [InlineData("]\\t    [NEW]", "]\t    [NEW]")]
    [InlineData("]#011    [NEW]", "]\t    [NEW]")]
    [InlineData("]^I    [NEW]", "]\t    [NEW]")]
    [InlineData("use=1\u0085\u2028", "use=1  ")]
    [InlineData("mark=0\u0001\u007Fuse=1", "mark=0  use=1")]
    public void Characters_that_are_no_text_are_taken_out(string text, string clean) => Assert.Equal(clean, LineCleaner.Clean(text));

    [Theory]
    [InlineData("u\0s\0e\0=\0" + "1\0", "use=1")]
    [InlineData("\0u\0s\0e\0=\0" + "1", "use=1")]
    [InlineData("u\0s\0e\0=\0" + "1\0\r\0", "use=1")]
    [InlineData("\uFFFD\uFFFDu\0s\0e\0=\0" + "1\0", " use=1")]
    [InlineData("\0\0\0\0use=1", "    use=1")]
    [InlineData("use=1\0\0\0", "use=1   ")]
    [InlineData("dport=80\0\0" + "443", "dport=80  443")]
    [InlineData("dport=80\0" + "443", "dport=80 443")]
    public void NULs_are_the_other_half_of_UTF_16_or_a_blank(string text, string clean) =>
        Assert.Equal(clean.Trim(), LineCleaner.Clean(text).Trim());

    [Theory]
    [InlineData("\0")]
    [InlineData("\0\0\0")]
    [InlineData("\a")]
    [InlineData("\v")]
    [InlineData("\r")]
    [InlineData("\n")]
    [InlineData("\u00A0")]
    [InlineData("\u2028")]
    [InlineData("\x1B[5C")]
    [InlineData("\x1B[3;4H")]
    [InlineData("\x1B[12G")]
    [InlineData("\x1B[K ")]
    [InlineData("^[[C")]
    [InlineData("\b")]
    [InlineData("\x1B")]
    [InlineData("\x1B]")]
    [InlineData("\x1B[")]
    [InlineData("\u0085")]
    [InlineData("\uFFFD")]
    public void Two_words_never_become_one(string between)
    {
        string clean = LineCleaner.Clean($"dport=80{between}443 use=1");

        Assert.DoesNotContain("80443", clean, StringComparison.Ordinal);
        Assert.DoesNotContain("8043", clean, StringComparison.Ordinal);
    }

    [Fact]
    public void No_control_character_is_left_of_random_text_and_cleaning_again_changes_nothing_of_clean_lines()
    {
        Random random = new(20261129);
        string[] pieces =
        [
            "\x1B", "[", "01;31m", "m", "K", "]", "\a", "\x1B\\", "^[", "\\e", "#033", "#011", "\b", "\0", "\r", "\n", "\u009B", "\u009D", "\uFEFF", "\u00A0",
            "\uFFFD", "\uFFFE", "tcp", " ", "6", "src=192.0.2.1", "^M", "^H", "ESC[", "\u241B", "\u2028", "\u200B", "ï»¿", "[NEW]", "\t", "(B", "\ud800",
        ];
        for (int run = 0; run < 20_000; run++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 24)).Select(_ => random.Next(8) == 0 ? ((char)random.Next(0x3100)).ToString() : pieces[random.Next(pieces.Length)]));
            string clean = LineCleaner.Clean(text);

            Assert.DoesNotContain(clean, c => c is (< ' ' and not '\t') or (>= '\x7F' and <= '\u009F') or '\uFEFF' or '\u200B' or '\u2028');
            Assert.True(clean.Length <= text.Length);
        }
    }

    [Theory]
    [InlineData("\x1B]")]
    [InlineData("\x1B[")]
    [InlineData("\x1B[1;")]
    [InlineData("^[]")]
    [InlineData("[1;2")]
    [InlineData("[1m")]
    [InlineData("\0")]
    [InlineData("a\0")]
    [InlineData("\b")]
    [InlineData("\r")]
    [InlineData("\r ")]
    [InlineData("\x1BP^G")]
    [InlineData("\x1BP\x1B")]
    [InlineData("ï»¿")]
    [InlineData("\\033")]
    public void A_line_of_a_megabyte_is_cleaned_in_time_that_grows_with_it(string piece)
    {
        string Make(int length) => string.Concat(Enumerable.Repeat(piece, length / piece.Length));
        TimeSpan Take(string text)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            LineCleaner.Clean(text);
            return System.Diagnostics.Stopwatch.GetElapsedTime(start);
        }

        // Quadratic time would be minutes.
        Take(Make(10_000));
        Assert.True(Take(Make(1 << 20)) < TimeSpan.FromSeconds(5));
    }
}
