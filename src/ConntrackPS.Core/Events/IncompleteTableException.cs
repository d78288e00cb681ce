namespace ConntrackPS.Events;

/// <summary>The table could not be read whole, time and again, so that what it would have told is still to come.</summary>
/// <param name="networkNamespace">Where; null for the caller's own.</param>
public sealed class IncompleteTableException(string? networkNamespace)
    : Exception(
        $"The connection-tracking table{(networkNamespace is null ? "" : $" of network namespace '{networkNamespace}'")} could not be read whole, "
        + "so that connections which began or ended unheard are not told yet. It is read again every few seconds.")
{
    /// <summary>Where; null for the caller's own.</summary>
    public string? NetworkNamespace { get; } = networkNamespace;
}
