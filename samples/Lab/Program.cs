using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ConntrackPS.Lab;

/// <summary>Picks the command, and turns SIGTERM and SIGINT into an orderly end.</summary>
internal static class Program
{
    private const string Usage = """
        usage: conntrack-lab serve
               conntrack-lab traffic --target ADDRESS [--target ADDRESS ...] [--tcp N] [--udp N] [--icmp N] [--tcp-port PORT] [--hold]
               conntrack-lab flood --target ADDRESS --flows N
        """;

    private static async Task<int> Main(string[] args)
    {
        using CancellationTokenSource stop = new();
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        try
        {
            await RunAsync(args, stop.Token);
            return 0;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 0;
        }
        catch (UsageException e)
        {
            await Console.Error.WriteLineAsync($"conntrack-lab: {e.Message}\n{Usage}");
            return 2;
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            await Console.Error.WriteLineAsync($"conntrack-lab: {e.Message}");
            return 1;
        }

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private static Task RunAsync(string[] args, CancellationToken stop)
    {
        Arguments arguments = Arguments.Parse(args.AsSpan(Math.Min(1, args.Length)));
        switch (args.FirstOrDefault())
        {
            case "serve":
                arguments.Allow();
                return Server.RunAsync(stop);
            case "traffic":
                arguments.Allow("--target", "--tcp", "--udp", "--icmp", "--tcp-port", "--hold");
                TrafficPlan plan = new(
                    arguments.Addresses("--target"),
                    Tcp: arguments.Number("--tcp", 0, 10_000),
                    Udp: arguments.Number("--udp", 0, 10_000),
                    Icmp: arguments.Number("--icmp", 0, 10_000),
                    TcpPort: arguments.Number("--tcp-port", Ports.Tcp, ushort.MaxValue));
                return Traffic.RunAsync(plan, arguments.Has("--hold"), stop);
            case "flood":
                arguments.Allow("--target", "--flows");
                return Flood.RunAsync(arguments.Address("--target"), arguments.Number("--flows", null, Flood.MaximumFlows), stop);
            default:
                throw new UsageException("say what to do.");
        }
    }
}
