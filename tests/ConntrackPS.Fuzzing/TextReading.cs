using ConntrackPS.Conntrack;
using ConntrackPS.Text;

namespace ConntrackPS.Fuzzing;

/// <summary>Does the same with text as the library: reads it, and writes the result in every form.</summary>
internal sealed class TextReading
{
    private const ConntrackTextDetails AllDetails =
        ConntrackTextDetails.Id | ConntrackTextDetails.Timestamp | ConntrackTextDetails.Label;

    private readonly ConntrackTextWriter[] _writers =
        [.. Enum.GetValues<ConntrackTextFormat>().Except([ConntrackTextFormat.Delete]).Select(format => new ConntrackTextWriter(format) { Details = AllDetails })];

    private ConntrackTextReader _reader = new();

    /// <summary>Reads a line. Every hundredth line ends the text, so that earlier lines affect later ones.</summary>
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
                // ICMP from XML lacks values, which the other forms do not invent.
            }
        }
    }
}
