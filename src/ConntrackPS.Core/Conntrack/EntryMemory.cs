namespace ConntrackPS.Conntrack;

/// <summary>The kernel memory of entries.</summary>
internal static class EntryMemory
{
    /// <summary>Bytes of struct nf_conn in its slab cache on 64-bit machines. Used if /proc/slabinfo can't be read.</summary>
    public const int DefaultEntryBytes = 256;

    /// <summary>Bytes of an entry's extensions: NF_CT_EXT_PREALLOC, enough for counters, timestamp, translation and events. An entry
    /// without these features has no extensions.</summary>
    public const int ExtensionBytes = 128;

    /// <summary>sizeof(struct hlist_nulls_head).</summary>
    public const int BucketBytes = 8;

    /// <summary>Bytes for these numbers of entries and buckets. This is the maximum, with extensions.</summary>
    public static long Estimate(long entries, long buckets, int entryBytes = DefaultEntryBytes) =>
        entries * (entryBytes + ExtensionBytes) + buckets * BucketBytes;
}
