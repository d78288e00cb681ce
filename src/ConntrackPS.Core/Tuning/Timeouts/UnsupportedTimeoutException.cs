namespace ConntrackPS.Tuning.Timeouts;

/// <summary>The running kernel does not do what was asked of its timeouts.</summary>
/// <param name="message">What it lacks.</param>
/// <param name="inner">How that showed.</param>
internal sealed class UnsupportedTimeoutException(string message, Exception? inner = null) : Exception(message, inner);
