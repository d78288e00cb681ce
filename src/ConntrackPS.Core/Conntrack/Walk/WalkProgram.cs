using System.Buffers.Binary;
using ConntrackPS.Bpf;
using static ConntrackPS.Bpf.BpfRegister;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>Why a run of the walk's program ended.</summary>
internal enum WalkStop
{
    /// <summary>Its share of work is done. The next run continues.</summary>
    Rest = 0,

    /// <summary>The last bucket is done.</summary>
    End = 1,

    /// <summary>There is no room for another record.</summary>
    Full = 2,

    /// <summary>The chain of a bucket changed each time that it was followed.</summary>
    Torn = 3,
}

/// <summary>How the program gets at the kernel's memory, best first. The kernel decides which it accepts.</summary>
internal enum WalkAccess
{
    /// <summary>Reads the kernel's structs directly, holds the RCU read lock by itself, and may be preempted (6.2).</summary>
    Preemptible,

    /// <summary>Reads directly. The kernel holds the RCU read lock, and disables preemption during a run (6.2).</summary>
    Direct,

    /// <summary>Copies each struct by a call (5.17).</summary>
    Copying,
}

/// <summary>The program that follows the chains of the hash table, and writes a record for each entry that passes the filter.</summary>
/// <remarks>
/// <para>One step is one entry's direction, or the end of a chain. bpf_loop calls the step; a run makes a limited number of steps. A bucket is
/// either whole in the output or not at all: a run that stops inside of one takes its records back.</para>
/// <para>An entry may be freed and used again at any time, for an entry in another bucket too (SLAB_TYPESAFE_BY_RCU). So a chain must end in
/// the marker of its own bucket, and a tuple is read again after all other values; otherwise the bucket is read again.</para>
/// </remarks>
internal sealed class WalkProgram : IDisposable
{
    // The shared memory: the arguments and results of each run, scratch space, and then the slices for records.
    private const int Bucket = 0, End = 8, Out = 16, Limit = 24, NetOfEntries = 32, AgeLimit = 40, Stop = 48, Steps = 56;
    private const int TableBefore = 64, TableAfter = 72, GenerationBefore = 80, GenerationAfter = 88, Retries = 96;
    private const int WordCopy = 128, NodeCopy = 160, EntryCopy = 512, ExtensionCopy = 1536, NodeAgain = 1792;

    /// <summary>The offset of the first slice.</summary>
    public const int Slices = 4096;

    /// <summary>The walk gives up if chains were cut this number of times in one run.</summary>
    private const int MostRetries = 1000;

    /// <summary>The buckets from one whose chain begins to the one whose first node is fetched into the cache.</summary>
    private const int BucketsAhead = 2;

    // The step's variables, on the stack of the main function.
    private const int BucketNow = -8, EndNow = -16, Node = -24, OutNow = -32, OutOfBucket = -40, Table = -48, Jiffies = -56, StopNow = -64;
    private const int LimitNow = -72, RetriesNow = -80, Extensions = -88, Part = -96;

    private const int IsConfirmed = (int)ConntrackStatus.Confirmed, IsDying = (int)ConntrackStatus.Dying;

    private readonly BpfAssembler _code = new();
    private readonly WalkLayout _layout;
    private readonly WalkAccess _access;
    private readonly int _map;
    private readonly BpfProgram _program;

