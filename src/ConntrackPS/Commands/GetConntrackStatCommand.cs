using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Diagnosis;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>Shows how full the connection-tracking table is, and the kernel's counters, once or as rates.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackStat", DefaultParameterSetName = OnceSet)]
[OutputType(typeof(ConntrackStat), typeof(ConntrackCpuStat), ParameterSetName = [OnceSet])]
[OutputType(typeof(ConntrackStatRate), ParameterSetName = [RateSet])]
public sealed class GetConntrackStatCommand : ConntrackCommand
{
    private const string OnceSet = "Once";
    private const string RateSet = "Rate";

    /// <summary>Shows the counters of each processor separately.</summary>
    [Parameter]
    public SwitchParameter PerCpu { get; set; }

    /// <summary>Emits rates per second repeatedly, with this interval: seconds, or a span such as 5m.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RateSet)]
    [DurationArgument(TakesOne = true, Minimum = 1, Maximum = 24 * 3600, TakesFractions = true)]
    public TimeSpan Interval { get; set; }

    /// <summary>Stops after this number of intervals. The default is to run until Ctrl+C.</summary>
    [Parameter(ParameterSetName = RateSet)]
    [ValidateRange(1, int.MaxValue)]
    public int? Count { get; set; }

    /// <inheritdoc/>
    private protected override void Begin() => RefuseInput("Get-ConntrackStat -NetworkNamespace NAME");

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() =>
    {
        if (ParameterSetName == RateSet)
            EmitRates();
        else
            EmitOnce();
    });

    private void EmitOnce()
    {
        foreach (NetworkNamespace? target in Namespaces())
        {
            if (Stopping)
                return;
            RunOne(() => Emit(PerCpu ? ConntrackCpuStat.Read(target) : [ConntrackStat.Read(target)]), target);
        }
    }

    private void EmitRates()
    {
        List<(NetworkNamespace? Namespace, StatSampler Sampler)> samplers = [];
        foreach (NetworkNamespace? target in Namespaces())
            RunOne(() => samplers.Add((target, new StatSampler(target))), target);

        // Each round is scheduled from the start time, so that delays do not add up.
        long started = Environment.TickCount64;
        for (long round = 1; samplers.Count > 0 && !(round > Count); round++)
        {
            TimeSpan wait = Interval * round - TimeSpan.FromMilliseconds(Environment.TickCount64 - started);
            if (wait > TimeSpan.Zero && Stop.WaitHandle.WaitOne(wait))
                return;

            // A namespace that no longer exists is reported once.
            samplers.RemoveAll(pair => !TryEmit(pair.Namespace, pair.Sampler));
        }
    }

    private bool TryEmit(NetworkNamespace? target, StatSampler sampler)
    {
        bool succeeded = false;
        RunOne(
            () =>
            {
                Emit(sampler.Sample(PerCpu));
                succeeded = true;
            },
            target);
        return succeeded;
    }

    private void Emit(IEnumerable<object> objects)
    {
        foreach (object item in objects)
            WriteObject(item);
    }
}
