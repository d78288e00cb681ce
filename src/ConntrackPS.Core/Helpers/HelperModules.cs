using System.Diagnostics;
using System.Runtime.InteropServices;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Helpers;

/// <summary>The modules that a helper needs in the running kernel, and those that have to be loaded first.</summary>
/// <remarks>A rule that names a helper makes the kernel load its module (nfct-helper-NAME), but never the module that translates its
/// addresses. Without that the helper does not translate the addresses under NAT, and reports nothing.</remarks>
/// <param name="ToLoad">The modules to load, in order.</param>
/// <param name="Warnings">The things that will not work, one sentence each.</param>
internal sealed record HelperModules(IReadOnlyList<string> ToLoad, IReadOnlyList<string> Warnings)
{
    private const string Ports = "ports";

    /// <summary>Finds out what has to be loaded. Nothing is changed.</summary>
    /// <param name="root">The root of the running system.</param>
    /// <param name="helper">The helper.</param>
    /// <exception cref="HelperModuleException">The kernel does not have the helper, or may not load it.</exception>
    public static HelperModules Of(SystemRoot root, HelperDefinition helper)
    {
        using KernelModules modules = new(root);
        ModuleState? state = modules.StateOf(helper.Module, helper.Option);
        RequireUsual(helper, modules, state);
        List<string> toLoad = [], warnings = [];
        Add(helper.Module, state);
        if (helper is { NatModule: { } nat, NatOption: { } option })
        {
            // A kernel without NAT does not need it.
            ModuleState? natState = modules.StateOf(nat, option);
            if (natState == ModuleState.Missing)
                warnings.Add($"The kernel has no {nat}: {helper.Name} does not work for connections under NAT.");
            else
                Add(nat, natState);
        }

        return new HelperModules(toLoad, warnings);

        void Add(string module, ModuleState? found)
        {
            switch (found)
            {
                case ModuleState.Blacklisted:
                    throw new HelperModuleException(HelperModuleProblem.Blacklisted, module, $"{module} may not be loaded: {modules.WhyBlocked(module)}.");
                case ModuleState.Missing:
                    throw new HelperModuleException(HelperModuleProblem.Missing, module,
                        $"The kernel has no {module}{(modules.HasFolder ? "" : $", and there is no {modules.Folder}")}.");
                case ModuleState.Available:
                    toLoad.Add(module);
                    break;
                default:
                    // Unknown: the kernel decides when a rule names the helper.
                    break;
            }
        }
    }

    /// <summary>Loads the modules, by modprobe.</summary>
    /// <param name="root">The root of the running system.</param>
    /// <exception cref="HelperModuleException">A module could not be loaded. Those before it are loaded.</exception>
    public void Load(SystemRoot root)
    {
        if (ToLoad.Count == 0)
            return;
        string program = Modprobe.Find(root)
            ?? throw new HelperModuleException(HelperModuleProblem.NotLoaded, ToLoad[0], $"{ToLoad[0]} can't be loaded: there is no program modprobe.");
        foreach (string module in ToLoad)
        {
            string? problem = Modprobe.Run(program, module);

            // modprobe also succeeds for a line "install" that runs another program.
            using KernelModules modules = new(root);
            problem ??= modules.IsLoaded(module) == false ? $"'{program} {module}' reported no error, but the module is not loaded" : null;
            if (problem is not null)
                throw new HelperModuleException(HelperModuleProblem.NotLoaded, module, $"{module} could not be loaded: {problem}.");
        }
    }

    /// <summary>With the option ports, but without the usual port, a module has the helper only by other names, such as ftp-2121
    /// (nf_ct_helper_init of net/netfilter/nf_conntrack_helper.c). A rule would not find it.</summary>
    private static void RequireUsual(HelperDefinition helper, KernelModules modules, ModuleState? state)
    {
        bool isRunning = state is ModuleState.BuiltIn or ModuleState.Loaded;
        string? text = isRunning ? modules.Parameter(helper.Module, Ports) : modules.NextParameter(helper.Module, Ports, isBuiltIn: false);
        if (HelperReader.ParsePorts(text) is { } ports && !ports.Contains(helper.Ports[0]))
        {
            throw new HelperModuleException(HelperModuleProblem.Renamed, helper.Module, FormattableString.Invariant(
                $"The option ports of {helper.Module} is {text}, without {helper.Ports[0]}: so the kernel has no helper named {helper.Name}, only {helper.Name}-N."));
        }
    }
}

/// <summary>The program that loads modules.</summary>
internal static class Modprobe
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>The paths on distributions. PATH is not searched, because the caller is usually root.</summary>
    private static readonly string[] Usual = ["/usr/sbin/modprobe", "/sbin/modprobe", "/usr/bin/modprobe", "/bin/modprobe", "/run/current-system/sw/bin/modprobe"];

    /// <summary>The program that the kernel itself runs (kernel.modprobe), or the first at a usual path. Null for none.</summary>
    /// <param name="root">The root of the running system.</param>
    public static string? Find(SystemRoot root)
    {
        string? ofKernel = KernelModules.ReadProgram(root);
        return (ofKernel is null ? Usual : Usual.Prepend(ofKernel)).Select(path => root.In(path.TrimStart('/'))).FirstOrDefault(File.Exists);
    }

    /// <summary>Loads a module, with those that it needs.</summary>
    /// <returns>The error in the words of the program, without a period at the end. Null for success.</returns>
    public static string? Run(string program, string module)
    {
        ProcessStartInfo start = new(program, [module])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };

        // Options of the caller would change what it does.
        start.Environment.Remove("MODPROBE_OPTIONS");
        start.Environment["LC_ALL"] = "C";
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Longest))
            {
                process.Kill();
                return $"'{program} {module}' did not end within {Longest.TotalSeconds} seconds";
            }

            process.WaitForExit();
            if (process.ExitCode == 0)
                return null;
            string text = string.Join(' ', (errors.GetAwaiter().GetResult() + output.GetAwaiter().GetResult()).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            return text.Length > 0 ? text.TrimEnd('.') : FormattableString.Invariant($"'{program} {module}' ended with {process.ExitCode}");
        }
        catch (ExternalException exception)
        {
            return $"{program} could not be run ({exception.Message})";
        }
    }
}

/// <summary>The reasons for which a module of a helper can't be used.</summary>
internal enum HelperModuleProblem
{
    /// <summary>modprobe.d or the kernel's command line forbids to load it.</summary>
    Blacklisted,

    /// <summary>The kernel does not have it.</summary>
    Missing,

    /// <summary>It could not be loaded.</summary>
    NotLoaded,

    /// <summary>The kernel has the helper only by other names.</summary>
    Renamed,
}

/// <summary>A module of a helper can't be used. No rule was added.</summary>
/// <param name="problem">The problem.</param>
/// <param name="module">The module.</param>
/// <param name="message">The problem in a sentence.</param>
internal sealed class HelperModuleException(HelperModuleProblem problem, string module, string message) : Exception(message)
{
    /// <summary>The problem.</summary>
    public HelperModuleProblem Problem { get; } = problem;

    /// <summary>The module.</summary>
    public string Module { get; } = module;
}
