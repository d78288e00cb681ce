using ConntrackPS.Conntrack;
using ConntrackPS.Tests.Infrastructure;
using PublicApiGenerator;

namespace ConntrackPS.Tests.Api;

/// <summary>Detects every change of the library's public API, which is kept as text beside this file. Commands.txt in the Pester tests has
/// the cmdlets.</summary>
public class PublicApiTests
{
    [Fact]
    public void The_public_api_is_the_approved_one()
    {
        string approved = Path.Combine(Repository.Root, "tests/ConntrackPS.Core.Tests/Api/ConntrackPS.Core.txt");
        string received = Path.ChangeExtension(approved, ".received.txt");
        string api = typeof(ConntrackEntry).Assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false }) + "\n";
        if (File.Exists(approved) && api == File.ReadAllText(approved))
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, api);
        Assert.Fail($"""
            The public API is not what is approved. If that is meant, approve it, and tell of it in CHANGELOG.md:
                diff {approved} {received}
                mv {received} {approved}
            """);
    }
}
