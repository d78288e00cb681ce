namespace ConntrackPS.Blocking;

/// <summary>The running kernel can't block traffic for as long as a process lives; nothing was blocked or deleted.</summary>
/// <param name="message">What is missing.</param>
/// <param name="inner">How that showed.</param>
public sealed class BlockingUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
