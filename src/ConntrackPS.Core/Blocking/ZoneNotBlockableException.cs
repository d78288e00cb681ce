namespace ConntrackPS.Blocking;

/// <summary>A block by zone was asked for, but packets have no zone before connection tracking gives them one.</summary>
public sealed class ZoneNotBlockableException()
    : Exception("Traffic can't be blocked by zone: packets don't show it, and equal flows of other zones would be dropped too.");
