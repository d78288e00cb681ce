using System.IO.Compression;
using System.Text;
using ConntrackPS.Linux;

namespace ConntrackPS.Text.Reading;

/// <summary>The lines of a file from any program. It recognises gzip, UTF-8, UTF-16 and UTF-32 by their bytes.</summary>
/// <remarks>It never seeks, so that it can read pipes and files of /proc. Its memory doesn't grow with the size of the file or of a line.
/// Invalid bytes become the replacement character.</remarks>
internal sealed class TextFile : TextReader
{
    /// <summary>The maximum length of a line, more than conntrack prints. The rest of a longer line is dropped.</summary>
    public const int MaximumLineLength = 1 << 20;

    private const int BufferSize = 64 * 1024;

    /// <summary>The number of bytes that identify the kind of a file. Reading a live pipe's first line does not wait for more.</summary>
    private const int HeadLength = 8;

    private readonly Stream _source;
    private readonly Decoder _decoder;
    private readonly byte[] _bytes;
    private readonly char[] _chars;
    private readonly StringBuilder _long = new();
    private int _pending;
    private int _pendingLength;
    private int _next;
    private int _end;
    private bool _isAfterReturn;
    private bool _isAtEnd;

    private TextFile(Stream source, byte[] bytes, int length)
    {
        (Encoding encoding, int mark) = TextEncoding.Of(bytes.AsSpan(0, length));
        (_source, _decoder, _bytes, _pending, _pendingLength) = (source, encoding.GetDecoder(), bytes, mark, length - mark);
        _chars = new char[encoding.GetMaxCharCount(BufferSize)];
    }

    /// <summary>Opens a file or a named pipe.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="isStopped">Called every tenth of a second while a pipe has no data; true ends the reading.</param>
    /// <exception cref="IOException">The file can't be read, or is compressed in a way that can't be decompressed here.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not read the file.</exception>
    public static TextFile Open(string path, Func<bool> isStopped) => Open(
        Platform.IsLinux ? NamedFile.Open(path, isStopped) : File.OpenRead(path), path, isStopped);

    /// <summary>Reads an open stream, and closes it at the end.</summary>
    /// <param name="stream">The bytes of the file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <param name="isStopped">True if the reading was stopped, so that the end of the stream is not an error.</param>
    /// <exception cref="IOException">The file can't be read, or is compressed in a way that can't be decompressed here.</exception>
    public static TextFile Open(Stream stream, string path, Func<bool>? isStopped = null)
    {
        Stream source = stream;
        try
        {
            byte[] bytes = new byte[BufferSize];
            int length = ReadHead(source, bytes);
            if (bytes.AsSpan(0, length).StartsWith(GzipSource.Magic))
            {
                source = new GzipSource(new RejoinedStream(bytes[..length], source), path, isStopped ?? (() => false));
                length = ReadHead(source, bytes);
            }

            if (PackedFileException.ProgramFor(bytes.AsSpan(0, length)) is { } program)
                throw new PackedFileException(path, program);
            return new TextFile(source, bytes, length);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads a line. It ends with LF, CR LF, CR CR LF, as terminal programs save it, or only CR.</summary>
    /// <returns>Null at the end.</returns>
    /// <exception cref="IOException">The rest can't be read. An incomplete line is not returned.</exception>
    public override string? ReadLine()
    {
        _long.Clear();
        bool hasBegun = false;
        while (true)
        {
            if (_next == _end && !Fill())
                return hasBegun ? _long.ToString() : null;
            ReadOnlySpan<char> rest = _chars.AsSpan(_next, _end - _next);
            if (_isAfterReturn)
            {
                int returns = rest.IndexOfAnyExcept('\r');
                _isAfterReturn = returns < 0;
                _next += returns < 0 ? rest.Length : returns + (rest[returns] == '\n' ? 1 : 0);
                continue;
            }

            int length = rest.IndexOfAny('\r', '\n');
            if (length < 0)
            {
                hasBegun = true;
                AppendLong(rest);
                _next = _end;
                continue;
            }

            _next += length + 1;
            _isAfterReturn = rest[length] == '\r';
            if (!hasBegun)
                return new string(rest[..length]);
            AppendLong(rest[..length]);
            return _long.ToString();
        }
    }

    /// <inheritdoc/>
    public override int Peek() => _next < _end || Fill() ? _chars[_next] : -1;

    /// <inheritdoc/>
    public override int Read() => _next < _end || Fill() ? _chars[_next++] : -1;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _source.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Adds to a line that is longer than the buffer. After a power failure, a file may contain very many NULs.</summary>
    private void AppendLong(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty && _long.Length < MaximumLineLength)
        {
            int nuls = text.IndexOf("\0\0\0", StringComparison.Ordinal);
            ReadOnlySpan<char> part = nuls < 0 ? text : text[..(nuls + 1)];
            _long.Append(part[..Math.Min(part.Length, MaximumLineLength - _long.Length)]);
            text = text[part.Length..];
            if (nuls >= 0)
                text = text.TrimStart('\0');
        }
    }

    private bool Fill()
    {
        (_next, _end) = (0, 0);
        while (_end == 0 && !_isAtEnd)
        {
            if (_pendingLength == 0)
                (_pending, _pendingLength) = (0, _source.Read(_bytes, 0, _bytes.Length));
            _isAtEnd = _pendingLength == 0;
            _end = _decoder.GetChars(_bytes, _pending, _pendingLength, _chars, 0, flush: _isAtEnd);
            _pendingLength = 0;
        }

        return _end > 0;
    }

    private static int ReadHead(Stream stream, byte[] bytes)
    {
        int length = 0;
        while (length < HeadLength)
        {
            int read = stream.Read(bytes, length, bytes.Length - length);
            if (read == 0)
                break;
            length += read;
            if (length >= 4 && bytes.AsSpan(0, length).Contains((byte)'\n'))
                break;
        }

        return length;
    }
}

/// <summary>Detects the encoding of a text from its first bytes.</summary>
internal static class TextEncoding
{
    private const int LookedAt = 4096;

