using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

namespace ConntrackPS.Bench.Codec;

/// <summary>Runs BenchmarkDotNet in this process, which is warm and needs no SDK, for less than a minute.</summary>
internal static class CodecConfig
{
    public static IConfig Create() => DefaultConfig.Instance
        .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance)
            .WithWarmupCount(4).WithIterationCount(8).WithIterationTime(TimeInterval.FromMilliseconds(200)))
        .AddColumn(StatisticColumn.Min)
        .AddDiagnoser(MemoryDiagnoser.Default);
}
