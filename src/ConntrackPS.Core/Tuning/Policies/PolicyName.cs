using System.Globalization;
using System.Text;

namespace ConntrackPS.Tuning.Policies;

/// <summary>What the kernel takes for a policy's name.</summary>
internal static class PolicyName
{
    /// <summary>CTNL_TIMEOUT_NAME_MAX, less the terminating NUL.</summary>
    public const int MaximumBytes = 31;

    /// <exception cref="ArgumentException">It is empty or too long.</exception>
    public static void Check(string name)
    {
        int length = Encoding.UTF8.GetByteCount(name);
        if (length is 0 or > MaximumBytes || name.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"'{name}' is not a name for a timeout policy: it has {length} bytes, and the kernel takes 1 to {MaximumBytes}."));
        }
    }
}