    /// <summary>The encoding, and the length of its byte order mark. Text without one is UTF-8, unless NULs show another
    /// encoding.</summary>
    public static (Encoding Encoding, int MarkLength) Of(ReadOnlySpan<byte> head) => head switch
    {
        [0xEF, 0xBB, 0xBF, ..] => (Encoding.UTF8, 3),
        [0xFF, 0xFE, 0, 0, ..] => (Encoding.UTF32, 4),
        [0, 0, 0xFE, 0xFF, ..] => (new UTF32Encoding(bigEndian: true, byteOrderMark: false), 4),
        [0xFF, 0xFE, ..] => (Encoding.Unicode, 2),
        [0xFE, 0xFF, ..] => (Encoding.BigEndianUnicode, 2),
        _ => (ByZeros(head), 0),
    };

    /// <summary>Output of conntrack is ASCII. In a wide encoding, the other bytes of each character are zero.</summary>
    private static Encoding ByZeros(ReadOnlySpan<byte> head)
    {
        head = head[..Math.Min(head.Length, LookedAt)];
        Span<int> zeros = stackalloc int[4];
        for (int i = 0; i < head.Length; i++)
            zeros[i & 3] += head[i] == 0 ? 1 : 0;
        int most = head.Length / 4, few = most / 10;
        bool Are(int place, ReadOnlySpan<int> counts) => counts[place] > few && counts[place] * 10 >= most * 9;
        if (most == 0)
            return Encoding.UTF8;
        return (Are(0, zeros), Are(1, zeros), Are(2, zeros), Are(3, zeros)) switch
        {
            (false, true, false, true) when zeros[0] + zeros[2] <= few => Encoding.Unicode,
            (true, false, true, false) when zeros[1] + zeros[3] <= few => Encoding.BigEndianUnicode,
            (false, true, true, true) when zeros[0] <= few => Encoding.UTF32,
            (true, true, true, false) when zeros[3] <= few => new UTF32Encoding(bigEndian: true, byteOrderMark: false),
            _ => Encoding.UTF8,
        };
    }
}

/// <summary>Decompresses gzip, also several gzip files in one, and detects a missing end.</summary>
/// <remarks>GZipStream accepts a truncated file as complete. So this class appends a small gzip file, which decompresses only if everything
/// before it was complete. Output after the file's own bytes is that appended part, or worthless.</remarks>
internal sealed class GzipSource : ForwardStream
{
    private static readonly byte[] Tail = "ConntrackPS: the end of the file"u8.ToArray();
    private static readonly byte[] PackedTail = Pack(Tail);

    private readonly RejoinedStream _packed;
    private readonly GZipStream _unpacked;
    private readonly string _path;
    private readonly Func<bool> _isStopped;
    private readonly MemoryStream _afterEnd = new();
    private bool _isAtEnd;

    public GzipSource(RejoinedStream packed, string path, Func<bool> isStopped)
    {
        (_packed, _path, _isStopped) = (packed, path, isStopped);
        packed.Tail = PackedTail;
        _unpacked = new GZipStream(packed, CompressionMode.Decompress);
    }

