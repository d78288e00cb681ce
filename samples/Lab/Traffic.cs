using System.Net;
using System.Net.Sockets;

namespace ConntrackPS.Lab;

/// <summary>The well-behaved client. Every flow is answered, and is one entry in the router's table.</summary>
internal static class Traffic
{
    /// <summary>Opens the planned flows and prints one line. With --hold it keeps them open until it is stopped.</summary>
    public static async Task RunAsync(TrafficPlan plan, bool hold, CancellationToken stop)
    {
        List<Socket> flows = [];
        try
        {
            foreach (IPAddress target in plan.Targets)
            {
                for (int i = 0; i < plan.Tcp; i++)
                    flows.Add(await TcpFlow.OpenAsync(new IPEndPoint(target, plan.TcpPort), stop));
                for (int i = 0; i < plan.Udp; i++)
                    flows.Add(await DatagramFlow.OpenUdpAsync(target, stop));
                for (int i = 0; i < plan.Icmp; i++)
                    flows.Add(await DatagramFlow.OpenPingAsync(target, stop));
            }
            Console.WriteLine($"{flows.Count} flows answered");
            if (hold)
                await Task.Delay(Timeout.Infinite, stop);
        }
        finally
        {
            flows.ForEach(flow => flow.Dispose());
        }
    }
}
