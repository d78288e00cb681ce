using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Rules;

namespace ConntrackPS.Helpers;

/// <summary>A helper and the traffic that shall get it, checked: the traffic is such that the helper can read it, and not more than is
/// safe.</summary>
/// <remarks>"Secure use of iptables and connection tracking helpers" of the netfilter project: a helper opens ports at the word of the
/// peers, so a rule names the servers, or at least the clients.</remarks>
internal sealed class HelperRequest
{
    private static readonly AddressProperty Source = TupleProperties.AddressIn(TuplePlaces.OriginalSource);
    private static readonly AddressProperty Destination = TupleProperties.AddressIn(TuplePlaces.OriginalDestination);
    private static readonly PortProperty ServerPort = TupleProperties.PortIn(TuplePlaces.OriginalDestination);
    private static readonly PortProperty AnyPort = TupleProperties.PortIn(TuplePlaces.All);

    private HelperRequest(HelperDefinition helper, ConntrackFilter traffic) =>
        (Helper, Traffic, Action) = (helper, traffic, new HelperAction(helper.Name, traffic.Protocol));

    /// <summary>The helper.</summary>
    public HelperDefinition Helper { get; }

    /// <summary>The traffic, with the protocols and the ports of the helper if none were given.</summary>
    public ConntrackFilter Traffic { get; }

    /// <summary>The effect of the rule.</summary>
    public HelperAction Action { get; }

    /// <summary>Checks a request.</summary>
    /// <param name="name">The name of the helper.</param>
    /// <param name="traffic">Addresses, ports and protocols. Ports are those of the servers, also if they are given as any port. Without ports those of
    /// the helper, without protocols all of the helper.</param>
    /// <param name="allowsUnsafe">True to accept traffic that is more than is safe.</param>
    /// <exception cref="UnknownHelperException">There is no helper of that name.</exception>
    /// <exception cref="HelperRefusedException">The traffic can't get the helper, or is more than is safe.</exception>
    public static HelperRequest Of(string name, ConntrackFilter traffic, bool allowsUnsafe)
    {
        HelperDefinition helper = HelperCatalog.All.FirstOrDefault(definition => definition.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? throw new UnknownHelperException(name, [.. HelperCatalog.All.Select(definition => definition.Name)]);
        if (helper.Ports.Length == 0)
        {
            throw new HelperRefusedException(HelperRefusal.NoPort, helper.Name, null,
                $"The helper {helper.Name} has no port: the others of its module ({string.Join(", ", Siblings(helper))}) attach it to the connections that they expect.");
        }

        foreach (IPProtocol protocol in traffic.Protocol.Where(protocol => !helper.Protocols.Contains(protocol)))
        {
            throw new HelperRefusedException(HelperRefusal.Protocol, helper.Name, nameof(ConntrackFilter.Protocol),
                $"The helper {helper.Name} reads {Join(helper.Protocols)}, not {ProtocolNames.ToKernel(protocol)}.");
        }

        ConntrackFilter complete = traffic with
        {
            Protocol = traffic.Protocol.Count > 0 ? [.. traffic.Protocol.Distinct()] : helper.Protocols,
            AddressFamily = helper.Families is [IPFamily only] ? only : traffic.AddressFamily,
        };
        PortRange[] ports = [.. ServerPort.Of(traffic), .. AnyPort.Of(traffic)];
        HelperRequest request = new(helper, ServerPort.Set(AnyPort.Without(complete), ports.Length > 0 ? ports : [.. helper.Ports.Select(port => new PortRange(port))]));
        request.RequireFamily(traffic);
        if (!allowsUnsafe)
            request.RequireSafe();
        return request;
    }

    private static IEnumerable<string> Siblings(HelperDefinition helper) =>
        HelperCatalog.All.Where(other => other.Module == helper.Module && other.Ports.Length > 0).Select(other => other.Name);

    private static string Join(IEnumerable<IPProtocol> protocols) => string.Join(" and ", protocols.Select(ProtocolNames.ToKernel));

    private void RequireFamily(ConntrackFilter given)
    {
        foreach (AddressProperty property in (AddressProperty[])[Source, Destination])
        {
            foreach (AddressPrefix prefix in property.Of(given).Where(prefix => !Helper.Families.Contains(prefix.Family)))
            {
                throw new HelperRefusedException(HelperRefusal.Family, Helper.Name, property.Name,
                    $"The helper {Helper.Name} reads only {string.Join(" and ", Helper.Families)}, and {prefix} is {prefix.Family}.");
            }
        }

        if (Traffic.Contradiction is { } contradiction)
            throw new HelperRefusedException(HelperRefusal.Contradiction, Helper.Name, contradiction.Properties[0], $"No connection can match: {contradiction}.");
    }

    /// <summary>A prefix of length 0 restricts nothing.</summary>
    private void RequireSafe()
    {
        if (Restricts(Destination))
            return;
        if (Helper.Caution is { } caution)
        {
            throw new HelperRefusedException(HelperRefusal.Unsafe, Helper.Name, Destination.Name,
                $"The helper {Helper.Name} needs the addresses of its servers. {caution}")
            {
                NeedsServers = true,
            };
        }

        if (!Restricts(Source))
        {
            throw new HelperRefusedException(HelperRefusal.Unsafe, Helper.Name, Destination.Name,
                $"The helper {Helper.Name} for all traffic would let any two hosts open ports through this machine.");
        }
    }

    private bool Restricts(AddressProperty property) => property.IsAsked(Traffic) && property.Of(Traffic).All(prefix => prefix.Length > 0);
}

/// <summary>The reasons not to attach a helper to traffic.</summary>
internal enum HelperRefusal
{
    /// <summary>Only another helper attaches it.</summary>
    NoPort,

    /// <summary>The helper does not read the protocol.</summary>
    Protocol,

    /// <summary>The helper does not read the address family.</summary>
    Family,

    /// <summary>No connection can match.</summary>
    Contradiction,

    /// <summary>The traffic is more than is safe.</summary>
    Unsafe,
}

/// <summary>A helper can't be attached to traffic. Nothing was changed.</summary>
/// <param name="reason">The reason.</param>
/// <param name="helper">The helper.</param>
/// <param name="property">The property of the filter. Null if it is not about one.</param>
/// <param name="message">The reason in one or two sentences.</param>
internal sealed class HelperRefusedException(HelperRefusal reason, string helper, string? property, string message) : Exception(message)
{
    /// <summary>The reason.</summary>
    public HelperRefusal Reason { get; } = reason;

    /// <summary>The helper.</summary>
    public string Helper { get; } = helper;

    /// <summary>The property of <see cref="ConntrackFilter"/>. Null if it is not about one.</summary>
    public string? Property { get; } = property;

    /// <summary>True if the clients alone are not sufficient.</summary>
    public bool NeedsServers { get; init; }
}
