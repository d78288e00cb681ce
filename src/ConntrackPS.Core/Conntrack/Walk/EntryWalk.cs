using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using ConntrackPS.Bpf;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Walk;

/// <summary>One pass over the table by a walk in the kernel. The sink receives the entries that match a filter, as with a dump.</summary>
/// <remarks>One thread runs the program, which fills one slice of the shared memory after another. The caller's thread makes entries of full
/// slices meanwhile. If the table is resized during the pass, it starts again.</remarks>
internal sealed class EntryWalk : IEntryScan
{
    private const string Operation = "list connection-tracking entries";

    /// <summary>Small enough to stay in the processor's cache.</summary>
    private const int SliceLength = 512 * 1024;

    private const int SliceCount = 4;

    /// <summary>The steps of one run: about 0.2 ms. Then other tasks of this processor get their turn.</summary>
    private const int StepsOfRun = 2048;

    /// <summary>The address of no network namespace.</summary>
    private const ulong NoNet = 1;

    /// <summary>The entries whose ids must be right before the key is believed.</summary>
    private const int ProvenIds = 8;

    private readonly WalkEnvironment _environment;
    private readonly WalkTarget[] _targets;
    private readonly Dictionary<ulong, WalkTarget>? _byNet;
    private readonly ConntrackFilter? _filter;
    private readonly ScanTerms _terms;
    private readonly List<NetlinkConnection> _connections = [];
    private readonly ResizeGuard _resize;
    private readonly WalkProgram _program;
    private readonly RecordDecoder _decoder;
    private readonly TimeSpan? _olderThan;
    private readonly ulong _net;
    private readonly CancellationTokenSource _stop = new();
    private Pass? _pass;
    private bool _isLast;
    private bool _wasResized;
    private bool _isSpoilt;
    private long _firstResize;

    /// <summary>Walks the table of one network namespace.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="sink">Receives the entries on the caller's thread.</param>
    /// <param name="parts">The parts of entries that the sink and the filter need.</param>
    /// <param name="terms">The environment of the scan. The default is the real kernel.</param>
    /// <param name="environment">The facts about the kernel. The default is the running one.</param>
    /// <exception cref="WalkUnavailableException">The kernel or the process lacks something.</exception>
    /// <exception cref="NetlinkException">EPERM without CAP_NET_ADMIN.</exception>
    public EntryWalk(
        NetworkNamespace? networkNamespace, ConntrackFilter? filter, IEntrySink sink, EntryParts parts, ScanTerms? terms = null, WalkEnvironment? environment = null)
        : this([new WalkTarget(networkNamespace, sink)], filter, parts, terms, environment)
    {
    }

