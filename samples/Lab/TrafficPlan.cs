using System.Net;

namespace ConntrackPS.Lab;

/// <summary>How many flows of each kind go to every target.</summary>
internal sealed record TrafficPlan(IReadOnlyList<IPAddress> Targets, int Tcp, int Udp, int Icmp, int TcpPort);
