using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Blocking;
using ConntrackPS.Completion;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Filtering;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Diagnosis.Grouping;
using ConntrackPS.Errors;
using ConntrackPS.Rules;
using ConntrackPS.Terminal;

namespace ConntrackPS.Commands;

/// <summary>The answer to a connection that a limit refuses.</summary>
public enum LimitAnswer
{
    /// <summary>A reset for TCP, and an ICMP error (port unreachable) for other protocols: the program learns it at once.</summary>
    Reject,

    /// <summary>No answer.</summary>
    Drop,
}

/// <summary>Refuses new connections of a source that has a number of connections already. Without a filter, all connections count that
/// this machine forwards or receives. Connections that exist already stay, and do not count. Connections that this machine opens itself
/// are not limited.</summary>
[Cmdlet("Limit", "ConntrackSource", SupportsShouldProcess = true, DefaultParameterSetName = FilterParameters.Set)]
[OutputType(typeof(ConntrackRule), typeof(string))]
public sealed class LimitConntrackSourceCommand : PacketRuleCommand
{
    /// <summary>The number of hosts that -WhatIf and warnings name. A flood can have thousands.</summary>
    private const int MostNamed = 20;

    /// <summary>The number of connections that a source may have, 1 to 4294967295. The next one is refused.</summary>
    [Parameter(Mandatory = true)]
    [ValidateRange(1u, uint.MaxValue)]
    public uint Maximum { get; set; }

    /// <summary>The prefix length that counts as one IPv4 source, 1 to 32. 24 counts 256 addresses together.</summary>
    [Parameter]
    [ValidateRange(1, 32)]
    public int Prefix { get; set; } = 32;

    /// <summary>The prefix length that counts as one IPv6 source, 1 to 128. A host has many addresses, and usually all are of one
    /// /64.</summary>
    [Parameter]
    [ValidateRange(1, 128)]
    public int PrefixIPv6 { get; set; } = 64;

    /// <summary>Counts by destination instead of by source: the address that packets arrive with, before translation.</summary>
    [Parameter]
    public SwitchParameter PerDestination { get; set; }

    /// <summary>The answer to connections that are refused. The default is Reject.</summary>
    [Parameter]
    public LimitAnswer Action { get; set; }

    /// <summary>Sources that are never limited, or with -PerDestination destinations: addresses or prefixes.</summary>
    [Parameter]
    [AddressArgument]
    [ArgumentCompleter(typeof(AddressCompleter))]
    public AddressPrefix[]? ExemptAddress { get; set; }

    private string HostWord => PerDestination ? "destination" : "source";

    private protected override void Begin() => RefuseInput("Limit-ConntrackSource -Maximum 100 -SourceAddress 192.0.2.0/24");

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() =>
    {
        ConntrackFilter filter = BuildFilter();
        LimitAction limit = new(Maximum, Prefix, PrefixIPv6, PerDestination, Action == LimitAnswer.Reject)
        {
            ExemptAddresses = string.Join(", ", (ExemptAddress ?? []).Select(prefix => prefix.ToString())),
        };
        PacketSelector.Of(filter);
        LimitedSource[] over = AsNft ? [] : FindOver(filter, limit);
        string traffic = filter.IsEmpty ? "all new connections that are forwarded or come to this machine" : "new connections";
        ConntrackRule? rule = AddRule(
            filter, limit,
            string.Create(CultureInfo.InvariantCulture, $"Limit {traffic} to {Maximum} per {HostWord}"));
        if (rule is not null)
            WarnAbout(over, filter);
        else if (IsWhatIf)
            Show(over);
    });

    /// <summary>The hosts that have more connections than allowed. Ends the cmdlet with an error if the host of the SSH connection that it runs in
    /// could not connect again.</summary>
    private LimitedSource[] FindOver(ConntrackFilter filter, LimitAction limit)
    {
        ConntrackTable table = new(OneNamespace());
        LimitedSourceCount count = new(filter, limit, table);
        IReadOnlyList<LimitedSource> sources = [];
        WarnIfIncomplete(() => count.Read(out sources, Stop));
        if (!Force)
            RefuseOwn(count, sources, table);
        return [.. sources.Where(source => source.IsOver)];
    }

    private void RefuseOwn(LimitedSourceCount count, IReadOnlyList<LimitedSource> sources, ConntrackTable table)
    {
        IEnumerable<string?> own = SshConnection.Find()?.Entries(table).Select(entry => count.HostOf(entry)) ?? [];
        LimitedSource? full = sources.FirstOrDefault(source => source.Count >= Maximum && own.Contains(source.Source));
        if (full is not null)
            ThrowTerminatingError(ErrorFactory.OwnSourceAtLimit(full));
    }

    private bool IsWhatIf => MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? given)
        ? LanguagePrimitives.IsTrue(given)
        : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));

    private void Show(LimitedSource[] over)
    {
        foreach (LimitedSource source in over.Take(MostNamed))
            ShouldProcess($"{source.Source}, which has {Counted.Of(source.Count, "connection", "connections")} now", "Refuse new connections");
        WriteWarning(Summary(over) + (over.Length > MostNamed ? FormattableString.Invariant($" The first {MostNamed} are listed.") : ""));
    }

    private void WarnAbout(LimitedSource[] over, ConntrackFilter filter)
    {
        if (over.Length > 0)
            WriteWarning($"{Summary(over)} The kernel counts only connections that begin from now on. {RemovalOf(over, filter)}");
    }

    private string Summary(LimitedSource[] over) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Counted.Of(over.Length, HostWord, HostWord + "s")} {(over.Length == 1 ? "has" : "have")} more than {Maximum} connections now.");

    /// <summary>The command that removes the connections that exist. It removes no more than those of the filter.</summary>
    private string RemovalOf(LimitedSource[] over, ConntrackFilter filter)
    {
        // -Address and -Port of Remove-ConntrackEntry also mean the addresses of replies, which a rule does not see.
        if (TupleProperties.All.Any(property => property.IsOfEitherDirection && property.IsAsked(filter)))
            return "Remove the old ones with Remove-ConntrackEntry.";
        AddressProperty host = TupleProperties.AddressIn(PerDestination ? TuplePlaces.OriginalDestination : TuplePlaces.OriginalSource);
        AddressPrefix[] prefixes = [.. over.Take(MostNamed).SelectMany(source => Within(AddressPrefix.Parse(source.Source), host.Of(filter))).Distinct()];
        Dictionary<string, object> parameters = new(MyInvocation.BoundParameters) { [host.Name] = prefixes };
        AddressPrefix[] spared = [.. (ExemptAddress ?? []).Where(exempt => prefixes.Any(prefix => prefix.Contains(exempt.Family, exempt.Address)))];
        if (spared.Length > 0)
            parameters[host.ExcludeName] = spared;
        string which = over.Length > MostNamed ? FormattableString.Invariant($" of the first {MostNamed} {HostWord}s") : "";
        return $"To remove the old ones{which}: Remove-ConntrackEntry {FilterLine.Write(parameters)}{CommandLine.Where(NetworkNamespace)}";
    }

    /// <summary>The part of a prefix that is in any of some prefixes, or the whole if there are none.</summary>
    private static IEnumerable<AddressPrefix> Within(AddressPrefix host, IReadOnlyList<AddressPrefix> wanted)
    {
        if (wanted.Count == 0)
            return [host];
        return wanted.Any(prefix => prefix.Length <= host.Length && prefix.Contains(host.Family, host.Address))
            ? [host]
            : wanted.Where(prefix => prefix.Length > host.Length && host.Contains(prefix.Family, prefix.Address));
    }
}
