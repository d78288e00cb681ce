namespace ConntrackPS.Tests.Infrastructure;

/// <summary>How many random cases a test draws: a sample, or with "build.ps1 Test -Exhaustive" all that it has.</summary>
/// <remarks>The same seed either way, so that the sample is the beginning of the whole.</remarks>
internal static class Exhaustive
{
    private static readonly bool IsAsked = Environment.GetEnvironmentVariable("CONNTRACKPS_EXHAUSTIVE") == "1";

    public static int Rounds(int sample, int all) => IsAsked ? all : sample;
}
