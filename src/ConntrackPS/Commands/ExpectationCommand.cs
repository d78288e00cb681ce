using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>The filter parameters that are the same on the cmdlets that select expectations.</summary>
public abstract class ExpectationCommand : ConntrackCommand
{
    /// <summary>The parameter set in which expectations are selected by filter.</summary>
    protected const string FilterSet = FilterParameters.Set;

    /// <summary>Addresses or prefixes the expected connection comes from, as they stand in the expectation.</summary>
    [Parameter(Position = 0, ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? SourceAddress { get; set; }

    /// <summary>Addresses or prefixes the expected connection goes to.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? DestinationAddress { get; set; }

    /// <summary>Source ports as they stand in the expectation, or ranges; 0 usually stands for any.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    public PortRange[]? SourcePort { get; set; }

    /// <summary>Destination ports, or ranges such as 1000-2000.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [PortArgument]
    public PortRange[]? DestinationPort { get; set; }

    /// <summary>Layer 4 protocols, by name or number.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [ProtocolArgument]
    public IPProtocol[]? Protocol { get; set; }

    /// <summary>Addresses or prefixes of the source of the connection that announced it.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? MasterSourceAddress { get; set; }

    /// <summary>Addresses or prefixes of the destination of the connection that announced it.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [AddressArgument]
    public AddressPrefix[]? MasterDestinationAddress { get; set; }

    /// <summary>Names of the masters' helpers, such as ftp.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [TextArgument]
    public string[]? Helper { get; set; }

    /// <summary>The masters' zones, 0 to 65535.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(ushort.MaxValue)]
    public long[]? Zone { get; set; }

    /// <summary>IPv4 or IPv6.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [FamilyArgument]
    [ValidateSet(nameof(IPFamily.IPv4), nameof(IPFamily.IPv6))]
    public IPFamily AddressFamily { get; set; }

    /// <summary>The kernel's numbers of expectations, as Get-ConntrackExpectation shows them.</summary>
    [Parameter(ParameterSetName = FilterSet)]
    [NumberArgument(uint.MaxValue)]
    public long[]? Id { get; set; }

    /// <summary>The filter that the parameters make; one that nothing can match ends the cmdlet.</summary>
    /// <param name="masters">The connections that announced the expectations; empty for any.</param>
    private protected ExpectationFilter BuildFilter(IReadOnlyList<EntryKey> masters)
    {
        ExpectationFilter filter = FilterParameters.Fill(this, new ExpectationFilter { Master = masters });
        if (filter.Contradiction is { } contradiction)
            ThrowTerminatingError(ErrorFactory.Contradiction(contradiction, property => property));
        return filter;
    }

    /// <summary>The connection that an object means; null where it means none, which is then reported.</summary>
    private protected EntryKey? ReadMaster(PSObject master)
    {
        try
        {
            return InputExpectation.MasterOf(master);
        }
        catch (FormatException exception)
        {
            WriteError(ErrorFactory.NotAMaster(master, exception));
            return null;
        }
    }

    private protected static ExpectationTable TableIn(string? networkNamespace) =>
        new(NamespaceNamed(networkNamespace));
}
