using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Expectations;

/// <summary>Creates expectations one by one, each with its own request, because they are few.</summary>
/// <remarks>Only one thread at a time may use it.</remarks>
public sealed class ExpectationCreator : IDisposable
{
    private const string Operation = "create an expectation";

    private readonly NetlinkConnection _connection;
    private readonly EntryLookup _masters;
    private readonly ExpectationFinder _finder;
    private readonly byte[] _request = new byte[NetlinkBatch.MaximumMessageSize];

    internal ExpectationCreator(NetworkNamespace? networkNamespace)
    {
        _connection = NetlinkConnection.Open(networkNamespace);
        _finder = new ExpectationFinder(networkNamespace);
        _masters = new EntryLookup(networkNamespace, Operation);
    }

    /// <summary>Creates an expectation.</summary>
    /// <param name="expectation">The expectation to create. The kernel chooses its id.</param>
    /// <param name="force">True to set the timeout of an existing expectation with the same mask and master.</param>
    /// <returns>The expectation as the kernel then has it; null if it has already ended.</returns>
    /// <exception cref="FormatException">A tuple is incomplete, or the mask is missing. Text may lack both.</exception>
    /// <exception cref="NetlinkException">EEXIST: the kernel would use another entry as its master.</exception>
    /// <exception cref="NetlinkException">The kernel refused. EEXIST: an expectation with a matching tuple exists. EBUSY: an existing one
    /// would match some of the same connections. ENOENT: no master. EOPNOTSUPP: the master has no helper. EINVAL: an unknown class or
    /// function. EMFILE: the maximum number of expectations exists.</exception>
    public ConntrackExpectation? Create(ConntrackExpectation expectation, bool force = false)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        expectation.ThrowIfIncomplete();
        expectation.MasterKey?.ThrowIfIncomplete();
        try
        {
            _connection.Request(ExpectationRequests.Create(_request, expectation, FindMaster(expectation)), Operation);
        }
        catch (NetlinkException exception) when (force && exception is { Errno: Errno.Exists } and not HiddenEntryException && IsThere(expectation))
        {
            // This is the wanted result.
        }

        // The kernel ignores the timeout on creation.
        if (expectation.TimeoutSeconds is not null)
            _connection.Request(ExpectationRequests.ChangeTimeout(_request, expectation), "set the timeout of an expectation");
        return Find(expectation);
    }

    /// <summary>Closes the sockets.</summary>
    public void Dispose()
    {
        _connection.Dispose();
        _finder.Dispose();
        _masters.Dispose();
    }

    /// <summary>Finds a tuple by which the kernel finds the master and no other entry. The kernel accepts any entry with the tuple, in
    /// either direction.</summary>
    private ConntrackTuple FindMaster(ConntrackExpectation expectation)
    {
        ushort zone = expectation.Zone ?? 0;
        ConntrackEntry? taken = At(expectation.Master);
        if (taken is not null && IsMaster(taken))
            return expectation.Master;

        // A listed expectation does not show whether the zone applies to one direction or both.
        EntryKey key = new(expectation.Master, zone, null, null);
        EntryKey[] keys = expectation.MasterKey is { } known
            ? [known]
            : [key, key with { Zone = 0, OriginalZone = zone }, key with { Zone = 0, ReplyZone = zone }];
        if (_masters.Find(keys).Select(finding => finding.Entry).FirstOrDefault(entry => entry is not null) is not { } master)
            throw new NetlinkException(Operation, Errno.NotFound);
        ConntrackEntry? answering = At(master.Reply);
        if (answering is not null && EntryKey.Of(master).Matches(answering))
            return master.Reply;
        taken ??= answering;
        throw taken is null ? new NetlinkException(Operation, Errno.NotFound) : new HiddenEntryException(Operation, taken);

        ConntrackEntry? At(in ConntrackTuple tuple) => _masters.Get(new EntryAddress(EntryAttribute.TupleOrig, tuple, null, zone));

        bool IsMaster(ConntrackEntry entry) => expectation.MasterKey is { } whole
            ? whole.Matches(entry)
            : entry.Original == expectation.Master && EntryKey.Of(entry).AnyZone == zone;
    }

    private bool IsThere(ConntrackExpectation expectation) => Find(expectation) is { } present
        && present.Expected == expectation.Expected
        && present.Mask.Source == expectation.Mask.Source
        && present.Mask.SourcePort == expectation.Mask.SourcePort
        && present.Master == expectation.Master;

    private ConntrackExpectation? Find(ConntrackExpectation expectation) => _finder.Find(expectation.Expected, expectation.Zone ?? 0);
}