    /// <summary>Loads the program.</summary>
    /// <param name="environment">The places of everything in the kernel.</param>
    /// <param name="access">The way to read memory.</param>
    /// <param name="parts">The parts of records to fill.</param>
    /// <param name="filter">The conditions.</param>
    /// <param name="sliceLength">The length of each slice for records, in bytes.</param>
    /// <param name="slices">The number of slices.</param>
    /// <exception cref="BpfException">The kernel refused the program.</exception>
    public WalkProgram(WalkEnvironment environment, WalkAccess access, EntryParts parts, WalkFilter filter, int sliceLength, int slices)
    {
        (_layout, _access, Parts, SliceLength) = (environment.Layout, access, parts, sliceLength);
        RecordSize = WalkRecord.SizeFor(parts);
        if (_layout.NodeSize > EntryCopy - NodeCopy || _layout.EntrySize > ExtensionCopy - EntryCopy || _layout.ExtensionSize > NodeAgain - ExtensionCopy)
            throw new WalkUnavailableException("the kernel's entries are larger than any known ones");
        Memory = new SharedMemory(Slices + sliceLength * slices + WalkRecord.LongestSize);
        _map = Memory.Descriptor;
        try
        {
            BpfLabel step = new();
            WriteMain(environment.Addresses, step);
            _code.Mark(step);
            WriteStep(filter);
            _program = BpfProgram.Load(
                access == WalkAccess.Preemptible ? BpfProgramType.Syscall : BpfProgramType.RawTracepoint, _code.Build(), [0, step.Position]);
        }
        catch
        {
            Memory.Dispose();
            throw;
        }
    }

    public SharedMemory Memory { get; }

    public EntryParts Parts { get; }

    public int RecordSize { get; }

    public int SliceLength { get; }

    /// <summary>The offset of space for one record, behind the slices.</summary>
    public int Spare => Memory.Length - WalkRecord.LongestSize;

    /// <summary>Writes the instruction that loads the time before which an entry must have begun.</summary>
    public static void LoadAgeLimit(BpfAssembler code, BpfRegister destination) => code.Load(BpfWidth.Double, destination, R6, AgeOnStack);

    private const int AgeOnStack = -104;

    /// <summary>Runs the program once.</summary>
    /// <param name="bucket">The first bucket. Then the next one to read.</param>
    /// <param name="end">The bucket to stop before.</param>
    /// <param name="place">The offset for the first record. Then the end of the records.</param>
    /// <param name="limit">The end of the slice.</param>
    /// <param name="net">The network namespace whose entries count, as its address in the kernel. 0 for all.</param>
    /// <param name="ageLimit">The time for <see cref="LoadAgeLimit"/>.</param>
    /// <param name="steps">The most steps.</param>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public WalkRun Run(ref long bucket, long end, ref int place, int limit, ulong net, ulong ageLimit, int steps)
    {
        Span<byte> shared = Memory.Bytes;
        Write(shared, Bucket, (ulong)bucket);
        Write(shared, End, (ulong)end);
        Write(shared, Out, (ulong)place);
        Write(shared, Limit, (ulong)(limit - RecordSize));
        Write(shared, NetOfEntries, net);
        Write(shared, AgeLimit, ageLimit);
        Write(shared, Steps, (ulong)steps);
        Write(shared, Retries, 0);
        _program.Run();
        (bucket, place) = ((long)Read(shared, Bucket), (int)Read(shared, Out));
        return new WalkRun(
            (WalkStop)Read(shared, Stop),
            new TableState(Read(shared, TableBefore), (uint)Read(shared, GenerationBefore)),
            new TableState(Read(shared, TableAfter), (uint)Read(shared, GenerationAfter)));
    }

    public void Dispose()
    {
        _program.Dispose();
        Memory.Dispose();
    }

