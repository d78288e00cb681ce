using System.Collections;
using System.Collections.Specialized;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tuning.Policies;

/// <summary>A policy's timeouts in seconds, by state, in the kernel's order: a dictionary to scripts and to JSON, and
/// <c>SynSent=120,Established=600</c> as text.</summary>
[SuppressMessage("Design", "CA1010", Justification = "Scripts and their JSON look for the dictionary without types.")]
public sealed class TimeoutValues : OrderedDictionary
{
    /// <summary>The key for protocols with one timeout.</summary>
    public const string SingleKey = "Timeout";

    internal TimeoutValues()
        : base(StringComparer.OrdinalIgnoreCase)
    {
    }

    /// <summary>The key of a timeout.</summary>
    internal static string KeyOf(TimeoutDefinition definition) => definition.State?.ToString() ?? SingleKey;

    /// <summary>All timeouts as text, such as <c>SynSent=120,Established=600</c>.</summary>
    public override string ToString() => string.Join(
        ',', this.Cast<DictionaryEntry>().Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key}={entry.Value}")));
}
