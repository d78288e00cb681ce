using System.Text.RegularExpressions;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Diagnosis.Health;

/// <summary>The list of findings names each finding that a rule makes. Monitoring shows 0 for those that were never found.</summary>
public sealed partial class FindingKindTests
{
    [Fact]
    public void The_list_has_each_finding_of_the_rules_with_its_severities()
    {
        // In the sources of the rules the name has a line of its own, and the severity the line before.
        List<(string Name, FindingSeverity[] Severities)> made = [];
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src/ConntrackPS.Core/Diagnosis/Health"), "*Rule*.cs"))
        {
            string[] lines = File.ReadAllLines(file);
            for (int i = 1; i < lines.Length; i++)
            {
                FindingSeverity[] severities = [.. Severity().Matches(lines[i - 1]).Select(match => Enum.Parse<FindingSeverity>(match.Groups[1].Value))];
                made.AddRange(Names().Match(lines[i]).Groups["name"].Captures.Select(name => (name.Value, severities)));
            }
        }

        Assert.Equal(made.Select(pair => pair.Name).Order(), FindingKinds.All.Select(kind => kind.Name).Order());
        Assert.All(made, pair =>
        {
            FindingSeverity[] listed = FindingKinds.All.Single(kind => kind.Name == pair.Name).Severities;
            Assert.NotEmpty(listed);
            if (pair.Severities.Length > 0)
                Assert.Subset(pair.Severities.ToHashSet(), listed.ToHashSet());
            if (pair.Severities.Length == 1)
                Assert.Equal(pair.Severities, listed);
        });
    }

    [GeneratedRegex(@"FindingSeverity\.(\w+)")]
    private static partial Regex Severity();

    [GeneratedRegex("""^\s*(?:\w+(?: == \w+)? \? )?"(?<name>[A-Z][A-Za-z]+)"(?: : "(?<name>[A-Z][A-Za-z]+)")?,$""")]
    private static partial Regex Names();
}