/// <summary>The values of a new expectation. Null values are taken from the source expectation, or derived from the other values.</summary>
public sealed record ExpectationTemplate
{
    /// <summary>The source address of the expected connection. The prefix defines the mask.</summary>
    public AddressPrefix? Source { get; init; }

    /// <summary>The mask of the source address, if it is not a prefix.</summary>
    public HostAddress? SourceMask { get; init; }

    /// <summary>The destination address of the expected connection.</summary>
    public HostAddress? Destination { get; init; }

    /// <summary>The layer 4 protocol. The default is the master's.</summary>
    public IPProtocol? Protocol { get; init; }

    /// <summary>The source port. The default is any.</summary>
    public ushort? SourcePort { get; init; }

    /// <summary>The mask of the source port.</summary>
    public ushort? SourcePortMask { get; init; }

    /// <summary>The destination port.</summary>
    public ushort? DestinationPort { get; init; }

    /// <summary>The master connection.</summary>
    public EntryKey? Master { get; init; }

    /// <summary>Seconds until it expires. The default is that of the helper's class.</summary>
    public uint? TimeoutSeconds { get; init; }

    /// <summary>The helper's class.</summary>
    public uint? Class { get; init; }

    /// <summary>The flags.</summary>
    public ExpectationFlags? Flags { get; init; }

    /// <summary>The function that the kernel calls when the connection starts.</summary>
    public string? Function { get; init; }

    /// <summary>CTA_EXPECT_HELP_NAME of the request, which differs from that of a listing: older kernels assign this helper to the expected
    /// connection, newer ones ignore it.</summary>
    public string? Helper { get; init; }

    /// <summary>The direction of the master that the expected connection has.</summary>
    public TupleDirection? NatDirection { get; init; }

    /// <summary>The address that the function translates to.</summary>
    public HostAddress? NatAddress { get; init; }

    /// <summary>The port that the function translates to.</summary>
    public ushort? NatPort { get; init; }

    /// <summary>The master's zone.</summary>
    public ushort? Zone { get; init; }

    /// <summary>Creates an expectation.</summary>
    /// <param name="start">The expectation to start from, which is modified. Null for none.</param>
    /// <exception cref="FormatException">A value is missing, or has another address family.</exception>
    public ConntrackExpectation Make(ConntrackExpectation? start = null)
    {
        ConntrackExpectation made = start ?? new ConntrackExpectation();
        SetMaster(made);
        SetTuple(made);
        SetMask(made, isNew: start is null);
        SetNat(made);
        made.TimeoutSeconds = TimeoutSeconds ?? made.TimeoutSeconds;
        made.Class = Class ?? made.Class ?? 0;
        made.Flags = Flags ?? made.Flags ?? ExpectationFlags.None;
        made.Function = KernelName.Check(Function ?? made.Function, "function", KernelName.MaximumFunctionBytes);
        made.Helper = KernelName.Check(Helper, "helper", KernelName.MaximumHelperBytes);
        return made;
    }

    private void SetMaster(ConntrackExpectation made)
    {
        if (Master is { } master)
            (made.Master, made.IsMasterProtocolUnknown, made.MasterKey, made.Zone) = (master.Original, false, master, master.AnyZone);
        made.Zone = Zone ?? made.Zone ?? 0;
        if (made.Master.Family == IPFamily.Unspecified)
            throw new TemplateException("The master connection is missing: give {0} an entry.", nameof(Master));
    }

