using ConntrackPS.Conntrack;
using ConntrackPS.Expectations;

namespace ConntrackPS.Text;

/// <summary>The words of text that only expectations have, for readers and writers.</summary>
internal static class ExpectationText
{
    /// <summary>The key of <see cref="ConntrackExpectation.Extra"/> for a mask of the destination address that is not all ones. The
    /// kernel's mask is all ones.</summary>
    public const string DestinationMask = "mask-dst";

    /// <summary>The key for such a mask of the destination port.</summary>
    public const string DestinationPortMask = "mask-dport";

    /// <summary>The key for the name of a class whose number is unknown.</summary>
    public const string Class = "class";

    /// <summary>The key for a timeout that isn't a number of seconds: /proc prints a negative one until the kernel has removed the
    /// expectation.</summary>
    public const string Timeout = "timeout";

    /// <summary>The kernel compares all bits of the destination. Its mask is for the source.</summary>
    public static readonly AddressBits AllOnes = new(ulong.MaxValue, ulong.MaxValue);

    /// <summary>enum sip_expectation_classes and sip_exp_policy of nf_conntrack_sip.c. No other helper of the kernel names its
    /// classes.</summary>
    private static readonly string[] SipClasses = ["signalling", "audio", "video", "image"];

    private static readonly (ExpectationFlags Flag, string Word)[] FlagWords =
    [
        (ExpectationFlags.Permanent, "PERMANENT"),
        (ExpectationFlags.Inactive, "INACTIVE"),
        (ExpectationFlags.Userspace, "USERSPACE"),
    ];

    /// <summary>The number of a helper's class; null if the helper's classes are unknown.</summary>
    /// <param name="helper">The helper. The name of one with an unusual port contains the port, such as sip-5061.</param>
    /// <param name="name">The name of the class.</param>
    public static uint? ClassNumberOf(ReadOnlySpan<char> helper, ReadOnlySpan<char> name)
    {
        for (int number = 0; IsSip(helper) && number < SipClasses.Length; number++)
        {
            if (name.SequenceEqual(SipClasses[number]))
                return (uint)number;
        }

        return null;
    }

    /// <summary>The name of a helper's class in /proc; null if it has none.</summary>
    public static string? ClassNameOf(string helper, uint? number) =>
        number < (uint)SipClasses.Length && IsSip(helper) ? SipClasses[number.Value] : null;

    /// <summary>Reads <c>PERMANENT,INACTIVE</c>.</summary>
    public static bool TryParseFlags(ReadOnlySpan<char> text, out ExpectationFlags flags)
    {
        flags = ExpectationFlags.None;
        foreach (string word in text.ToString().Split(','))
        {
            ExpectationFlags flag = FlagOf(word);
            if (flag == ExpectationFlags.None || (flags & flag) != 0)
                return false;
            flags |= flag;
        }

        return true;
    }

    /// <summary>The words of flags.</summary>
    public static IEnumerable<string> WordsOf(ExpectationFlags? flags) =>
        FlagWords.Where(pair => (flags & pair.Flag) == pair.Flag).Select(pair => pair.Word);

    private static ExpectationFlags FlagOf(ReadOnlySpan<char> word)
    {
        foreach ((ExpectationFlags flag, string name) in FlagWords)
        {
            if (word.SequenceEqual(name))
                return flag;
        }

        return ExpectationFlags.None;
    }

    private static bool IsSip(ReadOnlySpan<char> helper) =>
        helper is "sip" || (helper.StartsWith("sip-") && !helper[4..].ContainsAnyExceptInRange('0', '9'));
}
