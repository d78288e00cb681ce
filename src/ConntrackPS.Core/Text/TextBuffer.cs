using System.Globalization;

namespace ConntrackPS.Text;

/// <summary>Characters of a line to be: grows as needed, and is used again for the next line.</summary>
internal sealed class TextBuffer
{
    private char[] _chars = new char[512];

    public int Length { get; private set; }

    public void Clear() => Length = 0;

    public void Append(char letter)
    {
        Reserve(1);
        _chars[Length++] = letter;
    }

    public void Append(ReadOnlySpan<char> text)
    {
        Reserve(text.Length);
        text.CopyTo(_chars.AsSpan(Length));
        Length += text.Length;
    }

    public void Append(ulong number)
    {
        Reserve(20);
        number.TryFormat(_chars.AsSpan(Length), out int written, default, CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <summary>Appends a number in lower-case hexadecimal, with at least so many digits.</summary>
    public void AppendHex(ushort number, int digits = 1)
    {
        Reserve(4);
        number.TryFormat(_chars.AsSpan(Length), out int written, digits == 4 ? "x4" : "x", CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <summary>Appends <c>key=number</c> and a space.</summary>
    public void AppendField(string key, ulong number)
    {
        Append(key);
        Append('=');
        Append(number);
        Append(' ');
    }

    /// <summary>Appends <c>key=text</c> and a space.</summary>
    public void AppendField(string key, string text)
    {
        Append(key);
        Append('=');
        Append(text);
        Append(' ');
    }

    /// <summary>Appends a word, and spaces up to a column's width.</summary>
    public void AppendColumn(string word, int width)
    {
        Append(word);
        for (int length = word.Length; length < width; length++)
            Append(' ');
    }

    /// <summary>The text without the space at its end.</summary>
    public string ToLine() => new string(_chars, 0, Length > 0 && _chars[Length - 1] == ' ' ? Length - 1 : Length);

    public override string ToString() => new(_chars, 0, Length);

    private void Reserve(int length)
    {
        if (Length + length > _chars.Length)
            Array.Resize(ref _chars, Math.Max(_chars.Length * 2, Length + length));
    }
}
