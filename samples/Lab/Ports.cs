namespace ConntrackPS.Lab;

/// <summary>The ports on which <see cref="Server"/> answers.</summary>
internal static class Ports
{
    public const int Tcp = 80;
    public const int Udp = 5353;
}
