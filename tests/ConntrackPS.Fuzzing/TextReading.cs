using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Fuzzing;

/// <summary>Does with text what the library does: reads it, and writes what was read in every form.</summary>
internal sealed class TextReading
{
    private const ConntrackTextDetails AllDetails =
        ConntrackTextDetails.Id | ConntrackTextDetails.Timestamp | ConntrackTextDetails.Label;

    private readonly ConntrackTextWriter[] _writers =
        [.. Enum.GetValues<ConntrackTextFormat>().Except([ConntrackTextFormat.Delete]).Select(format => new ConntrackTextWriter(format) { Details = AllDetails })];

    private ConntrackTextReader _reader = new();

    /// <summary>Reads a line; every hundredth ends its text, so that what was begun before bears on what comes.</summary>
    public void Read(string line)
    {
        _reader.Add(line);
        if (_reader.LineCount % 100 == 0)
            _reader.Complete();
        while (_reader.TryTake(out ConntrackTextItem? item))
            Inspect(item);
        if (_reader.LineCount % 100 == 0)
            _reader = new ConntrackTextReader();
    }

    private void Inspect(ConntrackTextItem item)
    {
        _ = item.ToString();
        if (item is not ConntrackTextRecord record)
            return;
        PropertyReading.ReadAll(record.Value);
        if (record.Entry is not { } entry)
            return;
        foreach (ConntrackTextWriter writer in _writers)
        {
            try
            {
                _ = writer.Write(entry);
            }
            catch (IncompleteTupleException) when (!entry.Original.IsWhole || !entry.Reply.IsWhole)
            {
                // ICMP of XML, which the other forms don't make up.
            }
        }
    }
}
