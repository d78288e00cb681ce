using System.Collections;
using System.Management.Automation;

namespace ConntrackPS.Arguments;

/// <summary>Converts typed text into values of a parameter, one by one. Errors show the accepted form.</summary>
/// <remarks>PowerShell's own conversion turns $null into 0. It knows neither the kernel's spelling nor hexadecimal marks beyond the
/// signed range. Here a missing value is an error, so that an unset variable never means "everything".</remarks>
/// <typeparam name="T">The parameter's element type.</typeparam>
[AttributeUsage(AttributeTargets.Property)]
public abstract class ElementTransformationAttribute<T> : ArgumentTransformationAttribute
{
    /// <summary>True for a parameter that accepts only one value.</summary>
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

    /// <summary>The accepted form, as a phrase that completes "Write ...".</summary>
    protected abstract string AcceptedForm { get; }

    /// <summary>Reads one value.</summary>
    /// <exception cref="FormatException">The text is not a value. The message shows the accepted form.</exception>
    protected abstract T Parse(string text);

    /// <summary>True for a value that already has the parameter's type and is valid.</summary>
    protected virtual bool IsAccepted(T value) => true;

    /// <summary>The values that one typed value expands to.</summary>
    protected virtual IEnumerable<T> Expand(T value) => [value];

    /// <summary>The original value of an object that was changed by a file, such as JSON.</summary>
    protected virtual object? Restore(object? element) => element;

    private T TransformElement(object? element)
    {
        element = Restore(element);

        // PowerShell keeps the typed text of a number. Without it, 0xffffffff would be -1.
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

/// <summary>Names that can contain wildcards.</summary>
internal static class NamePattern
{
    /// <summary>Reads a pattern.</summary>
    /// <returns>False for a plain name.</returns>
    /// <exception cref="FormatException">It has wildcards, but is not a pattern: "[a-", for example.</exception>
    /// <remarks>PowerShell finds this error only when something is compared with the pattern.</remarks>
    public static bool TryParse(string text, WildcardOptions options, out WildcardPattern pattern)
    {
        pattern = new WildcardPattern(text, options);
        try
        {
            _ = pattern.IsMatch("");
        }
        catch (WildcardPatternException exception)
        {
            throw new FormatException($"'{text}' is not a pattern of names: close the bracket, or write `[ for a literal bracket.", exception);
        }

        return WildcardPattern.ContainsWildcardCharacters(text);
    }

    /// <summary>The items with a name, in any case, or those that match a pattern.</summary>
    /// <param name="items">The items.</param>
    /// <param name="nameOf">The name of an item.</param>
    /// <param name="text">The name or the pattern.</param>
    /// <param name="isPattern">True for a pattern. Then it is no error that nothing matches.</param>
    /// <exception cref="FormatException">It has wildcards, but is not a pattern.</exception>
    public static T[] Find<T>(IEnumerable<T> items, Func<T, string> nameOf, string text, out bool isPattern)
    {
        isPattern = TryParse(text, WildcardOptions.IgnoreCase, out WildcardPattern pattern);
        return isPattern
            ? [.. items.Where(item => pattern.IsMatch(nameOf(item)))]
            : [.. items.Where(item => nameOf(item).Equals(text, StringComparison.OrdinalIgnoreCase))];
    }
}
