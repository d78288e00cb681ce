using System.Diagnostics;
using System.Management.Automation;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Table;

namespace ConntrackPS.Commands;

/// <summary>Lists the entries of the kernel's connection-tracking table.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackEntry", DefaultParameterSetName = FilterSet)]
[OutputType(typeof(ConntrackEntry))]
public sealed class GetConntrackEntryCommand : FilterCommand
{
    private volatile EntryStream? _stream;

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(List);

    /// <inheritdoc/>
    protected override void StopProcessing() => _stream?.Cancel();

    private void List()
    {
        long started = Stopwatch.GetTimestamp();
        long count = 0;
        using EntryStream stream = new ConntrackTable(Namespace()).Open(BuildFilter());
        _stream = stream;
        if (Stopping)
            return;
        foreach (IReadOnlyList<ConntrackEntry> batch in stream.Batches())
        {
            // One by one: WriteObject would copy a collection before it writes the first.
            for (int i = 0; i < batch.Count; i++)
                WriteObject(batch[i]);
            count += batch.Count;
        }

        if (stream.Interrupted)
            WriteWarning("The table changed while it was read; entries may be missing. Run the command again.");
        WriteVerbose($"{count} entries in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms.");
    }
}
