namespace ConntrackPS.Events;

/// <summary>What happened to a connection.</summary>
public enum ConntrackEventType
{
    /// <summary>It began (IPCTNL_MSG_CT_NEW with NLM_F_CREATE).</summary>
    New,

    /// <summary>It changed (IPCTNL_MSG_CT_NEW without).</summary>
    Update,

    /// <summary>It ended (IPCTNL_MSG_CT_DELETE).</summary>
    Destroy,

    /// <summary>It was there when the watch began; nothing happened.</summary>
    Existing,

    /// <summary>No connection's event: events were lost here, and their number is known.</summary>
    Lost,
}
