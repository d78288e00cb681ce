using System.Diagnostics;
using System.Text;

namespace ConntrackPS.Tests.Infrastructure;

/// <summary><c>conntrack -E</c> running in parallel with a test.</summary>
/// <remarks>It can hold 166 events, whatever -b says (conntrack-tools 1.4.7), so the test must wait for it before that. A dedicated thread
/// reads its output: other tests may block all threads of the pool, and conntrack receives no events while the pipe is full.</remarks>
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

    /// <summary>Waits until all listeners have received everything.</summary>
    public static void CatchUp(NetworkNamespaceFixture ns) =>
        Assert.True(Wait.Until(() => EventListeners.ReadQueues(ns).All(queue => queue == "0")), "somebody does not take their events");

    /// <summary>The events that it showed so far. One last entry shows that it is up to date.</summary>
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
