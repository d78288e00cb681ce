using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Reflection;
using ConntrackPS.Arguments;
using ConntrackPS.Commands;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Errors;
using ConntrackPS.Top.Control;

namespace ConntrackPS.Terminal;

/// <summary>Reads a filter that is typed like the parameters of Get-ConntrackEntry, with the same code.</summary>
/// <remarks>PowerShell's parser splits the line, but nothing in it is run. Values are plain words, numbers and lists of them.</remarks>
internal static class FilterLine
{
    /// <summary>The syntax of a line, for the prompt and help of the live view.</summary>
    public static FilterSyntax Syntax { get; } = new("the parameters of Get-ConntrackEntry", "-Protocol tcp -SourceAddress 10.0.0.0/8");

    private static readonly PropertyInfo[] Parameters =
        [.. typeof(SelectionCommand).GetProperties().Where(property =>
            property.GetCustomAttribute<ParameterAttribute>() is not null && property.Name != nameof(ConntrackCommand.NetworkNamespace))];

    /// <summary>Reads a line.</summary>
    /// <exception cref="FormatException">It is not a filter. The message says what is wrong.</exception>
    public static ConntrackFilter Parse(string text)
    {
        FilterOfLine filter = new();
        CommandAst line = ReadLine(text);
        for (int i = 1; i < line.CommandElements.Count; i++)
        {
            CommandParameterAst name = line.CommandElements[i] as CommandParameterAst
                ?? throw new FormatException($"'{line.CommandElements[i].Extent.Text}' has no parameter before it, such as -SourceAddress.");
            PropertyInfo parameter = Find(name.ParameterName);
            if (parameter.PropertyType == typeof(SwitchParameter))
            {
                parameter.SetValue(filter, new SwitchParameter(true));
                continue;
            }

            Ast value = name.Argument ?? (++i < line.CommandElements.Count ? line.CommandElements[i] : null)
                ?? throw new FormatException($"-{parameter.Name} has no value.");
            parameter.SetValue(filter, Convert(parameter, ValueOf(value)));
        }

        return Check(filter.Build());
    }

    /// <summary>Writes the filter parameters among those of a command line.</summary>
    public static string Write(IDictionary<string, object> bound) => string.Join(' ', Parameters
        .Where(parameter => bound.ContainsKey(parameter.Name))
        .Select(parameter => bound[parameter.Name] is SwitchParameter ? $"-{parameter.Name}" : $"-{parameter.Name} {TextOf(bound[parameter.Name])}"));

    private static CommandAst ReadLine(string text)
    {
        ScriptBlockAst script = Parser.ParseInput("Get-ConntrackEntry " + text, out _, out ParseError[] errors);
        if (errors.Length > 0)
            throw new FormatException(errors[0].Message);
        return script.EndBlock.Statements is [PipelineAst { PipelineElements: [CommandAst { Redirections.Count: 0 } command] }]
            ? command
            : throw new FormatException("Write only parameters of Get-ConntrackEntry.");
    }

    private static PropertyInfo Find(string name)
    {
        PropertyInfo[] found = [.. Parameters.Where(parameter => parameter.Name.StartsWith(name, StringComparison.OrdinalIgnoreCase))];
        return found.FirstOrDefault(parameter => parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? Parameters.FirstOrDefault(parameter =>
                parameter.GetCustomAttribute<AliasAttribute>()?.AliasNames.Contains(name, StringComparer.OrdinalIgnoreCase) == true)
            ?? (found.Length == 1 ? found[0] : throw new FormatException(found.Length == 0
                ? $"There is no filter -{name}."
                : $"-{name} is ambiguous: it can be {string.Join(", ", found.Select(parameter => "-" + parameter.Name))}."));
    }

    private static object ValueOf(Ast value) => value switch
    {
        StringConstantExpressionAst text => text.Value,
        ConstantExpressionAst number => number.Extent.Text,
        ArrayLiteralAst list => list.Elements.Select(ValueOf).ToArray(),
        _ => throw new FormatException($"'{value.Extent.Text}' is not a plain value."),
    };

    /// <remarks>Every filter parameter that is not a switch has its own transformation attribute.</remarks>
    private static object? Convert(PropertyInfo parameter, object value)
    {
        try
        {
            return parameter.GetCustomAttribute<ArgumentTransformationAttribute>()!.Transform(null, value);
        }
        catch (ArgumentTransformationMetadataException exception)
        {
            throw new FormatException(exception.InnerException is HostNameException name ? name.PlainMessage : exception.Message, exception);
        }
    }

    private static ConntrackFilter Check(ConntrackFilter filter)
    {
        try
        {
            if (filter.Contradiction is { } contradiction)
                throw new FormatException($"Nothing can match: {contradiction.Describe(property => "-" + property)}.");
            return filter.IsEmpty ? new ConntrackFilter() : filter;
        }
        catch (ArgumentException exception)
        {
            throw new FormatException(exception.Message, exception);
        }
    }

    private static string TextOf(object value) => value switch
    {
        IList list => string.Join(',', list.Cast<object>().Select(TextOf)),
        TimeSpan time => ((long)time.TotalSeconds).ToString(CultureInfo.InvariantCulture),
        string name when name.Any(letter => !char.IsLetterOrDigit(letter)) => CommandLine.Quote(name),
        _ => System.Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    /// <summary>Holds the parameters. It is never run.</summary>
    private sealed class FilterOfLine : SelectionCommand
    {
        public ConntrackFilter Build() => ReadParameters();
    }
}
