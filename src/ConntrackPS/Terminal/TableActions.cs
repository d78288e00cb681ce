using System.Globalization;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Top.Control;

namespace ConntrackPS.Terminal;

/// <summary>What a live view does to the table, each told in a line of text.</summary>
internal sealed class TableActions(ConntrackTable table, bool isWhatIf)
{
    /// <summary>All that an entry says now; null once it is gone.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Detail(EntryKey key) =>
        table.Find(key) is { } entry ? EntryDetail.Of(entry) : null;

    /// <summary>Deletes one entry, by its tuple, zone and id.</summary>
    public string Delete(EntryKey key)
    {
        if (isWhatIf)
            return $"What if: {key.Original} would be deleted.";
        using EntryDeleter deleter = table.CreateDeleter();
        deleter.Add(key, key);
        deleter.Flush();
        if (deleter.TakeResults() is [{ Failure: { } failure }])
            return failure.Message;
        return deleter.AlreadyGone > 0 ? $"{key.Original} was gone already." : $"Deleted {key.Original}.";
    }

    /// <summary>Deletes the entries of a filter.</summary>
    public string Delete(ConntrackFilter filter, string what, CancellationToken stop)
    {
        if (isWhatIf)
            return $"What if: {what} would be deleted.";
        string? firstFailure = null;
        string left = "";
        DeleteSummary sum;
        try
        {
            sum = table.Delete(filter, result => firstFailure ??= result.Failure?.Message, stop: stop);
        }
        catch (IncompleteDeletionException exception)
        {
            (sum, left) = (exception.Summary, " Others may be left: the hash table is being resized again and again.");
        }

        string deleted = string.Create(CultureInfo.InvariantCulture, $"{(sum.IsEstimate ? "About " : "")}{sum.Deleted:N0} deleted");
        return (firstFailure is null ? deleted + "." : $"{deleted}, {sum.Failed} failed: {firstFailure}") + left;
    }
}
