using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Events.Receiving;

/// <summary>What has been received and not been taken yet: datagrams, and notes between them. Bounded by the memory it takes,
/// which it gives back as it drains.</summary>
/// <remarks>Any thread may append; one takes. A quarter of the memory is filled with datagrams as they came, since packing them
/// would only cost time while the reader keeps up; from then on they are packed.</remarks>
internal sealed class EventBacklog : IDisposable
{
    private const int LargestBlock = 256 * 1024;

    /// <summary>What an item costs beside its datagrams, in bytes.</summary>
    private const int ItemCost = 96;

    private readonly object _lock = new();
    private readonly Queue<BacklogItem> _items = [];
    private readonly DatagramPacker _packer = new();
    private readonly DatagramUnpacker _unpacker = new();
    private readonly long _maximum;
    private readonly int _blockSize;
    private Block? _tail;
    private BacklogItem? _last;
    private long _blockBytes;
    private long _count;
    private long _countWhenFull = -1;
    private bool _takerWaits;
    private bool _isFull;
    private bool _cancelled;

    /// <param name="maximumBytes">How much memory it may take; once all are taken, a datagram finds room whatever its size.</param>
    public EventBacklog(long maximumBytes)
    {
        _maximum = maximumBytes;
        _blockSize = (int)Math.Clamp(maximumBytes / 8, Environment.SystemPageSize, LargestBlock);
    }

    /// <summary>How many datagrams wait, those of the item that is being read among them.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>How many waited when there was no room for the first time; null while there always was.</summary>
    public long? CountWhenFull => Interlocked.Read(ref _countWhenFull) is >= 0 and var count ? count : null;

    /// <summary>The memory it takes, in bytes.</summary>
    public long MemorySize
    {
        get
        {
            lock (_lock)
                return Used;
        }
    }

    private long Used => _blockBytes + (long)_items.Count * ItemCost;

    /// <summary>Appends a datagram, if there is room. The thread that waits to take is not woken before <see cref="Signal"/>.</summary>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public bool TryAppend(object source, ReadOnlySpan<byte> datagram)
    {
        lock (_lock)
        {
            ThrowIfCancelled();
            if (TryPack(source, datagram))
                return true;
            if (_countWhenFull < 0)
                Interlocked.Exchange(ref _countWhenFull, Count);
            _isFull = true;
            return false;
        }
    }

    /// <summary>Waits until memory was given back since <see cref="TryAppend"/> found no room, but no longer than this.</summary>
    public void WaitForRoom(TimeSpan timeout)
    {
        lock (_lock)
        {
            Wake();
            if (_isFull && !_cancelled)
                Monitor.Wait(_lock, timeout);
        }
    }

    /// <summary>Appends a note, for which there is always room.</summary>
    public void Post(object source, BacklogNote note)
    {
        lock (_lock)
        {
            _items.Enqueue(new BacklogItem(source, note));
            _last = null;
            Wake();
        }
    }

    /// <summary>Wakes the thread that waits to take.</summary>
    public void Signal()
    {
        lock (_lock)
            Wake();
    }

