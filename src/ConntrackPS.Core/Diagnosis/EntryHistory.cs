using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Diagnosis;

/// <summary>What a pass over the table found, in about 64 bytes an entry, so that the next pass can tell what changed.
/// </summary>
/// <remarks>A hash table with open addressing: a million entries are added or looked up in some 100 ms.</remarks>
internal sealed class EntryHistory
{
    private const int SmallestSize = 1024;

    private Record[] _records = new Record[SmallestSize];

    public int Count { get; private set; }

    /// <summary>Notes an entry.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="tag">A number that comes back for entries that are not seen again.</param>
    public void Add(ConntrackEntry entry, int tag = 0)
    {
        if (Count > _records.Length / 2)
            Grow();
        Count++;
        Place(new Record
        {
            Key = KeyOf(entry),
            Packets = entry.RawPackets,
            Bytes = entry.RawBytes,
            Tag = tag,
        });
    }

    /// <summary>Looks an entry up, and notes that it was seen again.</summary>
    /// <param name="entry">The entry as it is now.</param>
    /// <param name="packets">Packets both ways since it was noted; all of them where it is new.</param>
    /// <param name="bytes">Bytes both ways since then.</param>
    /// <returns>False where it is new.</returns>
    public bool See(ConntrackEntry entry, out ulong packets, out ulong bytes)
    {
        ulong key = KeyOf(entry);
        (packets, bytes) = (entry.RawPackets, entry.RawBytes);
        for (int i = Slot(key); _records[i].Key != 0; i = Next(i))
        {
            ref Record record = ref _records[i];
            if (record.Key != key)
                continue;
            record.Seen = true;

            // Counters that went back were reset meanwhile.
            packets -= packets >= record.Packets ? record.Packets : 0;
            bytes -= bytes >= record.Bytes ? record.Bytes : 0;
            return true;
        }

        return false;
    }

    /// <summary>The tags of the entries that were not seen again.</summary>
    public IEnumerable<int> UnseenTags() => _records.Where(record => record is { Key: not 0, Seen: false }).Select(record => record.Tag);

    /// <summary>Forgets which entries were seen again.</summary>
    public void Unsee()
    {
        for (int i = 0; i < _records.Length; i++)
            _records[i].Seen = false;
    }

    /// <summary>Forgets all entries, and keeps the room.</summary>
    public void Clear()
    {
        Array.Clear(_records);
        Count = 0;
    }

    /// <summary>0 means that a place is free.</summary>
    private static ulong KeyOf(ConntrackEntry entry) => Math.Max(EntryFingerprint.Of(entry), 1);

    private int Slot(ulong key) => (int)((key * 0x9e3779b97f4a7c15) >> (64 - BitOperations.Log2((uint)_records.Length)));

    private int Next(int slot) => (slot + 1) & (_records.Length - 1);

    private void Grow()
    {
        Record[] old = _records;
        _records = new Record[old.Length * 2];
        foreach (Record record in old)
        {
            if (record.Key != 0)
                Place(record);
        }
    }

    private void Place(in Record record)
    {
        int slot = Slot(record.Key);
        while (_records[slot].Key != 0)
            slot = Next(slot);
        _records[slot] = record;
    }

    private struct Record
    {
        public ulong Key;
        public ulong Packets;
        public ulong Bytes;
        public int Tag;
        public bool Seen;
    }
}
