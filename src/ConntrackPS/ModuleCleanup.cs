using System.Management.Automation;
using ConntrackPS.Blocking;

namespace ConntrackPS;

/// <summary>Ends with the module what its cmdlets have left running.</summary>
public sealed class ModuleCleanup : IModuleAssemblyCleanup
{
    /// <inheritdoc/>
    public void OnRemove(PSModuleInfo psModuleInfo) => BlockSession.EndAll();
}
