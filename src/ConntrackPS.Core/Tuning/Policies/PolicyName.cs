using System.Globalization;
using System.Text;
using ConntrackPS.Conntrack;

namespace ConntrackPS.Tuning.Policies;

/// <summary>What the kernel takes for a policy's name.</summary>
internal static class PolicyName
{
    /// <summary>CTNL_TIMEOUT_NAME_MAX, less the terminating NUL.</summary>
    public const int MaximumBytes = 31;

    /// <exception cref="ArgumentException">It is empty or too long.</exception>
    public static void Check(string name)
    {
        if (name.Length == 0 || !KernelName.Fits(name, MaximumBytes))
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"'{name}' is not a name for a timeout policy: it has {Encoding.UTF8.GetByteCount(name)} bytes, and the kernel takes 1 to {MaximumBytes}, without NUL."));
        }
    }
}