    private void SetTuple(ConntrackExpectation made)
    {
        ConntrackTuple tuple = made.Expected;
        bool isNew = tuple.Family == IPFamily.Unspecified;
        tuple = tuple with
        {
            Family = made.Master.Family,
            Protocol = Protocol ?? (isNew ? made.Master.Protocol : tuple.Protocol),
            SourcePort = SourcePort ?? tuple.SourcePort,
            DestinationPort = DestinationPort ?? tuple.DestinationPort,
        };
        if (Source is { } source)
            tuple = tuple with { Source = Bits(new HostAddress(source.Family, source.Address), tuple) };
        else if (isNew)
            throw new TemplateException("{0} is missing: one address, or a prefix such as 0.0.0.0/0 for any.", nameof(Source));
        if (Destination is { } destination)
            tuple = tuple with { Destination = Bits(destination, tuple) };
        else if (isNew)
            throw new TemplateException("{0} is missing.", nameof(Destination));
        if (isNew && tuple.MustHavePorts && DestinationPort is null)
            throw new TemplateException($"{{0}} is missing, which {ProtocolNames.ToKernel(tuple.Protocol)} has.", nameof(DestinationPort));
        if ((SourcePort ?? SourcePortMask ?? DestinationPort) is not null && !tuple.MayHavePorts && !tuple.IsIcmp)
        {
            string given = SourcePort is not null ? nameof(SourcePort) : SourcePortMask is not null ? nameof(SourcePortMask) : nameof(DestinationPort);
            throw new TemplateException($"{{0}} needs a protocol with ports, and {ProtocolNames.ToKernel(tuple.Protocol)} has none.", given);
        }

        made.Expected = tuple with { HasPorts = tuple.MustHavePorts || tuple.HasPorts || DestinationPort is not null };
    }

    private void SetMask(ConntrackExpectation made, bool isNew)
    {
        if (SourceMask is not null && Source is { IsSingleAddress: false })
            throw new TemplateException("{0} and a prefix as {1} contradict each other. Give one of them.", nameof(SourceMask), nameof(Source));
        ConntrackTuple all = made.Expected with
        {
            Source = new AddressBits(ulong.MaxValue, ulong.MaxValue),
            Destination = new AddressBits(ulong.MaxValue, ulong.MaxValue),
            SourcePort = ushort.MaxValue,
            DestinationPort = ushort.MaxValue,
        };
        made.Mask = all with
        {
            Source = SourceMask is { } mask ? Bits(mask, all) : Source?.Mask ?? made.Mask.Source,
            SourcePort = SourcePortMask ?? (SourcePort is null ? (isNew ? (ushort)0 : made.Mask.SourcePort) : ushort.MaxValue),
        };
    }

    private void SetNat(ConntrackExpectation made)
    {
        made.NatDirection = NatDirection ?? made.NatDirection;
        if (NatDirection is not null && NatAddress is null && NatPort is null && made.Nat is null)
            throw new TemplateException("{0} needs {1} or {2}: without them the kernel ignores it.", nameof(NatDirection), nameof(NatAddress), nameof(NatPort));
        if (NatAddress is null && NatPort is null)
            return;

        // The kernel reads it as a tuple with the master's family and protocol.
        ConntrackTuple nat = made.Nat ?? made.Master with { Source = default, SourcePort = 0, Destination = default, DestinationPort = 0 };
        made.Nat = nat with
        {
            Source = NatAddress is { } address ? Bits(address, nat) : nat.Source,
            SourcePort = NatPort ?? nat.SourcePort,
        };
        made.NatDirection ??= TupleDirection.Original;
    }

    private static AddressBits Bits(HostAddress address, in ConntrackTuple tuple) => address.Family == tuple.Family
        ? address.Bits
        : throw new FormatException($"{address} has another address family than the master connection.");
}
