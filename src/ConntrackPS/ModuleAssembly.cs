using System.Management.Automation;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ConntrackPS.Blocking;
using ConntrackPS.Linux;
using ConntrackPS.Rules;

namespace ConntrackPS;

/// <summary>Runs when PowerShell imports and removes the module.</summary>
public sealed class ModuleAssembly : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>Set once in a process, because assemblies remain when a module is removed.</summary>
    private static readonly Lazy<bool> FindsLibC = new(() =>
    {
        AssemblyLoadContext.Default.Resolving += FindLibC;
        return true;
    });

    /// <summary>Our own load context, so that the file does not conflict with another module's version of it.</summary>
    private static readonly Lazy<AssemblyLoadContext> Context = new(() => new AssemblyLoadContext("ConntrackPS"));

    /// <inheritdoc/>
    public void OnImport() => _ = FindsLibC.Value;

    /// <summary>Ends the blocks and rules that the cmdlets have left.</summary>
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        BlockSession.EndAll();
        RuleSession.EndAll();
    }

    /// <summary>Loads Tmds.LibC, which has a file for each processor below the folder runtimes. Applications find it by their deps.json.
    /// PowerShell looks for assemblies only in the folder of the module.</summary>
    private static Assembly? FindLibC(AssemblyLoadContext asking, AssemblyName name)
    {
        if (name.Name != "Tmds.LibC" || name.Version != LibCVersion || !Platform.IsLinux)
            return null;
        string folder = Path.GetDirectoryName(typeof(ModuleAssembly).Assembly.Location)!;
        string platform = "linux-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string file = Path.Combine(folder, "runtimes", platform, "lib", "netstandard2.0", "Tmds.LibC.dll");
        return File.Exists(file) ? Context.Value.LoadFromAssemblyPath(file) : null;
    }

    /// <summary>The version that the core was compiled with.</summary>
    private static Version? LibCVersion => typeof(BlockSession).Assembly.GetReferencedAssemblies().FirstOrDefault(name => name.Name == "Tmds.LibC")?.Version;
}
