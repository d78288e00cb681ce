using System.Management.Automation;

namespace ConntrackPS.Commands;

/// <summary>Whether a cmdlet's user wants to see or decide on each change.</summary>
internal static class Decisions
{
    /// <summary>True under -WhatIf or -Confirm, or where the preferences say so for changes of medium impact.</summary>
    /// <remarks>Otherwise ShouldProcess would always answer yes, and is not worth its price on each of a million entries.
    /// </remarks>
    public static bool AsksForEach(this PSCmdlet command) =>
        IsWhatIf(command) || Confirms(command);

    /// <summary>True under -WhatIf, or where the preference says so.</summary>
    public static bool IsWhatIf(this PSCmdlet command) => Preference(command, "WhatIf", "WhatIfPreference");

    /// <summary>True where the user wants no escape sequences: NO_COLOR, or $PSStyle.OutputRendering.</summary>
    public static bool WantsPlainText(this PSCmdlet command) =>
        !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        || (command.GetVariableValue("PSStyle") is { } style
            && PSObject.AsPSObject(style).Properties["OutputRendering"]?.Value?.ToString() == "PlainText");

    private static bool Preference(PSCmdlet command, string parameter, string variable) =>
        command.MyInvocation.BoundParameters.TryGetValue(parameter, out object? given)
            ? LanguagePrimitives.IsTrue(given)
            : LanguagePrimitives.IsTrue(command.GetVariableValue(variable));

    private static bool Confirms(PSCmdlet command)
    {
        if (command.MyInvocation.BoundParameters.TryGetValue("Confirm", out object? given))
            return LanguagePrimitives.IsTrue(given);
        return LanguagePrimitives.TryConvertTo(command.GetVariableValue("ConfirmPreference"), out ConfirmImpact preference)
            && preference is not ConfirmImpact.None and <= ConfirmImpact.Medium;
    }
}
