using System.Globalization;

namespace ConntrackPS.Linux;

/// <summary>How long there has been a network namespace for sure. The kernel doesn't tell, and gives the number of one that is gone
/// to a new one.</summary>
internal static class NamespaceAge
{
    /// <summary>Clock ticks of /proc/PID/stat in a second (USER_HZ of asm/param.h), the same for every processor that .NET is for.</summary>
    private const int TicksPerSecond = 100;

    /// <summary>Since its file was made, or the oldest process in it started that we may look at; zero where there is neither.</summary>
    /// <param name="networkNamespace">How the user named it; null for the caller's own.</param>
    /// <param name="identity">Which one it is, such as net:[4026531840].</param>
    public static TimeSpan Of(NetworkNamespace? networkNamespace, string identity)
    {
        NetworkNamespace? named = networkNamespace ?? NetworkNamespace.FindOwnName();
        TimeSpan age = OfOldestProcess(identity);
        return named?.Made is { } made && DateTime.UtcNow - made > age ? DateTime.UtcNow - made : age;
    }

    private static TimeSpan OfOldestProcess(string identity)
    {
        TimeSpan oldest = TimeSpan.Zero, sinceBoot = SinceBoot();
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
        {
            try
            {
                if (new FileInfo(folder + "/ns/net").LinkTarget != identity)
                    continue;
                TimeSpan age = sinceBoot - StartOf(File.ReadAllText(folder + "/stat"));
                oldest = age > oldest ? age : oldest;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended, or is another user's.
            }
        }

        return oldest;
    }

    private static TimeSpan SinceBoot() =>
        TimeSpan.FromSeconds(double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], CultureInfo.InvariantCulture));

    /// <summary>Field 22 of /proc/PID/stat, since boot. The second is the program's name in parentheses, which may hold anything.
    /// </summary>
    private static TimeSpan StartOf(string stat) =>
        TimeSpan.FromSeconds(double.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture) / TicksPerSecond);
}
