using ConntrackPS.Tuning.Settings;

namespace ConntrackPS.Tuning;

/// <summary>A value that the kernel does not take.</summary>
/// <param name="message">Which one, and which it takes.</param>
internal sealed class ValueRangeException(string message) : ArgumentException(message)
{
    private readonly string? _text;

    internal ValueRangeException(SettingDefinition setting, string text)
        : this(Describe(setting, text, setting.AcceptedForm)) => (Setting, _text) = (setting, text);

    /// <summary>The setting; null for a value of anything else.</summary>
    internal SettingDefinition? Setting { get; }

    /// <summary>The message about a setting's value, with another description of those that it takes.</summary>
    internal string Describe(string acceptedForm) => Setting is null ? Message : Describe(Setting, _text!, acceptedForm);

    private static string Describe(SettingDefinition setting, string text, string acceptedForm) =>
        $"'{text}' is not a value of {setting.Name}: write {acceptedForm}.";
}
