using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Conntrack;

public sealed class ExtraWordsTests
{
    [Theory]
    [InlineData("FASTNAT; nmark=256", "FASTNAT", "", "nmark", "256")]
    [InlineData("active since=185s", "active since", "185s")]
    [InlineData("a=\"x; y\"; b", "a", "x; y", "b", "")]
    [InlineData("note=\"say \"\"hi\"\"\"", "note", "say \"hi\"")]
    [InlineData("\"k=v\"=\" w \"", "k=v", " w ")]
    [InlineData("foo=\"b=c\"", "foo", "b=c")]
    public void Words_are_one_line_and_words_again(string line, params string[] words)
    {
        Dictionary<string, string> dictionary = words.Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);

        Assert.Equal(line, ExtraWords.Of(dictionary)!.ToString());
        Assert.Equal(dictionary, ExtraWords.Parse(line)!.ToDictionary());
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ; ;")]
    [InlineData("\"")]
    public void No_words_are_null(string line) => Assert.Null(ExtraWords.Parse(line));

    [Theory]
    [InlineData("a=b=c; ; \"d", "a=b=c; d")]
    [InlineData("a=\"b\"c; d", "a=b; d")]
    public void Any_other_text_is_words_as_far_as_they_go(string line, string again)
    {
        ExtraWords words = ExtraWords.Parse(line)!;

        Assert.Equal(ExtraWords.Parse(again)!.ToDictionary(), words.ToDictionary());
    }
}
