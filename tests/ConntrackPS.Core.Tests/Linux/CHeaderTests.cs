using System.Runtime.InteropServices;
using ConntrackPS.Linux;
using ConntrackPS.Netlink;
using ConntrackPS.Tests.Infrastructure;

namespace ConntrackPS.Tests.Linux;

/// <summary>Every number that the library shares with the kernel and with libc, against the C headers of this machine, and
/// against musl's where they are.</summary>
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
    public void A_file_s_status_lies_where_the_code_reads_it() => Check(CProgram.OfSystem(), CLayouts.OfFileStatus());

    [Fact]
    public void Every_function_is_in_the_C_library()
    {
        Assert.True(CLayouts.OfEveryFunction().Count > 15);
        Check(CProgram.OfSystem(), CLayouts.OfEveryFunction());
    }

    [MuslFact]
    public void All_of_it_holds_for_musl() => Check(
        CProgram.OfMusl(),
        [
            .. CNames.OfEveryConstant(), .. CNames.OfEveryState(), .. CLayouts.OfEveryStruct(), .. CLayouts.OfTheWire(),
            .. CLayouts.OfEveryFunction(), .. CLayouts.OfFileStatus(),
        ]);

    [ProcessorFact("aarch64")]
    public void All_of_it_holds_for_arm64() => CheckProcessor("aarch64", Architecture.Arm64);

    [ProcessorFact("riscv64")]
    public void All_of_it_holds_for_riscv64() => CheckProcessor("riscv64", Architecture.RiscV64);

    [ProcessorFact("s390x")]
    public void All_of_it_holds_for_s390x() => CheckProcessor("s390x", Architecture.S390x);

    [ProcessorFact("powerpc64le")]
    public void All_of_it_holds_for_ppc64le() => CheckProcessor("powerpc64le", Architecture.Ppc64le);

    /// <summary>All but what is of this machine's processor alone, which is looked up for the other.</summary>
    private static void CheckProcessor(string name, Architecture processor)
    {
        ProcessorNumbers numbers = ProcessorNumbers.Of(processor);
        (string Expression, long Value)[] own =
        [
            ("O_NOFOLLOW", numbers.NoFollow), ("O_DIRECTORY", numbers.Directory), ("SYS_statx", numbers.Statx), ("SYS_renameat2", numbers.RenameAt2),
        ];

        // struct nlattr as one number, in the processor's order.
        bool isLittleEndian = processor != Architecture.S390x;
        const string Header = "({ union { struct nlattr attribute; unsigned word; } header = { { 20, NLA_F_NESTED | 1 } }; header.word; })";
        Check(
            CProgram.OfProcessor(name),
            [
                .. CNames.OfEveryConstant().ExceptBy(own.Select(pair => pair.Expression), pair => pair.Expression), .. own,
                .. CNames.OfEveryState(), .. CLayouts.OfEveryStruct(), .. CLayouts.OfTheWire(),
                .. CLayouts.OfEveryFunction(), .. CLayouts.OfFileStatus(),
                (Header, AttributeHeader.Word(20, 0x8001, isLittleEndian)),
            ]);
    }

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
