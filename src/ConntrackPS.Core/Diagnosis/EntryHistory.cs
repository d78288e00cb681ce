using System.Numerics;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Diagnosis;

/// <summary>The entries found in a pass over the table, in about 44 bytes each, so that the next pass can detect changes.</summary>
internal sealed class EntryHistory
{
    private const int SmallestSize = 1024;

    private readonly BlockList<Record> _records = new();

    // A hash table with open addressing. It holds positions in the list, from 1.
    private int[] _slots = new int[SmallestSize];

    /// <summary>Adds an entry.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="tag">A number that is returned for entries that are not seen again.</param>
    public void Add(ConntrackEntry entry, int tag = 0)
    {
        if (_records.Count * 3 >= _slots.Length * 2)
            Grow();
        ref Record record = ref _records.Add();
        record = new Record { Key = EntryFingerprint.Of(entry), Packets = entry.RawPackets, Bytes = entry.RawBytes, Tag = tag };
        Place(record.Key, _records.Count);
    }

    /// <summary>Looks up an entry, and marks it as seen again.</summary>
    /// <param name="entry">The current entry.</param>
    /// <param name="packets">Packets in both directions since it was added. All of its packets if it is new.</param>
    /// <param name="bytes">Bytes in both directions, likewise.</param>
    /// <returns>False if it is new.</returns>
    public bool See(ConntrackEntry entry, out ulong packets, out ulong bytes)
    {
        ulong key = EntryFingerprint.Of(entry);
        (packets, bytes) = (entry.RawPackets, entry.RawBytes);
        for (int slot = SlotOf(key); _slots[slot] != 0; slot = Next(slot))
        {
            ref Record record = ref _records[_slots[slot] - 1];
            if (record.Key != key)
                continue;
            record.IsSeen = true;

            // Counters that decreased were reset meanwhile.
            packets -= packets >= record.Packets ? record.Packets : 0;
            bytes -= bytes >= record.Bytes ? record.Bytes : 0;
            return true;
        }

        return false;
    }

    /// <summary>The tags of the entries that were not seen again.</summary>
    public IEnumerable<int> UnseenTags()
    {
        for (int i = 0; i < _records.Count; i++)
        {
            if (!_records[i].IsSeen)
                yield return _records[i].Tag;
        }
    }

    /// <summary>Marks all entries as not seen again.</summary>
    public void Unsee()
    {
        for (int i = 0; i < _records.Count; i++)
            _records[i].IsSeen = false;
    }

    /// <summary>Removes all entries, and keeps the memory.</summary>
    public void Clear()
    {
        _records.Clear();
        Array.Clear(_slots);
    }

    private int SlotOf(ulong key) => (int)((key * 0x9e3779b97f4a7c15) >> (64 - BitOperations.Log2((uint)_slots.Length)));

    private int Next(int slot) => (slot + 1) & (_slots.Length - 1);

    private void Grow()
    {
        _slots = new int[_slots.Length * 2];
        for (int i = 0; i < _records.Count; i++)
            Place(_records[i].Key, i + 1);
    }

    private void Place(ulong key, int number)
    {
        int slot = SlotOf(key);
        while (_slots[slot] != 0)
            slot = Next(slot);
        _slots[slot] = number;
    }

    private struct Record
    {
        public ulong Key;
        public ulong Packets;
        public ulong Bytes;
        public int Tag;
        public bool IsSeen;
    }
}

/// <summary>A list of large structs that grows without copying, and keeps its memory when it is cleared.</summary>
internal sealed class BlockList<T>
    where T : struct
{
    private const int BlockBits = 8, BlockSize = 1 << BlockBits;

    private readonly List<T[]> _blocks = [];

    public int Count { get; private set; }

    public ref T this[int index] => ref _blocks[index >> BlockBits][index & (BlockSize - 1)];

    /// <summary>Adds an item. It is empty, or has the content that <see cref="Clear"/> left.</summary>
    public ref T Add()
    {
        if (Count >> BlockBits == _blocks.Count)
            _blocks.Add(new T[BlockSize]);
        return ref this[Count++];
    }

    /// <summary>Removes all items. Their content stays in memory until <see cref="Add"/> returns the item again to be
    /// overwritten.</summary>
    public void Clear() => Count = 0;

    /// <summary>Sets all items to their default values, and keeps them.</summary>
    public void Empty() => _blocks.ForEach(Array.Clear);
}
