using System.IO.Compression;
using System.IO.Pipes;
using System.Text;
using ConntrackPS.Text.Reading;

namespace ConntrackPS.Tests.Text;

public sealed class TextFileTests : IDisposable
{
    private static readonly string[] Lines = [.. Enumerable.Range(0, 3000).Select(number => $"udp      17 {number} src=10.0.0.1 dst=10.0.0.2 sport={number} dport=53 use=1")];

    private readonly string _folder = Directory.CreateTempSubdirectory("conntrack-text-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, bool> Encodings => new()
    {
        { "utf-8", false }, { "utf-8", true }, { "utf-16", false }, { "utf-16", true }, { "utf-16BE", false }, { "utf-16BE", true },
        { "utf-32", false }, { "utf-32", true }, { "utf-32BE", false }, { "utf-32BE", true }, { "us-ascii", false }, { "iso-8859-1", false },
    };

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Any_encoding_is_known_with_and_without_its_mark(string name, bool hasMark)
    {
        byte[] bytes = Bytes(string.Join("\r\n", Lines) + "\r\n", name, hasMark);

        Assert.Equal(Lines, ReadAll(bytes));
        Assert.Equal(Lines, ReadAll(Gzip(bytes)));
        foreach (int step in new[] { 1, 3, 1000 })
            Assert.Equal(Lines.Take(40), ReadAll(Bytes(string.Join("\n", Lines.Take(40)), name, hasMark), step));
    }

    [Theory]
    [InlineData("a\nb", "a|b")]
    [InlineData("a\nb\n", "a|b")]
    [InlineData("a\r\nb\r\n", "a|b")]
    [InlineData("a\r\r\nb\r\r\n", "a|b")]
    [InlineData("a\rb\r", "a|b")]
    [InlineData("a\n\nb", "a||b")]
    [InlineData("a\r\n\r\nb", "a||b")]
    [InlineData("\n", "")]
    [InlineData("", null)]
    public void Lines_end_as_any_system_ends_them(string text, string? lines)
    {
        string[] expected = lines?.Split('|') ?? [];

        Assert.Equal(expected, ReadAll(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(expected, ReadAll(Encoding.UTF8.GetBytes(text), step: 1));
    }

    [Fact]
    public void Bytes_that_are_no_text_do_no_harm()
    {
        byte[] noise = new byte[100_000];
        new Random(1).NextBytes(noise);

        Assert.Contains("good", ReadAll([.. noise[3..], (byte)'\n', .. "good\n"u8]));
        Assert.Equal("secctx=B\uFFFDro\uFFFDuse=1", Assert.Single(ReadAll([.. "secctx=B"u8, 0xFC, .. "ro"u8, 0xA0, .. "use=1"u8])));
    }

    [Fact]
    public void Gzip_may_have_several_parts_and_zeros_behind()
    {
        byte[] first = Gzip(Encoding.UTF8.GetBytes("a\nb")), second = Gzip("c\nd\n"u8.ToArray());

        Assert.Equal(["a", "bc", "d"], ReadAll([.. first, .. second]));
        Assert.Equal(["a", "bc", "d"], ReadAll([.. first, .. second, .. new byte[512]]));
        Assert.Equal(["c", "d"], ReadAll([.. Gzip([]), .. second]));
        Assert.Empty(ReadAll(Gzip([])));
    }

    [Fact]
    public void Gzip_that_ends_too_early_gives_its_whole_lines_and_an_error()
    {
        byte[] part = Gzip(Encoding.UTF8.GetBytes(string.Join("\n", Lines.Take(60)) + "\n"));
        byte[] whole = [.. part, .. part];
        string[] expected = [.. Lines.Take(60), .. Lines.Take(60)];
        for (int length = 3; length < whole.Length; length++)
        {
            foreach (int step in new[] { 7, 100_000 })
            {
                List<string> read = [];
                IOException? error = ReadUntilError(whole[..length], read, step);

                // A file that ends between two parts is a whole one.
                Assert.Equal(length == part.Length, error is null);
                Assert.Equal(expected.Take(read.Count), read);
                if (error is not null)
                    Assert.StartsWith("/var/log/ct.gz ends too early: ", error.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(expected, ReadAll(whole));
    }

    [Fact]
    public void Gzip_that_is_damaged_is_an_error()
    {
        byte[] whole = Gzip(Encoding.UTF8.GetBytes(string.Join("\n", Lines)));
        whole[^6] ^= 1;
        List<string> read = [];

        Assert.StartsWith("/var/log/ct.gz is damaged: ", ReadUntilError(whole, read, 1000)?.Message, StringComparison.Ordinal);
        Assert.Equal(Lines.Take(read.Count), read);
        Assert.True(read.Count > 2000);
    }

    [Fact]
    public void Gzip_that_is_no_longer_read_is_no_error()
    {
        byte[] whole = Gzip(Encoding.UTF8.GetBytes(string.Join("\n", Lines)));
        using TextFile file = TextFile.Open(new Trickle(whole[..100], 1000), "x", () => true);

        while (file.ReadLine() is not null)
        {
        }
    }

    [Theory]
    [InlineData(new byte[] { 0x28, 0xB5, 0x2F, 0xFD, 1 }, "zstd", "zstdcat")]
    [InlineData(new byte[] { 0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 1 }, "xz", "xzcat")]
    [InlineData(new byte[] { 0x42, 0x5A, 0x68, 0x39 }, "bzip2", "bzcat")]
    [InlineData(new byte[] { 0x50, 0x4B, 3, 4 }, "zip", "unzip -p")]
    public void Other_packed_files_name_the_program_that_unpacks(byte[] bytes, string program, string command)
    {
        PackedFileException error = Assert.Throws<PackedFileException>(() => ReadAll(bytes));

        Assert.Equal($"/var/log/ct.gz is packed by {program}, which can't be read directly", error.Message);
        Assert.Equal($"{command} '/var/log/ct.gz'", error.Command);
    }

    [Fact]
    public void A_real_file_and_a_file_of_proc_are_read()
    {
        string path = Path.Combine(_folder, "a.log");
        File.WriteAllLines(path, Lines);
        using (TextFile file = TextFile.Open(path, () => false))
            Assert.Equal(Lines, ReadAll(file));
        using TextFile limits = TextFile.Open("/proc/self/limits", () => false);
        Assert.Equal(File.ReadAllLines("/proc/self/limits"), ReadAll(limits));
    }

    [Fact]
    public async Task A_line_of_a_live_pipe_is_given_before_the_next_one_comes()
    {
        using AnonymousPipeServerStream server = new();
        using TextFile file = await OpenAsync(server, "ab\n");
        Assert.Equal("ab", await ReadAsync(file));
        foreach (string end in new[] { "\n", "\r\n" })
        {
            server.Write(Encoding.ASCII.GetBytes("next line" + end));
            Assert.Equal("next line", await ReadAsync(file));
        }

        static Task<TextFile> OpenAsync(AnonymousPipeServerStream server, string first)
        {
            server.Write(Encoding.ASCII.GetBytes(first + "\n"));
            return Task.Run(() => TextFile.Open(new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle), "pipe")).WaitAsync(TimeSpan.FromSeconds(10));
        }

        static async Task<string?> ReadAsync(TextFile file)
        {
            string? line;
            do
                line = await Task.Run(file.ReadLine).WaitAsync(TimeSpan.FromSeconds(10));
            while (line is "");
            return line;
        }
    }

    [Fact]
    public void Endless_lines_and_endless_zeros_take_no_memory()
    {
        byte[] line = Encoding.ASCII.GetBytes(new string('x', 1 << 16));
        using TextFile endless = TextFile.Open(new Repeating(line, 4000, "\ngood\n"u8.ToArray()), "x");
        long before = GC.GetTotalMemory(forceFullCollection: true);

        Assert.Equal(TextFile.MaximumLineLength, endless.ReadLine()?.Length);
        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - before < 16 << 20);
        Assert.Equal("good", endless.ReadLine());
        Assert.Null(endless.ReadLine());

        // What follows the NULs on their line is not lost.
        using TextFile zeros = TextFile.Open(new Repeating(new byte[1 << 16], 400, "good\n"u8.ToArray()), "x");
        string? read = zeros.ReadLine();
        Assert.EndsWith("good", read, StringComparison.Ordinal);
        Assert.True(read!.Length < 100_000);
    }

    [Fact]
    public void The_stream_is_closed()
    {
        foreach (byte[] bytes in new[] { "a\n"u8.ToArray(), Gzip("a\n"u8.ToArray()) })
        {
            MemoryStream stream = new(bytes);
            TextFile.Open(stream, "x").Dispose();
            Assert.False(stream.CanRead);
        }

        MemoryStream packed = new([0x28, 0xB5, 0x2F, 0xFD, 1]);
        Assert.Throws<PackedFileException>(() => TextFile.Open(packed, "x"));
        Assert.False(packed.CanRead);
    }

    private static byte[] Bytes(string text, string encoding, bool hasMark)
    {
        Encoding known = Encoding.GetEncoding(encoding);
        return [.. hasMark ? known.GetPreamble() : [], .. known.GetBytes(text)];
    }

    private static byte[] Gzip(byte[] bytes)
    {
        MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Optimal))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    private static List<string> ReadAll(byte[] bytes, int step = int.MaxValue)
    {
        using TextFile file = TextFile.Open(new Trickle(bytes, step), "/var/log/ct.gz");
        return ReadAll(file);
    }

    private static List<string> ReadAll(TextFile file)
    {
        List<string> lines = [];
        while (file.ReadLine() is { } line)
            lines.Add(line);
        return lines;
    }

    private static IOException? ReadUntilError(byte[] bytes, List<string> lines, int step)
    {
        try
        {
            using TextFile file = TextFile.Open(new Trickle(bytes, step), "/var/log/ct.gz");
            while (file.ReadLine() is { } line)
                lines.Add(line);
            return null;
        }
        catch (IOException error)
        {
            return error;
        }
    }

    /// <summary>A stream that can't seek, and gives few bytes at a time.</summary>
    private sealed class Trickle(byte[] bytes, int step) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, step));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, step)]);
    }

    /// <summary>The same bytes, many times, and then the end.</summary>
    private sealed class Repeating(byte[] bytes, int times, byte[] end) : MemoryStream
    {
        private int _times = times;

        public override int Read(byte[] buffer, int offset, int count)
        {
            byte[] next = _times > 0 ? bytes : _times == 0 ? end : [];
            _times--;
            next.CopyTo(buffer, offset);
            return next.Length;
        }
    }
}
