using System.Globalization;
using System.Management.Automation;

namespace ConntrackPS.Errors;

/// <summary>Errors about objects of a pipeline that are wrong in the same way: the first is told at once, the others are counted.
/// </summary>
internal sealed class RepeatedErrors
{
    /// <summary>The key of an exception's data under which the number of objects is that an error stands for.</summary>
    public const string CountKey = "Count";

    /// <summary>Reasons that are kept apart; objects that are wrong in yet another way are told one by one.</summary>
    private const int MostReasons = 1000;

    private const int MostNumbers = 10;

    private readonly Dictionary<(string Id, string Reason), Repeated> _errors = [];

    /// <summary>Takes an error.</summary>
    /// <param name="record">The error.</param>
    /// <param name="reason">What is wrong, without what differs from object to object.</param>
    /// <param name="number">The object's number in the pipeline; 0 where it is not told.</param>
    /// <returns>True where it is to be written now.</returns>
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

    /// <summary>One error for all that were not written, for each reason; they are forgotten then.</summary>
    public IReadOnlyList<ErrorRecord> Take()
    {
        ErrorRecord[] records = [.. _errors.Values.Where(repeated => repeated.Count > 0).Select(repeated => repeated.ToRecord())];
        _errors.Clear();
        return records;
    }

    /// <remarks>The id as it is before the record is written: PowerShell adds the cmdlet's name to it then.</remarks>
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
