using System.Diagnostics;
using System.Text;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary><c>conntrack -E</c> that runs beside a test.</summary>
/// <remarks>It holds 166 events, whatever -b says (conntrack-tools 1.4.7), and must be waited for before that. What it prints is
/// read on a thread of its own: the pool's may all be blocked by other tests, and once the pipe is full it takes no events.</remarks>
internal sealed class ConntrackListener : IDisposable
{
    private const string LastSource = "192.0.2.254";

    private readonly Process _process;
    private readonly Thread _reading;
    private readonly StringBuilder _output = new();

    public ConntrackListener(NetworkNamespaceFixture ns)
    {
        string[] words = ["netns", "exec", ns.Name, "conntrack", "-E", "-o", "xml,id,timestamp,ktimestamp"];
        _process = Process.Start(new ProcessStartInfo("ip", words) { RedirectStandardOutput = true })!;
        _reading = new Thread(ReadOutput) { IsBackground = true };
        _reading.Start();
        if (Wait.Until(() => EventListeners.ReadQueues(ns).Any()))
            return;
        Dispose();
        Assert.Fail("conntrack -E does not listen");
    }

    /// <summary>Waits until all who listen have taken what there is.</summary>
    public static void CatchUp(NetworkNamespaceFixture ns) =>
        Assert.True(Wait.Until(() => EventListeners.ReadQueues(ns).All(queue => queue == "0")), "somebody does not take their events");

    /// <summary>What it showed of all that happened so far, and of one last entry, which tells that it has caught up.</summary>
    public List<EventRecord> Finish(NetworkNamespaceFixture ns)
    {
        TableFiller.Create(ns, Entries.Udp(LastSource, 1, "198.51.100.7", 9));
        Assert.True(Wait.Until(() => Output().Contains(LastSource)), "conntrack -E does not catch up");
        return ConntrackTool.ParseEvents(Output());
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _reading.Join();
        _process.Dispose();
    }

    private void ReadOutput()
    {
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            lock (_output)
                _output.AppendLine(line);
        }
    }

    private string Output()
    {
        lock (_output)
            return _output.ToString();
    }
}
