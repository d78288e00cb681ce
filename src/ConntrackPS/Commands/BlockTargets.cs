using System.Management.Automation;
using ConntrackPS.Blocking;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Errors;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets may block: never the SSH connection they run in, unless they are forced.</summary>
internal static class BlockTargets
{
    /// <exception cref="OwnConnectionException">The filter names the SSH connection.</exception>
    public static BlockTarget OfFilter(ConntrackFilter filter, ConntrackTable table, bool force)
    {
        BlockTarget target = BlockTarget.Of(filter);
        if (!force)
            new SshGuard(table, SshConnection.Find()).Check(target);
        return target;
    }

    /// <summary>The given flows but the SSH connection, which is an error; null where nothing is left.</summary>
    public static BlockTarget? OfEntries(PSCmdlet command, IReadOnlyList<ConntrackEntry> entries, ConntrackTable table, bool force)
    {
        if (force)
            return BlockTarget.Of(entries);
        SshGuard guard = new(table, SshConnection.Find());
        List<ConntrackEntry> others = [];
        foreach (ConntrackEntry entry in entries)
        {
            try
            {
                guard.Check(BlockTarget.Of([entry]));
                others.Add(entry);
            }
            catch (OwnConnectionException exception)
            {
                command.WriteError(ErrorFactory.From(exception, entry));
            }
        }

        return others.Count == 0 ? null : BlockTarget.Of(others);
    }
}