    /// <summary>Walks the tables of several network namespaces at once: all are in the same hash table.</summary>
    /// <param name="targets">The network namespaces. With several, ids can't be read.</param>
    /// <param name="filter">The filter, or null for all entries.</param>
    /// <param name="parts">The parts of entries that the sinks and the filter need.</param>
    /// <param name="terms">The environment of the scan. The default is the real kernel.</param>
    /// <param name="environment">The facts about the kernel. The default is the running one.</param>
    /// <exception cref="WalkUnavailableException">The kernel or the process lacks something.</exception>
    /// <exception cref="NetlinkException">EPERM without CAP_NET_ADMIN.</exception>
    public EntryWalk(WalkTarget[] targets, ConntrackFilter? filter, EntryParts parts, ScanTerms? terms = null, WalkEnvironment? environment = null)
    {
        (_targets, _filter, _terms) = (targets, filter is { IsEmpty: false } ? filter : null, terms ?? ScanTerms.Default);
        if (targets.Length > 1 && (parts & EntryParts.Id) != 0)
            throw new ArgumentException("Ids are of one network namespace.", nameof(parts));
        _byNet = targets.Length > 1 ? [] : null;
        try
        {
            if (environment is null)
                WalkEnvironment.Prepare();
            foreach (WalkTarget target in targets)
            {
                // The socket keeps the network namespace alive, whose address would else be another's one day.
                NetlinkConnection connection = _terms.Open(target.NetworkNamespace);
                _connections.Add(connection);
                Count += _terms.ReadCount(connection) ?? uint.MaxValue;
            }

            _resize = new ResizeGuard(_terms.ReadBuckets);
            _environment = environment ?? WalkEnvironment.Running;
            foreach (WalkTarget target in targets)
            {
                ulong net = NetworkNamespace.RunIn(target.NetworkNamespace, _environment.CurrentNet);
                _net = _byNet is null ? net : 0;
                _byNet?.TryAdd(net, target);
            }

            WalkFilter conditions = new(filter, _environment);
            _olderThan = conditions.OlderThan;
            _program = _environment.Load(parts, conditions, SliceLength, SliceCount);
            _decoder = new RecordDecoder(
                _environment.Layout, _environment.TicksPerSecond, (parts & EntryParts.Id) == 0 || Count == 0 ? null : WalkEnvironment.FindIds(TakeSamples));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int Repeats { get; private set; }

    /// <summary>The number of entries of the network namespaces before the walk. Very large if the kernel does not report it.</summary>
    public long Count { get; }

    /// <summary>Waits for the next slice, and passes its entries to the sink.</summary>
    /// <returns>False at the end of the table. Then the sink has received every matching entry.</returns>
    /// <exception cref="IncompleteListingException">The table was resized each time, and some entries may be missing.</exception>
    /// <exception cref="WalkUnavailableException">The kernel's table is not as expected. The sink must start again.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Cancel"/> was called.</exception>
    public bool Read()
    {
        if (Count == 0)
            return false;
        _pass ??= new Pass(this);
        Slice slice = _pass.Take();
        if (slice.Failure is BpfException refused)
            throw new WalkUnavailableException(WalkSearch.Describe(refused), refused);
        PassOn(slice);
        _pass.Release();
        bool isResized = _resize.HasResized() | slice.IsDisturbed;
        _wasResized |= isResized;
        _isSpoilt |= isResized || slice.Failure is not null;
        if (!_isSpoilt)
            return !slice.IsEnd || EndPass();
        if (_isLast)
        {
            // The last attempt is read to its end, so that the sink has as many entries as possible.
            if (!slice.IsEnd)
                return true;
            EndPass();

            // While the table is resized, its chains are in disorder too. Only without a resize is such a chain a reason to give up.
            throw _wasResized ? new IncompleteListingException(Operation, Repeats + 1) : slice.Failure!;
        }

        if (Repeats == 0)
            _firstResize = Stopwatch.GetTimestamp();
        _isLast = Repeats >= _terms.LeastRepeats && Stopwatch.GetElapsedTime(_firstResize) >= _terms.RepeatTimeout;
        _isSpoilt = false;
        Repeats++;
        EndPass();
        foreach (WalkTarget target in _targets)
            target.Sink.Restart();
        return true;
    }

    /// <summary>Ends any wait. May be called from any thread.</summary>
    public void Cancel()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The pass has just ended, so there is nothing to cancel.
        }
    }

    public void Dispose()
    {
        // Also after a constructor that failed halfway.
        EndPass();
        _program?.Dispose();
        _resize?.Dispose();
        _connections.ForEach(connection => connection.Dispose());
        _stop.Dispose();
    }

    private bool EndPass()
    {
        _pass?.Dispose();
        _pass = null;
        return false;
    }

    private void PassOn(Slice slice)
    {
        int size = _program.RecordSize;
        ReadOnlySpan<byte> records = _program.Memory.Bytes[slice.Start..slice.End];
        ulong now = _filter is null ? 0 : FilterTerm.Now();
        for (int place = 0; place < records.Length; place += size)
        {
            ReadOnlySpan<byte> record = records.Slice(place, size);
            if (IsRepeated(records, place, size) || TargetOf(record) is not { } target)
                continue;
            ConntrackEntry entry = target.Sink.NextEntry();
            _decoder.Decode(record, _program.Parts, entry);
            if (_filter is not null && !_filter.Matches(entry, now))
                continue;
            entry.Data.Namespace = target.NetworkNamespace?.Name;
            target.Sink.Take(entry);
        }
    }

