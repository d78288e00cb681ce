using System.Text;

namespace ConntrackPS.Diagnosis.History;

/// <summary>The lines of a stream, which end with a line feed. A line that is longer than any record is cut.</summary>
internal sealed class HistoryLines(Stream stream) : IDisposable
{
    private readonly Stack<string> _again = new();
    private readonly byte[] _bytes = new byte[64 * 1024];
    private readonly MemoryStream _line = new();
    private int _next;
    private int _end;

    /// <summary>The number of the line that was read last, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>The next line without its end; null at the end.</summary>
    public string? Next()
    {
        if (_again.TryPop(out string? again))
        {
            Number++;
            return again;
        }

        _line.SetLength(0);
        bool hasBegun = false;
        while (_next < _end || Fill())
        {
            ReadOnlySpan<byte> rest = _bytes.AsSpan(_next, _end - _next);
            int length = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = length < 0 ? rest : rest[..length];
            if (_line.Length < HistoryFormat.LongestLine)
                _line.Write(part);
            hasBegun = true;
            _next += length < 0 ? rest.Length : length + 1;
            if (length >= 0)
                break;
        }

        Number += hasBegun ? 1 : 0;
        return hasBegun ? Encoding.UTF8.GetString(_line.GetBuffer(), 0, (int)_line.Length) : null;
    }

    /// <summary>Makes the lines that were read last the next ones.</summary>
    public void PutBack(IReadOnlyList<string> lines)
    {
        for (int i = lines.Count - 1; i >= 0; i--)
            _again.Push(lines[i]);
        Number -= lines.Count;
    }

    public void Dispose()
    {
        stream.Dispose();
        _line.Dispose();
    }

    private bool Fill()
    {
        (_next, _end) = (0, stream.Read(_bytes, 0, _bytes.Length));
        return _end > 0;
    }
}