    /// <summary>The first bytes of a gzip file: its signature, and the only method that exists.</summary>
    public static ReadOnlySpan<byte> Magic => [0x1F, 0x8B, 8];

    public override int Read(byte[] buffer, int offset, int count)
    {
        while (!_isAtEnd)
        {
            int length;
            try
            {
                length = _unpacked.Read(buffer, offset, count);
            }
            catch (InvalidDataException) when (_packed.IsTailRead)
            {
                length = 0;
            }
            catch (InvalidDataException)
            {
                _isAtEnd = true;
                throw new DamagedFileException(_path, "is damaged: gzip can't unpack the rest of it");
            }

            if (length > 0 && !_packed.IsTailRead)
                return length;
            _afterEnd.Write(buffer, offset, length);
            if (length == 0)
                return Finish();
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        _unpacked.Dispose();
        base.Dispose(disposing);
    }

    private int Finish()
    {
        _isAtEnd = true;

        // Zeros or junk after the last gzip file end the output before the appended part. gzip(1) ignores them, too.
        bool isWhole = !_packed.IsTailRead || _afterEnd.GetBuffer().AsSpan(0, (int)_afterEnd.Length).SequenceEqual(Tail);
        return isWhole || _isStopped()
            ? 0
            : throw new DamagedFileException(_path, "ends too early: gzip has no end there. The line that it ends in is left out");
    }

    private static byte[] Pack(byte[] bytes)
    {
        MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.NoCompression))
            gzip.Write(bytes);
        return packed.ToArray();
    }
}

/// <summary>A stream whose first bytes were already read, with more bytes appended to its end.</summary>
internal sealed class RejoinedStream(byte[] head, Stream rest) : ForwardStream
{
    private int _headRead;
    private int _tailRead;

    /// <summary>The bytes after the end.</summary>
    public byte[] Tail { get; set; } = [];

    /// <summary>True after some of it has been read.</summary>
    public bool IsTailRead => _tailRead > 0;

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_headRead < head.Length)
            return Copy(head, ref _headRead, buffer.AsSpan(offset, count));
        int length = _tailRead == 0 ? rest.Read(buffer, offset, count) : 0;
        return length > 0 ? length : Copy(Tail, ref _tailRead, buffer.AsSpan(offset, count));
    }

    protected override void Dispose(bool disposing)
    {
        rest.Dispose();
        base.Dispose(disposing);
    }

    private static int Copy(byte[] bytes, ref int read, Span<byte> buffer)
    {
        int length = Math.Min(buffer.Length, bytes.Length - read);
        bytes.AsSpan(read, length).CopyTo(buffer);
        read += length;
        return length;
    }
}

/// <summary>The rest of a file can't be read. The part before was read.</summary>
internal sealed class DamagedFileException(string path, string problem) : IOException($"{path} {problem}");

/// <summary>A file is compressed by a program whose format this library can't decompress.</summary>
internal sealed class PackedFileException(string path, PackingProgram program) : IOException($"{path} is packed by {program.Name}, which can't be read directly")
{
    private static readonly (byte[] Magic, PackingProgram Program)[] Known =
    [
        ([0x28, 0xB5, 0x2F, 0xFD], new("zstd", "zstdcat")),
        ([0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0], new("xz", "xzcat")),
        ([(byte)'B', (byte)'Z', (byte)'h'], new("bzip2", "bzcat")),
        ([0x04, 0x22, 0x4D, 0x18], new("lz4", "lz4cat")),
        ([(byte)'L', (byte)'Z', (byte)'I', (byte)'P'], new("lzip", "lzip -dc")),
        ([0x5D, 0, 0], new("lzma", "lzcat")),
        ([0x1F, 0x9D], new("compress", "zcat")),
        ([(byte)'P', (byte)'K', 3, 4], new("zip", "unzip -p")),
        ([(byte)'7', (byte)'z', 0xBC, 0xAF, 0x27, 0x1C], new("7-Zip", "7z x -so")),
        ([.. "LPKSHHRH"u8], new("systemd-journald", "journalctl -o short-iso --file")),
    ];

    /// <summary>The command that prints the content of the file.</summary>
    public string Command { get; } = $"{program.Command} '{path.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>The program that a file's first bytes identify; null if it is unknown.</summary>
    public static PackingProgram? ProgramFor(ReadOnlySpan<byte> head)
    {
        foreach ((byte[] magic, PackingProgram program) in Known)
        {
            if (head.StartsWith(magic))
                return program;
        }

        return null;
    }
}

/// <summary>A compression program, and the command that prints the content of its files.</summary>
internal sealed record PackingProgram(string Name, string Command);
