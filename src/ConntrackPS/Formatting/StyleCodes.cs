using System.Management.Automation;

namespace ConntrackPS.Formatting;

/// <summary>Colours as $PSStyle has them. PowerShell takes them out again where NO_COLOR, $PSStyle.OutputRendering or a
/// redirection says so.</summary>
internal static class StyleCodes
{
    public static readonly string Green = Foreground("Green"), Yellow = Foreground("Yellow"), Gray = Foreground("BrightBlack");

    public static readonly string Reset = "\u001b[0m";

    /// <summary>PSStyle came after the library that this module is compiled against.</summary>
    private static string Foreground(string colour)
    {
        object? style = typeof(PSObject).Assembly.GetType("System.Management.Automation.PSStyle")?.GetProperty("Instance")?.GetValue(null);
        return style is null ? "" : PSObject.AsPSObject(PSObject.AsPSObject(style).Properties["Foreground"].Value).Properties[colour]?.Value as string ?? "";
    }
}
