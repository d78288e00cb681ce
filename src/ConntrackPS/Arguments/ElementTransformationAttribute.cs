using System.Collections;
using System.Management.Automation;

namespace ConntrackPS.Arguments;

/// <summary>Turns what a user typed into values of a parameter, one by one, or says what would have been accepted.</summary>
/// <remarks>PowerShell's own conversion makes 0 of $null and knows neither the kernel's spelling nor hexadecimal marks
/// past the signed range; here no value is a mistake, which keeps an unset variable from meaning "everything".</remarks>
/// <typeparam name="T">The parameter's element type.</typeparam>
[AttributeUsage(AttributeTargets.Property)]
public abstract class ElementTransformationAttribute<T> : ArgumentTransformationAttribute
{
    /// <summary>True for a parameter that takes one value, not several.</summary>
    public bool TakesOne { get; init; }

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        if (TakesOne)
            return TransformElement(inputData)!;
        if (Unwrap(inputData) is not IList list)
            return Expand(TransformElement(inputData)).ToArray();
        if (list.Count == 0)
            throw new ArgumentTransformationMetadataException($"No value is given. Write {AcceptedForm}.");
        List<T> result = new(list.Count);
        foreach (object? element in list)
            result.AddRange(Expand(TransformElement(element)));
        return result.ToArray();
    }

    /// <summary>What is accepted, as a phrase that completes "Write ...".</summary>
    protected abstract string AcceptedForm { get; }

    /// <summary>Reads one value.</summary>
    /// <exception cref="FormatException">The text is not one; its message says what is accepted.</exception>
    protected abstract T Parse(string text);

    /// <summary>True for a value that came as such, not as text, and that may stand.</summary>
    protected virtual bool IsAccepted(T value) => true;

    /// <summary>The values that one value stands for.</summary>
    protected virtual IEnumerable<T> Expand(T value) => [value];

    /// <summary>What an object stands for that was such a value before it went through a file.</summary>
    protected virtual object? Restore(object? element) => element;

    private T TransformElement(object? element)
    {
        element = Restore(element);

        // PowerShell keeps the text of a number as it was typed, so that 0xffffffff does not arrive as -1.
        string? text = LanguagePrimitives.ConvertTo<string>(element);
        if (Unwrap(element) is T value and not string)
        {
            return IsAccepted(value)
                ? value
                : throw new ArgumentTransformationMetadataException($"'{text}' is not accepted. Write {AcceptedForm}.");
        }

        if (string.IsNullOrWhiteSpace(text))
            throw new ArgumentTransformationMetadataException($"A value is empty. Write {AcceptedForm}.");
        try
        {
            return Parse(text.Trim());
        }
        catch (FormatException exception)
        {
            throw new ArgumentTransformationMetadataException(exception.Message, exception);
        }
    }

    private static object? Unwrap(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}

/// <summary>Names that may hold wildcards.</summary>
internal static class NamePattern
{
    /// <summary>Reads a pattern.</summary>
    /// <returns>False for a plain name.</returns>
    /// <exception cref="FormatException">It has wildcards, and is no pattern: "[a-", for instance.</exception>
    /// <remarks>PowerShell notices that only when something is compared with it.</remarks>
    public static bool TryParse(string text, WildcardOptions options, out WildcardPattern pattern)
    {
        pattern = new WildcardPattern(text, options);
        try
        {
            _ = pattern.IsMatch("");
        }
        catch (WildcardPatternException exception)
        {
            throw new FormatException($"'{text}' is not a pattern of names: close the bracket, or write `[ for the character itself.", exception);
        }

        return WildcardPattern.ContainsWildcardCharacters(text);
    }
}
