using System.Globalization;
using ConntrackPS.Linux;

namespace ConntrackPS.Bench;

/// <summary>The command line after the verb.</summary>
internal sealed record Options(NetworkNamespace Namespace, int Count, int Rounds)
{
    /// <summary>Reads <c>--namespace NAME</c>, <c>--count N</c> and <c>--rounds N</c>.</summary>
    /// <remarks>The namespace has no default, because a bench fills and empties tables.</remarks>
    public static Options Parse(ReadOnlySpan<string> args)
    {
        (NetworkNamespace? networkNamespace, int count, int rounds) = (null, 200_000, 7);
        for (; args.Length >= 2; args = args[2..])
        {
            switch (args[0])
            {
                case "--namespace":
                    networkNamespace = NetworkNamespace.Parse(args[1]);
                    break;
                case "--count":
                    count = Number(args[0], args[1]);
                    break;
                case "--rounds":
                    rounds = Number(args[0], args[1]);
                    break;
                default:
                    throw new BenchException($"there is no option {args[0]}.");
            }
        }

        if (!args.IsEmpty)
            throw new BenchException($"{args[0]} wants a value.");
        return new Options(networkNamespace ?? throw new BenchException("--namespace is missing."), count, rounds);
    }

    /// <summary>Reads a positive number.</summary>
    public static int Number(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0
            ? number
            : throw new BenchException($"{name} takes a number above 0, not '{text}'.");
}
