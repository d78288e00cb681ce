using System.Collections;
using ConntrackPS.Conntrack;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Policies;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Samples;

/// <summary>Timeouts, policies and settings. Changes made here last until the next boot.</summary>
internal static class Tuning
{
    /// <summary>Lists the default timeouts; needs no privilege.</summary>
    public static void Timeouts(NetworkNamespace? where)
    {
        foreach (ConntrackTimeout timeout in ConntrackTimeout.Read(where))
            Console.WriteLine($"{timeout.Protocol} {timeout.State} {timeout.TimeoutSeconds}s, the kernel's default is {timeout.DefaultSeconds}s");
    }

    /// <summary>Sets a default timeout.</summary>
    public static void SetTimeout(NetworkNamespace? where, string protocol, string state, TimeSpan timeout) =>
        ConntrackTimeout.Set(Enum.Parse<TimeoutProtocol>(protocol, ignoreCase: true), Enum.Parse<TimeoutState>(state, ignoreCase: true), timeout, where);

    /// <summary>Lists the settings, and their values after the next boot.</summary>
    public static void Settings(NetworkNamespace? where)
    {
        foreach (ConntrackSetting setting in ConntrackSetting.Read(where))
        {
            string boot = setting.DiffersFromPersisted == true ? $" ({setting.PersistedValue} from the next boot on: {setting.PersistedIn})" : "";
            Console.WriteLine($"{setting.Name} {setting.Value}{boot}");
        }
    }

    /// <summary>Changes a setting: Accounting true, Maximum 524288, Events Auto.</summary>
    public static void SetSetting(NetworkNamespace? where, string name, string value) => ConntrackSetting.Set(name, value, where);

    /// <summary>Lists the timeout policies that rules can attach: <c>nft ... ct timeout set</c>, <c>iptables -j CT --timeout</c>.</summary>
    public static void Policies(NetworkNamespace? where)
    {
        foreach (ConntrackTimeoutPolicy policy in ConntrackTimeoutPolicy.Read(where))
        {
            Console.WriteLine($"{policy.Name}: {policy.AddressFamily} {policy.Protocol}, used by {policy.UseCount} rules");
            foreach (DictionaryEntry timeout in policy.Timeout)
                Console.WriteLine($"    {timeout.Key} {timeout.Value}s");
        }
    }

    /// <summary>Creates a policy for IPv4 and TCP with one timeout of its own. The others are the current defaults.</summary>
    public static void CreatePolicy(NetworkNamespace? where, string name, string state, TimeSpan timeout) =>
        ConntrackTimeoutPolicy.Create(name, IPFamily.IPv4, TimeoutProtocol.Tcp, new Dictionary<string, TimeSpan> { [state] = timeout }, where);

    /// <summary>Removes a policy that no rule uses.</summary>
    public static void RemovePolicy(NetworkNamespace? where, string name) => ConntrackTimeoutPolicy.Remove(name, where);
}
