namespace ConntrackPS.Top.Drawing;

/// <summary>What a piece of a frame is; the renderer decides how that looks.</summary>
internal enum TopStyle
{
    Plain,
    Title,
    Header,
    Selected,
    Faint,
    Prompt,
    Warning,

    // By what an entry is.
    Tcp,
    Udp,
    Icmp,
    Other,
    Opening,
    Open,
    Closing,
}
