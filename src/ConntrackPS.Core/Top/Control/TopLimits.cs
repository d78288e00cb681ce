namespace ConntrackPS.Top.Control;

/// <summary>How often a view may look at the table, in seconds.</summary>
internal static class TopLimits
{
    public const double LeastInterval = 0.1, MostInterval = 3600;
}
