using ConntrackPS.Diagnosis.Grouping;

namespace ConntrackPS.Tests.Diagnosis;

public sealed class GroupLevelTests
{
    private const int Many = 50_000;

    private readonly GroupLevel _level = new();

    [Fact]
    public void Values_keep_their_numbers_while_others_come()
    {
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < Many; i++)
                Assert.Equal(i, _level.NumberOf(i % 7, GroupValue.Of((ulong)i * 256)));
        }

        Assert.Equal(Many, _level.Count);
        Assert.Equal((5, GroupValue.Of(12UL * 256)), _level[12]);
        _level.Clear();
        Assert.Equal(0, _level.NumberOf(3, GroupValue.Of(9)));
    }

    [Fact]
    public void None_zero_and_an_address_are_different_things()
    {
        GroupValue[] values = [GroupValue.Absent, GroupValue.Of(0), new(0, 0, 2), new(0, 0, 10), new(1, 0, 10), new(0, 1, 10)];
        Assert.Equal(Enumerable.Range(0, values.Length), values.Select(value => _level.NumberOf(0, value)));
        Assert.Equal(values.Length, _level.NumberOf(1, GroupValue.Absent));
    }
}
