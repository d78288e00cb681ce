namespace ConntrackPS.Lab;

/// <summary>The command line makes no sense; the message says where.</summary>
internal sealed class UsageException(string message) : Exception(message);
