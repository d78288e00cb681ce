namespace ConntrackPS.Diagnosis.Health;

/// <summary>Looks for one kind of trouble in the figures.</summary>
internal interface IHealthRule
{
    /// <summary>What it finds; nothing where all is well, or where the figures don't tell.</summary>
    IEnumerable<HealthFinding> Check(HealthSnapshot snapshot);
}
