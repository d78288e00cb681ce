namespace ConntrackPS.Conntrack.Table;

/// <summary>The lists of entries that the kernel keeps.</summary>
public enum TableKind
{
    /// <summary>The hash table: all connections (IPCTNL_MSG_CT_GET).</summary>
    Main,

    /// <summary>Entries that are out of the table but not freed yet (IPCTNL_MSG_CT_GET_DYING); normally none.</summary>
    Dying,

    /// <summary>Entries whose first packet is still on its way (IPCTNL_MSG_CT_GET_UNCONFIRMED); none on kernels from 5.19.</summary>
    Unconfirmed,
}
