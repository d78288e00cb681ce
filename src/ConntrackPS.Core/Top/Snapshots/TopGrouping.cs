namespace ConntrackPS.Top.Snapshots;

/// <summary>What the rows of a live view are.</summary>
public enum TopGrouping
{
    /// <summary>Entries.</summary>
    None,

    /// <summary>A row for each source address.</summary>
    Source,

    /// <summary>A row for each destination address.</summary>
    Destination,

    /// <summary>A row for each protocol and destination port.</summary>
    Port,
}
