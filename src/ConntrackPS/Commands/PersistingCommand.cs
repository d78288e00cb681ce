using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Errors;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Commands;

/// <summary>What cmdlets share that change values now, after the next boot, or both.</summary>
public abstract class PersistingCommand : TuningCommand
{
    /// <summary>Keeps the value for the next boots too, in /etc/sysctl.d/99-conntrackps.conf.</summary>
    [Parameter]
    public SwitchParameter Persist { get; set; }

    /// <summary>Keeps the value for the next boots, and leaves the present one as it is.</summary>
    [Parameter]
    public SwitchParameter PersistOnly { get; set; }

    /// <summary>The root of the system whose files are meant, such as a mounted image; the running one unless given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string PersistRoot { get; set; } = "/";

    /// <summary>Emits the value as it is then.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected SystemRoot Root => new(GetUnresolvedProviderPathFromPSPath(PersistRoot));

    private protected bool Persists => Persist || PersistOnly;

    /// <summary>What a change is, for -WhatIf and -Confirm.</summary>
    private protected string Describe(string change) => PersistOnly ? change + " after the next boot" : Persist ? change + " now and after the next boot" : change;

    /// <summary>Files are read at boot, for the initial network namespace.</summary>
    private protected void RefusePersistenceIn(NetworkNamespace? target)
    {
        if (Persists && target is not null)
            ThrowTerminatingError(ErrorFactory.NotPersistable(target));
    }

    /// <summary>Writes the files, says which, and tells where another one has the last word.</summary>
    private protected void Keep(params (string Name, long? Value)[] changes)
    {
        SystemRoot root = Root;
        IReadOnlyList<string> files;
        SettingPersister persister = new(root);
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
        Tell(files.Count == 0 ? $"{root.SysctlFile} had it already: {what}." : $"Persisted in {string.Join(", ", files)}: {what}.");
        WarnOnce(persister.Problems);
        PersistedSettings persisted = ReadPersisted(PersistRoot);
        foreach ((string name, long? value) in changes)
        {
            if (persisted.Find(name) is { } winner && winner.File != root.SysctlFile && winner.Number != value)
                WriteWarning($"{winner.File} sets {winner.Key} to {winner.Text}, and is read later: it wins at boot. Take its line out.");
        }
    }

    /// <summary>To be seen without -Verbose, and yet no output.</summary>
    private void Tell(string text) => WriteInformation(new HostInformationMessage { Message = text }, ["PSHOST"]);
}
