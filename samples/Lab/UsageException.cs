namespace ConntrackPS.Lab;

/// <summary>The command line is wrong. The message says where.</summary>
internal sealed class UsageException(string message) : Exception(message);
