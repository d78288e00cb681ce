using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that change what other cmdlets emit: objects come back with the namespace they are from.</summary>
public abstract class TuningCommand : ConntrackCommand
{
    /// <summary>The network namespace that an object of the pipeline was read in; -NetworkNamespace goes first.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, DontShow = true)]
    [AllowNull]
    [AllowEmptyString]
    public string? Namespace { get; set; }

    /// <summary>Where to work: null for the caller's own namespace.</summary>
    private protected NetworkNamespace? Target() =>
        OneNamespace() ?? NamespaceNamed(string.IsNullOrEmpty(Namespace) ? null : Namespace);
}

/// <summary>What cmdlets share that change values now, after the next boot, or both.</summary>
public abstract class PersistingCommand : TuningCommand
{
    /// <summary>Also writes the value to /etc/sysctl.d/99-conntrackps.conf, so that it is set at every boot.</summary>
    [Parameter]
    public SwitchParameter Persist { get; set; }

    /// <summary>Sets the value only for the next boots, and does not change the current one.</summary>
    [Parameter]
    public SwitchParameter PersistOnly { get; set; }

    /// <summary>The root folder of the system whose files are written, such as a mounted image. The default is the
    /// running system.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Emits the value after the change.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected SystemRoot Root => new(GetUnresolvedProviderPathFromPSPath(PersistRoot));

    private protected bool Persists => Persist || PersistOnly;

    /// <summary>What a change is, for -WhatIf and -Confirm.</summary>
    private protected string Describe(string change) => PersistOnly ? change + " after the next boot" : Persist ? change + " now and after the next boot" : change;

    /// <summary>Files are read at boot, for the network namespace that boot sets up.</summary>
    private protected void RefusePersistenceIn(NetworkNamespace? target)
    {
        if (Persists && !Root.HoldsFor(target))
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
    }

    /// <summary>What the files say about the namespace now, to be emitted with the value.</summary>
    private protected PersistedSettings? ReadAgain(NetworkNamespace? target) => Root.HoldsFor(target) ? PersistedSettings.Read(Root) : null;

    /// <summary>Writes the files, says which, and warns where a later file sets a value again.</summary>
    private protected void WriteFiles(params (string Name, Int128? Value)[] changes)
    {
        SystemRoot root = Root;
        IReadOnlyList<string> files;
        SettingPersister persister = new(root, "Set-ConntrackTimeout, Set-ConntrackSetting -Persist");
        try
        {
            files = persister.Persist(changes);
        }
        catch (PersistenceException exception)
        {
            WriteError(ErrorFactory.NotPersisted(exception, isSet: !PersistOnly));
            return;
        }

        string what = string.Join(", ", changes.Select(change => string.Create(
            CultureInfo.InvariantCulture, $"{change.Name}{(change.Value is { } value ? $" = {value}" : " no longer")}")));
        Tell(files.Count == 0 ? $"{root.SysctlFile} already contains it: {what}." : $"Persisted in {string.Join(", ", files)}: {what}.");
        WarnOnce(persister.Problems);
        PersistedSettings persisted = ReadPersisted(root);
        foreach ((string name, Int128? value) in changes)
        {
            string key = SysctlKey.Of(name);
            if (value is not null && persisted.After(key, root.SysctlFile) is { Count: > 0 } later)
            {
                WriteWarning($"{key} is set again after {root.SysctlFile}: by {string.Join("; ", later)}. "
                    + "The last line applies. Remove these lines.");
            }
            else if (value is null && persisted.Find(name) is { } other)
            {
                WriteWarning($"{key} is still set at boot: by {other}. Remove that line to get the kernel's default.");
            }
        }
    }

    /// <summary>Shown without -Verbose, and no part of the output.</summary>
    private void Tell(string text) => WriteInformation(new HostInformationMessage { Message = text }, ["PSHOST"]);
}
