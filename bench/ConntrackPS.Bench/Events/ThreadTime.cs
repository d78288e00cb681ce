using System.Globalization;

namespace ConntrackPS.Bench.Events;

/// <summary>Processor time of the threads that read events: the first number of /proc/self/task/*/schedstat, in nanoseconds.</summary>
internal static class ThreadTime
{
    // The 15 characters of the name that the kernel keeps.
    private const string Name = "ConntrackPS eve";

    public static TimeSpan OfReaders() => TimeSpan.FromMicroseconds(
        Directory.EnumerateDirectories("/proc/self/task")
            .Where(task => File.ReadAllText($"{task}/comm").TrimEnd() == Name)
            .Sum(task => long.Parse(File.ReadAllText($"{task}/schedstat").Split(' ')[0], CultureInfo.InvariantCulture)) / 1e3);
}
