using ConntrackPS.Netlink;

namespace ConntrackPS.Conntrack.Wire;

/// <summary>Reads the attributes that few entries have.</summary>
internal static class DetailsDecoder
{
    public static void Decode(AttributeReader attribute, ConntrackEntry entry)
    {
        switch ((EntryAttribute)attribute.Type)
        {
            case EntryAttribute.TimestampEvent:
                entry.SetEventTime(attribute.UInt64);
                break;
            case EntryAttribute.Labels:
                entry.MakeDetails().Labels = LabelBits.FromBytes(attribute.Value);
                break;
            case EntryAttribute.Help:
                entry.MakeDetails().Helper = ReadName(attribute.Nested, (ushort)HelperAttribute.Name);
                break;
            case EntryAttribute.Secctx:
                entry.MakeDetails().SecurityContext = ReadName(attribute.Nested, (ushort)SecurityAttribute.Name);
                break;
            case EntryAttribute.Secmark:
                entry.MakeDetails().Secmark = attribute.UInt32;
                entry.Fields |= EntryFields.Secmark;
                break;
            case EntryAttribute.TupleMaster:
                entry.MakeDetails().Master = TupleCodec.Read(attribute.Nested, out _);
                break;
            case EntryAttribute.SeqAdjOrig:
                entry.MakeDetails().OriginalSequence = ReadSequence(attribute.Nested);
                break;
            case EntryAttribute.SeqAdjReply:
                entry.MakeDetails().ReplySequence = ReadSequence(attribute.Nested);
                break;
            case EntryAttribute.Synproxy:
                ReadSynproxy(attribute.Nested, entry.MakeDetails());
                break;
        }
    }

    private static string? ReadName(AttributeReader attributes, ushort type)
    {
        string? name = null;
        while (attributes.Read())
        {
            if (attributes.Type == type)
                name = attributes.Text;
        }

        return name;
    }

    private static SequenceAdjustment ReadSequence(AttributeReader attributes)
    {
        uint position = 0, before = 0, after = 0;
        while (attributes.Read())
        {
            switch ((SequenceAttribute)attributes.Type)
            {
                case SequenceAttribute.CorrectionPos:
                    position = attributes.UInt32;
                    break;
                case SequenceAttribute.OffsetBefore:
                    before = attributes.UInt32;
                    break;
                case SequenceAttribute.OffsetAfter:
                    after = attributes.UInt32;
                    break;
            }
        }

        return new SequenceAdjustment(position, (int)before, (int)after);
    }

    private static void ReadSynproxy(AttributeReader attributes, EntryDetails details)
    {
        while (attributes.Read())
        {
            switch ((SynproxyAttribute)attributes.Type)
            {
                case SynproxyAttribute.Isn:
                    details.SynproxyIsn = attributes.UInt32;
                    break;
                case SynproxyAttribute.Its:
                    details.SynproxyIts = attributes.UInt32;
                    break;
                case SynproxyAttribute.Tsoff:
                    details.SynproxyTimestampOffset = attributes.UInt32;
                    break;
            }
        }
    }
}
