using ConntrackPS.Fuzzing;

namespace ConntrackPS.Tests.Fuzzing;

public sealed class CorpusTests
{
    public static TheoryData<string> Names => [.. CorpusMessage.LoadAll().Select(message => message.Name)];

    /// <summary>Otherwise its mutants would be refused at the first byte, and the rest would never be tested.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Each_message_is_decoded_as_it_is(string name) =>
        MessageReading.Read(CorpusMessage.LoadAll().Single(message => message.Name == name).Bytes);

    [Fact]
    public void There_is_a_message_of_each_kind() => Assert.Superset(
        new HashSet<string> { "dump", "event", "expectation", "stats", "timeout", "refusal", "acknowledgement" },
        CorpusMessage.LoadAll().Select(message => message.Name.Split('-')[0]).ToHashSet());

    [Fact]
    public void A_seed_makes_the_same_mutants_again_and_another_one_others()
    {
        IReadOnlyList<CorpusMessage> corpus = CorpusMessage.LoadAll();
        Assert.Equal(Mutants(1), Mutants(1));
        Assert.NotEqual(Mutants(1), Mutants(2));

        List<string> Mutants(int seed)
        {
            MessageMutator mutator = new(corpus, seed);
            return [.. Enumerable.Range(0, 100).Select(_ => Convert.ToHexString(mutator.Next()))];
        }
    }
}
