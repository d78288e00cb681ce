using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

/// <summary>Compares every number that the library shares with the kernel and libc with the C headers of this machine, and with those of
/// musl if installed.</summary>
public sealed class CHeaderTests
{
    [Fact]
    public void Every_constant_has_the_headers_value() => Check(CProgram.OfSystem(), CNames.OfEveryConstant());

    [Fact]
    public void Every_state_number_is_the_kernels() => Check(CProgram.OfSystem(), CNames.OfEveryState());

    [Fact]
    public void Structs_are_laid_out_as_in_C() => Check(CProgram.OfSystem(), CLayouts.OfEveryStruct());

    [Fact]
    public void Headers_on_the_wire_have_the_sizes_and_offsets_that_the_code_assumes() =>
        Check(CProgram.OfSystem(), CLayouts.OfTheWire());

    [Fact]
    public void What_the_library_takes_of_Tmds_LibC_is_as_in_C() => Check(CProgram.OfSystem(), OfTmds(RuntimeInformation.ProcessArchitecture));

    [Fact]
    public void Every_function_is_in_the_C_library()
    {
        Assert.True(CLayouts.OfEveryFunction().Count > 20);
        Check(CProgram.OfSystem(), CLayouts.OfEveryFunction());
    }

    [MuslFact]
    public void All_of_it_holds_for_musl() =>
        Check(CProgram.OfMusl(), [.. OfEveryProcessor, .. CLayouts.OfEveryFunction(), .. OfTmds(RuntimeInformation.ProcessArchitecture)]);

    [ProcessorFact("aarch64")]
    public void All_of_it_holds_for_arm64() =>
        Check(CProgram.OfProcessor("aarch64"), [.. OfEveryProcessor, .. CLayouts.OfEveryFunction(), .. OfTmds(Architecture.Arm64), AttributeWord(isLittleEndian: true)]);

    [ProcessorFact("riscv64")]
    public void What_is_of_netlink_holds_for_riscv64() =>
        Check(CProgram.OfProcessor("riscv64"), [.. OfEveryProcessor, AttributeWord(isLittleEndian: true)]);

    [ProcessorFact("s390x")]
    public void What_is_of_netlink_holds_for_s390x_which_is_big_endian() =>
        Check(CProgram.OfProcessor("s390x"), [.. OfEveryProcessor, AttributeWord(isLittleEndian: false)]);

    /// <summary>The part of netlink, which is the same on every processor.</summary>
    private static IEnumerable<(string Expression, long Value)> OfEveryProcessor =>
        [.. CNames.OfEveryConstant(), .. CNames.OfEveryState(), .. CLayouts.OfEveryStruct(), .. CLayouts.OfTheWire()];

    /// <summary>Tmds.LibC has an assembly for each processor. Its numbers can be read on any processor.</summary>
    private static IReadOnlyList<(string Expression, long Value)> OfTmds(Architecture processor)
    {
        string platform = "linux-" + processor.ToString().ToLowerInvariant();
        string file = Path.Combine(AppContext.BaseDirectory, "runtimes", platform, "lib", "netstandard2.0", "Tmds.LibC.dll");
        Assembly tmds = new AssemblyLoadContext(platform).LoadFromAssemblyPath(file);
        return [.. CNames.OfProcessor(tmds, processor), .. CLayouts.OfProcessor(tmds)];
    }

    /// <summary>struct nlattr as one number, in the processor's byte order.</summary>
    private static (string Expression, long Value) AttributeWord(bool isLittleEndian) => (
        "({ union { struct nlattr attribute; unsigned word; } header = { { 20, NLA_F_NESTED | 1 } }; header.word; })",
        AttributeHeader.Word(20, 0x8001, isLittleEndian));

    private static void Check(CProgram compiler, IReadOnlyList<(string Expression, long Value)> ours)
    {
        long[] theirs = compiler.Evaluate(ours.Select(pair => pair.Expression));
        Assert.Equal(ours.Count, theirs.Length);
        IEnumerable<string> differences = ours.Zip(theirs)
            .Where(pair => pair.First.Value != pair.Second)
            .Select(pair => $"{pair.First.Expression} is {pair.Second} in C and {pair.First.Value} here");
        Assert.Equal("", string.Join('\n', differences));
    }
}
