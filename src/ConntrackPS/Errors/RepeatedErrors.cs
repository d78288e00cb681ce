using System.Globalization;
using System.Management.Automation;

namespace ConntrackPS.Errors;

/// <summary>Collects errors about objects of a pipeline that are wrong in the same way. The first is written at once, the others are
/// counted.</summary>
internal sealed class RepeatedErrors
{
    /// <summary>The key of Exception.Data that has the number of objects that an error is about.</summary>
    public const string CountKey = "Count";

    /// <summary>The maximum number of different reasons. Errors with further reasons are written one by one.</summary>
    private const int MostReasons = 1000;

    private const int MostNumbers = 10;

    private readonly Dictionary<(string Id, string Reason), Repeated> _errors = [];

    /// <summary>Adds an error.</summary>
    /// <param name="record">The error.</param>
    /// <param name="reason">The problem, without the parts that differ between objects.</param>
    /// <param name="number">The object's number in the pipeline; 0 if the message does not contain it.</param>
    /// <returns>True if the caller must write the error now.</returns>
    public bool Add(ErrorRecord record, string reason, long number = 0)
    {
        if (_errors.TryGetValue((record.FullyQualifiedErrorId, reason), out Repeated? repeated))
        {
            repeated.Count++;
            if (number > 0 && repeated.Numbers.Count < MostNumbers)
                repeated.Numbers.Add(number);
            return false;
        }

        if (_errors.Count < MostReasons)
            _errors.Add((record.FullyQualifiedErrorId, reason), new Repeated(record.FullyQualifiedErrorId, record.CategoryInfo.Category, reason));
        return true;
    }

    /// <summary>For each reason, one error for all that were not written. Then starts again from zero.</summary>
    public IReadOnlyList<ErrorRecord> Take()
    {
        ErrorRecord[] records = [.. _errors.Values.Where(repeated => repeated.Count > 0).Select(repeated => repeated.ToRecord())];
        _errors.Clear();
        return records;
    }

    /// <remarks>The id must be that of a record that is not written yet, because PowerShell adds the cmdlet's name when it writes one.</remarks>
    private sealed class Repeated(string id, ErrorCategory category, string reason)
    {
        public long Count { get; set; }

        public List<long> Numbers { get; } = [];

        public ErrorRecord ToRecord()
        {
            string which = Numbers.Count == 0
                ? ""
                : $" (records {string.Join(", ", Numbers)}{(Count > Numbers.Count ? " and others" : "")})";
            string objects = Count == 1 ? "1 more object" : string.Create(CultureInfo.InvariantCulture, $"{Count} more objects");
            ArgumentException exception = new($"The same is wrong with {objects}{which}: {reason}");
            exception.Data[CountKey] = Count;
            return new ErrorRecord(exception, id, category, Count);
        }
    }
}
