using System.Management.Automation;
using ConntrackPS.Arguments;
using ConntrackPS.Completion;
using ConntrackPS.Helpers;
using ConntrackPS.Linux;

namespace ConntrackPS.Commands;

/// <summary>Shows the kernel's helpers: their modules and ports, the rules that attach them, and the connections that use them.</summary>
[Cmdlet(VerbsCommon.Get, "ConntrackHelper")]
[OutputType(typeof(ConntrackHelper))]
public sealed class GetConntrackHelperCommand : TuningCommand
{
    /// <summary>The names of helpers, with wildcards. The default is all.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(HelperNameCompleter))]
    public string[]? Name { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => RunInEach(named =>
    {
        IReadOnlyList<ConntrackHelper> helpers = ReadIn(named ?? Target());
        foreach (string name in Name ?? ["*"])
        {
            RunOne(
                () =>
                {
                    bool isPattern = NamePattern.TryParse(name, WildcardOptions.IgnoreCase, out WildcardPattern pattern);
                    ConntrackHelper[] found = [.. helpers.Where(helper => isPattern ? pattern.IsMatch(helper.Name) : helper.Name.Equals(name, StringComparison.OrdinalIgnoreCase))];
                    if (found.Length == 0 && !isPattern)
                        throw new UnknownHelperException(name, [.. helpers.Select(helper => helper.Name)]);
                    foreach (ConntrackHelper helper in found)
                        WriteObject(helper);
                },
                name);
        }
    });

    private IReadOnlyList<ConntrackHelper> ReadIn(NetworkNamespace? networkNamespace)
    {
        HelperReader reader = new(networkNamespace);
        IReadOnlyList<ConntrackHelper> helpers = reader.Read(Stop);
        WarnOnce(reader.Problems);
        return helpers;
    }
}
