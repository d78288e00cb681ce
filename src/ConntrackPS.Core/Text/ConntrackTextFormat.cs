namespace ConntrackPS.Text;

/// <summary>The forms in which entries are written as text.</summary>
public enum ConntrackTextFormat
{
    /// <summary>As <c>conntrack -L</c> prints it, and before it the /proc/net/ip_conntrack of kernels 2.4 and 2.6.</summary>
    List,

    /// <summary>As <c>conntrack -L -o extended</c> prints it: the list with the address family in front.</summary>
    Extended,

    /// <summary>As the kernel prints it in /proc/net/nf_conntrack.</summary>
    Proc,

    /// <summary>As <c>conntrack -L -o save</c> prints it: commands for <c>conntrack -R</c>.</summary>
    Save,

    /// <summary>Commands for <c>conntrack -R</c> that delete the entries, and no others.</summary>
    Delete,

    /// <summary>As <c>conntrack -L -o xml</c> prints it: one document.</summary>
    Xml,
}
