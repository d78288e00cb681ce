using System.Runtime.Versioning;

namespace ConntrackPS.Linux;

/// <summary>True if this system is Linux. Text, groups of objects and conversions work on every system; only Linux has the kernel's
/// table.</summary>
/// <remarks>No other code checks the system. Code that needs the kernel uses <see cref="NetworkNamespace"/>, which calls <see
/// cref="RequireLinux"/> before any function of libc. So Tmds.LibC is not loaded on other systems, where it doesn't work.</remarks>
internal static class Platform
{
    /// <summary>For tests alone: an AppContext switch that makes Linux pass for another system. It is read once. It can't make
    /// another system pass for Linux.</summary>
    internal const string PretendSwitch = "ConntrackPS.PretendNotLinux";

    /// <summary>True on Linux.</summary>
    [SupportedOSPlatformGuard("linux")]
    public static bool IsLinux { get; } = OperatingSystem.IsLinux() && !(AppContext.TryGetSwitch(PretendSwitch, out bool pretends) && pretends);

    /// <summary>Ends what needs the kernel, where there is none.</summary>
    /// <exception cref="PlatformNotSupportedException">This system is not Linux.</exception>
    public static void RequireLinux()
    {
        if (!IsLinux)
            throw new PlatformNotSupportedException("Connection tracking is a part of the Linux kernel; this system is not Linux.");
    }
}
