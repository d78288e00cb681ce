namespace ConntrackPS.Conntrack;

/// <summary>A direction of a connection (enum ip_conntrack_dir).</summary>
public enum TupleDirection
{
    /// <summary>IP_CT_DIR_ORIGINAL: the way the first packet went.</summary>
    Original,

    /// <summary>IP_CT_DIR_REPLY: the way back.</summary>
    Reply,
}
