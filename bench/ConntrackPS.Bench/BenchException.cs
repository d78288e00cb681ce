namespace ConntrackPS.Bench;

/// <summary>The measurement can't be made, or would mean nothing; said in one line.</summary>
internal sealed class BenchException(string message) : Exception(message);
