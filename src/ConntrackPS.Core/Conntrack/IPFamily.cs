namespace ConntrackPS.Conntrack;

/// <summary>The address family of an entry, with the kernel's numbers (AF_*, sys/socket.h).</summary>
public enum IPFamily : byte
{
    /// <summary>AF_UNSPEC: none, or both.</summary>
    Unspecified = 0,

    /// <summary>AF_INET.</summary>
    IPv4 = 2,

    /// <summary>AF_INET6.</summary>
    IPv6 = 10,
}
