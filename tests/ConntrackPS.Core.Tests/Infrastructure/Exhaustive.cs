namespace ConntrackPS.Tests.Infrastructure;

/// <summary>The number of random cases of a test: a sample, or all of them with "build.ps1 Test -Exhaustive".</summary>
/// <remarks>The seed is the same, so the sample is the start of the complete run.</remarks>
internal static class Exhaustive
{
    private static readonly bool IsAsked = Environment.GetEnvironmentVariable("CONNTRACKPS_EXHAUSTIVE") == "1";

    public static int Rounds(int sample, int all) => IsAsked ? all : sample;
}
