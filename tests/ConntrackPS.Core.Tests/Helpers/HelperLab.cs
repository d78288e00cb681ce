using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Helpers;

/// <summary>Real servers and clients of FTP, TFTP and SIP on both sides of a NAT router: helper-lab.sh.</summary>
internal sealed class HelperLab : IDisposable
{
    private static readonly string Script = Path.Combine(Repository.Root, "tests/ConntrackPS.Tests/Support/helper-lab.sh");

    private readonly NetworkNamespaceFixture _inside = new();
    private readonly NetworkNamespaceFixture _outside = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cps-helper-lab-");

    public HelperLab() => Run("up", _inside.Name, Router.Name, _outside.Name);

    /// <summary>The router, whose table is tested.</summary>
    public NetworkNamespaceFixture Router { get; } = new();

    /// <summary>Exchanges data over a protocol of helper-lab.sh.</summary>
    /// <returns>Null if the data connection came; otherwise the error.</returns>
    public string? Exchange(string protocol, int family, params string[] port)
    {
        // The kernel gives no helper to a connection that is in the table already.
        Router.Table.Clear();
        try
        {
            Run(protocol, [family == 6 ? "6" : "4", .. port]);
            return null;
        }
        catch (InvalidOperationException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>The lines of conntrack -L for the router.</summary>
    public string[] List(int family, params string[] options) =>
        Router.Exec("conntrack", ["-L", "-f", family == 6 ? "ipv6" : "ipv4", .. options]).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose()
    {
        Run("down");
        _inside.Dispose();
        _outside.Dispose();
        Router.Dispose();
        _folder.Delete(recursive: true);
    }

    private void Run(string task, params string[] arguments) => Shell.Run(Script, [task, _folder.FullName, .. arguments]);
}
