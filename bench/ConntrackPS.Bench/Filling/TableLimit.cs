using System.Globalization;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench.Filling;

/// <summary>nf_conntrack_max: one number for all namespaces, written from the initial one only.</summary>
internal sealed class TableLimit : IDisposable
{
    private const string Path = Sysctl.Netfilter + "nf_conntrack_max";

    private readonly long _former = Read();
    private long _raised;

    /// <summary>Makes room for so many entries.</summary>
    /// <remarks>Twice as many: past 95 % of the limit the kernel's garbage collector throws unassured entries out. For
    /// the same reason the limit goes back only when the table is not used any more.</remarks>
    public void Raise(int count)
    {
        if (2L * count > Read())
            Write(_raised = 2L * count);
    }

    public void Dispose()
    {
        // Someone else may have set it since.
        if (Read() == _raised)
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
