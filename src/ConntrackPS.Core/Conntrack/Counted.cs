using System.Numerics;

namespace ConntrackPS.Conntrack;

/// <summary>A number with its noun: 1 entry, 2 entries.</summary>
internal static class Counted
{
    public static string Entries<T>(T number)
        where T : INumber<T> => Of(number, "entry", "entries");

    public static string Flows<T>(T number)
        where T : INumber<T> => Of(number, "flow", "flows");

    public static string Events<T>(T number)
        where T : INumber<T> => Of(number, "event", "events");

    public static string Expectations<T>(T number)
        where T : INumber<T> => Of(number, "expectation", "expectations");

    /// <summary>The verb form for the number.</summary>
    public static string Was<T>(T number)
        where T : INumber<T> => number == T.One ? "was" : "were";

    /// <inheritdoc cref="Was"/>
    public static string Is<T>(T number)
        where T : INumber<T> => number == T.One ? "is" : "are";

    public static string Of<T>(T number, string one, string many)
        where T : INumber<T> => FormattableString.Invariant($"{number} {(number == T.One ? one : many)}");
}
