using ConntrackPS.Events;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Events;

/// <summary>Runs the replay against a model of the kernel, through every short order of changes, losses, receptions and listings. At the
/// end the consumer's table equals the kernel's.</summary>
public sealed class TableReplayTests
{
    [Theory]
    [InlineData(1, 11, false, false, false)]
    [InlineData(1, 11, true, false, true)]
    [InlineData(1, 12, false, true, false)]
    [InlineData(1, 12, true, true, false)]
    [InlineData(1, 12, true, true, true)]
    [InlineData(2, 8, true, true, false)]
    public void Through_every_order_the_table_is_known_at_the_end(int places, int steps, bool startsFull, bool isInStep, bool usesIdsAgain)
    {
        int count = EveryOrder(steps, choose => new ReplayWorld(places, startsFull, isInStep, usesIdsAgain, heals: true, choose));
        Assert.True(count > 20_000, $"only {count} orders");
    }

    [Theory]
    [InlineData(1, 12, false)]
    [InlineData(1, 12, true)]
    [InlineData(2, 7, true)]
    public void Without_losses_the_first_table_and_events_make_it_known_too(int places, int steps, bool startsFull)
    {
        int count = EveryOrder(steps, choose => new ReplayWorld(places, startsFull, isInStep: false, usesIdsAgain: false, heals: false, choose));
        Assert.True(count > 2_000, $"only {count} orders");
    }

    /// <summary>A filter on a changing property, such as a state: an entry that no longer matches has not ended, and one that starts to
    /// match is reported, whatever was lost.</summary>
    [Theory]
    [InlineData(1, 10, false, true, true)]
    [InlineData(1, 10, true, true, true)]
    [InlineData(1, 9, false, false, true)]
    [InlineData(1, 9, true, false, true)]
    [InlineData(1, 11, true, false, false)]
    [InlineData(2, 7, true, true, true)]
    public void What_comes_and_ceases_to_be_wanted_is_told_right(int places, int steps, bool startsFull, bool isInStep, bool heals)
    {
        int count = EveryOrder(steps, choose => new ReplayWorld(places, startsFull, isInStep, usesIdsAgain: false, heals, choose, isPicky: true));
        Assert.True(count > 2_000, $"only {count} orders");
    }

