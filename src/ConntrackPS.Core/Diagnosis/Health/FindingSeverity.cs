namespace ConntrackPS.Diagnosis.Health;

/// <summary>How bad a finding is.</summary>
public enum FindingSeverity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Information,

    /// <summary>Something is wrong, or soon will be.</summary>
    Warning,

    /// <summary>Packets are being lost.</summary>
    Critical,
}
