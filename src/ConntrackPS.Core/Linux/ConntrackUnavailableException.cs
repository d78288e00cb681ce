namespace ConntrackPS.Linux;

/// <summary>The running kernel can't answer questions about connection tracking.</summary>
/// <param name="message">What is missing.</param>
/// <param name="inner">How that showed.</param>
public class ConntrackUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
