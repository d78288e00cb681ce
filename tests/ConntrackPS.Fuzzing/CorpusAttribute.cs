namespace ConntrackPS.Fuzzing;

/// <summary>An attribute of a message in the corpus.</summary>
/// <param name="Offset">The offset of its header in the datagram.</param>
/// <param name="Length">Its length in bytes, including padding.</param>
/// <param name="Parent">The index of the enclosing nest in the list, or -1.</param>
/// <param name="Message">The offset of the message's header.</param>
internal readonly record struct CorpusAttribute(int Offset, int Length, int Parent, int Message)
{
    private const int HeaderSize = 20;
    private const ushort FirstData = 0x10;
    private const ushort Nested = 0x8000;

    /// <summary>Finds the attributes of each netfilter message of a datagram.</summary>
    public static List<CorpusAttribute> FindAll(byte[] datagram)
    {
        List<CorpusAttribute> found = [];
        for (int message = 0; message < datagram.Length; message += Align(BitConverter.ToInt32(datagram, message)))
        {
            if (BitConverter.ToUInt16(datagram, message + 4) >= FirstData)
                Collect(message + HeaderSize, message + BitConverter.ToInt32(datagram, message), -1, message);
        }

        return found;

        void Collect(int start, int end, int parent, int message)
        {
            while (start < end)
            {
                int length = BitConverter.ToUInt16(datagram, start);
                found.Add(new CorpusAttribute(start, Align(length), parent, message));
                if ((BitConverter.ToUInt16(datagram, start + 2) & Nested) != 0)
                    Collect(start + 4, start + length, found.Count - 1, message);
                start += Align(length);
            }
        }
    }

    private static int Align(int length) => (length + 3) & ~3;
}