    [Theory]
    [InlineData(20261201, false)]
    [InlineData(20261202, false)]
    [InlineData(20261203, true)]
    public void Through_long_random_orders_of_several_entries(int seed, bool isPicky)
    {
        Random random = new(seed);
        int rounds = Exhaustive.Rounds(1_500, 20_000);
        for (int round = 0; round < rounds; round++)
        {
            ReplayWorld world = new(
                4, startsFull: round % 2 == 0, isInStep: round % 5 == 0, usesIdsAgain: !isPicky && round % 3 == 0, heals: true, random.Next, isPicky);
            try
            {
                for (int step = 0; step < 100; step++)
                    world.Step();
                world.Finish();
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"seed {seed}, round {round}: {world}", exception);
            }
        }
    }

    /// <summary>A connection from before the watch, which the consumer did not request, is not reported as new. One that starts while that
    /// table is read is reported.</summary>
    [Fact]
    public void What_was_there_before_is_silent_and_what_begins_is_told()
    {
        TableReplay<int, int> replay = new(id => id, heals: true, tellsTable: false, () => 0);
        replay.NoteFence(replay.Fence);
        replay.BeginListing();
        Assert.False(replay.List(1, isDying: false));
        Assert.False(replay.List(2, isDying: false));
        replay.EndListing(isWhole: true);
        Assert.True(replay.Note(ConntrackEventType.New, 2));
        Assert.Empty(replay.NoteFence(replay.Fence));
        replay.NoteLoss();
        Settle(replay, [1, 2, 3]);
        replay.NoteLoss();
        Assert.Equal(
            [(ConntrackEventType.Destroy, 1), (ConntrackEventType.Destroy, 2), (ConntrackEventType.Destroy, 3)],
            Settle(replay, []).OrderBy(told => told.Entry));
    }

    /// <summary>Their New events were lost, so the consumer received an Update first.</summary>
    [Fact]
    public void What_is_known_from_a_change_alone_is_told_as_new_or_ended_by_the_table()
    {
        TableReplay<int, int> replay = new(id => id, heals: true, tellsTable: false, () => 0);
        Settle(replay, []);
        Assert.True(replay.Note(ConntrackEventType.Update, 1));
        Assert.True(replay.Note(ConntrackEventType.Update, 2));
        replay.NoteLoss();
        Assert.Equal([(ConntrackEventType.Destroy, 1), (ConntrackEventType.New, 2)], Settle(replay, [2]));
    }

    [Fact]
    public void A_table_that_is_never_whole_is_said_to_be_once_and_tried_on()
    {
        TableReplay<int, int> replay = new(id => id, heals: true, tellsTable: false, () => 0);
        Settle(replay, [1, 2]);
        replay.NoteLoss();
        for (int round = 1; round <= 10; round++)
        {
            Assert.Empty(Settle(replay, [3], isWhole: false));
            Assert.Equal(round == TableReplay<int, int>.MaximumRounds, replay.TakeIncompleteness());
            if (replay.Phase == ReplayPhase.Pausing)
                replay.Resume();
        }

        Assert.Equal(
            [(ConntrackEventType.Destroy, 1), (ConntrackEventType.Destroy, 2), (ConntrackEventType.New, 3)],
            Settle(replay, [3]));
        Assert.Equal(ReplayPhase.InStep, replay.Phase);
    }

    /// <summary>The kernel finds expired entries late. Their reported ends are remembered, but not forever.</summary>
    [Fact]
    public void An_end_that_was_derived_is_not_told_again()
    {
        long now = 0;
        TableReplay<int, int> replay = new(id => id, heals: true, tellsTable: false, () => now);
        Settle(replay, [1, 2]);
        replay.NoteLoss();
        Assert.Equal(2, Settle(replay, []).Count);
        replay.NoteLoss();
        Assert.Empty(Settle(replay, []));
        Assert.False(replay.Note(ConntrackEventType.Destroy, 1));
        now = TableReplay<int, int>.EndMemory + 1;
        replay.NoteLoss();
        Assert.Empty(Settle(replay, []));
        Assert.True(replay.Note(ConntrackEventType.Destroy, 2));
    }

    [Fact]
    public void Of_derived_ends_no_more_are_remembered_than_those_of_the_last_comparison_and_some()
    {
        const int Many = TableReplay<int, int>.MaximumEnds * 2 / 3;
        long now = 0;
        TableReplay<int, int> replay = new(id => id, heals: true, tellsTable: false, () => now);
        Settle(replay, [.. Enumerable.Range(0, 3 * Many)]);
        for (int round = 1; round <= 3; round++)
        {
            now++;
            replay.NoteLoss();
            Assert.Equal(Many, Settle(replay, [.. Enumerable.Range(round * Many, (3 - round) * Many)]).Count);
        }

        Assert.True(replay.Note(ConntrackEventType.Destroy, 0));
        Assert.True(replay.Note(ConntrackEventType.Destroy, Many));
        Assert.False(replay.Note(ConntrackEventType.Destroy, 2 * Many));
    }

    private static IReadOnlyList<(ConntrackEventType Type, int Entry)> Settle(TableReplay<int, int> replay, int[] table, bool isWhole = true)
    {
        if (replay.Phase == ReplayPhase.Approaching)
            replay.NoteFence(replay.Fence);
        Assert.Equal(ReplayPhase.Listing, replay.Phase);
        replay.BeginListing();
        foreach (int entry in table)
            replay.List(entry, isDying: false);
        replay.EndListing(isWhole);
        return replay.NoteFence(replay.Fence);
    }

    /// <summary>Runs a model once for each sequence of choices.</summary>
    /// <returns>The number of sequences.</returns>
    private static int EveryOrder(int steps, Func<Func<int, int>, ReplayWorld> make)
    {
        List<(int Choice, int Of)> path = [];
        for (int count = 1; ; count++)
        {
            int at = 0;
            ReplayWorld world = make(choices =>
            {
                if (at == path.Count)
                    path.Add((0, choices));
                return path[at++].Choice;
            });
            try
            {
                for (int step = 0; step < steps; step++)
                    world.Step();
                world.Finish();
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"order {count}: {world}", exception);
            }

            while (path.Count > 0 && path[^1].Choice + 1 == path[^1].Of)
                path.RemoveAt(path.Count - 1);
            if (path.Count == 0)
                return count;
            path[^1] = (path[^1].Choice + 1, path[^1].Of);
        }
    }
}
