using System.Management.Automation;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ConntrackPS.Blocking;
using ConntrackPS.Linux;

namespace ConntrackPS;

/// <summary>What happens when PowerShell imports the module and removes it.</summary>
public sealed class ModuleAssembly : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>Once in a process: assemblies stay when a module is removed.</summary>
    private static readonly Lazy<bool> FindsLibC = new(() =>
    {
        AssemblyLoadContext.Default.Resolving += FindLibC;
        return true;
    });

    /// <summary>Of our own, so that the file meets no other module's version of it.</summary>
    private static readonly Lazy<AssemblyLoadContext> Context = new(() => new AssemblyLoadContext("ConntrackPS"));

    /// <inheritdoc/>
    public void OnImport() => _ = FindsLibC.Value;

    /// <summary>Ends what the cmdlets have left running.</summary>
    public void OnRemove(PSModuleInfo psModuleInfo) => BlockSession.EndAll();

    /// <summary>Tmds.LibC has a file for each processor, below runtimes, where an application finds it by its deps.json.
    /// PowerShell looks for a module's assemblies only beside the module.</summary>
    private static Assembly? FindLibC(AssemblyLoadContext asking, AssemblyName name)
    {
        if (name.Name != "Tmds.LibC" || name.Version != LibCVersion || !Platform.IsLinux)
            return null;
        string folder = Path.GetDirectoryName(typeof(ModuleAssembly).Assembly.Location)!;
        string platform = "linux-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        string file = Path.Combine(folder, "runtimes", platform, "lib", "netstandard2.0", "Tmds.LibC.dll");
        return File.Exists(file) ? Context.Value.LoadFromAssemblyPath(file) : null;
    }

    /// <summary>The version that our core was compiled against.</summary>
    private static Version? LibCVersion => typeof(BlockSession).Assembly.GetReferencedAssemblies().FirstOrDefault(name => name.Name == "Tmds.LibC")?.Version;
}
