using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Api;

/// <summary>Nothing that others build on changes unseen: each assembly's public API is kept as text beside this file.</summary>
public class PublicApiTests
{
    [Theory]
    [InlineData("ConntrackPS.Core")]
    [InlineData("ConntrackPS")]
    public void The_public_api_is_the_approved_one(string assembly)
    {
        string approved = Path.Combine(Repository.Root, "tests/ConntrackPS.Core.Tests/Api", $"{assembly}.txt");
        string received = Path.ChangeExtension(approved, ".received.txt");
        string api = PublicApi.Describe(Repository.Built(assembly));

        if (!File.Exists(approved) || api != File.ReadAllText(approved))
            File.WriteAllText(received, api);
        else
            File.Delete(received);

        Assert.False(File.Exists(received), $"""
            The public API of {assembly} is not what is approved. If that is meant, approve it, and tell of it in CHANGELOG.md:
                diff {approved} {received}
                mv {received} {approved}
            """);
    }
}
