namespace ConntrackPS.Bench;

/// <summary>The measurement is impossible or would be meaningless. The message is one line.</summary>
internal sealed class BenchException(string message) : Exception(message);
