using System.IO.Enumeration;
using ConntrackPS.Tuning.Persistence;

namespace ConntrackPS.Helpers;

/// <summary>The lines of modprobe.d and of the kernel's command line, in the order in which modprobe reads them.</summary>
/// <remarks>modprobe.d(5), and libkmod-config.c of kmod: files of all directories are sorted by name together, a file hides those with the
/// same name in later directories, and the command line comes last. A backslash joins lines. In module names <c>-</c> and <c>_</c> are the
/// same.</remarks>
internal sealed class ModprobeConfig
{
    private const string CommandLine = "the kernel's command line";

    private static readonly char[] Blanks = [' ', '\t', '\r', '\n'];

    private readonly List<ModprobeLine> _lines = [];

    private ModprobeConfig()
    {
    }

    /// <summary>Parses the files and the command line.</summary>
    /// <param name="files">The files of modprobe.d, in order.</param>
    /// <param name="commandLine">The content of /proc/cmdline, or null if it can't be read.</param>
    public static ModprobeConfig Parse(IEnumerable<BootFile> files, string? commandLine)
    {
        ModprobeConfig config = new();
        foreach (BootFile file in files)
        {
            foreach ((_, string line) in ModuleOptions.Join(file.Text.Lines))
                config.Add(file.Name, line);
        }

        foreach (string word in SplitQuoted(commandLine ?? ""))
            config.AddWord(word);
        return config;
    }

    /// <summary>The place and the line that keep a module from being loaded, such as <c>/etc/modprobe.d/x.conf: blacklist nf_nat_ftp</c>.
    /// Null if there is none.</summary>
    /// <remarks>blacklist stops only loading on demand; modprobe with the name of the module still loads it.</remarks>
    public string? WhyBlocked(string module) =>
        _lines.Find(line => line.Kind == ModprobeKind.Refusal && line.Covers(module)) is { } refusal ? refusal.ToString()
        : _lines.Find(line => line.Kind == ModprobeKind.Install && line.Covers(module)) is { IsRefusal: true } install ? install.ToString()
        : _lines.Find(line => line.Kind == ModprobeKind.Blacklist && line.Covers(module))?.ToString();

    /// <summary>The last value of a module's option. Null if no line sets it.</summary>
    /// <param name="module">The module.</param>
    /// <param name="option">The option, such as ports.</param>
    /// <param name="isBuiltIn">True for a module that is built in: modprobe.d has no effect on it, only the command line.</param>
    public string? Option(string module, string option, bool isBuiltIn) => _lines
        .Where(line => line.Kind == ModprobeKind.Options && line.Covers(module) && (!isBuiltIn || line.Place == CommandLine))
        .SelectMany(line => SplitQuoted(line.Rest))
        .Select(word => word.Split('=', 2))
        .LastOrDefault(parts => parts.Length == 2 && ModuleOptions.Normalize(parts[0]) == ModuleOptions.Normalize(option))?[1];

    private void Add(string place, string line)
    {
        string text = line.Trim(Blanks);
        if (text.Length == 0 || text[0] == '#')
            return;
        string[] words = text.Split(Blanks, 3, StringSplitOptions.RemoveEmptyEntries);
        string rest = words.Length == 3 ? words[2].Trim(Blanks) : "";
        ModprobeKind? kind = words[0] switch
        {
            "blacklist" when words.Length >= 2 => ModprobeKind.Blacklist,
            "install" when words.Length == 3 => ModprobeKind.Install,
            "options" when words.Length == 3 => ModprobeKind.Options,
            _ => null,
        };
        if (kind is { } found)
            _lines.Add(new ModprobeLine(place, string.Join(' ', text.Split(Blanks, StringSplitOptions.RemoveEmptyEntries)), found, ModuleOptions.Normalize(words[1]), rest));
    }

    /// <summary>The kernel itself refuses modules of module_blacklist. modprobe reads modprobe.blacklist and module.option=value.</summary>
    private void AddWord(string word)
    {
        string[] parts = word.Split('=', 2);
        if (parts.Length < 2)
            return;
        string name = ModuleOptions.Normalize(parts[0]);
        if (name is "modprobe.blacklist" or "module_blacklist")
        {
            ModprobeKind kind = name == "module_blacklist" ? ModprobeKind.Refusal : ModprobeKind.Blacklist;
            foreach (string module in parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries))
                _lines.Add(new ModprobeLine(CommandLine, $"{parts[0]}={module}", kind, ModuleOptions.Normalize(module), ""));
        }
        else if (name.Split('.', 2) is [{ Length: > 0 } module, { Length: > 0 } option])
        {
            _lines.Add(new ModprobeLine(CommandLine, word, ModprobeKind.Options, module, $"{option}={parts[1]}"));
        }
    }

    /// <summary>Splits at blanks outside of double quotes, and removes the quotes, as the kernel does (lib/cmdline.c: next_arg).</summary>
    private static IEnumerable<string> SplitQuoted(string text)
    {
        string word = "";
        bool isQuoted = false;
        foreach (char letter in text)
        {
            if (letter == '"')
            {
                isQuoted = !isQuoted;
            }
            else if (!isQuoted && Blanks.Contains(letter))
            {
                if (word.Length > 0)
                    yield return word;
                word = "";
            }
            else
            {
                word += letter;
            }
        }

        if (word.Length > 0)
            yield return word;
    }

    private enum ModprobeKind
    {
        /// <summary>Aliases of the module are ignored.</summary>
        Blacklist,

        /// <summary>The kernel refuses the module in any case.</summary>
        Refusal,

        /// <summary>A command runs instead of loading the module.</summary>
        Install,

        /// <summary>Options for the module.</summary>
        Options,
    }

    /// <param name="Place">The file, or the command line.</param>
    /// <param name="Text">The line with single blanks.</param>
    /// <param name="Kind">Its kind.</param>
    /// <param name="Module">The module, with underscores. For install it may be a pattern.</param>
    /// <param name="Rest">The command or the options.</param>
    private sealed record ModprobeLine(string Place, string Text, ModprobeKind Kind, string Module, string Rest)
    {
        /// <summary>True for an install line whose command does nothing or fails, which is how a module is disabled.</summary>
        public bool IsRefusal =>
            Path.GetFileName(Rest.Split(Blanks, 2)[0]) is "false" or "true" or ":" or "exit";

        public bool Covers(string module) => Kind == ModprobeKind.Install
            ? FileSystemName.MatchesSimpleExpression(Module, ModuleOptions.Normalize(module), ignoreCase: false)
            : Module == ModuleOptions.Normalize(module);

        public override string ToString() => $"{Place}: {Text}";
    }
}
