namespace ConntrackPS.Conntrack;

/// <summary>An entry says too little to be named or made: the kernel would read zeros where something is missing, and take
/// another flow, or make one that there never was.</summary>
/// <param name="missing">The properties that are missing, comma-separated.</param>
public sealed class IncompleteTupleException(string missing) : FormatException($"it has no {missing}.")
{
    /// <summary>The properties that are missing, comma-separated: <c>IcmpType, IcmpCode, IcmpId</c>.</summary>
    public string Missing { get; } = missing;

    /// <summary>Lets whole tuples through, and no others.</summary>
    /// <param name="tuple">The tuple.</param>
    /// <param name="prefix">What comes before the names of its properties: Reply, Master or nothing.</param>
    /// <exception cref="IncompleteTupleException">Parts of it are missing.</exception>
    internal static void ThrowIfIncomplete(in ConntrackTuple tuple, string prefix = "")
    {
        if (tuple.MissingParts is { } missing)
            throw new IncompleteTupleException(prefix + missing.Replace(", ", ", " + prefix, StringComparison.Ordinal));
    }
}
