namespace ConntrackPS.Fuzzing;

/// <summary>Creates damaged datagrams from those of the corpus. The same seed creates the same ones.</summary>
/// <remarks>First at most one change of the structure, with corrected enclosing lengths, so that the damage is deep inside. Then changes of
/// single bytes. Finally, in some cases, the end is cut off.</remarks>
internal sealed class MessageMutator(IReadOnlyList<CorpusMessage> corpus, int seed)
{
    /// <summary>The maximum size of a mutant, in bytes.</summary>
    public const int MaximumSize = 16 * 1024;

    private const int MaximumNesting = 2000;

    private static readonly byte[] OddBytes = [0, 1, 2, 3, 4, 5, 7, 8, 0x7f, 0x80, 0xfe, 0xff];

    private readonly Random _random = new(seed);
    private readonly byte[] _buffer = new byte[MaximumSize];
    private CorpusMessage _source = corpus[0];
    private int _length;

    /// <summary>The next mutant. It is valid until the next call.</summary>
    public ReadOnlySpan<byte> Next()
    {
        _source = corpus[_random.Next(corpus.Count)];
        _source.Bytes.CopyTo(_buffer, 0);
        _length = _source.Bytes.Length;
        if (_source.Attributes.Count > 0)
            ChangeStructure();
        for (int changes = _random.Next(4); changes > 0; changes--)
            ChangeBytes();
        if (_random.Next(8) == 0)
            Cut();
        return _buffer.AsSpan(0, _length);
    }

    private void ChangeStructure()
    {
        int index = _random.Next(_source.Attributes.Count);
        CorpusAttribute at = _source.Attributes[index];
        switch (_random.Next(9))
        {
            case 0:
                Repeat(at);
                break;
            case 1:
                Replace(at, []);
                break;
            case 2:
                Replace(at, Foreign());
                break;
            case 3:
                Replace(at, [.. Foreign(), .. _buffer.AsSpan(at.Offset, at.Length)]);
                break;
            case 4:
                Nest(at);
                break;
            case 5:
                Retype(at);
                break;
            case 6:
                Follow(Foreign());
                break;
            case 7:
                Grow(at);
                break;
        }
    }

    /// <summary>Repeats an attribute after itself, once or many times.</summary>
    private void Repeat(CorpusAttribute at)
    {
        int times = _random.Next(4) == 0 ? _random.Next(200) : 1;
        byte[] one = _buffer[at.Offset..(at.Offset + at.Length)];
        Replace(at, [.. Enumerable.Repeat(one, Math.Min(times + 1, 8000 / one.Length + 1)).SelectMany(bytes => bytes)]);
    }

    /// <summary>Encloses the attribute in nests of its own type, all with correct lengths.</summary>
    private void Nest(CorpusAttribute at)
    {
        int depth = _random.Next(4) == 0 ? _random.Next(MaximumNesting) : _random.Next(1, 4);
        byte[] inner = _buffer[at.Offset..(at.Offset + at.Length)];
        byte[] whole = new byte[4 * depth + inner.Length];
        ushort type = (ushort)(BitConverter.ToUInt16(inner, 2) | 0x8000);
        for (int i = 0; i < depth; i++)
        {
            BitConverter.TryWriteBytes(whole.AsSpan(4 * i), (ushort)(whole.Length - 4 * i));
            BitConverter.TryWriteBytes(whole.AsSpan(4 * i + 2), type);
        }

        inner.CopyTo(whole, 4 * depth);
        Replace(at, whole);
    }

    /// <summary>Gives the attribute a value of any length: text without an end, numbers that are too long.</summary>
    private void Grow(CorpusAttribute at)
    {
        int length = 4 + _random.Next(_random.Next(2) == 0 ? 40 : 5000);
        byte[] grown = new byte[(length + 3) & ~3];
        _buffer.AsSpan(at.Offset, 4).CopyTo(grown);
        BitConverter.TryWriteBytes(grown, (ushort)length);
        grown.AsSpan(4).Fill((byte)_random.Next(256));
        Replace(at, grown);
    }

    private void Retype(CorpusAttribute at) =>
        BitConverter.TryWriteBytes(_buffer.AsSpan(at.Offset + 2), (ushort)(_random.Next(40) | (_random.Next(2) << 15)));

    /// <summary>An attribute of any message of the corpus.</summary>
    private ReadOnlySpan<byte> Foreign()
    {
        CorpusMessage other = corpus[_random.Next(corpus.Count)];
        if (other.Attributes.Count == 0)
            return [];
        CorpusAttribute at = other.Attributes[_random.Next(other.Attributes.Count)];
        return other.Bytes.AsSpan(at.Offset, at.Length);
    }

    /// <summary>Adds bytes after the last message, like the start of another one.</summary>
    private void Follow(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> more = _random.Next(2) == 0 ? bytes : corpus[_random.Next(corpus.Count)].Bytes;
        more.CopyTo(_buffer.AsSpan(_length));
        _length += more.Length;
    }

    /// <summary>Replaces an attribute, and corrects all enclosing lengths.</summary>
    private void Replace(CorpusAttribute at, ReadOnlySpan<byte> bytes)
    {
        int grown = bytes.Length - at.Length;
        byte[] rest = _buffer[(at.Offset + at.Length).._length];
        bytes.CopyTo(_buffer.AsSpan(at.Offset));
        rest.CopyTo(_buffer, at.Offset + bytes.Length);
        _length += grown;
        for (int parent = at.Parent; parent >= 0; parent = _source.Attributes[parent].Parent)
        {
            Span<byte> length = _buffer.AsSpan(_source.Attributes[parent].Offset);
            BitConverter.TryWriteBytes(length, (ushort)(BitConverter.ToUInt16(length) + grown));
        }

        Span<byte> whole = _buffer.AsSpan(at.Message);
        BitConverter.TryWriteBytes(whole, BitConverter.ToInt32(whole) + grown);
    }

    private void ChangeBytes()
    {
        int at = _random.Next(_length);
        switch (_random.Next(5))
        {
            case 0:
                _buffer[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 1:
                _buffer[at] = (byte)_random.Next(256);
                break;
            case 2:
                _buffer[at] = OddBytes[_random.Next(OddBytes.Length)];
                break;
            case 3:
                LieAboutLength();
                break;
            default:
                _random.NextBytes(_buffer.AsSpan(at, Math.Min(_random.Next(1, 9), _length - at)));
                break;
        }
    }

    /// <summary>Changes the length of an attribute in the source, or of the message.</summary>
    private void LieAboutLength()
    {
        if (_source.Attributes.Count > 0 && _random.Next(4) != 0)
        {
            Span<byte> length = _buffer.AsSpan(_source.Attributes[_random.Next(_source.Attributes.Count)].Offset);
            BitConverter.TryWriteBytes(length, (ushort)Lie(BitConverter.ToUInt16(length)));
        }
        else
        {
            BitConverter.TryWriteBytes(_buffer, Lie(BitConverter.ToInt32(_buffer)));
        }
    }

    private int Lie(int length) => _random.Next(5) switch
    {
        0 => _random.Next(20),
        1 => length + _random.Next(-8, 9),
        2 => _length + _random.Next(-8, 9),
        3 => _random.Next(2) == 0 ? 0xffff : 0x7fff,
        _ => _random.Next(2) == 0 ? -1 : int.MinValue,
    };

    /// <summary>Cuts off the end. In half of the cases the header is corrected.</summary>
    private void Cut()
    {
        _length = _random.Next(_length);
        if (_length >= sizeof(int) && _random.Next(2) == 0)
            BitConverter.TryWriteBytes(_buffer, _length);
    }
}
