namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Waits for conditions with a long timeout, because test machines are busy.</summary>
internal static class Wait
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(20);

    /// <returns>True as soon as the condition holds, false at the timeout.</returns>
    public static bool Until(Func<bool> condition)
    {
        long deadline = Environment.TickCount64 + (long)WaitTimeout.TotalMilliseconds;
        while (!condition())
        {
            if (Environment.TickCount64 > deadline)
                return false;
            Thread.Sleep(20);
        }

        return true;
    }

    /// <summary>True if the thread ended before the timeout.</summary>
    public static bool For(Thread thread) => thread.Join(WaitTimeout);
}
