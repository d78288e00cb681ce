using ConntrackPS.Linux;

namespace ConntrackPS.Diagnosis.History;

/// <summary>A history: a file to which the values of a table are appended from time to time, and the older files that were put aside.</summary>
/// <remarks>See docs/history.md for the format.</remarks>
public static class ConntrackHistory
{
    /// <summary>Appends values to a history. The file is created if it does not exist. Several programs may append at the same time.</summary>
    /// <param name="path">The path of the file. Its folder must exist.</param>
    /// <param name="stat">The values.</param>
    /// <returns>The record, with its number.</returns>
    /// <exception cref="FormatException">The values have no count.</exception>
    /// <exception cref="IOException">Nothing was written: the disk is full, the folder does not exist, or the file is of another kind.</exception>
    /// <exception cref="UnauthorizedAccessException">Nothing was written: the caller may not write the file.</exception>
    /// <exception cref="PlatformNotSupportedException">This system is not Linux.</exception>
    public static ConntrackHistoryRecord Append(string path, ConntrackStat stat)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(stat);
        Platform.RequireLinux();
        return new HistoryWriter(Path.GetFullPath(path)).Append(ConntrackHistoryRecord.Of(stat));
    }

    /// <summary>Reads a history, the oldest record first. Lines that are cut or damaged are left out.</summary>
    /// <param name="path">The path of the file that is written now.</param>
    /// <param name="after">The earliest time; null for all.</param>
    /// <param name="before">The latest time; null for all.</param>
    /// <exception cref="IOException">There is no such file, or it is of another kind.</exception>
    /// <exception cref="UnauthorizedAccessException">The caller may not read the file.</exception>
    public static IEnumerable<ConntrackHistoryRecord> Read(string path, DateTime? after = null, DateTime? before = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        HistoryRange range = new(after, before, null);
        return new HistoryReader(Path.GetFullPath(path)).Read(() => false).Where(range.Contains);
    }
}

/// <summary>A range of time in a history.</summary>
internal sealed class HistoryRange
{
    private readonly DateTime? _after;
    private readonly DateTime? _before;
    private readonly TimeSpan? _last;
    private readonly (DateTime Time, double Uptime) _now = (DateTime.UtcNow, BootClock.Now);

    /// <param name="after">The earliest time, or null. A time without a kind is local.</param>
    /// <param name="before">The latest time, or null.</param>
    /// <param name="last">The time up to now, or null.</param>
    public HistoryRange(DateTime? after, DateTime? before, TimeSpan? last) =>
        (_after, _before, _last) = (after?.ToUniversalTime(), before?.ToUniversalTime(), last);

    /// <summary>True for a record in the range. The age of a record of this boot is measured by the clock that never jumps.</summary>
    public bool Contains(ConntrackHistoryRecord record)
    {
        DateTime time = record.Time.ToUniversalTime();
        if (time < _after || time > _before)
            return false;
        if (_last is not { } last)
            return true;
        return record is { BootId: not null, Uptime: { } uptime } && record.BootId == BootClock.Id
            ? _now.Uptime - uptime <= last.TotalSeconds
            : _now.Time - time <= last;
    }
}
