namespace ConntrackPS.Tests.Infrastructure;

/// <summary>Gets the values of expressions from a C compiler and the headers of its C library.</summary>
/// <param name="compiler">The compiler's command.</param>
/// <param name="options">The options of the compiler.</param>
internal sealed class CProgram(string compiler, params IEnumerable<string> options)
{
    private string? _emulator;

    /// <summary>musl's compiler, in Debian's package musl-tools.</summary>
    public const string MuslCompiler = "musl-gcc";

    private const string Includes = """
        #include <stddef.h>
        #include <stdio.h>
        #include <errno.h>
        #include <limits.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <sched.h>
        #include <sys/epoll.h>
        #include <sys/eventfd.h>
        #include <sys/inotify.h>
        #include <sys/file.h>
        #include <sys/mman.h>
        #include <sys/socket.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        #include <linux/bpf.h>
        #include <linux/btf.h>
        #include <linux/filter.h>
        #include <linux/fs.h>
        #include <linux/in.h>
        #include <linux/in6.h>
        #include <linux/netlink.h>
        #include <linux/stat.h>
        #include <linux/netfilter.h>
        #include <linux/netfilter_ipv4.h>
        #include <linux/netfilter/x_tables.h>
        #include <linux/netfilter/nf_nat.h>
        #include <linux/netfilter/xt_CT.h>
        #include <linux/netfilter/xt_conntrack.h>
        #include <linux/netfilter/xt_iprange.h>
        #include <linux/netfilter/xt_multiport.h>
        #include <linux/netfilter_ipv4/ip_tables.h>
        #include <linux/netfilter_ipv6/ip6_tables.h>
        #include <linux/netfilter/nf_tables.h>
        #include <linux/netfilter/nf_tables_compat.h>
        #include <linux/netfilter/nfnetlink.h>
        #include <linux/netfilter/nfnetlink_conntrack.h>
        #include <linux/netfilter/nfnetlink_cttimeout.h>
        #include <linux/netfilter/nf_conntrack_common.h>
        #include <linux/netfilter/nf_conntrack_sctp.h>
        #include <linux/netfilter/nf_conntrack_tcp.h>
        """;

    /// <summary>The C library of this machine.</summary>
    public static CProgram OfSystem() => new("gcc");

    /// <summary>musl, with its own headers and the kernel headers of the system.</summary>
    public static CProgram OfMusl() => new(
        MuslCompiler, "-idirafter", "/usr/include", "-idirafter", "/usr/include/" + Shell.Run("gcc", "-print-multiarch").Trim());

    /// <summary>Another processor: Debian's cross compiler with its headers, and an emulator that runs the result.</summary>
    /// <param name="processor">The GNU name of the processor, such as s390x.</param>
    public static CProgram OfProcessor(string processor) => new(CrossCompilerOf(processor), "-static") { _emulator = EmulatorOf(processor) };

    public static string CrossCompilerOf(string processor) => $"{processor}-linux-gnu-gcc";

    public static string EmulatorOf(string processor) => $"qemu-{processor.Replace("powerpc", "ppc", StringComparison.Ordinal)}-static";

    /// <summary>True if the command is on the path.</summary>
    public static bool IsInstalled(string command) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, command)));

    /// <returns>The values of the expressions, in the same order.</returns>
    /// <exception cref="System.ComponentModel.Win32Exception">The compiler is missing. The test then fails on purpose: only the headers
    /// prove the numbers.</exception>
    public long[] Evaluate(IEnumerable<string> expressions)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("cps-test-");
        try
        {
            string source = Path.Combine(directory.FullName, "values.c"), program = Path.Combine(directory.FullName, "values");
            IEnumerable<string> prints = expressions.Select(expression => $"    printf(\"%lld\\n\", (long long)({expression}));");
            File.WriteAllText(source, $"#define _GNU_SOURCE\n{Includes}\nint main(void)\n{{\n{string.Join('\n', prints)}\n    return 0;\n}}\n");
            Shell.Run(compiler, [.. options, "-Wall", "-Werror", "-o", program, source]);
            string output = _emulator is null ? Shell.Run(program) : Shell.Run(_emulator, program);
            return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
