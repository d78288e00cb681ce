using System.Text.RegularExpressions;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>Words with a plainer replacement. Each is here because users misunderstood it, or because comments used it often.</summary>
public partial class WordsTests
{
    /// <summary>What must not come back, and why. Only patterns that have no legitimate use.</summary>
    private static readonly (string Pattern, string Reason)[] Unwanted =
    [
        (@"\b(nobody|somebody|whoever|everybody)\b", "name the program, host or user"),
        (@"\b(stays?|stayed) silent\b", "say that it produces no events or messages"),
        (@"\bgiven nothing to go by\b", "say that no filter was given"),
        (@"\bthe first so many\b|\b(after|than|every) so many\b", "say N, or this number of"),
        (@"\blooks? [\w -]* over:", "say: checks ... for problems"),
        (@"\blook at the table now\b", "say: refresh now"),
        (@"\bfreeze, and go on\b", "say: pause/resume"),
        (@"\bunless given\b", "say: the default is"),
        (@"\bor such as (were|have|are)\b", "say: or objects that"),
        (@"\b(is|are) not to be told\b|\bcan't be told\b", "say: is unknown"),
        (@"\b(makes?|made) (no |an |its )?events?\b", "the kernel produces events"),
        (@"\ball the same\b", "say: anyway"),
        (@"\bof (one's|its) own accord\b|\bby heart\b", "leave it out"),
        (@"\bcomes? and goe?s?\b|\bcome and go\b", "say: is created and deleted"),
        (@"\bmends? (it|that|them|what)\b", "say: fixes"),
        (@"\b(entry|entries|rule|rules|flow|event|file)\(s\)", "write 1 entry, 2 entries"),
        (@"\b(about )?1 (entries|flows|events|expectations|rules)\b", "write 1 entry"),
        (@"\{([\w.]*\bcount|[^{}]*\b(_?Deleted|Changed|_?Created|LeftOut|_lost|Lost)\b[^{}]*)\} (entries|flows|events|expectations) ", "use Counted, which writes 1 entry, 2 entries"),
        (@"\bwere gone already\b|\bexisted already\b", "write: N already gone, which fits any number"),
    ];

    /// <summary>What people read: the pages, and in the sources the texts of errors, warnings and help.</summary>
    public static TheoryData<string> Texts =>
    [
        "README.md",
        .. Files("docs/help", "*.md"),
        .. Files("src", "*.cs"),
    ];

    [Theory]
    [MemberData(nameof(Texts))]
    public void A_text_has_no_unwanted_words(string file) => Assert.Empty(
        from line in Read(file)
        from unwanted in Find(line.Text)
        select $"{file}:{line.Number}: {unwanted}");

    [Theory]
    [InlineData("Connections that began while nobody listened stay silent.", 2)]
    [InlineData("Name entries. The first so many groups.", 1)]
    [InlineData("Count unless given.", 1)]
    [InlineData("in use by 2 rule(s).", 1)]
    [InlineData("VERBOSE: about 1 entries removed.", 1)]
    [InlineData("1 entries and 1 flows", 1)]
    [InlineData("51 entries, 2,001 entries, 1 entry.", 0)]
    [InlineData("$\"{count} entries were listed\"", 1)]
    [InlineData("$\"{Counted.Entries(count)} listed\"", 0)]
    [InlineData("The kernel drops packets of new connections.", 0)]
    public void Unwanted_words_are_found(string text, int found) => Assert.Equal(found, Find(text).Count());

    private static IEnumerable<string> Find(string text) =>
        from unwanted in Unwanted
        let match = Regex.Match(text, unwanted.Pattern, RegexOptions.IgnoreCase)
        where match.Success && (match.Index == 0 || !(text[match.Index - 1] is ',' or '.'))
        select $"'{match.Value}': {unwanted.Reason}";

    /// <summary>Of a source, only what users see: string literals, and the doc comments of cmdlets and error ids, which become help.</summary>
    private static IEnumerable<(int Number, string Text)> Read(string file)
    {
        IEnumerable<(int Number, string Text)> lines = File.ReadLines(Path.Combine(Repository.Root, file)).Select((text, index) => (index + 1, text));
        if (!file.EndsWith(".cs", StringComparison.Ordinal))
            return lines;
        bool isHelp = file.StartsWith("src/ConntrackPS/Commands/", StringComparison.Ordinal) || file.EndsWith("/ErrorId.cs", StringComparison.Ordinal);
        return lines.Where(line => line.Text.AsSpan().TrimStart() is var text
            && (text.StartsWith("///", StringComparison.Ordinal) ? isHelp : !text.StartsWith("//", StringComparison.Ordinal) && text.Contains('"')));
    }

    private static IEnumerable<string> Files(string folder, string pattern) =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), pattern, SearchOption.AllDirectories)
        let name = Path.GetRelativePath(Repository.Root, file)
        where !Build().IsMatch(name)
        orderby name
        select name;

    [GeneratedRegex("/(obj|bin)/")]
    private static partial Regex Build();
}
