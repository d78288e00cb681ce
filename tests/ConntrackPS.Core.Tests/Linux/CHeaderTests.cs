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
        Assert.True(CLayouts.OfEveryFunction().Count > 20);
        Check(CProgram.OfSystem(), CLayouts.OfEveryFunction());
    }

    [MuslFact]
    public void All_of_it_holds_for_musl() => Check(
        CProgram.OfMusl(),
        [
            .. CNames.OfEveryConstant(), .. CNames.OfEveryState(), .. CLayouts.OfEveryStruct(), .. CLayouts.OfTheWire(),
            .. CLayouts.OfEveryFunction(), .. CLayouts.OfFileStatus(),
        ]);

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
