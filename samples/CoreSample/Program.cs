using ConntrackPS.Blocking;
using ConntrackPS.Conntrack.Table;
using ConntrackPS.Conntrack.Walk;
using ConntrackPS.Events;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Nftables;
using ConntrackPS.Samples;

// core-sample [--namespace NAME] COMMAND [ARGUMENT...]
// An example of each function of the library. The commands are the methods of the other files.
const string Usage = """
    core-sample [--namespace NAME] COMMAND
      list [PREFIX]                                  find PROTOCOL SOURCE PORT DESTINATION PORT
      translated [PREFIX]                            dying
      delete PREFIX                                  delete-each PREFIX
      clear [ipv4|ipv6]                              mark PREFIX VALUE[/MASK]
      create PROTOCOL SOURCE PORT DESTINATION PORT   label PREFIX LABEL
      watch SECONDS                                  block PREFIX SECONDS
      stat                                           cpu
      group PROPERTY...                              rate SECONDS
      health                                         namespaces
      history FILE
      timeout [PROTOCOL STATE SECONDS]               setting [NAME VALUE]
      policy [create NAME STATE SECONDS | remove NAME]
      expect [SOURCE PORT DESTINATION PORT NEW-PORT] expect-delete PREFIX
      expect-watch SECONDS                           helpers
      rules [remove NAME]                            tracking ADDRESS PORT
      metrics [openmetrics|influx]                   alerts SECONDS PERCENT
      save
      read < TEXT                                    restore < TEXT
    """;

string[] words = args;
try
{
    NetworkNamespace? where = null;
    if (words is ["--namespace", var name, .. var others])
        (where, words) = (NetworkNamespace.Parse(name), others);
    switch (words)
    {
        case ["list", .. var prefix] when prefix.Length < 2: Reading.List(where, prefix.FirstOrDefault()); break;
        case ["translated", .. var prefix] when prefix.Length < 2: Reading.Translated(where, prefix.FirstOrDefault()); break;
        case ["find", var protocol, var source, var from, var destination, var to]:
            Reading.Find(where, Tuples.Parse(protocol, source, from, destination, to));
            break;
        case ["dying"]: Reading.Dying(where); break;
        case ["namespaces"]: Reading.Namespaces(); break;

        case ["delete", var prefix]: Changing.Delete(where, prefix); break;
        case ["delete-each", var prefix]: Changing.DeleteEach(where, prefix); break;
        case ["clear", .. var family] when family.Length < 2: Changing.Clear(where, family.FirstOrDefault()); break;
        case ["create", var protocol, var source, var from, var destination, var to]:
            Changing.Create(where, Tuples.Parse(protocol, source, from, destination, to));
            break;
        case ["mark", var prefix, var mark]: Changing.Mark(where, prefix, mark); break;
        case ["label", var prefix, var label]: Changing.Label(where, prefix, label); break;

        case ["watch", var seconds]: Watching.Watch(where, Seconds(seconds)); break;
        case ["block", var prefix, var seconds]: Blocks.Block(where, prefix, Seconds(seconds)); break;

        case ["stat"]: Measuring.Stat(where); break;
        case ["cpu"]: Measuring.PerCpu(where); break;
        case ["group", _, ..]: Measuring.Group(where, words[1..]); break;
        case ["rate", var seconds]: Measuring.Rate(where, Seconds(seconds)); break;
        case ["health"]: Measuring.Health(where); break;
        case ["history", var file]: Measuring.History(where, file); break;

        case ["metrics", .. var format] when format.Length < 2: Monitoring.Metrics(where, format.FirstOrDefault()); break;
        case ["alerts", var seconds, var percent]: Monitoring.Alerts(where, Seconds(seconds), double.Parse(percent, System.Globalization.CultureInfo.InvariantCulture)); break;

        case ["timeout"]: Tuning.Timeouts(where); break;
        case ["timeout", var protocol, var state, var seconds]: Tuning.SetTimeout(where, protocol, state, Seconds(seconds)); break;
        case ["setting"]: Tuning.Settings(where); break;
        case ["setting", var setting, var value]: Tuning.SetSetting(where, setting, value); break;
        case ["policy"]: Tuning.Policies(where); break;
        case ["policy", "create", var policy, var state, var seconds]: Tuning.CreatePolicy(where, policy, state, Seconds(seconds)); break;
        case ["policy", "remove", var policy]: Tuning.RemovePolicy(where, policy); break;

        case ["rules"]: Blocks.Rules(where); break;
        case ["tracking", var address, var port]: Blocks.CheckTracking(where, address, port); break;
        case ["rules", "remove", var rule]: Blocks.RemoveRule(where, rule); break;

        case ["expect"]: Expecting.List(where); break;
        case ["helpers"]: Expecting.Helpers(where); break;
        case ["expect", var source, var from, var destination, var to, var expected]:
            Expecting.Create(where, Tuples.Parse("tcp", source, from, destination, to), ushort.Parse(expected, System.Globalization.CultureInfo.InvariantCulture));
            break;
        case ["expect-delete", var prefix]: Expecting.Delete(where, prefix); break;
        case ["expect-watch", var seconds]: Expecting.Watch(where, Seconds(seconds)); break;

        case ["save"]: Texts.Save(where); break;
        case ["read"]: Texts.Read(Console.In); break;
        case ["restore"]: Texts.Restore(where, Console.In); break;
        default: throw new FormatException(Usage);
    }

    return 0;
}
catch (Exception exception) when (Explain(exception) is { } problem)
{
    await Console.Error.WriteLineAsync($"core-sample: {problem}");
    return 1;
}

static TimeSpan Seconds(string text) => TimeSpan.FromSeconds(double.Parse(text, System.Globalization.CultureInfo.InvariantCulture));

// The message for each kind of error; null for a bug in the program itself.
static string? Explain(Exception exception) => exception switch
{
    NetlinkException { Errno: Errno.NotPermitted } => "It needs CAP_NET_ADMIN: run it as root.",
    NetlinkException refused => refused.KernelMessage is { } words ? $"The kernel could not {refused.Operation}: {words}." : refused.Message,
    IncompleteDeletionException partly => $"{partly.Summary.Deleted} entries are deleted, and some may have been missed: {partly.Message}",
    IncompleteListingException partly => $"Entries may be missing: {partly.Message}",
    IncompleteTableException lost => $"The table of {lost.NetworkNamespace ?? "this namespace"} is not known after a loss: {lost.Message}",
    NetlinkProtocolException malformed => $"The kernel's answer was malformed: {malformed.Message}",
    WalkUnavailableException walk => $"Netlink can read the table, but a BPF program can't: {walk.Reason}.",
    ConntrackUnavailableException => $"This kernel can't do it: {exception.Message}",
    NetworkNamespaceException { Errno: Errno.NotFound } missing => $"There is no network namespace '{missing.NetworkNamespace}'.",
    ReadOnlySettingException { Reason: ReadOnlyReason.Namespace } shared => $"{shared.Path} can be changed in the initial network namespace alone.",
    ReadOnlySettingException or UnreadableSettingException => exception.Message,
    ReceiveBufferException => $"The receive buffer is too small: {exception.Message}",
    NftablesUnavailableException or NftTableLostException or ZoneNotBlockableException => $"Nothing is blocked: {exception.Message}",
    NetworkNamespaceException or FormatException or OverflowException or ArgumentException or NotSupportedException or UnauthorizedAccessException or IOException => exception.Message,
    _ => null,
};
