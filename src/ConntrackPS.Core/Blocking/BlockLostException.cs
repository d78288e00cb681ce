namespace ConntrackPS.Blocking;

/// <summary>The kernel has the table of a block no more, so that the block's traffic passes. The table belongs to one socket
/// of this process, which is still open; nothing but a fault takes it away.</summary>
/// <param name="table">The table's name.</param>
/// <param name="inner">How that showed.</param>
public sealed class BlockLostException(string table, Exception? inner = null)
    : Exception($"The kernel has the block's table {table} no more, so that the traffic passes.", inner);
