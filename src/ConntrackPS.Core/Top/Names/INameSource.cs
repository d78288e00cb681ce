using ConntrackPS.Conntrack;

namespace ConntrackPS.Top.Names;

/// <summary>Names of addresses, as far as they are known by now.</summary>
internal interface INameSource
{
    /// <summary>The name of an address; null where there is none, or none yet. Never waits.</summary>
    string? NameOf(HostAddress address);
}