    /// <returns>Null for an entry of a network namespace that was not asked for.</returns>
    private WalkTarget? TargetOf(ReadOnlySpan<byte> record) =>
        _byNet is null ? _targets[0] : _byNet.GetValueOrDefault(BinaryPrimitives.ReadUInt64LittleEndian(record[WalkRecord.Net..]));

    /// <summary>An entry that is freed and used again for the same bucket leads the walk back to the bucket's beginning. All records of a
    /// bucket are in one slice.</summary>
    private static bool IsRepeated(ReadOnlySpan<byte> records, int place, int size)
    {
        uint bucket = BinaryPrimitives.ReadUInt32LittleEndian(records[(place + WalkRecord.Bucket)..]);
        for (int before = place - size; before >= 0; before -= size)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(records[(before + WalkRecord.Bucket)..]) != bucket)
                return false;
            if (BinaryPrimitives.ReadUInt64LittleEndian(records[before..]) == BinaryPrimitives.ReadUInt64LittleEndian(records[place..]))
                return true;
        }

        return false;
    }

    /// <summary>Some entries, with the ids that netlink sends for them.</summary>
    private List<(byte[] Record, uint Id)> TakeSamples()
    {
        List<(byte[] Record, uint Id)> samples = [];
        RecordDecoder decoder = new(_environment.Layout, _environment.TicksPerSecond, null);
        using EntryFinder finder = new(_targets[0].NetworkNamespace);
        for (long bucket = 0, buckets = WalkSearch.ReadBuckets(); bucket < buckets && samples.Count < ProvenIds;)
        {
            int place = WalkProgram.Slices;
            WalkRun run = Run(ref bucket, buckets, ref place, place + SliceLength, StepsOfRun);
            for (int start = WalkProgram.Slices; start < place && samples.Count < ProvenIds; start += _program.RecordSize)
            {
                byte[] record = _program.Memory.Bytes.Slice(start, _program.RecordSize).ToArray();
                ConntrackEntry entry = new();
                decoder.Decode(record, EntryParts.None, entry);

                // An entry that has ended meanwhile, or that another one hides, proves nothing.
                if (TryFindId(finder, entry) is { } id)
                    samples.Add((record, id));
            }

            if (run.Stop is WalkStop.End or WalkStop.Torn)
                break;
        }

        return samples;
    }

    private static uint? TryFindId(EntryFinder finder, ConntrackEntry entry)
    {
        try
        {
            return finder.Find(EntryKey.Of(entry))?.Id;
        }
        catch (HiddenEntryException)
        {
            return null;
        }
    }

    private WalkRun Run(ref long bucket, long end, ref int place, int limit, int steps)
    {
        ulong ageLimit = _olderThan is not { } age ? 0 : Math.Max(0, (long)FilterTerm.Now() - Math.Max(0, age.Ticks) * 100) is var least ? (ulong)least : 0;
        return _program.Run(ref bucket, end, ref place, limit, _net, ageLimit, steps);
    }

    /// <summary>The records of a slice of the shared memory.</summary>
    /// <param name="Start">The offset of the first one.</param>
    /// <param name="End">The offset behind the last one.</param>
    /// <param name="IsEnd">True for the last slice of a pass.</param>
    /// <param name="IsDisturbed">True if the table was resized.</param>
    /// <param name="Failure">The error that ended the pass: of the kernel, or a chain that is not as expected.</param>
    private readonly record struct Slice(int Start, int End, bool IsEnd, bool IsDisturbed, Exception? Failure);

    /// <summary>The thread that runs the program, from the first bucket to the last one.</summary>
    private sealed class Pass : IDisposable
    {
        private readonly EntryWalk _walk;
        private readonly BlockingCollection<Slice> _filled = new(SliceCount);
        private readonly SemaphoreSlim _free = new(SliceCount);
        private readonly CancellationTokenSource _end;
        private readonly Thread _thread;
        private readonly bool _readsOn;

        public Pass(EntryWalk walk)
        {
            (_walk, _readsOn) = (walk, walk._isLast);
            _end = CancellationTokenSource.CreateLinkedTokenSource(walk._stop.Token);
            _thread = new Thread(Fill) { IsBackground = true, Name = "ConntrackPS walk" };
            _thread.Start();
        }

        public Slice Take() => _filled.Take(_end.Token);

        public void Release() => _free.Release();

        public void Dispose()
        {
            _end.Cancel();
            _thread.Join();
            _filled.Dispose();
            _free.Dispose();
            _end.Dispose();
        }

        private void Fill()
        {
            Slice last = default;
            try
            {
                FillSlices();
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception exception) when (exception is BpfException or WalkUnavailableException)
            {
                last = new Slice(0, 0, true, false, exception);
            }

            _filled.TryAdd(last, Timeout.Infinite, CancellationToken.None);
        }

        private void FillSlices()
        {
            TableState? known = null;
            long buckets = WalkSearch.ReadBuckets(), bucket = 0;
            int steps = StepsOfRun;
            for (int number = 0; ; number++)
            {
                _free.Wait(_end.Token);
                int start = WalkProgram.Slices + number % SliceCount * SliceLength, place = start;
                bool isDisturbed = false;
                WalkRun run;
                do
                {
                    _end.Token.ThrowIfCancellationRequested();
                    (long first, int former) = (bucket, place);
                    run = _walk.Run(ref bucket, buckets, ref place, start + SliceLength, steps);
                    isDisturbed |= run.Before != run.After || run.After.IsResizing || (known ?? run.Before) != run.After;
                    known = run.After;
                    if (bucket == first && place == former && run.Stop is not WalkStop.End)
                        steps = AfterNoProgress(run.Stop, steps, isEmpty: place == start, isDisturbed);
                }
                while (run.Stop == WalkStop.Rest && !(isDisturbed && !_readsOn));
                bool isEnd = run.Stop == WalkStop.End || (isDisturbed && !_readsOn);
                isDisturbed |= isEnd && IsLarger(buckets);
                _filled.Add(new Slice(start, place, isEnd, isDisturbed, null), _end.Token);
                if (isEnd)
                    return;
            }
        }

        /// <summary>True if the table has more buckets than the setting says: a resize has set the number, and not moved the entries yet. The chain
        /// behind the last bucket then ends as one of the table does.</summary>
        private bool IsLarger(long buckets)
        {
            (long bucket, int place) = (buckets, _walk._program.Spare);
            return _walk._program.Run(ref bucket, buckets + 1, ref place, _walk._program.Memory.Length, NoNet, 0, StepsOfRun).Stop == WalkStop.End;
        }

        /// <summary>A chain that is longer than the steps of a run needs more of them.</summary>
        /// <exception cref="WalkUnavailableException">The chain does not end, or does not fit into a slice.</exception>
        private static int AfterNoProgress(WalkStop stop, int steps, bool isEmpty, bool isDisturbed)
        {
            if (isDisturbed)
                return steps;
            if (stop == WalkStop.Torn)
                throw new WalkUnavailableException("a chain of the table changed each time that it was followed");
            if ((stop == WalkStop.Full && isEmpty) || steps > 1 << 20)
                throw new WalkUnavailableException("a chain of the table is too long");
            return stop == WalkStop.Rest ? 2 * steps : steps;
        }
    }
}

/// <summary>A network namespace of a walk, and the receiver of its entries.</summary>
/// <param name="NetworkNamespace">The network namespace, or null for the caller's own.</param>
/// <param name="Sink">Receives its entries.</param>
internal sealed record WalkTarget(NetworkNamespace? NetworkNamespace, IEntrySink Sink);
