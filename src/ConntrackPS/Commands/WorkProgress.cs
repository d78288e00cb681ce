using System.Globalization;
using System.Management.Automation;

namespace ConntrackPS.Commands;

/// <summary>Shows how far work has come that takes longer than a second: how many entries, and how many a second.</summary>
/// <remarks>The host shows none where its output is redirected, and -ProgressAction decides the rest.</remarks>
internal sealed class WorkProgress(Cmdlet cmdlet, string activity)
{
    private const int Delay = 1000;
    private const int Period = 200;

    // Any number, as long as it is the same in all records of the activity.
    private const int ActivityId = 2604;

    private readonly long _started = Environment.TickCount64;
    private long _due = Environment.TickCount64 + Delay;
    private long _count;
    private bool _isShown;

    /// <summary>Counts entries that are done.</summary>
    public void Advance(long count = 1)
    {
        _count += count;
        long now = Environment.TickCount64;
        if (now < _due)
            return;
        (_due, _isShown) = (now + Period, true);
        double rate = _count * 1000.0 / (now - _started);
        cmdlet.WriteProgress(new ProgressRecord(
            ActivityId, activity, string.Create(CultureInfo.InvariantCulture, $"{_count:N0} entries, {rate:N0} a second")));
    }

    /// <summary>Takes the display away.</summary>
    public void Complete()
    {
        if (_isShown)
            cmdlet.WriteProgress(new ProgressRecord(ActivityId, activity, "Done") { RecordType = ProgressRecordType.Completed });
        _isShown = false;
    }
}
