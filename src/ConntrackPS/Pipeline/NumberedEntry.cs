using ConntrackPS.Conntrack;

namespace ConntrackPS.Pipeline;

/// <summary>An entry of the pipeline and its place in it.</summary>
/// <param name="Number">From 1; 0 for an entry made of parameters.</param>
/// <param name="Entry">The entry.</param>
internal sealed record NumberedEntry(long Number, ConntrackEntry Entry);
