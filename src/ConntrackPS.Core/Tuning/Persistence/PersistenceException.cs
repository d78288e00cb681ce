namespace ConntrackPS.Tuning.Persistence;

/// <summary>A file that boot reads could not be written; it is as it was.</summary>
/// <param name="file">The file.</param>
/// <param name="inner">Why.</param>
internal sealed class PersistenceException(string file, Exception inner)
    : Exception($"{file} could not be written, and is as it was: {inner.Message}.", inner)
{
    /// <summary>Some of the files that go with it could not be undone.</summary>
    internal PersistenceException(string file, Exception inner, IReadOnlyList<string> left)
        : this(file, left.Count == 0 ? inner : new IOException($"{inner.Message}. Written before, and not to be undone: {string.Join(", ", left)}", inner))
    {
    }

    /// <summary>The file.</summary>
    public string File { get; } = file;
}
