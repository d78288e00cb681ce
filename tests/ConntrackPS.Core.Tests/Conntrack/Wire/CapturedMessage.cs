using System.Reflection;
using ConntrackPS.Conntrack;
using ConntrackPS.Conntrack.Wire;
using ConntrackPS.Expectations;
using ConntrackPS.Expectations.Wire;
using ConntrackPS.Netlink;

namespace ConntrackPS.Tests.Conntrack.Wire;

/// <summary>A message from a real kernel, and its decoded values.</summary>
/// <remarks>The .hex files have comments, bytes, and then a line for each property that is not null. A short decoder in Python wrote these
/// lines. They were compared with the output of conntrack at the time of the capture.</remarks>
internal sealed record CapturedMessage(string Name, byte[] Bytes, SortedDictionary<string, string> Expected)
{
    private const string ExpectationKind = "expectation-";

    private static readonly string[] Kinds = ["dump-", "event-", ExpectationKind];

    private static readonly Assembly Tests = typeof(CapturedMessage).Assembly;

    private static readonly Lazy<IReadOnlyList<CapturedMessage>> AllMessages = new(() =>
        [.. Tests.GetManifestResourceNames().Where(name => Kinds.Any(kind => name.StartsWith(kind, StringComparison.Ordinal))).Order().Select(Load)]);

    /// <summary>Messages about entries and expectations.</summary>
    public static IReadOnlyList<CapturedMessage> All => AllMessages.Value;

    public static IEnumerable<CapturedMessage> Entries => All.Where(message => !message.IsExpectation);

    public static IEnumerable<CapturedMessage> Expectations => All.Where(message => message.IsExpectation);

    /// <summary>The names, as test cases.</summary>
    public static TheoryData<string> Names => [.. All.Select(message => message.Name)];

    private bool IsExpectation => Name.StartsWith(ExpectationKind, StringComparison.Ordinal);

    public static CapturedMessage Get(string name) => All.Single(message => message.Name == name);

    /// <summary>Decodes modified bytes of the message as the same kind of object.</summary>
    public object DecodeLike(byte[] datagram) => IsExpectation ? DecodeExpectation(datagram) : Decode(datagram);

    public static ConntrackExpectation DecodeExpectation(byte[] datagram)
    {
        MessageReader reader = new(datagram);
        Assert.True(reader.TryRead(out NetlinkMessage message));
        return ExpectationDecoder.Decode(message);
    }

    /// <summary>Decodes one message as the library does with a datagram.</summary>
    public static ConntrackEntry Decode(byte[] datagram)
    {
        MessageReader reader = new(datagram);
        Assert.True(reader.TryRead(out NetlinkMessage message));
        return EntryDecoder.Decode(message);
    }

    private static CapturedMessage Load(string name)
    {
        using StreamReader reader = new(Tests.GetManifestResourceStream(name)!);
        string hex = "";
        SortedDictionary<string, string> expected = new(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            string[] pair = line.Split(" = ", 2);
            if (pair.Length == 2)
                expected.Add(pair[0], pair[1]);
            else if (!line.StartsWith('#'))
                hex += line;
        }

        // The file has numbers, but this machine may have names for them.
        if (expected.TryGetValue(nameof(ConntrackEntry.Labels), out string? labels))
            expected[nameof(ConntrackEntry.Labels)] = string.Join(',', labels.Split(',').Select(int.Parse).Select(LabelNames.System.ToName));
        return new CapturedMessage(name, Convert.FromHexString(hex), expected);
    }
}
