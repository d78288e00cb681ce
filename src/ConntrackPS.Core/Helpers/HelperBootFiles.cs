using System.Text.RegularExpressions;
using ConntrackPS.Linux;
using ConntrackPS.Rules;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Helpers;

/// <summary>The files of boot that rules for helpers need beside the rules: modules-load.d, because rules load no NAT modules, and modprobe.d,
/// so that automatic assignment stays off.</summary>
/// <remarks>The modules of each helper are below a line of ours that names it. Only these are taken out again.</remarks>
internal static partial class HelperBootFiles
{
    private const string AssignmentFile = Sysctl.Netfilter + "nf_conntrack_helper";

    /// <summary>True if the kernel assigns helpers by itself now. Null if it can't, as since Linux 6.0.</summary>
    /// <param name="networkNamespace">The network namespace, or null for the caller's own.</param>
    public static bool? IsAssignedByKernel(NetworkNamespace? networkNamespace) => Sysctl.ReadNumber(AssignmentFile, networkNamespace) is { } number ? number != 0 : null;

    /// <summary>The changes for persisted rules.</summary>
    /// <param name="root">The system to write to.</param>
    /// <param name="how">The command that writes, for the first line of a new file.</param>
    /// <param name="helpers">The names of all helpers that persisted rules attach after the change.</param>
    /// <param name="isAssignedByKernel">As of <see cref="IsAssignedByKernel"/>.</param>
    public static RulePersister.FurtherFiles For(SystemRoot root, string? how, IReadOnlyList<string> helpers, bool? isAssignedByKernel) => files =>
    {
        using RootFolder folder = RootFolder.TryOpen(root.Path) ?? throw new DirectoryNotFoundException($"There is no folder {root.Path}.");
        using KernelModules modules = new(new SystemRoot());
        HelperDefinition[] definitions = [.. helpers.Select(HelperCatalog.Find).OfType<HelperDefinition>()];
        AddTo(files, how, BootModules.Read(root, folder).Others, modules, definitions, isAssignedByKernel, root.IsModular);
    };

    /// <summary>Adds the changes.</summary>
    /// <param name="files">Takes the changes, to be made together.</param>
    /// <param name="how">The command that writes, for the first line of a new file.</param>
    /// <param name="loadedByOthers">The modules that boot loads because of files of others.</param>
    /// <param name="modules">The modules of the running kernel. Only those that are not built in can be loaded.</param>
    /// <param name="helpers">All helpers that persisted rules attach after the change.</param>
    /// <param name="isAssignedByKernel">As of <see cref="IsAssignedByKernel"/>.</param>
    /// <param name="isModular">True if connection tracking is a module, so that modprobe.d has an effect on it.</param>
    public static void AddTo(
        FileChanges files, string? how, IReadOnlySet<string> loadedByOthers, KernelModules modules, IReadOnlyList<HelperDefinition> helpers, bool? isAssignedByKernel, bool isModular)
    {
        (string Helper, string[] Modules)[] wanted = [.. helpers.Distinct().Select(helper => (helper.Name, ModulesOf(helper, modules).ToArray()))];
        files.Add(SystemRoot.ModuleLoadName, OwnFile.Edit(how, text => WithModules(text, wanted, loadedByOthers)));

        // If it is on, an administrator has set it: kernels since 4.7 start with it off.
        if (helpers.Count == 0)
            files.Add(SystemRoot.ModuleOptionsName, OwnFile.Edit(how, WithoutAssignment));
        else if (isAssignedByKernel == false && isModular)
            files.Add(SystemRoot.ModuleOptionsName, OwnFile.Edit(how, WithAssignmentOff));
    }

    private static IEnumerable<string> ModulesOf(HelperDefinition helper, KernelModules modules)
    {
        if (IsModule(helper.Module, helper.Option))
            yield return helper.Module;
        if (helper is { NatModule: { } nat, NatOption: { } option } && IsModule(nat, option))
            yield return nat;

        bool IsModule(string module, string build) => modules.StateOf(module, build) is ModuleState.Loaded or ModuleState.Available;
    }

    private static ConfigText WithModules(ConfigText text, IEnumerable<(string Helper, string[] Modules)> wanted, IEnumerable<string> loadedByOthers)
    {
        (List<string> lines, int place) = WithoutBlocks(text.Lines);
        HashSet<string> loaded = [.. loadedByOthers, .. lines.Select(BootModules.OfLine).OfType<string>()];
        List<string> blocks = [];
        foreach ((string helper, string[] modules) in wanted)
        {
            string[] missing = [.. modules.Where(loaded.Add)];
            if (missing.Length > 0)
                blocks.AddRange([$"# Modules of the helper {helper}:", .. missing]);
        }

        lines.InsertRange(place, blocks.Select(line => line + text.LineEnd));
        return text.With(lines);
    }

    /// <summary>The lines without our blocks, and the place of the first one, or the end.</summary>
    private static (List<string> Lines, int Place) WithoutBlocks(IReadOnlyList<string> lines)
    {
        List<string> others = [];
        int? place = null;
        HelperDefinition? block = null;
        foreach (string line in lines)
        {
            if (BlockStart().Match(ConfigText.Content(line)) is { Success: true } start && HelperCatalog.Find(start.Groups["helper"].Value) is { } helper)
            {
                (block, place) = (helper, place ?? others.Count);
                continue;
            }

            if (block is not null && BootModules.OfLine(line) is { } module && (module == block.Module || module == block.NatModule))
                continue;
            block = null;
            others.Add(line);
        }

        return (others, place ?? others.Count);
    }

    /// <summary>Whatever the file sets already stays.</summary>
    private static ConfigText WithAssignmentOff(ConfigText text) =>
        ModuleOptions.Find(text, ModuleOptions.AutomaticAssignment) is null ? ModuleOptions.With(text, ModuleOptions.AutomaticAssignment, 0) : text;

    private static ConfigText WithoutAssignment(ConfigText text) =>
        ModuleOptions.Find(text, ModuleOptions.AutomaticAssignment) == "0" ? ModuleOptions.With(text, ModuleOptions.AutomaticAssignment, null) : text;

    [GeneratedRegex(@"^# Modules of the helper (?<helper>\S+):$", RegexOptions.ExplicitCapture)]
    private static partial Regex BlockStart();
}
