using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ConntrackPS.Arguments;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Errors;
using ConntrackPS.Helpers;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Rules;
using ConntrackPS.Top.Snapshots;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Completion;

/// <summary>Completes a parameter from a list of values, each with a short description.</summary>
/// <remarks>Not for parameters of an enumeration: PowerShell completes these itself and calls no completer.</remarks>
public abstract class ChoiceCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string typed = (wordToComplete ?? "").Trim('\'', '"');
        try
        {
            return [.. Choices(parameterName, typed, fakeBoundParameters)
                .Where(choice => choice.Value.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
                .Select(choice => new CompletionResult(TextOf(choice.Value), choice.Value, CompletionResultType.ParameterValue, choice.Meaning))];
        }
        catch (Exception exception) when (exception is PlatformNotSupportedException or NetlinkException or NetworkNamespaceException or ConntrackUnavailableException)
        {
            // The kernel is asked for these: this may be another system, or the privilege or the namespace is missing. Completion never
            // shows errors.
            return [];
        }
    }

    /// <summary>The values. The caller removes those that do not begin with the typed text.</summary>
    /// <param name="parameter">The parameter's name.</param>
    /// <param name="typed">The text typed so far.</param>
    /// <param name="bound">The other parameters on the line.</param>
    private protected abstract IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound);

    /// <summary>The value as it must be typed. Names that people choose, such as those of labels, can contain special characters of
    /// PowerShell.</summary>
    private protected virtual string TextOf(string value) =>
        value.All(letter => char.IsLetterOrDigit(letter) || letter is '.' or ':' or '-' or '_' or '/') && value.Length > 0 && value[0] != '-'
            ? value
            : CommandLine.Quote(value);
}

/// <summary>Completes the names of labels in connlabel.conf.</summary>
public sealed class LabelCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        LabelNames.System.Names.Select(name => (name, LabelNames.System.TryGetBit(name, out int bit) ? $"label bit {bit}" : name));
}

/// <summary>Completes states, in our spelling and the kernel's.</summary>
public sealed class StateCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        new StateArgumentAttribute().Spellings.Select(name => (name, "state " + name));
}

/// <summary>Completes status bits, in our spelling and the kernel's.</summary>
public sealed class StatusCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        new StatusArgumentAttribute().Spellings.Select(name => (name, "status bit " + name));
}

/// <summary>Completes the protocols that have timeouts of their own.</summary>
public sealed class TimeoutProtocolCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetNames<TimeoutProtocol>().Order(StringComparer.Ordinal).Select(name => (name, "protocol " + name));
}

/// <summary>Completes the properties that entries can be grouped by.</summary>
public sealed class GroupPropertyCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        GroupProperties.All.Select(property => (property.Name, property.Description));
}

/// <summary>Completes the names of findings of the health check.</summary>
public sealed class FindingCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        FindingKinds.All.OrderBy(kind => kind.Name, StringComparer.Ordinal).Select(kind => (kind.Name, "severity " + string.Join(" or ", kind.Severities)));
}

/// <summary>Completes the sort orders of the live view.</summary>
public sealed class TopSortCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        Enum.GetNames<TopColumn>().Order(StringComparer.Ordinal).Select(name => (name, "column " + name))
            .Concat(TopSortArgumentAttribute.OfGroups.Select(name => (name, name + ", of groups")));
}

/// <summary>Completes the names of <c>ip netns</c>.</summary>
public sealed class NetworkNamespaceCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        NetworkNamespace.Names().Select(name => (name, $"{NetworkNamespace.NamedDirectory}/{name}"));

    /// <summary>The first namespace on the command line; null if there is none.</summary>
    internal static string? FirstOf(IDictionary bound) => (bound["NetworkNamespace"] ?? bound["Namespace"]) switch
    {
        string name => name,
        object[] and [string first, ..] => first,
        _ => null,
    };
}

/// <summary>Completes values of the entries in the table, the most frequent first. It reads the table for at most a fifth of a
/// second.</summary>
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
            // Without the privilege, the namespace or connection tracking there are no values. Completion never shows errors.
            return [];
        }
    }

    /// <summary>The properties of entries whose values the parameter accepts.</summary>
    private protected abstract string[] PropertiesOf(string parameter);

    private static IEnumerable<(string Value, string Meaning)> Read(string property, IDictionary bound)
    {
        GroupMeasurement measurement = new(new GroupOptions { GroupBy = [GroupProperties.Named(property)] });
        bool isWhole = TryReadWhole(measurement, NetworkNamespaceCompleter.FirstOf(bound));
        return measurement.Groups()
            .Where(group => group.GetValues()[0].Value is not null)
            .Select(group => (group.Name, $"{property} of {(isWhole ? "" : "at least ")}{group.Count} {(group.Count == 1 ? "entry" : "entries")}"));
    }

    /// <returns>False if there was no time for the whole table, or if it was resized repeatedly.</returns>
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
    private protected override string[] PropertiesOf(string parameter) => TupleEnds.Of(parameter);
}

