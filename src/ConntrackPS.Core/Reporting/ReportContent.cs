using System.Globalization;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Diagnosis.History;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Reporting;

/// <summary>All that a report shows. Null for a part that is unknown, such as the settings behind a saved table.</summary>
internal sealed record ReportContent
{
    /// <summary>The heading.</summary>
    public required string Title { get; init; }

    /// <summary>The origin of the values: a machine, a network namespace, a file.</summary>
    public required string Origin { get; init; }

    /// <summary>The time when the report was made, local time.</summary>
    public DateTime Made { get; init; } = DateTime.Now;

    /// <summary>The rows of the longest tables.</summary>
    public int Top { get; init; } = 20;

    /// <summary>The fill of the table and the counters.</summary>
    public ConntrackHistoryRecord? Present { get; init; }

    /// <summary>The sums over the entries.</summary>
    public TableTally? Table { get; init; }

    /// <summary>The table of an earlier moment, to compare with.</summary>
    public TableTally? Reference { get; init; }

    /// <summary>The history, the oldest record first.</summary>
    public IReadOnlyList<ConntrackHistoryRecord> History { get; init; } = [];

    /// <summary>How to record a history, for a report without one.</summary>
    public string? HistoryAdvice { get; init; }

    /// <summary>The findings of a check, the worst first.</summary>
    public IReadOnlyList<ReportFinding>? Findings { get; init; }

    /// <summary>The settings and timeouts; those with other values than the kernel's own are shown.</summary>
    public IReadOnlyList<ReportSetting>? Settings { get; init; }
}

/// <summary>A finding with its texts.</summary>
/// <param name="Severity">The severity.</param>
/// <param name="Name">The stable name.</param>
/// <param name="Evidence">The values that show the problem.</param>
/// <param name="Explanation">The meaning of the values.</param>
/// <param name="Remedy">The command line that fixes it; null if there is none.</param>
internal sealed record ReportFinding(FindingSeverity Severity, string Name, string Evidence, string Explanation, string? Remedy);

/// <summary>A setting or a timeout of the kernel.</summary>
/// <param name="Name">The name for sysctl.</param>
/// <param name="Value">A Boolean, a number, or a word.</param>
/// <param name="Default">The kernel's own value; null if it is unknown or depends on the machine.</param>
/// <param name="Unit">The unit of a number; null for none.</param>
/// <param name="Meaning">A description.</param>
internal sealed record ReportSetting(string Name, object Value, object? Default, string? Unit, string Meaning)
{
    /// <summary>True if the value is not the kernel's own. Values of a file can have other types.</summary>
    public bool Differs => Default is not null
        && !string.Equals(Convert.ToString(Default, CultureInfo.InvariantCulture), Convert.ToString(Value, CultureInfo.InvariantCulture), StringComparison.OrdinalIgnoreCase);

    /// <summary>A setting of the kernel.</summary>
    public static ReportSetting Of(ConntrackSetting setting) =>
        new(setting.Sysctl, setting.Value, setting.DefaultValue, setting.Unit, setting.Description);

    /// <summary>A timeout of the kernel.</summary>
    public static ReportSetting Of(ConntrackTimeout timeout) =>
        OfTimeout(timeout.Sysctl, timeout.Definition.ToString(), timeout.TimeoutSeconds, timeout.DefaultSeconds);

    /// <summary>A timeout.</summary>
    /// <param name="sysctl">Its name for sysctl, or null.</param>
    /// <param name="name">The protocol and state.</param>
    /// <param name="seconds">Its value.</param>
    /// <param name="usual">The kernel's own value.</param>
    public static ReportSetting OfTimeout(string? sysctl, string name, uint seconds, uint? usual) =>
        new(sysctl ?? $"timeout of {name}", seconds, usual, "seconds", $"Time without a packet until an entry of {name} expires.");
}

/// <summary>A table of a report. A reader can sort it by each column.</summary>
/// <param name="Columns">The headings.</param>
/// <param name="Rows">The cells of each row.</param>
internal sealed record ReportTable(IReadOnlyList<ReportColumn> Columns, IReadOnlyList<IReadOnlyList<ReportCell>> Rows);

/// <summary>A column.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="IsNumber">True to sort it by number, and to align it to the right.</param>
internal sealed record ReportColumn(string Title, bool IsNumber = false);

/// <summary>A cell.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Number">The number to sort by, for a column of numbers. Null sorts last.</param>
/// <param name="Share">The length of a bar behind the text, from 0 to 1.</param>
internal sealed record ReportCell(string Text, double? Number = null, double Share = 0);
