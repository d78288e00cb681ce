using System.Security.Cryptography;

namespace ConntrackPS.Netlink;

/// <summary>Draws the port ids (nl_pid) of this process's sockets, each for one socket from before its bind until after its
/// close.</summary>
/// <remarks>
/// <para>The kernel knows the owner of a table of nf_tables by the port id alone, and a closing socket frees its port id
/// (netlink_release) before nf_tables is told (NETLINK_URELEASE, nf_tables_api.c: nft_rcv_nl_event). A socket that has
/// taken the same id meanwhile loses its tables without a word. The kernel's own choice for port 0 is the process's id
/// again and again, which is how that comes about.</para>
/// <para>The ids drawn here are none that the kernel chooses: process ids are at most 2^22 (PID_MAX_LIMIT), and its second
/// choice is a negative number (netlink_autobind). They are random, since every user may read those in use
/// (/proc/net/netlink), and by opening and closing the next one could take a table away.</para>
/// </remarks>
internal sealed class PortIds
{
    /// <summary>The least id: past every process id.</summary>
    public const uint First = (1 << 22) + 1;

    /// <summary>The greatest id: the last one before the kernel's own range.</summary>
    public const uint Last = int.MaxValue;

    private readonly Func<uint> _draw;
    private readonly HashSet<uint> _taken = [];

    /// <param name="draw">Where ids come from, for tests; else they are random.</param>
    public PortIds(Func<uint>? draw = null) => _draw = draw ?? DrawRandom;

    /// <summary>The ids of this process's sockets, in whichever network namespace.</summary>
    public static PortIds OfProcess { get; } = new();

    /// <summary>An id that no socket of ours has. Another process may have it all the same: then bind(2) says
    /// EADDRINUSE.</summary>
    public uint Take()
    {
        lock (_taken)
        {
            while (true)
            {
                uint id = _draw();
                if (_taken.Add(id))
                    return id;
            }
        }
    }

    /// <summary>Gives an id back whose socket is closed, so that the kernel has told everyone of its end.</summary>
    public void Return(uint id)
    {
        lock (_taken)
            _taken.Remove(id);
    }

    private static uint DrawRandom() => First + (uint)RandomNumberGenerator.GetInt32((int)(Last - First) + 1);
}