    private static void Write(Span<byte> shared, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(shared[offset..], value);

    private static ulong Read(ReadOnlySpan<byte> shared, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(shared[offset..]);

    private bool IsDirect => _access != WalkAccess.Copying;

    private void WriteMain(TableAddresses addresses, BpfLabel step)
    {
        _code.MoveMapValue(R7, _map, 0);
        CopyToStack(Bucket, BucketNow);
        CopyToStack(End, EndNow);
        CopyToStack(Out, OutNow);
        CopyToStack(Out, OutOfBucket);
        CopyToStack(Limit, LimitNow);
        CopyToStack(AgeLimit, AgeOnStack);

        // Not constants: the verifier would follow each of their values from step to step.
        CopyToStack(Retries, RetriesNow);
        CopyToStack(Retries, Extensions);
        CopyToStack(Retries, Part);
        _code.Store(BpfWidth.Double, Frame, StopNow, (int)WalkStop.Rest);
        _code.Call(BpfHelper.Jiffies64);
        _code.Store(BpfWidth.Double, Frame, Jiffies, R0);
        if (_access == WalkAccess.Preemptible)
            _code.CallKernel(_layout.ReadLock!.Value.Lock);
        WriteState(addresses, TableBefore, GenerationBefore);
        _code.Load(BpfWidth.Double, R1, R7, TableBefore);
        _code.Store(BpfWidth.Double, Frame, Table, R1);
        _code.Move(R6, Frame);
        LoadHead();
        _code.Store(BpfWidth.Double, Frame, Node, R0);
        _code.Load(BpfWidth.Double, R1, R7, Steps);
        _code.MoveFunction(R2, step);
        _code.Move(R3, Frame);
        _code.Move(R4, 0);
        _code.Call(BpfHelper.Loop);
        WriteState(addresses, TableAfter, GenerationAfter);
        if (_access == WalkAccess.Preemptible)
            _code.CallKernel(_layout.ReadLock!.Value.Unlock);
        CopyFromStack(BucketNow, Bucket);
        CopyFromStack(OutOfBucket, Out);
        CopyFromStack(StopNow, Stop);
        _code.Return(0);
    }

    /// <summary>Notes the table's address and the count of its resizes.</summary>
    private void WriteState(TableAddresses addresses, int table, int generation)
    {
        _code.MoveLong(R1, addresses.Table);
        LoadWord();
        _code.Store(BpfWidth.Double, R7, table, R0);
        if (addresses.Generation == 0)
            return;
        _code.MoveLong(R1, addresses.Generation);
        LoadWord();
        _code.Store(BpfWidth.Double, R7, generation, R0);
    }

    private void CopyToStack(int shared, int stack)
    {
        _code.Load(BpfWidth.Double, R1, R7, shared);
        _code.Store(BpfWidth.Double, Frame, stack, R1);
    }

    private void CopyFromStack(int stack, int shared)
    {
        _code.Load(BpfWidth.Double, R1, Frame, stack);
        _code.Store(BpfWidth.Double, R7, shared, R1);
    }

    /// <summary>Loads the 8 bytes at the address in R1 into R0. 0 if the address is invalid.</summary>
    private void LoadWord()
    {
        if (IsDirect)
        {
            _code.Move(R2, (int)_layout.WordType);
            _code.CallKernel(_layout.CastFunction!.Value);
            _code.Load(BpfWidth.Double, R0, R0, 0);
            return;
        }

        Copy(WordCopy, sizeof(ulong));
        _code.Load(BpfWidth.Double, R0, R0, 0);
    }

    /// <summary>Copies from the address in R1 into scratch space, whose address is then in R0.</summary>
    private void Copy(int scratch, int size)
    {
        _code.Move(R3, R1);
        _code.MoveMapValue(R1, _map, scratch);
        _code.Move(R2, size);
        _code.Call(BpfHelper.ProbeReadKernel);
        _code.MoveMapValue(R0, _map, scratch);
    }

    /// <summary>Makes the struct at the address in R1 readable through R0.</summary>
    private void Open(uint type, int scratch, int size)
    {
        if (!IsDirect)
        {
            Copy(scratch, size);
            return;
        }

        _code.Move(R2, (int)type);
        _code.CallKernel(_layout.CastFunction!.Value);
    }

    /// <summary>Loads a pointer of the entry into R0, as a number.</summary>
    private void LoadPointer(int offset)
    {
        if (!IsDirect)
        {
            _code.Load(BpfWidth.Double, R0, R8, offset);
            return;
        }

        _code.Move(R1, R7);
        _code.Calculate(BpfOperation.Add, R1, offset);
        LoadWord();
    }

    /// <summary>Reads the node in R0 and drops the value, so that a later step finds it in the processor's cache.</summary>
    private void Prefetch()
    {
        BpfLabel isEnd = new();
        _code.JumpIf(R0, BpfCondition.AnyBit, 1, isEnd);
        _code.Move(R1, R0);
        LoadWord();
        _code.Mark(isEnd);
    }

    /// <summary>Loads the first node of the current bucket into R0.</summary>
    private void LoadHead()
    {
        _code.Load(BpfWidth.Double, R1, R6, BucketNow);
        LoadHeadOfBucket();
    }

    /// <summary>Loads the first node of the bucket whose number is in R1 into R0.</summary>
    private void LoadHeadOfBucket()
    {
        _code.Calculate(BpfOperation.Lsh, R1, 3);
        _code.Load(BpfWidth.Double, R2, R6, Table);
        _code.Calculate(BpfOperation.Add, R1, R2);
        LoadWord();
    }

    private void WriteStep(WalkFilter filter)
    {
        BpfLabel isEnd = new(), isTorn = new(), isFull = new(), next = new(), isDone = new();
        _code.Move(R6, R2);
        _code.Load(BpfWidth.Double, R7, R6, Node);
        _code.JumpIf(R7, BpfCondition.AnyBit, 1, isEnd);
        _code.JumpIf(R7, BpfCondition.Equal, 0, isTorn);
        _code.Load(BpfWidth.Double, R1, R6, OutNow);
        _code.Load(BpfWidth.Double, R2, R6, LimitNow);
        _code.JumpIf(R1, BpfCondition.Greater, R2, isFull);

        // The verifier knows the length of the memory, but not that of the slices in it.
        _code.JumpIf(R1, BpfCondition.Greater, Memory.Length - RecordSize, isFull);
        _code.MoveMapValue(R9, _map, 0);
        _code.Calculate(BpfOperation.Add, R9, R1);
        WriteNode(next);
        WriteEntry(next);
        if (filter.Early is { } early)
            WriteCondition(early, next);
        WriteParts();
        if (filter.Late is { } late)
            WriteCondition(late, next);
        WriteCheck(isTorn, next);
        _code.Load(BpfWidth.Double, R1, R6, OutNow);
        _code.Calculate(BpfOperation.Add, R1, RecordSize);
        _code.Store(BpfWidth.Double, R6, OutNow, R1);
        _code.Mark(next);
        _code.Return(0);

        _code.Mark(isEnd);
        WriteChainEnd(isTorn, isDone);
        _code.Mark(isTorn);
        WriteTorn(isDone);
        _code.Mark(isFull);
        _code.Store(BpfWidth.Double, R6, StopNow, (int)WalkStop.Full);
        _code.Mark(isDone);
        _code.Return(1);
    }

    /// <summary>Notes the next node. Each entry has two nodes. Only that of the original direction counts.</summary>
    private void WriteNode(BpfLabel next)
    {
        if (IsDirect)
        {
            _code.Move(R1, R7);
            _code.Calculate(BpfOperation.Add, R1, _layout.Next);
            LoadWord();
            _code.Store(BpfWidth.Double, R6, Node, R0);
            Prefetch();
        }

        _code.Move(R1, R7);
        Open(_layout.NodeType, NodeCopy, _layout.NodeSize);
        if (!IsDirect)
        {
            _code.Load(BpfWidth.Double, R1, R0, _layout.Next);
            _code.Store(BpfWidth.Double, R6, Node, R1);
        }

        _code.Load(BpfWidth.Byte, R1, R0, _layout.TupleInNode + _layout.Direction);
        _code.JumpIf(R1, BpfCondition.NotEqual, 0, next);
        _code.Calculate(BpfOperation.Sub, R7, _layout.TuplesOffset);
        _code.Move(R1, R7);
        Open(_layout.EntryType, EntryCopy, _layout.EntrySize);
        _code.Move(R8, R0);
    }

    /// <summary>Writes what is always read, of an entry that is in the table and in the network namespace.</summary>
    private void WriteEntry(BpfLabel next)
    {
        BpfLabel isWanted = new();
        LoadPointer(_layout.Net);
        _code.Store(BpfWidth.Double, R9, WalkRecord.Net, R0);
        _code.MoveMapValue(R2, _map, 0);
        _code.Load(BpfWidth.Double, R2, R2, NetOfEntries);
        _code.JumpIf(R2, BpfCondition.Equal, 0, isWanted);
        _code.JumpIf(R0, BpfCondition.NotEqual, R2, next);
        _code.Mark(isWanted);

        _code.Load(BpfWidth.Double, R1, R8, _layout.Status);
        WriteIsListed(next);
        _code.Store(BpfWidth.Word, R9, WalkRecord.Status, R1);

        // Netlink leaves out entries that have expired and are not removed yet (nf_ct_is_expired).
        _code.Load(BpfWidth.Word, R1, R8, _layout.Timeout);
        _code.Load(BpfWidth.Double, R2, R6, Jiffies);
        _code.CalculateWord(BpfOperation.Sub, R1, R2);
        _code.JumpIfWord(R1, BpfCondition.SignedLessOrEqual, 0, next);
        _code.Store(BpfWidth.Word, R9, WalkRecord.Timeout, R1);

        _code.Store(BpfWidth.Double, R9, WalkRecord.Entry, R7);
        CopyOptional(_layout.Mark, BpfWidth.Word, WalkRecord.Mark);
        CopyOptional(_layout.ZoneId, BpfWidth.Half, WalkRecord.ZoneId);
        CopyOptional(_layout.ZoneDirection, BpfWidth.Byte, WalkRecord.ZoneDirection);
        for (int i = 0; i < 2; i++)
            CopyTuple(R8, _layout.TuplesOffset + i * _layout.NodeSize + _layout.TupleInNode, WalkRecord.Original + i * WalkTuple.Size);
        _code.Load(BpfWidth.Double, R1, R6, BucketNow);
        _code.Store(BpfWidth.Word, R9, WalkRecord.Bucket, R1);
        _code.Store(BpfWidth.Word, R9, WalkRecord.Parts, 0);
        WriteProtocolState();
    }

    /// <summary>Only confirmed entries are in the table. One that is dying was removed, and is about to leave its chain.</summary>
    private void WriteIsListed(BpfLabel next)
    {
        BpfLabel isConfirmed = new();
        _code.JumpIf(R1, BpfCondition.AnyBit, IsConfirmed, isConfirmed);
        _code.Jump(next);
        _code.Mark(isConfirmed);
        _code.JumpIf(R1, BpfCondition.AnyBit, IsDying, next);
    }

    private void CopyOptional(int? offset, BpfWidth width, int record)
    {
        if (offset is not { } known)
        {
            _code.Store(width, R9, record, 0);
            return;
        }

        _code.Load(width, R1, R8, known);
        _code.Store(width, R9, record, R1);
    }

    private void CopyTuple(BpfRegister source, int offset, int record)
    {
        foreach ((int from, int to, BpfWidth width) in TupleFields())
        {
            _code.Load(width, R1, source, offset + from);
            _code.Store(width, R9, record + to, R1);
        }
    }

    private (int From, int To, BpfWidth Width)[] TupleFields() =>
    [
        (_layout.SourceAddress, WalkTuple.SourceAddress, BpfWidth.Double),
        (_layout.SourceAddress + sizeof(ulong), WalkTuple.SourceAddress + sizeof(ulong), BpfWidth.Double),
        (_layout.SourcePort, WalkTuple.SourcePort, BpfWidth.Half),
        (_layout.Family, WalkTuple.Family, BpfWidth.Half),
        (_layout.DestinationAddress, WalkTuple.DestinationAddress, BpfWidth.Double),
        (_layout.DestinationAddress + sizeof(ulong), WalkTuple.DestinationAddress + sizeof(ulong), BpfWidth.Double),
        (_layout.DestinationPort, WalkTuple.DestinationPort, BpfWidth.Half),
        (_layout.Protocol, WalkTuple.Protocol, BpfWidth.Byte),
        (_layout.Direction, WalkTuple.Direction, BpfWidth.Byte),
    ];

    private void WriteProtocolState()
    {
        BpfLabel isStored = new();
        _code.Move(R2, 0);
        _code.Load(BpfWidth.Byte, R1, R9, WalkRecord.Original + WalkTuple.Protocol);
        LoadState(IPProtocol.Tcp, _layout.TcpState, sizeof(byte));
        if (_layout.SctpState is { } sctp)
            LoadState(IPProtocol.Sctp, sctp.Offset, sctp.Size);
        if (_layout.DccpState is { } dccp)
            LoadState(IPProtocol.Dccp, dccp.Offset, dccp.Size);
        _code.Mark(isStored);
        _code.Store(BpfWidth.Byte, R9, WalkRecord.State, R2);

        void LoadState(IPProtocol protocol, int offset, int size)
        {
            BpfLabel isOther = new();
            _code.JumpIf(R1, BpfCondition.NotEqual, (int)protocol, isOther);
            _code.Load(size == sizeof(byte) ? BpfWidth.Byte : BpfWidth.Word, R2, R8, offset);
            _code.Jump(isStored);
            _code.Mark(isOther);
        }
    }

    /// <summary>Writes the parts that were asked for and that the entry has.</summary>
    private void WriteParts()
    {
        if ((Parts & EntryParts.Id) != 0)
        {
            LoadPointer(_layout.Master);
            _code.Store(BpfWidth.Double, R9, WalkRecord.Master, R0);
        }

        if ((Parts & ~EntryParts.Id) == EntryParts.None)
            return;
        BpfLabel end = new();
        LoadPointer(_layout.Extensions);
        _code.JumpIf(R0, BpfCondition.Equal, 0, end);
        _code.Store(BpfWidth.Double, R6, Extensions, R0);
        WritePart(EntryParts.Counters, _layout.Accounting, _ =>
        {
            for (int i = 0; i < 2; i++)
            {
                CopyWord(i * _layout.CounterSize + _layout.Packets, WalkRecord.OriginalPackets + i * 2 * sizeof(ulong));
                CopyWord(i * _layout.CounterSize + _layout.Bytes, WalkRecord.OriginalBytes + i * 2 * sizeof(ulong));
            }
        });
        WritePart(EntryParts.StartTime, _layout.Timestamp, _ => CopyWord(_layout.Start, WalkRecord.Start));
        WritePart(EntryParts.Labels, _layout.Labels, _ => CopyWords(WalkRecord.Labels, 2));
        WritePart(EntryParts.Helper, _layout.Helper, isAbsent =>
        {
            _code.Load(BpfWidth.Double, R1, R6, Part);
            _code.Calculate(BpfOperation.Add, R1, _layout.HelperPointer);
            LoadWord();
            _code.JumpIf(R0, BpfCondition.Equal, 0, isAbsent);
            _code.Calculate(BpfOperation.Add, R0, _layout.HelperName);
            _code.Store(BpfWidth.Double, R6, Part, R0);
            CopyWords(WalkRecord.Helper, WalkRecord.HelperLength / sizeof(ulong));
        });
        _code.Mark(end);
    }

    /// <summary>An entry's extensions are one block of memory, at whose beginning are the offsets of those that it has.</summary>
    private void WritePart(EntryParts part, int? number, Action<BpfLabel> write)
    {
        if ((Parts & part) == 0 || number is not { } extension)
            return;
        BpfLabel isAbsent = new();
        _code.Load(BpfWidth.Double, R1, R6, Extensions);
        Open(_layout.ExtensionType, ExtensionCopy, _layout.ExtensionSize);
        _code.Load(BpfWidth.Byte, R1, R0, _layout.ExtensionOffsets + extension);
        _code.JumpIf(R1, BpfCondition.Equal, 0, isAbsent);
        _code.Load(BpfWidth.Double, R2, R6, Extensions);
        _code.Calculate(BpfOperation.Add, R1, R2);
        _code.Store(BpfWidth.Double, R6, Part, R1);
        write(isAbsent);
        _code.Load(BpfWidth.Word, R1, R9, WalkRecord.Parts);
        _code.Calculate(BpfOperation.Or, R1, (int)part);
        _code.Store(BpfWidth.Word, R9, WalkRecord.Parts, R1);
        _code.Mark(isAbsent);
    }

    private void CopyWord(int offset, int record)
    {
        _code.Load(BpfWidth.Double, R1, R6, Part);
        _code.Calculate(BpfOperation.Add, R1, offset);
        LoadWord();
        _code.Store(BpfWidth.Double, R9, record, R0);
    }

    private void CopyWords(int record, int count)
    {
        for (int i = 0; i < count; i++)
            CopyWord(i * sizeof(ulong), record + i * sizeof(ulong));
    }

    private void WriteCondition(WalkCondition condition, BpfLabel isFalse)
    {
        BpfLabel isTrue = new();
        condition.Write(_code, isTrue, isFalse);
        _code.Mark(isTrue);
    }

    /// <summary>Reads the tuple and the status again: the memory may have become another entry meanwhile.</summary>
    private void WriteCheck(BpfLabel isTorn, BpfLabel next)
    {
        int offset = _layout.TuplesOffset + _layout.TupleInNode;
        if (!IsDirect)
        {
            _code.Move(R1, R7);
            Copy(NodeAgain, _layout.Status + sizeof(ulong));
            _code.Move(R8, R0);
        }

        foreach ((int from, int to, BpfWidth width) in TupleFields())
        {
            _code.Load(width, R1, R8, offset + from);
            _code.Load(width, R2, R9, WalkRecord.Original + to);
            _code.JumpIf(R1, BpfCondition.NotEqual, R2, isTorn);
        }

        _code.Load(BpfWidth.Double, R1, R8, _layout.Status);
        WriteIsListed(next);
    }

    private void WriteChainEnd(BpfLabel isTorn, BpfLabel isDone)
    {
        BpfLabel more = new();
        _code.Calculate(BpfOperation.Rsh, R7, 1);
        _code.Load(BpfWidth.Double, R1, R6, BucketNow);
        _code.JumpIf(R7, BpfCondition.NotEqual, R1, isTorn);
        _code.Calculate(BpfOperation.Add, R1, 1);
        _code.Store(BpfWidth.Double, R6, BucketNow, R1);
        _code.Load(BpfWidth.Double, R2, R6, OutNow);
        _code.Store(BpfWidth.Double, R6, OutOfBucket, R2);
        _code.Load(BpfWidth.Double, R2, R6, EndNow);
        _code.JumpIf(R1, BpfCondition.Less, R2, more);
        _code.Store(BpfWidth.Double, R6, StopNow, (int)WalkStop.End);
        _code.Jump(isDone);
        _code.Mark(more);
        if (IsDirect)
        {
            // Behind the table's end is other memory, and a value there might be the address of a device's register.
            BpfLabel isLast = new();
            _code.Calculate(BpfOperation.Add, R1, BucketsAhead);
            _code.JumpIf(R1, BpfCondition.GreaterOrEqual, R2, isLast);
            LoadHeadOfBucket();
            Prefetch();
            _code.Mark(isLast);
        }

        LoadHead();
        _code.Store(BpfWidth.Double, R6, Node, R0);
        _code.Return(0);
    }

    private void WriteTorn(BpfLabel isDone)
    {
        BpfLabel again = new();
        _code.Load(BpfWidth.Double, R1, R6, RetriesNow);
        _code.Calculate(BpfOperation.Add, R1, 1);
        _code.Store(BpfWidth.Double, R6, RetriesNow, R1);
        _code.JumpIf(R1, BpfCondition.Less, MostRetries, again);
        _code.Store(BpfWidth.Double, R6, StopNow, (int)WalkStop.Torn);
        _code.Jump(isDone);
        _code.Mark(again);
        _code.Load(BpfWidth.Double, R1, R6, OutOfBucket);
        _code.Store(BpfWidth.Double, R6, OutNow, R1);
        LoadHead();
        _code.Store(BpfWidth.Double, R6, Node, R0);
        _code.Return(0);
    }
}

/// <summary>The table's address and the count of its resizes, at one moment. A resize changes one or both, and the count is odd while it
/// lasts.</summary>
internal readonly record struct TableState(ulong Table, uint Generation)
{
    public bool IsResizing => (Generation & 1) != 0;
}

/// <summary>The result of a run of the program.</summary>
/// <param name="Stop">Why it ended.</param>
/// <param name="Before">The table before it.</param>
/// <param name="After">The table after it.</param>
internal readonly record struct WalkRun(WalkStop Stop, TableState Before, TableState After);
