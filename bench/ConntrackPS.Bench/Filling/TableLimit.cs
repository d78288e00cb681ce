using System.Globalization;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench.Filling;

/// <summary>nf_conntrack_max: one number for all namespaces, written from the initial one only.</summary>
internal sealed class TableLimit : IDisposable
{
    private const string Path = Sysctl.Netfilter + "nf_conntrack_max";

    private readonly long _former;
    private readonly long _raised;

    private TableLimit(long former, long raised) => (_former, _raised) = (former, raised);

    /// <summary>Makes room for so many entries.</summary>
    /// <remarks>Twice as many: past 95 % of the limit the kernel's garbage collector throws unassured entries out. For
    /// the same reason the limit goes back only when the table is not used any more.</remarks>
    /// <returns>What puts the former limit back.</returns>
    public static TableLimit Raise(int count)
    {
        long former = Read(), wanted = Math.Max(former, 2L * count);
        if (wanted > former)
            Write(wanted);
        return new TableLimit(former, wanted);
    }

    public void Dispose()
    {
        // Someone else may have set it since.
        if (_raised != _former && Read() == _raised)
            Write(_former);
    }

    private static long Read() => ConntrackStat.Read().Maximum;

    private static void Write(long value)
    {
        try
        {
            File.WriteAllText(Path, value.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new BenchException($"nf_conntrack_max could not be set to {value}: {exception.Message}");
        }
    }
}