/// <summary>Completes ports of the table's entries, and then the services of /etc/services.</summary>
public sealed class PortCompleter : TableCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        [.. base.Choices(parameter, typed, bound), .. ServiceCompleter.Services(typed)];

    private protected override string[] PropertiesOf(string parameter) => TupleEnds.Of(parameter);
}

/// <summary>Completes the services of /etc/services, for ports that need not be in the table.</summary>
public sealed class ServiceCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) => Services(typed);

    internal static IEnumerable<(string Value, string Meaning)> Services(string typed) =>
        ServiceNames.System.StartingWith(typed).Select(service => (service.Name, $"port {service.Port}"));
}

/// <summary>The properties of entries that a parameter for addresses or ports matches or excludes.</summary>
internal static class TupleEnds
{
    public static string[] Of(string parameter) =>
        TupleProperties.All.FirstOrDefault(property => Is(property.Name, parameter) || Is(property.ExcludeName, parameter)) is { } found
            ? [.. TupleProperties.EndsOf(found).Select(end => end.Name)]
            : [];

    private static bool Is(string name, string parameter) => name.Equals(parameter, StringComparison.OrdinalIgnoreCase);
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

/// <summary>Completes the names of the kernel's helpers.</summary>
public sealed class HelperNameCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        HelperReader.Known.Select(helper => (helper.Name, helper.Description));
}

/// <summary>Completes the names of the rules in the namespace on the command line.</summary>
public sealed class RuleNameCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        new RuleBook(NetworkNamespace.ParseOrOwn(NetworkNamespaceCompleter.FirstOf(bound))).Read().Select(rule => (rule.Name, $"{rule.Effect}: {rule.Traffic}"));
}

/// <summary>Completes the names of the settings that this kernel has.</summary>
public sealed class SettingNameCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        SettingCatalog.Present(null).Select(definition => (definition.Name, definition.Description));
}

/// <summary>Completes the words that the setting on the command line accepts. Settings with numbers have none.</summary>
public sealed class SettingValueCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        bound["Name"] is string name && SettingCatalog.Find(name, SettingCatalog.Present(null)) is { } definition
            ? (definition.Kind == SettingKind.Boolean ? [CommandLine.Value(true), CommandLine.Value(false)] : SettingValue.Choices(definition))
                .Select(choice => (choice, definition.Description))
            : [];

    /// <summary>The word without quotes, because quotes would turn $true and $false into text.</summary>
    private protected override string TextOf(string value) => value;
}

/// <summary>Completes the names of the timeout policies in the namespace on the command line.</summary>
public sealed class TimeoutPolicyCompleter : ChoiceCompleter
{
    private protected override IEnumerable<(string Value, string Meaning)> Choices(string parameter, string typed, IDictionary bound) =>
        new TimeoutPolicies(NetworkNamespace.ParseOrOwn(NetworkNamespaceCompleter.FirstOf(bound))).Read().Select(policy => (policy.Name, policy.ToString()));
}

/// <summary>Completes the states that have timeouts: those of the protocols on the command line, or all.</summary>
public sealed class TimeoutStateCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        TimeoutProtocol[] protocols =
            LanguagePrimitives.TryConvertTo(fakeBoundParameters["Protocol"], out TimeoutProtocol[] given) && given is { Length: > 0 }
                ? given
                : Enum.GetValues<TimeoutProtocol>();
        return TimeoutCatalog.All
            .Where(definition => protocols.Contains(definition.Protocol) && definition.State is not null)
            .GroupBy(definition => definition.State.ToString()!)
            .Where(group => StateNames.Spellings(group.Key).Any(word => word.StartsWith(wordToComplete, StringComparison.OrdinalIgnoreCase)))
            .Select(group => new CompletionResult(group.Key, group.Key, CompletionResultType.ParameterValue, Describe(group)));
    }

    private static string Describe(IEnumerable<TimeoutDefinition> definitions) =>
        string.Join(", ", definitions.Select(definition => $"{definition.Protocol}: {definition.DefaultSeconds} s by default"));
}
