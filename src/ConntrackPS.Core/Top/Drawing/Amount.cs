using System.Globalization;

namespace ConntrackPS.Top.Drawing;

/// <summary>Amounts in the width of a column, for people.</summary>
internal static class Amount
{
    private const string Units = " kMGTPE";

    /// <summary>A count in full: <c>1,048,576</c>.</summary>
    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>At most five characters: <c>999</c>, <c>1.2k</c>, <c>34M</c>, in thousands.</summary>
    public static string Short(double amount)
    {
        (string number, string prefix) = Scale(amount);
        return number + prefix;
    }

    /// <summary>An amount with its unit: <c>20.0 Mbit/s</c>.</summary>
    public static string Of(double amount, string unit)
    {
        (string number, string prefix) = Scale(amount);
        return $"{number} {prefix}{unit}";
    }

    private static (string Number, string Prefix) Scale(double amount)
    {
        int unit = 0;

        // 999.5 would be rounded to 1000, which is a character too many.
        while (amount >= 999.5 && unit < Units.Length - 1)
        {
            amount /= 1000;
            unit++;
        }

        string format = unit == 0 || amount >= 99.95 ? "0" : "0.0";
        return (amount.ToString(format, CultureInfo.InvariantCulture), unit == 0 ? "" : $"{Units[unit]}");
    }

    /// <summary>Seconds as <c>1:59:59</c>, or <c>4d 23h</c> from four days on.</summary>
    public static string Time(uint seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(seconds);
        return time.TotalHours >= 96
            ? string.Create(CultureInfo.InvariantCulture, $"{time.Days}d {time.Hours}h")
            : string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}");
    }
}
