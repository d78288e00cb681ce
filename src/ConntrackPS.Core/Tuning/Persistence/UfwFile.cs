namespace ConntrackPS.Tuning.Persistence;

/// <summary>The file of sysctls that ufw sets whenever it starts: <c>sysctl -e -q -p $IPT_SYSCTL</c>, in ufw-init-functions.</summary>
internal static class UfwFile
{
    private const string Defaults = "etc/default/ufw";
    private const string Switch = "etc/ufw/ufw.conf";

    /// <summary>The file, and whether ufw is on; null where it is switched off for sure, or has no such file.</summary>
    public static (BootFile File, bool IsEnabled)? Find(BootFiles boot)
    {
        if (boot.Read(Defaults) is not { } defaults || Value(defaults, "IPT_SYSCTL") is not { Length: > 0 } path)
            return null;
        string? isEnabled = boot.Read(Switch) is { } file ? Value(file, "ENABLED") : null;
        if (isEnabled is "no" or "NO" || boot.Read(path.TrimStart('/')) is not { } settings)
            return null;
        return (settings, isEnabled is "yes" or "YES");
    }

    /// <summary>The last assignment of a shell variable; a plain word, or one in quotes.</summary>
    private static string? Value(BootFile file, string name) => file.Text.Lines
        .Select(line => ConfigText.Content(line).Trim())
        .LastOrDefault(line => line.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..].Split(" #")[0].Trim().Trim('"', '\'');
}
