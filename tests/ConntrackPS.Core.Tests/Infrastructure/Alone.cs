namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Tests that count resources of the whole process: descriptors, threads, memory. They run after all others, one at a
/// time.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
