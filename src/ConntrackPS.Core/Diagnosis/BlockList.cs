namespace ConntrackPS.Diagnosis;

/// <summary>A list of large structs that grows without being copied, and keeps its room when it is cleared.</summary>
internal sealed class BlockList<T>
    where T : struct
{
    private const int BlockBits = 8, BlockSize = 1 << BlockBits;

    private readonly List<T[]> _blocks = [];

    public int Count { get; private set; }

    public ref T this[int index] => ref _blocks[index >> BlockBits][index & (BlockSize - 1)];

    /// <summary>Adds an item, empty or as <see cref="Clear"/> left it.</summary>
    public ref T Add()
    {
        if (Count >> BlockBits == _blocks.Count)
            _blocks.Add(new T[BlockSize]);
        return ref this[Count++];
    }

    /// <summary>Takes all items out; their contents stay in the room, for <see cref="Add"/> to be overwritten.</summary>
    public void Clear() => Count = 0;

    /// <summary>Empties all items, and keeps them.</summary>
    public void Empty() => _blocks.ForEach(Array.Clear);
}
