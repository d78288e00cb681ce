using System.IO.Enumeration;
using System.Text.RegularExpressions;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Rules;

/// <summary>Writes the files from which boot loads rules, and reads them.</summary>
/// <remarks>The nftables service of the distribution loads them: its main file includes ours.</remarks>
/// <param name="root">The system to write to.</param>
internal sealed class RulePersister(SystemRoot root)
{
    private readonly List<string> _problems = [];

    /// <summary>Adds changes of further files, which are applied together with the rule's file or not at all.</summary>
    public delegate void FurtherFiles(FileChanges files);

    /// <summary>Files that could not be read, and reasons for which boot may not load the rules, one sentence each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>The persisted rules.</summary>
    public IReadOnlyList<RuleFile> Read()
    {
        if (!Platform.IsLinux)
            return [];
        using RootFolder? folder = RootFolder.TryOpen(root.Path);
        if (folder is null)
            return [];
        BootFiles boot = new(root, folder);
        List<RuleFile> rules = [];
        foreach (string directory in NftablesService.Directories(boot))
        {
            foreach (string file in boot.Names(directory).Where(name => name.EndsWith(RuleFile.Extension, StringComparison.Ordinal)))
            {
                if (RuleName.Parse(file[..^RuleFile.Extension.Length]) is { ProcessId: null } name && boot.Read($"{directory}/{file}") is { } found)
                    rules.Add(RuleFile.Parse(name, found.Name, found.Text));
            }
        }

        _problems.AddRange(boot.Problems);
        return [.. rules.OrderBy(rule => rule.Name.ToString(), StringComparer.Ordinal)];
    }

    /// <summary>Writes the file of a rule, and, if the service does not include its folder yet, one line into the service's main file.</summary>
    /// <returns>The changed files, that of the rule first.</returns>
    /// <exception cref="PersistenceException">Nothing was changed on disk.</exception>
    /// <exception cref="NoNftablesServiceException">The system has no nftables service. Nothing was changed.</exception>
    public IReadOnlyList<string> Write(RuleName name, ConfigText content, FurtherFiles? addFurther = null)
    {
        using RootFolder folder = RootFolder.TryOpen(root.Path) ?? throw new NoNftablesServiceException(root.Path);
        BootFiles boot = new(root, folder);
        NftablesService service = NftablesService.Find(boot) ?? throw new NoNftablesServiceException(root.Path);
        string fileName = name + RuleFile.Extension;
        FileChanges files = new(root, folder);
        if (service.DirectoryOf(fileName) is { } included)
        {
            files.Add($"{included}/{fileName}", _ => content);
        }
        else
        {
            files.Add($"{NftablesService.OurDirectory}/{fileName}", _ => content);
            files.Add(service.MainFile, text => text.With([.. text.Lines, NftablesService.OurInclude]));
        }

        addFurther?.Invoke(files);
        IReadOnlyList<string> changed = files.Apply();
        if (!NftablesService.IsEnabled(boot))
            _problems.Add($"Boot does not load {root.In(service.MainFile)}, and so not the rule, until the nftables service is enabled: systemctl enable nftables");
        _problems.AddRange(boot.Problems);
        return changed;
    }

    /// <summary>Deletes the file of a rule.</summary>
    /// <returns>The changed files.</returns>
    /// <exception cref="PersistenceException">Nothing was changed on disk.</exception>
    public IReadOnlyList<string> Delete(RuleFile rule, FurtherFiles? addFurther = null)
    {
        using RootFolder? folder = RootFolder.TryOpen(root.Path);
        if (folder is null)
            return [];
        FileChanges files = new(root, folder);
        files.Add(Path.GetRelativePath(root.Path, rule.File), _ => null);
        addFurther?.Invoke(files);
        return files.Apply();
    }
}

