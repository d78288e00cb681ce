using System.Globalization;

namespace ConntrackPS.Conntrack;

/// <summary>A template, or a filter that has to name one tuple, lacks a property or has some that don't go together.</summary>
/// <remarks>The message has the properties by their names; whoever calls them otherwise describes the problem anew.</remarks>
internal sealed class TemplateException : FormatException
{
    private readonly string _problem;

    /// <param name="problem">A sentence, with {0}, {1} and so on where the properties' names belong.</param>
    /// <param name="properties">The properties of the template or filter.</param>
    public TemplateException(string problem, params string[] properties)
        : base(Fill(problem, properties, name => name)) => (_problem, Properties) = (problem, properties);

    /// <summary>The properties that the problem is about.</summary>
    public IReadOnlyList<string> Properties { get; }

    /// <summary>The message, with each property called as its user knows it.</summary>
    public string Describe(Func<string, string> nameOf) => Fill(_problem, Properties, nameOf);

    private static string Fill(string problem, IReadOnlyList<string> properties, Func<string, string> nameOf) =>
        string.Format(CultureInfo.InvariantCulture, problem, [.. properties.Select(nameOf)]);
}
