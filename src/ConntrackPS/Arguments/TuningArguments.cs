using System.Collections;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Arguments;

/// <summary>Reads the protocols that have timeouts of their own, by name or IANA number. Wildcards work if the parameter accepts several.</summary>
/// <remarks>If PowerShell cannot convert a positional argument, its error says that there is no such parameter, and does not list the
/// accepted names.</remarks>
public sealed class TimeoutProtocolArgumentAttribute : ElementTransformationAttribute<TimeoutProtocol>
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        object?[] elements = value is IList list ? [.. list.Cast<object?>()] : [value];
        if (TakesOne || !elements.Any(IsPattern))
            return base.Transform(engineIntrinsics, inputData);
        try
        {
            // As with other names, a pattern that matches nothing is not an error.
            object?[] expanded = [.. elements.SelectMany(element => IsPattern(element) ? Matches(element) : [element])];
            return expanded.Length == 0 ? Array.Empty<TimeoutProtocol>() : base.Transform(engineIntrinsics, expanded);
        }
        catch (FormatException exception)
        {
            throw new ArgumentTransformationMetadataException(exception.Message, exception);
        }
    }

    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + string.Join(", ", Enum.GetNames<TimeoutProtocol>());

    /// <inheritdoc/>
    protected override TimeoutProtocol Parse(string text)
    {
        if (text.Equals(nameof(TimeoutProtocol.Generic), StringComparison.OrdinalIgnoreCase))
            return TimeoutProtocol.Generic;
        return ProtocolNames.TryParse(text, out IPProtocol protocol) && IsAccepted((TimeoutProtocol)protocol)
            ? (TimeoutProtocol)protocol
            : throw new FormatException($"'{text}' is not a protocol with timeouts of its own. Write {AcceptedForm}.");
    }

    /// <inheritdoc/>
    protected override bool IsAccepted(TimeoutProtocol value) => Enum.IsDefined(value);

    private static bool IsPattern(object? element) => WildcardPattern.ContainsWildcardCharacters(LanguagePrimitives.ConvertTo<string>(element) ?? "");

    private static IEnumerable<object?> Matches(object? element) => Expand(LanguagePrimitives.ConvertTo<string>(element)).Cast<object?>();

    /// <summary>The protocols that a name or a pattern matches.</summary>
    /// <exception cref="FormatException">The name is not a protocol with timeouts.</exception>
    internal static IEnumerable<TimeoutProtocol> Expand(string text) => NamePattern.TryParse(text, WildcardOptions.IgnoreCase, out WildcardPattern pattern)
        ? Enum.GetValues<TimeoutProtocol>().Where(protocol => pattern.IsMatch(protocol.ToString()))
        : [new TimeoutProtocolArgumentAttribute().Parse(text)];
}

/// <summary>Reads protocols that have timeouts, and keeps patterns. A name that the kernel lacks is an error. A pattern that matches
/// nothing is not.</summary>
public sealed class TimeoutProtocolNameArgumentAttribute : ElementTransformationAttribute<string>
{
    /// <inheritdoc/>
    protected override string AcceptedForm => "one of " + string.Join(", ", Enum.GetNames<TimeoutProtocol>());

    /// <inheritdoc/>
    protected override string Parse(string text)
    {
        TimeoutProtocol[] found = [.. TimeoutProtocolArgumentAttribute.Expand(text)];
        return WildcardPattern.ContainsWildcardCharacters(text) ? text : found[0].ToString();
    }

    /// <inheritdoc/>
    /// <remarks>An object of the pipeline that has a protocol is bound whole, where text is taken too.</remarks>
    protected override object? Restore(object? element) =>
        element is PSObject { BaseObject: PSCustomObject or ConntrackTimeout } row && row.Properties["Protocol"]?.Value is { } its ? its : element;
}

/// <summary>Reads timeouts by state: a hashtable, an object with a property for each state, or text such as
/// <c>SynSent=30,Established=1h</c>. A span alone is the timeout of a protocol that has only one.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TimeoutTableArgumentAttribute : ArgumentTransformationAttribute
{
    private const string AcceptedForm = "a hashtable such as @{ SynSent = 30; Established = '1h' }, or one span such as 5m for a protocol with one timeout";

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        Dictionary<string, TimeSpan> timeouts = new(StringComparer.OrdinalIgnoreCase);
        foreach ((string state, string span) in Pairs(inputData))
        {
            try
            {
                timeouts.Add(state, Duration.Parse(span, maximum: Duration.Longest));
            }
            catch (Exception exception) when (exception is FormatException or ArgumentException)
            {
                throw new ArgumentTransformationMetadataException($"{state}: {exception.Message}", exception);
            }
        }

        return timeouts.Count > 0 ? timeouts : throw new ArgumentTransformationMetadataException($"No timeout is given. Write {AcceptedForm}.");
    }

    private static IEnumerable<(string State, string Span)> Pairs(object? input)
    {
        object? value = input is PSObject wrapped ? wrapped.BaseObject : input;
        return value switch
        {
            _ when DurationArgumentAttribute.SpanOf(input) is { } span => [(TimeoutValues.SingleKey, Text(span))],
            IDictionary table => table.Cast<DictionaryEntry>().Select(entry => (Text(entry.Key), Text(entry.Value))),
            string text when text.Contains('=', StringComparison.Ordinal) || string.IsNullOrWhiteSpace(text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Split),
            string or TimeSpan or IFormattable => [(TimeoutValues.SingleKey, Text(input))],
            PSCustomObject => ((PSObject)input!).Properties.Select(property => (property.Name, Text(property.Value))),
            _ => throw new ArgumentTransformationMetadataException($"These are not timeouts. Write {AcceptedForm}."),
        };
    }

    private static (string State, string Span) Split(string pair) => pair.Split('=') is [string state, string span]
        ? (state.Trim(), span.Trim())
        : throw new ArgumentTransformationMetadataException($"'{pair}' is not a state and its timeout. Write {AcceptedForm}.");

    private static string Text(object? value) => LanguagePrimitives.ConvertTo<string>(DurationArgumentAttribute.SpanOf(value) ?? value) ?? "";
}
