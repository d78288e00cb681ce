using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>The core is an independent library: it has no PowerShell code, and its parts depend on each other in one direction
/// only.</summary>
public partial class CoreIndependenceTests
{
    private static readonly string Sources = Path.Combine(Repository.Root, "src/ConntrackPS.Core");

    [Fact]
    public void No_text_of_the_core_speaks_of_PowerShell()
    {
        List<string> literals = [.. LiteralsOf(Repository.Built("ConntrackPS.Core"))];
        Assert.Contains(literals, literal => literal.Contains("packets of new connections are dropped", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(literals, literal => Cmdlet().IsMatch(literal) || Syntax().IsMatch(literal));
    }

    [Fact]
    public void No_source_of_the_core_names_a_cmdlet() => Assert.Empty(
        from file in Files()
        from line in File.ReadLines(file)
        where Cmdlet().IsMatch(line) || line.Contains("PowerShell", StringComparison.OrdinalIgnoreCase)
        select $"{Path.GetRelativePath(Sources, file)}: {line.Trim()}");

    [Theory]
    [InlineData("Try Get-ConntrackStat -PerCpu", true)]
    [InlineData("| Group-Object SourceAddress", true)]
    [InlineData("-SourceAddress is missing.", true)]
    [InlineData("give -Zone", true)]
    [InlineData("write $true", true)]
    [InlineData("tcp -s 10.0.0.1 --src-nat", false)]
    [InlineData("Zero-Length", false)]
    [InlineData("UDP-Lite", false)]
    public void A_cmdlet_a_parameter_and_a_variable_are_known_when_seen(string text, bool isOfPowerShell) =>
        Assert.Equal(isOfPowerShell, Cmdlet().IsMatch(text) || Syntax().IsMatch(text));

    [Fact]
    public void No_two_parts_of_the_core_depend_on_each_other()
    {
        Dictionary<string, HashSet<string>> uses = Uses();
        Assert.Contains("Netlink", uses["Conntrack"]);
        Assert.Empty(
            from part in uses.Keys
            where Reached(part).Contains(part)
            select $"{part} depends on {string.Join(", ", uses[part].Where(used => used != part && Reached(used).Contains(part)))}, which depends on it");

        HashSet<string> Reached(string part)
        {
            HashSet<string> reached = [];
            Stack<string> open = new([part]);
            while (open.TryPop(out string? next))
            {
                foreach (string used in uses.GetValueOrDefault(next, []).Where(used => used != next && reached.Add(used)))
                    open.Push(used);
            }

            return reached;
        }
    }

    [Fact]
    public void The_page_on_the_architecture_tells_which_part_uses_which()
    {
        Dictionary<string, string> told = Row().Matches(Architecture()).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        Dictionary<string, HashSet<string>> uses = Uses();
        Assert.Equal(uses.Keys.Order(), told.Keys.Order());
        Assert.Empty(
            from part in uses.Keys
            from used in uses[part]
            where used != part && !told[part].Split(", ").Contains(used)
            select $"{part} uses {used}");
    }

    /// <summary>A descriptor that is closed while in use is dangerous, because its number is reused. So only few classes hold
    /// one.</summary>
    [Fact]
    public void The_page_on_the_architecture_tells_who_holds_a_file_descriptor()
    {
        string[] holders =
        [
            .. from file in Files()
               where Path.GetRelativePath(Sources, file).Split('/')[0] is not ("Linux" or "Netlink") && Descriptor().IsMatch(File.ReadAllText(file))
               select Path.GetFileNameWithoutExtension(file),
        ];
        string[] told = [.. Name().Matches(Sentence().Match(Architecture()).Value).Select(match => match.Groups[1].Value).Except(["Linux", "Netlink"])];
        Assert.Equal(told.Order(), holders.Order());
    }

    /// <summary>A second question would not be answered by the tests' switch, so nobody would see what happens elsewhere.</summary>
    [Fact]
    public void Only_one_class_asks_whether_this_is_Linux() => Assert.Equal(
        ["ConntrackPS.Core/Linux/Platform.cs"],
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
        let name = Path.GetRelativePath(Path.Combine(Repository.Root, "src"), file)
        where name.Split('/')[1] is not ("bin" or "obj") && SystemQuestion().IsMatch(File.ReadAllText(file))
        select name);

    private static string Architecture() => File.ReadAllText(Path.Combine(Repository.Root, "docs/architecture.md"));

    private static Dictionary<string, HashSet<string>> Uses()
    {
        Dictionary<string, HashSet<string>> uses = [];
        foreach (string file in Files())
        {
            string part = Path.GetRelativePath(Sources, file).Split('/')[0];
            uses.TryAdd(part, []);
            uses[part].UnionWith(Part().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value));
        }

        return uses;
    }

    private static IEnumerable<string> Files() =>
        from file in Directory.EnumerateFiles(Sources, "*.cs", SearchOption.AllDirectories)
        where Path.GetRelativePath(Sources, file).Split('/')[0] is not ("bin" or "obj")
        select file;

    private static IEnumerable<string> LiteralsOf(string assembly)
    {
        using PEReader file = new(File.OpenRead(assembly));
        MetadataReader reader = file.GetMetadataReader();
        for (UserStringHandle handle = MetadataTokens.UserStringHandle(1); !handle.IsNil; handle = reader.GetNextHandle(handle))
            yield return reader.GetUserString(handle);
    }

    /// <summary>The cmdlet nouns of the module with any verb, and the verbs of PowerShell's own cmdlets with any noun.</summary>
    [GeneratedRegex(@"\b[A-Z][a-z]+-Conntrack[A-Z]|\b(Add|Block|Clear|ConvertFrom|ConvertTo|Enter|Export|ForEach|Format|Get|Group|Import|Invoke|Measure|New|Out|Read|Register|Remove|Rename|Select|Set|Show|Sort|Start|Stop|Test|Unblock|Wait|Watch|Where|Write)-[A-Z][a-z]")]
    private static partial Regex Cmdlet();

    /// <summary>A parameter such as -Zone, or a PowerShell variable.</summary>
    [GeneratedRegex(@"(?<![\w-])-[A-Z][a-z]+|\$(true|false|null|_)\b|PowerShell")]
    private static partial Regex Syntax();

    [GeneratedRegex(@"\bConntrackPS\.([A-Z]\w*)(?=[.;])(?<!namespace ConntrackPS\.\w*)")]
    private static partial Regex Part();

    /// <summary>A row of the table of parts.</summary>
    [GeneratedRegex(@"^\| `(\w+)` \| ?(.*?) ?\|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    /// <summary>The paragraph on file descriptors.</summary>
    [GeneratedRegex(@"\bIsLinux\(|IsOSPlatform|OSVersion|PlatformID")]
    private static partial Regex SystemQuestion();

    [GeneratedRegex(@"^File descriptors belong to .*?(?=\n\n|There )", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Sentence();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"\bSafe(File)?Handle\b")]
    private static partial Regex Descriptor();
}