    /// <summary>Waits for the next item. The one before must have been read to its end.</summary>
    /// <returns>Null when the time is up first.</returns>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public BacklogItem? Take(TimeSpan timeout)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        lock (_lock)
        {
            while (true)
            {
                ThrowIfCancelled();
                if (_items.TryDequeue(out BacklogItem? item))
                {
                    // What comes from now on goes into another.
                    if (item == _last)
                        _last = null;
                    return item;
                }

                long left = end - Environment.TickCount64;
                if (left <= 0)
                    return null;
                _takerWaits = true;
                Monitor.Wait(_lock, (int)Math.Min(left, int.MaxValue));
                _takerWaits = false;
            }
        }
    }

    /// <summary>Reads the next datagram of an item that was taken.</summary>
    /// <param name="item">From <see cref="Take"/>.</param>
    /// <param name="datagram">Good until the next call.</param>
    /// <returns>False at its end, upon which its memory is free.</returns>
    public bool TryRead(BacklogItem item, out ReadOnlySpan<byte> datagram)
    {
        datagram = default;
        if (item.Block is not { } block)
            return false;
        if (item.Start == item.End)
        {
            Release(item, block);
            return false;
        }

        ReadOnlySpan<byte> packed = block.Memory.Bytes[item.Start..item.End];
        datagram = _unpacker.Unpack(ref packed);
        item.Start = item.End - packed.Length;
        return true;
    }

    /// <summary>Ends every wait, now and later; from any thread.</summary>
    public void Cancel()
    {
        lock (_lock)
        {
            _cancelled = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Gives the memory back; it must not be used any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _cancelled = true;
            foreach (Block block in _items.Select(item => item.Block).OfType<Block>().Append(_tail).OfType<Block>().Distinct())
                block.Memory.Dispose();
            _items.Clear();
            _tail = null;
        }
    }

    private bool TryPack(object source, ReadOnlySpan<byte> datagram)
    {
        int needed = DatagramPacker.MaximumSize(datagram.Length);
        if ((_tail is null || _tail.Memory.Size - _tail.End < needed) && !TryOpenBlock(needed))
            return false;
        Block tail = _tail!;
        if (_last is null || _last.Source != source || _last.Block != tail)
        {
            if (_items.Count > 0 && Used + ItemCost > _maximum)
                return false;
            _last = new BacklogItem(source, tail);
            tail.Items++;
            _items.Enqueue(_last);
        }

        tail.End += _packer.Pack(datagram, tail.Memory.Bytes[tail.End..], asItCame: Used < _maximum / 4);
        _last.End = tail.End;
        _last.Count++;
        _count++;
        return true;
    }

    private bool TryOpenBlock(int needed)
    {
        // An empty one that is too small for this datagram makes room for a larger one.
        if (_tail is { Items: 0 })
        {
            Free(_tail);
            _tail = null;
        }

        int size = Math.Max(_blockSize, needed);
        if (_blockBytes > 0 && Used + size + ItemCost > _maximum)
            return false;
        _tail = new Block(new MemoryBlock(size));
        _blockBytes += _tail.Memory.Size;
        return true;
    }

    private void Release(BacklogItem item, Block block)
    {
        lock (_lock)
        {
            item.Block = null;
            _count -= item.Count;
            if (--block.Items > 0)
                return;
            if (block == _tail)
            {
                // All of it is read: it is filled again from its start.
                block.End = 0;
            }
            else
            {
                Free(block);
            }

            _isFull = false;
            Monitor.PulseAll(_lock);
        }
    }

    private void Free(Block block)
    {
        _blockBytes -= block.Memory.Size;
        block.Memory.Dispose();
    }

    private void Wake()
    {
        if (_takerWaits)
            Monitor.PulseAll(_lock);
    }

    private void ThrowIfCancelled()
    {
        if (_cancelled)
            throw new OperationCanceledException();
    }

    /// <summary>A piece of memory that is filled from its start.</summary>
    internal sealed class Block(MemoryBlock memory)
    {
        public MemoryBlock Memory => memory;

        /// <summary>How much of it is filled, in bytes.</summary>
        public int End { get; set; }

        /// <summary>How many items are in it that have not been read to their end.</summary>
        public int Items { get; set; }
    }
}

/// <summary>Datagrams of one source that came after each other, or a note.</summary>
internal sealed class BacklogItem
{
    public BacklogItem(object source, BacklogNote note) => (Source, Note) = (source, note);

    public BacklogItem(object source, EventBacklog.Block block) =>
        (Source, Block, Start, End) = (source, block, block.End, block.End);

    /// <summary>Whose they are.</summary>
    public object Source { get; }

    /// <summary>Null for datagrams.</summary>
    public BacklogNote? Note { get; }

    internal EventBacklog.Block? Block { get; set; }

    internal int Start { get; set; }

    internal int End { get; set; }

    /// <summary>How many datagrams.</summary>
    internal int Count { get; set; }
}

/// <summary>What a receiver has to say beside what it received, at its place among it.</summary>
internal abstract record BacklogNote
{
    /// <summary>Nothing has come yet.</summary>
    public sealed record Began : BacklogNote;

    /// <summary>So many messages were dropped. All that was queued before stands before this note.</summary>
    public sealed record Lost(uint Count) : BacklogNote;

    /// <summary>All that the kernel had queued, or dropped, when this fence was asked for stands before it; what it dropped
    /// later stands behind it.</summary>
    public sealed record Fence(int Number) : BacklogNote;

    /// <summary>Nothing more will come, for this reason.</summary>
    public sealed record Ended(Exception Reason) : BacklogNote;
}

/// <summary>Memory outside of the garbage collector's, which goes back to the system the moment it is disposed.</summary>
internal sealed unsafe class MemoryBlock : IDisposable
{
    private readonly byte* _start;
    private bool _disposed;

    /// <param name="size">In bytes; made whole pages.</param>
    public MemoryBlock(int size)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        Size = (int)(((nuint)size + page - 1) / page * page);
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)Size, page);
    }

    ~MemoryBlock() => Free();

    /// <summary>In bytes.</summary>
    public int Size { get; }

    /// <summary>All of it; what it holds at first is anything.</summary>
    public Span<byte> Bytes => new(_start, Size);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The allocator may keep the addresses for later, but not the pages behind them.</summary>
    private void Free()
    {
        if (_disposed)
            return;
        _disposed = true;
        _ = LibC.MAdvise(_start, Size, MADV_DONTNEED);
        NativeMemory.AlignedFree(_start);
    }
}
