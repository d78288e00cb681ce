using System.Collections;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;

namespace ConntrackPS.Completion;

/// <summary>Completes values that entries of the table have, the most frequent first, from as much of the table as can be
/// read while a person hardly notices.</summary>
public abstract class TableCompleter : ChoiceCompleter
{
    private const int MaximumChoices = 100;
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromMilliseconds(200);

    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound)
    {
        try
        {
            return [.. PropertiesOf(parameter)
                .SelectMany(name => Read(name, bound))
                .Where(choice => choice.Value.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
                .DistinctBy(choice => choice.Value)
                .Take(MaximumChoices)];
        }
        catch (Exception)
        {
            // Without a privilege, a namespace or connection tracking there is nothing to offer; a key press is no place
            // to complain.
            return [];
        }
    }

    /// <summary>The properties of entries whose values the parameter takes.</summary>
    private protected abstract string[] PropertiesOf(string parameter);

    private static IEnumerable<(string Value, string Meaning)> Read(string property, IDictionary bound)
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named(property)] });
        bool isWhole = TryReadWhole(measurement, NetworkNamespaceCompleter.FirstOf(bound));
        return measurement.Groups()
            .Where(group => group.GetValues()[0].Value is not null)
            .Select(group => (group.Name, $"{property} of {(isWhole ? "" : "at least ")}{group.Count} {(group.Count == 1 ? "entry" : "entries")}"));
    }

    /// <returns>False where there was no time for the whole table, or it would not hold still.</returns>
    private static bool TryReadWhole(GroupMeasurement measurement, string? networkNamespace)
    {
        using CancellationTokenSource stop = new(ReadTimeout);
        try
        {
            measurement.Read(new ConntrackTable(NetworkNamespace.ParseOrOwn(networkNamespace)), stop: stop.Token);
            return true;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IncompleteListingException)
        {
            return false;
        }
    }
}

/// <summary>Completes addresses of the table's entries.</summary>
public sealed class AddressCompleter : TableCompleter
{
    private protected override string[] PropertiesOf(string parameter) =>
        TupleProperties.TryFind(parameter, out TupleProperty? property) ? [.. TupleProperties.EndsOf(property).Select(end => end.Name)] : [];
}

/// <summary>Completes zones of the table's entries.</summary>
public sealed class ZoneCompleter : TableCompleter
{
    private protected override string[] PropertiesOf(string parameter) => ["Zone"];
}

/// <summary>Completes helpers of the table's entries.</summary>
public sealed class HelperCompleter : TableCompleter
{
    private protected override string[] PropertiesOf(string parameter) => ["Helper"];
}
