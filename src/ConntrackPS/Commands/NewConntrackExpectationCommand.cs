using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Commands;

/// <summary>Creates expectations in the kernel, as helpers do, from parameters or from objects in the pipeline.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackExpectation", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackExpectation))]
public sealed class NewConntrackExpectationCommand : ConntrackCommand
{
    private readonly PerNamespace<ExpectationCreator> _creators =
        new(table => new ExpectationTable(table.NetworkNamespace).CreateCreator());

    private long _number;

    /// <summary>The network namespace to work in: a name of <c>ip netns</c>, a path, or the id of a process in it.</summary>
    [Parameter]
    [Alias("Namespace")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NetworkNamespaceCompleter))]
    public new string? NetworkNamespace
    {
        get => OneNamespaceName;
        set => OneNamespaceName = value;
    }

    /// <summary>An entry, which becomes the master, or an expectation to create again, of Get-ConntrackExpectation,
    /// Import-Clixml, Import-Csv or similar. A parameter overrides the property of the object.</summary>
    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    /// <summary>The source of the expected connection: one address, or a prefix such as 0.0.0.0/0 for any.</summary>
    [Parameter(Position = 0)]
    [Alias("Source")]
    [AddressArgument(TakesOne = true)]
    public AddressPrefix? SourceAddress { get; set; }

    /// <summary>The destination address of the expected connection, before translation.</summary>
    [Parameter(Position = 1)]
    [Alias("Destination")]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? DestinationAddress { get; set; }

    /// <summary>The layer 4 protocol, by name or number. The default is that of the master.</summary>
    [Parameter]
    [ProtocolArgument(TakesOne = true)]
    public IPProtocol? Protocol { get; set; }

    /// <summary>The source port. The default is any.</summary>
    [Parameter]
    [Alias("SPort")]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? SourcePort { get; set; }

    /// <summary>The destination port.</summary>
    [Parameter]
    [Alias("DPort")]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? DestinationPort { get; set; }

    /// <summary>The bits of the source address that must match, if they are not a prefix: 0.0.0.255.</summary>
    [Parameter]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? SourceMask { get; set; }

    /// <summary>The bits of the source port that must match. The default is all if -SourcePort is given, and otherwise none.</summary>
    [Parameter]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    public long? SourcePortMask { get; set; }

    /// <summary>The entry of the master connection. It must have a helper.</summary>
    [Parameter]
    [ValidateNotNull]
    public PSObject? Master { get; set; }

    /// <summary>The time until the expectation expires: seconds, or a span such as 5m. The default is that of the helper's class.</summary>
    [Parameter]
    [Alias("TimeoutSeconds")]
    [DurationArgument(TakesOne = true, Minimum = TimeoutRange.Minimum, Maximum = TimeoutRange.Maximum)]
    public TimeSpan? Timeout { get; set; }

    /// <summary>The expectation class of the helper. 0 is the first class.</summary>
    [Parameter]
    [NumberArgument(uint.MaxValue, TakesOne = true)]
    public long? Class { get; set; }

    /// <summary>Permanent: it remains after a connection matched it. Inactive: it matches no connection.</summary>
    [Parameter]
    [ValidateSet(nameof(ExpectationFlags.Permanent), nameof(ExpectationFlags.Inactive))]
    public ExpectationFlags[]? Flag { get; set; }

    /// <summary>The function that the kernel calls when the connection starts, such as nat-follow-master.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Function { get; set; }

    /// <summary>A helper for the expected connection. Newer kernels ignore it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Helper { get; set; }

    /// <summary>The direction of the master that the expected connection has. -Function uses it for the translation.</summary>
    [Parameter]
    [ValidateSet(nameof(TupleDirection.Original), nameof(TupleDirection.Reply))]
    public TupleDirection? NatDirection { get; set; }

    /// <summary>The address to which -Function translates.</summary>
    [Parameter]
    [HostAddressArgument(TakesOne = true)]
    public HostAddress? NatAddress { get; set; }

    /// <summary>The port to which -Function translates.</summary>
    [Parameter]
    [OnePortArgument]
    [ArgumentCompleter(typeof(ServiceCompleter))]
    public long? NatPort { get; set; }

    /// <summary>The zone of the master, 0 to 65535. The default is the zone of the entry that is given as the master.</summary>
    [Parameter]
    [NumberArgument(ushort.MaxValue, TakesOne = true)]
    public long? Zone { get; set; }

    /// <summary>Sets the timeout of an existing expectation with the same mask and master instead of reporting an error.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emits each expectation as the kernel created it.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (InputObject is null)
            Run(() => Make(null));
        else
            ForEachInput(InputObject, input => Run(() => Make(input)));
    }

    /// <inheritdoc/>
    protected override void EndProcessing() => TellRepeated();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _creators.Dispose();
        base.Dispose(disposing);
    }

    private static string DescribeChange(ConntrackExpectation expectation)
    {
        List<string> values = [];
        if (expectation.TimeoutSeconds is { } timeout)
            values.Add(string.Create(CultureInfo.InvariantCulture, $"timeout {timeout} s"));
        if (expectation.Flags is { } flags and not ExpectationFlags.None)
            values.Add($"flags {flags}");
        if (expectation.Function is { } function)
            values.Add($"function {function}");
        if (expectation.Helper is { } helper)
            values.Add($"helper {helper}");
        return values.Count == 0 ? "Create expectation" : $"Create expectation with {string.Join(", ", values)}";
    }

    private void Make(PSObject? input)
    {
        long number = input is null ? 0 : ++_number;
        try
        {
            if (!(input is not null && InputExpectation.IsExpectation(input)) && MissingOf(Needed(Master ?? input)) is { } missing)
            {
                if (input is null)
                    ThrowTerminatingError(missing);
                WriteInputError(missing, missing.Exception.Message, number);
                return;
            }

            ConntrackExpectation expectation = Build(input);
            if (ShouldProcess(expectation.ToString(), DescribeChange(expectation)))
                Create(expectation, input, number);
        }
        catch (FormatException exception)
        {
            ErrorRecord error = ErrorFactory.InvalidExpectation(exception, input, number);
            if (input is null)
                ThrowTerminatingError(error);
            WriteInputError(error, ErrorFactory.Describe(exception), number);
        }
    }

    /// <summary>The parameters that are needed for a new expectation of a master. Where the master is missing too, it is one of TCP or UDP
    /// like every connection that has a helper.</summary>
    private IEnumerable<string> Needed(PSObject? master)
    {
        if (master is null)
            yield return nameof(Master);
        yield return nameof(SourceAddress);
        yield return nameof(DestinationAddress);
        IPProtocol protocol = Protocol ?? (master is null ? IPProtocol.Tcp : InputExpectation.MasterOf(master).Protocol);
        if (new ConntrackTuple { Protocol = protocol }.MustHavePorts)
            yield return nameof(DestinationPort);
    }

    /// <summary>Uses an expectation of the pipeline as the template, and an entry as the master.</summary>
    private ConntrackExpectation Build(PSObject? input)
    {
        PSObject? master = Master;
        ConntrackExpectation? start = null;
        if (input is not null && InputExpectation.IsExpectation(input))
            start = InputExpectation.Read(input);
        else
            master ??= input;
        return BuildTemplate(master).Make(start);
    }

    private void Create(ConntrackExpectation expectation, PSObject? input, long number)
    {
        PSObject? source = input ?? Master;
        string? networkNamespace = NamespaceName ?? (source is null ? null : InputExpectation.NamespaceOf(source));
        try
        {
            ConntrackExpectation? created = _creators.In(networkNamespace).Create(expectation, Force);
            if (created is not null && created.Class != expectation.Class)
                WriteWarning($"The kernel set the class {created.Class}, because it accepts -Class only together with -Helper: {created}");
            if (PassThru && created is not null)
                WriteObject(created);
        }
        catch (NetlinkException exception)
        {
            WriteError(ErrorFactory.ExpectationNotCreated(exception, expectation, number, networkNamespace));
        }
    }

    private ExpectationTemplate BuildTemplate(PSObject? master) => new()
    {
        Source = SourceAddress,
        SourceMask = SourceMask,
        Destination = DestinationAddress,
        Protocol = Protocol,
        SourcePort = (ushort?)SourcePort,
        SourcePortMask = (ushort?)SourcePortMask,
        DestinationPort = (ushort?)DestinationPort,
        Master = master is null ? null : InputExpectation.MasterOf(master),
        TimeoutSeconds = (uint?)Timeout?.TotalSeconds,
        Class = (uint?)Class,
        Flags = Flag?.Aggregate((all, bit) => all | bit),
        Function = Function,
        Helper = Helper,
        NatDirection = NatDirection,
        NatAddress = NatAddress,
        NatPort = (ushort?)NatPort,
        Zone = (ushort?)Zone,
    };
}
