namespace ConntrackPS.Conntrack;

/// <summary>How TCP sequence numbers of one direction are shifted (struct nf_ct_seqadj).</summary>
/// <param name="CorrectionPosition">The sequence number of the last change (CTA_SEQADJ_CORRECTION_POS).</param>
/// <param name="OffsetBefore">Bytes added before it (CTA_SEQADJ_OFFSET_BEFORE).</param>
/// <param name="OffsetAfter">Bytes added after it (CTA_SEQADJ_OFFSET_AFTER).</param>
internal sealed record SequenceAdjustment(uint CorrectionPosition, int OffsetBefore, int OffsetAfter);
