using System.Reflection;
using System.Text.RegularExpressions;
using ConntrackPS.Commands;
using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>Everything that the documents name exists: types, members, parameters, cmdlets, files, folders, and link targets.</summary>
public partial class DocumentsTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    /// <summary>The folders that paths in documents may be relative to.</summary>
    private static readonly string[] Folders =
        [".", "src/ConntrackPS.Core", "src/ConntrackPS", "tests", "tests/ConntrackPS.Core.Tests", "tests/ConntrackPS.Tests", "docs", "build"];

    private static readonly string[] FoldersOfPages = [".", "docs", "docs/help", "samples", "samples/Lab", "src/ConntrackPS.Core"];

    /// <summary>Parameters and words of PowerShell, NuGet and build.ps1.</summary>
    private static readonly string[] Foreign =
        ["WhatIf", "Confirm", "Verbose", "Exhaustive", "NupkgPath", "ApiKey", "SupportsShouldProcess", "CmdletsToExport"];

    private static readonly Lazy<ILookup<string, Type>> AllTypes = new(() => new[] { typeof(ConntrackEntry), typeof(ConntrackCommand), typeof(DocumentsTests) }
        .SelectMany(one => one.Assembly.GetTypes())
        .ToLookup(type => type.Name.Split('`')[0]));

    private static readonly Lazy<HashSet<string>> AllMembers = new(() =>
        [.. AllTypes.Value.SelectMany(types => types).SelectMany(type => type.GetMembers(Declared)).Select(member => member.Name)]);

    public static TheoryData<string> Described => ["docs/architecture.md", "CONTRIBUTING.md"];

    public static TheoryData<string> Linking =>
    [
        .. from folder in FoldersOfPages
           from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.md")
           select Path.GetRelativePath(Repository.Root, file),
    ];

    [Theory]
    [MemberData(nameof(Described))]
    public void What_a_document_names_is_in_the_sources(string file)
    {
        string[] names = [.. Names(File.ReadAllText(Path.Combine(Repository.Root, file))).Distinct()];
        Assert.InRange(names.Length, 30, 1000);
        string[] missing = [.. names.Where(name => !Exists(name))];
        Assert.Empty(missing);
    }

    /// <summary>Other pages name files of other projects too. But files in these folders are ours.</summary>
    [Theory]
    [MemberData(nameof(Linking))]
    public void Files_that_a_document_names_exist(string file) => Assert.Empty(
        from Match match in OurFile().Matches(File.ReadAllText(Path.Combine(Repository.Root, file)))
        where !Exists(match.Value)
        select match.Value);

    [Theory]
    [InlineData("`ConntrackTable.Delete` and `EntryStream`", true)]
    [InlineData("`ConntrackTable.Destroy`", false)]
    [InlineData("`EntryStreams`", false)]
    [InlineData("`RunInEach`, `SelectionCommand.ReadParameters`", true)]
    [InlineData("`SelectionCommand.MakeParameters`", false)]
    [InlineData("`docs/reading.md`, `Conntrack/Table/`, `src/ConntrackPS/Commands/<Verb><Noun>Command.cs`", true)]
    [InlineData("`docs/readings.md`", false)]
    [InlineData("`Conntrack/Tables/`", false)]
    [InlineData("`Get-ConntrackEntry -SourceAddress 192.0.2.1`", true)]
    [InlineData("`Get-ConntrackEntries`", false)]
    [InlineData("-SourceAddress, -WhatIf and `-Exact`", true)]
    [InlineData("(-SourceAddresses)", false)]
    [InlineData("`nft`, `conntrack -L -o xml,id`, `/proc/net/nf_conntrack`", true)]
    [InlineData("    Linux    LibC, NetworkNamespace", true)]
    [InlineData("    Linux    LibC, NetworkNamespaces", false)]
    public void A_name_that_is_not_there_is_found(string text, bool isThere) => Assert.Equal(isThere, Names(text).All(Exists));

    [Theory]
    [MemberData(nameof(Linking))]
    public void Links_of_a_document_point_to_something(string file) => Assert.Empty(
        from target in LinkTargets(File.ReadAllText(Path.Combine(Repository.Root, file)))
        where !IsThere(target, file)
        select target);

    [Theory]
    [InlineData("see docs/nowhere.md.", "docs/nowhere.md")]
    [InlineData("    bench/Race.ps1, `./samples/Demo.ps1`", "bench/Race.ps1")]
    public void A_file_of_ours_is_seen(string text, string name) => Assert.Equal([name], OurFile().Matches(text).Select(match => match.Value));

    [Theory]
    [InlineData("docs/libc.md#processors", true)]
    [InlineData("docs/libc.md#alpine-linux", true)]
    [InlineData("docs/libc.md#procesors", false)]
    [InlineData("docs/nowhere.md", false)]
    [InlineData("#build-and-test", true)]
    [InlineData("https://example.org/nowhere", true)]
    public void A_link_to_nowhere_is_found(string target, bool isThere) => Assert.Equal(isThere, IsThere(target, "README.md"));

    [Fact]
    public void There_are_links_to_follow() => Assert.InRange(LinkTargets(File.ReadAllText(Path.Combine(Repository.Root, "README.md"))).Count(), 10, 1000);

    /// <summary>No page names a cmdlet that does not exist.</summary>
    [Theory]
    [MemberData(nameof(Linking))]
    public void Cmdlets_of_a_document_exist(string file) => Assert.Empty(
        from line in File.ReadLines(Path.Combine(Repository.Root, file))
        from Match match in Cmdlet().Matches(line)

            // PowerShell wraps long list values anywhere, even within a name at the end of the line.
        where !Exists(match.Value) && !(line.StartsWith("    ", StringComparison.Ordinal) && match.Index + match.Length == line.Length)
        select match.Value);

    /// <summary>Text in backticks, parameters anywhere, and in indented blocks the names that can only be ours: those with a capital letter
    /// inside.</summary>
    private static IEnumerable<string> Names(string text)
    {
        string blocks = string.Join('\n', text.Split('\n').Where(line => line.StartsWith("    ", StringComparison.Ordinal)));
        string prose = string.Join('\n', text.Split('\n').Where(line => !line.StartsWith("    ", StringComparison.Ordinal)));
        return
        [
            .. from Match match in Backticks().Matches(prose)
               let name = match.Groups[1].Value.Split(' ')[0]
               where !name.StartsWith('/') && !name.StartsWith("out/", StringComparison.Ordinal) && (name.Any(char.IsAsciiLetterUpper) || name.Contains('/'))
               select name,
            .. Parameter().Matches(prose).Select(match => match.Value),
            .. from Match match in CamelCase().Matches(blocks)
               where !match.Value.StartsWith("ConntrackPS", StringComparison.Ordinal)
               select match.Value,
        ];
    }

    private static bool Exists(string name)
    {
        if (name.StartsWith('-'))
            return Foreign.Contains(name[1..]) || AllMembers.Value.Contains(name[1..]);
        if (Cmdlet().Match(name) is { Success: true, Length: var length } && length == name.Length)
        {
            return AllTypes.Value.Contains(name.Replace("-", "", StringComparison.Ordinal) + "Command")
                || File.Exists(Path.Combine(Repository.Root, "samples", name + ".ps1"));
        }

        if (name.Contains('/') || FileName().IsMatch(name))
            return Folders.Any(folder => HasPath(Path.Combine(Repository.Root, folder), name.TrimEnd('/').Split('/')));
        string[] parts = name.Split('.');
        return parts.Length == 1
            ? !Identifier().IsMatch(name) || Foreign.Contains(name) || AllTypes.Value.Contains(name) || AllMembers.Value.Contains(name) || HasMember(typeof(ConntrackCommand), name) || IsNamespace(name)
            : !parts.All(part => Identifier().IsMatch(part)) || IsNamespace(name)
              || AllTypes.Value[parts[^2]].Any(type => HasMember(type, parts[^1]));
    }

    /// <summary>Includes inherited members.</summary>
    private static bool HasMember(Type type, string name) =>
        type.GetMember(name, Declared).Length > 0 || (type.BaseType is { } parent && HasMember(parent, name));

    private static bool IsNamespace(string name) => AllTypes.Value.SelectMany(types => types).Any(type =>
        type.Namespace is { } space && ($".{space}.".Contains($".{name}.", StringComparison.Ordinal)));

    /// <summary>A placeholder in angle brackets matches any name.</summary>
    private static bool HasPath(string folder, ReadOnlySpan<string> steps)
    {
        if (steps.IsEmpty)
            return true;
        if (!Directory.Exists(folder))
            return false;
        foreach (string found in steps[0] is "." or ".." ? [Path.Combine(folder, steps[0])] : Directory.GetFileSystemEntries(folder, Placeholder().Replace(steps[0], "*")))
        {
            if (HasPath(found, steps[1..]))
                return true;
        }

        return false;
    }

    private static IEnumerable<string> LinkTargets(string text) => Link().Matches(Backticks().Replace(text, "")).Select(match => match.Groups[1].Value);

    private static bool IsThere(string target, string file)
    {
        if (target.Contains("://", StringComparison.Ordinal))
            return true;
        string[] parts = target.Split('#');
        string path = parts[0].Length == 0
            ? Path.Combine(Repository.Root, file)
            : Path.Combine(Repository.Root, Path.GetDirectoryName(file)!, parts[0]);
        return Path.Exists(path) && (parts.Length == 1 || File.ReadLines(path).Any(line => line.StartsWith('#') && Anchor(line) == parts[1]));
    }

    /// <summary>The anchor of a heading in links.</summary>
    private static string Anchor(string heading) =>
        NotOfAnchors().Replace(heading.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Backticks();

    [GeneratedRegex(@"(?<![\w`.>*-])-[A-Z][A-Za-z]+\b(?![-\w])")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\b[A-Z]\w*[a-z]\w*[A-Z]\w*\b(?!\.)")]
    private static partial Regex CamelCase();

    [GeneratedRegex(@"\b[A-Z][A-Za-z]+-Conntrack[A-Z][A-Za-z]*\b")]
    private static partial Regex Cmdlet();

    [GeneratedRegex(@"(?<![\w/.])(src|docs|tests|samples|bench|build|module)/[\w/.<>-]*\w")]
    private static partial Regex OurFile();

    [GeneratedRegex(@"\.(cs|csproj|md|ps1|psm1|psd1|ps1xml|sh|txt|sln|props)$")]
    private static partial Regex FileName();

    [GeneratedRegex(@"^[A-Z]\w*$")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"<[^>]*>")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotOfAnchors();
}