/// <summary>The service that loads rules of nf_tables at boot: nftables.service of systemd, or the script of OpenRC.</summary>
/// <param name="MainFile">The file that it loads, below the root.</param>
/// <param name="Includes">The patterns of the files that this one includes, below the root.</param>
internal sealed record NftablesService(string MainFile, IReadOnlyList<string> Includes)
{
    /// <summary>The folder for rules if the service includes none.</summary>
    public const string OurDirectory = "etc/nftables.d";

    /// <summary>The line for the main file. nft accepts that no file matches.</summary>
    public const string OurInclude = $"include \"/{OurDirectory}/conntrackps-*.nft\"";

    /// <summary>nft looks for relative paths here (its sysconfdir).</summary>
    private const string DefaultDirectory = "etc";

    /// <summary>The main file of Debian and Arch, of Fedora, and of Alpine.</summary>
    private static readonly string[] MainFiles = ["etc/nftables.conf", "etc/sysconfig/nftables.conf", "etc/nftables.nft"];

    private static readonly string[] Units =
        ["etc/systemd/system/nftables.service", "usr/lib/systemd/system/nftables.service", "lib/systemd/system/nftables.service"];

    private static readonly Regex Include = new("""^\s*include\s+["']([^"']+)["']""", RegexOptions.CultureInvariant);
    private static readonly Regex Start = new(@"^ExecStart=.*\s-f\s+/(\S+)", RegexOptions.CultureInvariant);

    /// <summary>Finds the service. Null if the system has none.</summary>
    public static NftablesService? Find(BootFiles boot)
    {
        string? ofUnit = Units.Select(boot.Read).OfType<BootFile>().Select(unit => FirstMatch(Start, unit)).FirstOrDefault(name => name is not null);
        foreach (string name in (string[])[.. ofUnit is null ? Array.Empty<string>() : [ofUnit], .. MainFiles])
        {
            if (boot.Read(name) is { } file)
                return new NftablesService(name, [.. Matches(Include, file).Select(path => path.StartsWith('/') ? path[1..] : $"{DefaultDirectory}/{path}")]);
        }

        return null;
    }

    /// <summary>The folders that can have files of ours.</summary>
    public static IEnumerable<string> Directories(BootFiles boot) =>
        (Find(boot)?.Includes ?? []).Select(DirectoryOfPattern).OfType<string>().Append(OurDirectory).Distinct();

    /// <summary>True if boot starts the service.</summary>
    public static bool IsEnabled(BootFiles boot) =>
        HasLink(boot, "etc/systemd/system", ".wants", "nftables.service") || HasLink(boot, "etc/runlevels", "", "nftables");

    /// <summary>The included folder for a file. Null if the main file includes none.</summary>
    public string? DirectoryOf(string fileName) => Includes
        .Where(pattern => FileSystemName.MatchesSimpleExpression(Path.GetFileName(pattern), fileName, ignoreCase: false))
        .Select(DirectoryOfPattern).FirstOrDefault(directory => directory is not null);

    private static bool HasLink(BootFiles boot, string directory, string ending, string service) => boot.Names(directory)
        .Where(name => name.EndsWith(ending, StringComparison.Ordinal))
        .Any(name => boot.Names($"{directory}/{name}").Contains(service));

    private static string? DirectoryOfPattern(string pattern) =>
        Path.GetDirectoryName(pattern) is { } directory && directory.IndexOfAny(['*', '?', '[']) < 0 ? directory : null;

    private static string? FirstMatch(Regex regex, BootFile file) => Matches(regex, file).FirstOrDefault();

    private static IEnumerable<string> Matches(Regex regex, BootFile file) =>
        file.Text.Lines.Select(line => regex.Match(ConfigText.Content(line))).Where(match => match.Success).Select(match => match.Groups[1].Value);
}

/// <summary>The system has no service that loads rules of nf_tables at boot.</summary>
/// <param name="root">The root of the system.</param>
internal sealed class NoNftablesServiceException(string root)
    : Exception($"The system below {root} has no nftables service: there is no /etc/nftables.conf, /etc/sysconfig/nftables.conf or /etc/nftables.nft.");
