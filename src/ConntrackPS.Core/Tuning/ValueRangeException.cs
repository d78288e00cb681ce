namespace ConntrackPS.Tuning;

/// <summary>A value that the kernel does not take.</summary>
/// <param name="message">Which one, and which it takes.</param>
public sealed class ValueRangeException(string message) : Exception(message);
