using System.Text.RegularExpressions;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>Words with a plainer replacement. Each is here because users misunderstood it, or because comments used it often.</summary>
public partial class WordsTests
{
    /// <summary>Unwanted words of all texts, with the replacement. Only patterns that have no legitimate use.</summary>
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
        (@"\bfor ever\b|\bupon which\b|\bin truth\b", "say: forever; and then; really"),
        (@"\b(until|before) (it|they|the entry) goe?s?\b", "say: expires"),
        (@"\b(comes?|came) to (match|be wanted)\b|\bmatch(es)? no more\b", "say: starts to match; no longer matches"),
        (@"\b(hears?|heard) (of|what)\b", "say: receives"),
        (@"\btakes? note\b", "say: records"),
        (@"\bnot for us\b", "say: the caller may not access it"),
    ];

    /// <summary>Unwanted words of comments only.</summary>
    private static readonly (string Pattern, string Reason)[] UnwantedInComments =
    [
        (@"<(summary|returns|remarks|(param|exception|typeparam)\b[^>]*)>\s*(what|where|which|who|whose|whether|how (many|much|often|far|long))\b", "name the thing: The number of ..., True if ..."),
        (@"\b(true|false|null|none|empty|nothing) where\b", "say: if"),
        (@"(?<!there )\bis no (number|file|folder|prefix|name|link|mask|such)\b", "say: is not a"),
        (@"\bit is (none|neither|no such)\b", "say what it is not"),
        (@"\b(not|n't) tell\b|\btells? (of|what|how|which|whether|who)\b|\b(is|are|was|were|be) told\b", "say: reports, shows, sends"),
        (@"\b(is|are|was|were|not) whole\b", "say: complete"),
        (@"\b(is|are|was|were) meant\b", "say: matches, is selected"),
        (@"\bstands? (there|behind|before|beside|above|now|at|in)\b|\bstood\b", "say: is in, is before, is after"),
        (@"\bfor people\b|\bas (a person|people)\b", "say: as text, in words"),
        (@"\bof (no|any) (other )?use\b", "say: can't be used"),
        (@"\b(thread|request|method) of its own\b", "say: a separate thread"),
        (@"\bhands? over\b", "say: passes, returns"),
        (@"\btime (is|was) up\b", "say: expires, after the timeout"),
        (@"\banew\b", "say: again"),
        (@"\bso many\b", "say N, or this number of"),
        (@"\bsome \d", "say: about"),
        (@"\blook-ups?\b", "say: lookup"),
    ];

    /// <summary>The pages for users, and the sources with their comments and messages.</summary>
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
        from unwanted in Find(line.Text, line.IsComment ? [.. Unwanted, .. UnwantedInComments] : Unwanted)
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
    public void Unwanted_words_are_found(string text, int found) => Assert.Equal(found, Find(text, Unwanted).Count());

    [Theory]
    [InlineData("<summary>What the kernel answered.</summary>", 1)]
    [InlineData("<param name=\"networkNamespace\">Which one; null for the caller's own.</param>", 1)]
    [InlineData("<returns>False where the kernel has none (ENOENT).</returns>", 1)]
    [InlineData("<exception cref=\"IOException\">It is no folder.</exception>", 1)]
    [InlineData("Null means that the kernel did not tell.", 1)]
    [InlineData("<summary>The number of groups. Null if there is none.</summary>", 0)]
    [InlineData("There is no file, and what follows is a comment.", 0)]
    public void Unwanted_words_of_comments_are_found(string text, int found) => Assert.Equal(found, Find(text, UnwantedInComments).Count());

    [Theory]
    [InlineData("    // Never\n    // waits.\n    int x;\n    // For ever.", "1: Never waits.|4: For ever.")]
    [InlineData("/// <summary>A\n/// b.</summary>\n// C.", "1: <summary>A b.</summary>|3: C.")]
    [InlineData("int x = 1; // One.\nstring y = \"http://a\"; // Two.\nstring z = \"a // b\";", "1: One.|2: Two.")]
    [InlineData("/// <param name=\"x\">\n/// What.</param>", "1: <param name=\"x\"> What.</param>")]
    public void Comments_are_read_as_a_whole(string source, string comments) =>
        Assert.Equal(comments.Split('|'), Comments(source.Split('\n')).Select(comment => $"{comment.Number}: {comment.Text}"));

    private static IEnumerable<string> Find(string text, IEnumerable<(string Pattern, string Reason)> words) =>
        from unwanted in words
        let match = Regex.Match(text, unwanted.Pattern, RegexOptions.IgnoreCase)
        where match.Success && (match.Index == 0 || !(text[match.Index - 1] is ',' or '.'))
        select $"'{match.Value}': {unwanted.Reason}";

    /// <summary>The lines of a page. Of a source, the lines with string literals, and the comments.</summary>
    private static IEnumerable<(int Number, string Text, bool IsComment)> Read(string file)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, file));
        IEnumerable<(int Number, string Text)> all = lines.Select((text, index) => (index + 1, text));
        if (!file.EndsWith(".cs", StringComparison.Ordinal))
            return all.Select(line => (line.Number, line.Text, false));
        return all
            .Where(line => !line.Text.AsSpan().TrimStart().StartsWith("//", StringComparison.Ordinal) && line.Text.Contains('"'))
            .Select(line => (line.Number, line.Text, false))
            .Concat(Comments(lines).Select(comment => (comment.Number, comment.Text, true)));
    }

    /// <summary>The comments of a source. Consecutive comment lines are joined, because a line break may be inside a phrase.</summary>
    private static IEnumerable<(int Number, string Text)> Comments(string[] lines)
    {
        for (int i = 0; i < lines.Length; i++)
        {
            (string mark, string text) = Split(lines[i]);
            int first = i + 1;
            if (mark is "//" or "///")
            {
                for (; i + 1 < lines.Length && Split(lines[i + 1]) is var next && next.Mark == mark; i++)
                    text += " " + next.Text;
            }

            if (mark.Length > 0)
                yield return (first, text);
        }
    }

    /// <summary>The comment of a line, and its mark: empty for none, "code" for one after code.</summary>
    private static (string Mark, string Text) Split(string line) => Comment().Match(line) switch
    {
        { Success: false } => ("", ""),
        { Groups: var groups } when groups["code"].ValueSpan.IsWhiteSpace() => (groups["mark"].Value, groups["text"].Value.Trim()),
        { Groups: var groups } => ("code", groups["text"].Value.Trim()),
    };

    private static IEnumerable<string> Files(string folder, string pattern) =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), pattern, SearchOption.AllDirectories)
        let name = Path.GetRelativePath(Repository.Root, file)
        where !Build().IsMatch(name)
        orderby name
        select name;

    [GeneratedRegex("/(obj|bin)/")]
    private static partial Regex Build();

    /// <summary>Code with complete string literals, then a comment.</summary>
    [GeneratedRegex("""^(?<code>(?:[^"/]|"(?:[^"\\]|\\.)*"|/(?!/))*)(?<mark>///?)(?!/)(?<text>.*)$""")]
    private static partial Regex Comment();
}
