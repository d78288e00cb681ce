using System.Collections.Concurrent;
using System.Linq.Expressions;

namespace ConntrackPS.Fuzzing;

/// <summary>Reads all properties that a user sees: text is built on access, and may fail then.</summary>
internal static class PropertyReading
{
    private static readonly ConcurrentDictionary<Type, Action<object>> Readers = [];

    public static void ReadAll(object result)
    {
        Readers.GetOrAdd(result.GetType(), Compile)(result);
        _ = result.ToString();
    }

    /// <summary>One delegate that reads all properties, because reflection would take most of the time.</summary>
    private static Action<object> Compile(Type type)
    {
        ParameterExpression argument = Expression.Parameter(typeof(object));
        UnaryExpression typed = Expression.Convert(argument, type);
        IEnumerable<Expression> reads = type.GetProperties()
            .Where(property => property.CanRead && property.GetIndexParameters() is [])
            .Select(property => Expression.Property(typed, property));
        return Expression.Lambda<Action<object>>(Expression.Block(typeof(void), reads), argument).Compile();
    }
}
