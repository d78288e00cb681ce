namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file that boot reads could not be written; it is as it was.</summary>
/// <param name="file">The file.</param>
/// <param name="inner">Why.</param>
public sealed class PersistenceException(string file, Exception inner)
    : Exception($"{file} could not be written, and is as it was: {inner.Message}", inner)
{
    /// <summary>The file.</summary>
    public string File { get; } = file;
}
