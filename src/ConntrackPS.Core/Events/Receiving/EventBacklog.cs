using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using static Tmds.Linux.LibC;

namespace ConntrackPS.Events.Receiving;

/// <summary>The received data that was not taken yet: datagrams, with notes between them. Its memory is limited, and is freed as it is
/// read.</summary>
/// <remarks>Any thread may append. Only one may take. The first quarter of the memory stores datagrams unchanged, because compression only
/// costs time while the reader keeps up. Above that they are compressed.</remarks>
internal sealed class EventBacklog : IDisposable
{
    private const int LargestBlock = 256 * 1024;

    /// <summary>The memory of an item in addition to its datagrams, in bytes.</summary>
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

    /// <param name="maximumBytes">The maximum memory. If it is empty, a datagram of any size fits.</param>
    public EventBacklog(long maximumBytes)
    {
        _maximum = maximumBytes;
        _blockSize = (int)Math.Clamp(maximumBytes / 8, Environment.SystemPageSize, LargestBlock);
    }

    /// <summary>The number of waiting datagrams, including those of the item that is being read.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>The number of waiting datagrams when it was full for the first time. Null if it never was.</summary>
    public long? CountWhenFull => Interlocked.Read(ref _countWhenFull) is >= 0 and var count ? count : null;

    /// <summary>The memory in use, in bytes.</summary>
    public long MemorySize
    {
        get
        {
            lock (_lock)
                return Used;
        }
    }

    private long Used => _blockBytes + (long)_items.Count * ItemCost;

    /// <summary>Appends a datagram if there is room. This does not wake the taking thread; <see cref="Signal"/> does.</summary>
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

    /// <summary>Waits until memory has been freed since <see cref="TryAppend"/> found no room, or until the timeout.</summary>
    public void WaitForRoom(TimeSpan timeout)
    {
        lock (_lock)
        {
            Wake();
            if (_isFull && !_cancelled)
                Monitor.Wait(_lock, timeout);
        }
    }

    /// <summary>Appends a note. There is always room for one.</summary>
    public void Post(object source, BacklogNote note)
    {
        lock (_lock)
        {
            _items.Enqueue(new BacklogItem(source, note));
            _last = null;
            Wake();
        }
    }

    /// <summary>Wakes the taking thread.</summary>
    public void Signal()
    {
        lock (_lock)
            Wake();
    }

    /// <summary>Waits for the next item. The previous one must have been read to its end.</summary>
    /// <returns>Null after the timeout.</returns>
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
                    // Later datagrams go into another item.
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
    /// <param name="item">The item from <see cref="Take"/>.</param>
    /// <param name="datagram">The datagram. Valid until the next call.</param>
    /// <returns>False at the end of the item. Its memory is then free.</returns>
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

    /// <summary>Ends all current and later waits. May be called from any thread.</summary>
    public void Cancel()
    {
        lock (_lock)
        {
            _cancelled = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Frees the memory. The object can't be used afterwards.</summary>
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
        // Replace an empty block that is too small for this datagram.
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
                // The block is fully read, so it is filled again from its start.
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

    /// <summary>A block of memory that is filled from its start.</summary>
    internal sealed class Block(MemoryBlock memory)
    {
        public MemoryBlock Memory => memory;

        /// <summary>The number of bytes in use.</summary>
        public int End { get; set; }

        /// <summary>The number of items in it that are not fully read.</summary>
        public int Items { get; set; }
    }
}

/// <summary>Consecutive datagrams of one source, or a note.</summary>
internal sealed class BacklogItem
{
    public BacklogItem(object source, BacklogNote note) => (Source, Note) = (source, note);

    public BacklogItem(object source, EventBacklog.Block block) =>
        (Source, Block, Start, End) = (source, block, block.End, block.End);

    /// <summary>The source.</summary>
    public object Source { get; }

    /// <summary>The note, or null for datagrams.</summary>
    public BacklogNote? Note { get; }

    internal EventBacklog.Block? Block { get; set; }

    internal int Start { get; set; }

    internal int End { get; set; }

    /// <summary>The number of datagrams.</summary>
    internal int Count { get; set; }
}

/// <summary>A message from a receiver, in its order among the received data.</summary>
internal abstract record BacklogNote
{
    /// <summary>Receiving starts. There is no data before this note.</summary>
    public sealed record Began : BacklogNote;

    /// <summary>The kernel dropped this number of messages. All data queued before is before this note.</summary>
    public sealed record Lost(uint Count) : BacklogNote;

    /// <summary>Everything that the kernel had queued or dropped at the time of the request is before this note. Later losses are reported
    /// after it.</summary>
    public sealed record Fence(int Number) : BacklogNote;

    /// <summary>No more data will come, for this reason.</summary>
    public sealed record Ended(Exception Reason) : BacklogNote;
}

/// <summary>Memory outside the garbage collector. It is returned to the system when it is disposed.</summary>
internal sealed unsafe class MemoryBlock : IDisposable
{
    private readonly byte* _start;
    private bool _disposed;

    /// <param name="size">The size in bytes. Rounded up to whole pages.</param>
    public MemoryBlock(int size)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        Size = (int)(((nuint)size + page - 1) / page * page);
        _start = (byte*)NativeMemory.AlignedAlloc((nuint)Size, page);
    }

    ~MemoryBlock() => Free();

    /// <summary>In bytes.</summary>
    public int Size { get; }

    /// <summary>All of the memory. Its initial content is undefined.</summary>
    public Span<byte> Bytes => new(_start, Size);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>The allocator may keep the addresses, but not the pages.</summary>
    private void Free()
    {
        if (_disposed)
            return;
        _disposed = true;
        _ = LibC.MAdvise(_start, Size, MADV_DONTNEED);
        NativeMemory.AlignedFree(_start);
    }
}
