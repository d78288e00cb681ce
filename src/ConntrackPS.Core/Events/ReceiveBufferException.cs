namespace ConntrackPS.Events;

/// <summary>The kernel did not give the receive buffer that was asked for.</summary>
/// <param name="requested">What was asked for, in bytes.</param>
/// <param name="granted">What it gave, in bytes: net.core.rmem_max.</param>
public sealed class ReceiveBufferException(int requested, int granted)
    : Exception($"The kernel refused a receive buffer of {requested} bytes; {granted} is what it allows.");
