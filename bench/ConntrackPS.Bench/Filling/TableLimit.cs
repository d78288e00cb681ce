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

    /// <summary>Raises the limit for a number of entries.</summary>
    /// <remarks>The limit is twice the number, because above 95 % of the limit the kernel's garbage collector deletes entries that are
    /// not assured. For the same reason the limit is restored only when the table is no longer used.</remarks>
    public void Raise(int count)
    {
        if (2L * count > Read())
            Write(_raised = 2L * count);
    }

    public void Dispose()
    {
        // Another program may have set it in between.
        if (Read() == _raised)
            Write(_former);
    }

    private static long Read() => ConntrackStat.Read().Maximum ?? throw new BenchException("the maximum can't be read.");

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
