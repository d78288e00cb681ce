using System.Runtime.InteropServices;
using ConntrackPS.Bpf;
using static ConntrackPS.Bpf.BpfRegister;

namespace ConntrackPS.Tests.Bpf;

/// <summary>The bytes of instructions, against those that the C macros of the kernel's headers make (BPF_RAW_INSN of linux/filter.h).</summary>
public sealed class BpfAssemblerTests
{
    [Theory]
    [InlineData("b7 01 00 00 2a 00 00 00")]
    [InlineData("bf 21 00 00 00 00 00 00")]
    [InlineData("07 03 00 00 f8 ff ff ff")]
    [InlineData("0f 21 00 00 00 00 00 00")]
    [InlineData("1c 21 00 00 00 00 00 00")]
    [InlineData("79 61 10 00 00 00 00 00")]
    [InlineData("71 81 27 00 00 00 00 00")]
    [InlineData("7b 0a c8 ff 00 00 00 00")]
    [InlineData("62 09 74 00 07 00 00 00")]
    [InlineData("dc 01 00 00 10 00 00 00")]
    [InlineData("85 00 00 00 b5 00 00 00")]
    [InlineData("85 20 00 00 c5 ff 00 00")]
    [InlineData("95 00 00 00 00 00 00 00")]
    public void An_instruction_has_the_bytes_of_C(string expected)
    {
        BpfAssembler code = new();
        Dictionary<string, Action> instructions = new()
        {
            ["b7 01 00 00 2a 00 00 00"] = () => code.Move(R1, 42),
            ["bf 21 00 00 00 00 00 00"] = () => code.Move(R1, R2),
            ["07 03 00 00 f8 ff ff ff"] = () => code.Calculate(BpfOperation.Add, R3, -8),
            ["0f 21 00 00 00 00 00 00"] = () => code.Calculate(BpfOperation.Add, R1, R2),
            ["1c 21 00 00 00 00 00 00"] = () => code.CalculateWord(BpfOperation.Sub, R1, R2),
            ["79 61 10 00 00 00 00 00"] = () => code.Load(BpfWidth.Double, R1, R6, 16),
            ["71 81 27 00 00 00 00 00"] = () => code.Load(BpfWidth.Byte, R1, R8, 39),
            ["7b 0a c8 ff 00 00 00 00"] = () => code.Store(BpfWidth.Double, Frame, -56, R0),
            ["62 09 74 00 07 00 00 00"] = () => code.Store(BpfWidth.Word, R9, 116, 7),
            ["dc 01 00 00 10 00 00 00"] = () => code.SwapToNetwork(R1, 16),
            ["85 00 00 00 b5 00 00 00"] = () => code.Call(BpfHelper.Loop),
            ["85 20 00 00 c5 ff 00 00"] = () => code.CallKernel(0xffc5),
            ["95 00 00 00 00 00 00 00"] = code.Exit,
        };
        instructions[expected]();
        Assert.Equal(expected, Bytes(code.Build()));
    }

    [Fact]
    public void A_long_constant_has_two_instructions()
    {
        BpfAssembler code = new();
        code.MoveLong(R2, 0xffffffff8326a688);
        code.MoveMapValue(R7, 5, 4096);
        Assert.Equal("18 02 00 00 88 a6 26 83 00 00 00 00 ff ff ff ff 18 27 00 00 05 00 00 00 00 00 00 00 00 10 00 00", Bytes(code.Build()));
    }

    [Fact]
    public void Jumps_count_from_the_next_instruction_forwards_and_backwards()
    {
        BpfAssembler code = new();
        BpfLabel back = new(), ahead = new();
        code.Mark(back);
        code.JumpIf(R1, BpfCondition.Equal, R2, ahead);
        code.JumpIfWord(R1, BpfCondition.SignedLessOrEqual, 0, back);
        code.Mark(ahead);
        code.Jump(back);
        Assert.Equal("1d 21 01 00 00 00 00 00 d6 01 fe ff 00 00 00 00 05 00 fd ff 00 00 00 00", Bytes(code.Build()));
    }

    [Fact]
    public void A_function_is_named_by_its_distance()
    {
        BpfAssembler code = new();
        BpfLabel function = new();
        code.MoveFunction(R2, function);
        code.Exit();
        code.Mark(function);
        code.Return(1);
        Assert.StartsWith("18 42 00 00 02 00 00 00 00 00 00 00 00 00 00 00 95", Bytes(code.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_jump_that_is_too_long_is_an_error_and_not_another_jump()
    {
        BpfAssembler code = new();
        BpfLabel end = new();
        code.Jump(end);
        for (int i = 0; i <= short.MaxValue; i++)
            code.Move(R0, 0);
        code.Mark(end);
        Assert.Throws<OverflowException>(code.Build);
    }

    private static string Bytes(BpfInstruction[] code) =>
        string.Join(' ', MemoryMarshal.AsBytes<BpfInstruction>(code).ToArray().Select(value => value.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
}
