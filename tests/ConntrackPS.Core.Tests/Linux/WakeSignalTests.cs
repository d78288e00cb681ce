using ConntrackPS.Linux;

namespace ConntrackPS.Tests.Linux;

public sealed class WakeSignalTests
{
    [Fact]
    public void Raising_makes_the_descriptor_readable_for_good()
    {
        using WakeSignal signal = new();
        Assert.False(signal.IsRaised);
        Assert.Equal(0, Poll(signal));
        signal.Raise();
        signal.Raise();
        Assert.True(signal.IsRaised);
        Assert.Equal(1, Poll(signal));
        Assert.Equal(1, Poll(signal));
    }

    [Fact]
    public void Raising_a_disposed_signal_does_nothing()
    {
        WakeSignal signal = new();
        signal.Dispose();
        signal.Raise();
        Assert.True(signal.IsRaised);
    }

    private static int Poll(WakeSignal signal) => LibC.WaitToRead(signal.Handle, 0);
}
