namespace ConntrackPS.Text;

/// <summary>What reading text yields: a <see cref="ConntrackTextRecord"/> or a <see cref="ConntrackTextProblem"/>.</summary>
public abstract class ConntrackTextItem
{
    private protected ConntrackTextItem()
    {
    }

    /// <summary>The number of the line it begins in, from 1.</summary>
    public long LineNumber { get; internal set; }
}
