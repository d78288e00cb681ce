namespace ConntrackPS.Text;

/// <summary>What conntrack prints only when asked for, in its list, extended and XML forms.</summary>
[Flags]
public enum ConntrackTextDetails
{
    /// <summary>Nothing more.</summary>
    None = 0,

    /// <summary>The entry's number: <c>-o id</c>. XML has it always.</summary>
    Id = 1 << 0,

    /// <summary>When the connection began and ended: <c>-o ktimestamp</c>.</summary>
    Timestamp = 1 << 1,

    /// <summary>Labels: <c>-o labels</c>. Bits that connlabel.conf doesn't name are written as numbers; conntrack leaves them out.</summary>
    Label = 1 << 2,
}
