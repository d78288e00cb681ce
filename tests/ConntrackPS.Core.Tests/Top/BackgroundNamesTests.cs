using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Tests.Top;

/// <summary>Names from a resolver in the test, without network queries.</summary>
public sealed class BackgroundNamesTests
{
    private static readonly HostAddress Address = HostAddress.Parse("192.0.2.1");

    [Fact]
    public void A_name_is_there_once_it_was_found()
    {
        using BackgroundNames names = new((address, _) => Task.FromResult<string?>($"host-{address}"));
        Assert.Null(names.NameOf(Address));
        Assert.True(Wait.Until(() => names.NameOf(Address) is not null));
        Assert.Equal("host-192.0.2.1", names.NameOf(Address));
        Assert.Equal(1, names.Version);
    }

    [Fact]
    public void An_address_is_looked_up_once_whatever_comes_of_it()
    {
        int calls = 0;
        using BackgroundNames names = new((_, _) => Interlocked.Increment(ref calls) % 2 == 0 ? throw new InvalidOperationException() : Task.FromResult<string?>(null));
        HostAddress[] addresses = [.. Enumerable.Range(1, 10).Select(i => HostAddress.Parse($"192.0.2.{i}"))];
        for (int round = 0; round < 3; round++)
        {
            Assert.All(addresses, address => Assert.Null(names.NameOf(address)));
            Assert.True(Wait.Until(() => Volatile.Read(ref calls) == addresses.Length));
        }
    }

    [Fact]
    public void Asking_never_waits_and_few_are_looked_up_at_once()
    {
        using SemaphoreSlim answer = new(0);
        int running = 0, most = 0;
        using BackgroundNames names = new(async (_, stop) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await answer.WaitAsync(stop);
            Interlocked.Decrement(ref running);
            return "name";
        });
        for (int i = 0; i < 2000; i++)
            Assert.Null(names.NameOf(HostAddress.Parse($"10.0.{i / 250}.{i % 250}")));
        Assert.True(Wait.Until(() => Volatile.Read(ref running) == 4));
        answer.Release(100);
        Assert.True(Wait.Until(() => names.Version >= 90));
        Assert.Equal(4, most);
    }

    [Fact]
    public void What_found_no_room_is_looked_up_when_it_is_asked_for_again()
    {
        using SemaphoreSlim answer = new(0);
        using BackgroundNames names = new(async (address, stop) =>
        {
            await answer.WaitAsync(stop);
            return address.ToString();
        });
        HostAddress[] addresses = [.. Enumerable.Range(0, 1000).Select(i => HostAddress.Parse($"10.0.{i / 250}.{i % 250}"))];
        foreach (HostAddress address in addresses)
            names.NameOf(address);
        answer.Release(int.MaxValue / 2);
        Assert.True(Wait.Until(() => addresses.All(address => names.NameOf(address) is not null)));
    }

    [Fact]
    public void Disposing_waits_for_nobody()
    {
        BackgroundNames names = new(async (_, stop) =>
        {
            await Task.Delay(Timeout.Infinite, stop);
            return null;
        });
        names.NameOf(Address);
        names.Dispose();
        Assert.Null(names.NameOf(Address));
    }
}
