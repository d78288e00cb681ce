using ConntrackPS.Bpf;

namespace ConntrackPS.Tests.Bpf;

/// <summary>Types are found by name, in the file of the kernel and in that of a module, and a damaged file is an error.</summary>
public sealed class BtfFileTests
{
    private static readonly string[] Wanted = ["entry", "inner", "kinds", "function_of_kernel", "a"];

    [Fact]
    public void Members_are_found_through_typedefs_arrays_and_structs_without_a_name()
    {
        BtfFile file = new(Kernel().ToBytes(), Wanted);
        Assert.Equal(new BtfMember(0, 4), file.Find("entry", "number"));
        Assert.Equal(new BtfMember(8, 8), file.Find("entry", "next"));
        Assert.Equal(new BtfMember(16, 16), file.Find("entry", "both"));
        Assert.Equal(new BtfMember(24, 8), file.Find("entry", "both.second"));
        Assert.Equal(new BtfMember(48, 4), file.Find("entry", "hidden"));
        Assert.Null(file.Find("entry", "missing"));
        Assert.Null(file.Find("entry", "number.nothing"));
        Assert.Equal((56, 16), (file.SizeOf("entry"), file.SizeOf("inner")));
        Assert.Equal((7, (int?)null), (file.ValueOf("kinds", "SEVEN") ?? 0, file.ValueOf("kinds", "EIGHT")));
        Assert.True(file.Has("function_of_kernel"));
        Assert.Throws<FormatException>(() => file.SizeOf("a"));
    }

    [Fact]
    public void The_types_of_a_module_continue_those_of_the_kernel()
    {
        FakeBtf kernel = new();
        uint number = kernel.Int("unsigned int", 4);
        uint inner = kernel.Struct("inner", 8, ("first", number, 0), ("second", number, 32));
        FakeBtf module = new(kernel);
        module.Struct("entry", 16, ("own", module.Int("long", 8), 0), ("inner", inner, 64));
        BtfFile kernelFile = new(kernel.ToBytes(), Wanted);
        BtfFile moduleFile = new(module.ToBytes(), Wanted, kernelFile);
        Assert.Equal((false, true), (kernelFile.Has("entry"), moduleFile.Has("entry")));
        Assert.Equal(new BtfMember(12, 4), moduleFile.Find("entry", "inner.second"));
        Assert.Equal(new BtfMember(0, 8), moduleFile.Find("entry", "own"));
    }

    [Fact]
    public void Types_that_form_a_circle_are_an_error()
    {
        FakeBtf fake = new();
        fake.Struct("entry", 8, ("number", 2, 0));
        fake.Named(BtfKind.Typedef, 3, "one");
        fake.Named(BtfKind.Const, 2);
        BtfFile file = new(fake.ToBytes(), Wanted);
        Assert.Throws<FormatException>(() => file.Find("entry", "number"));
    }

    /// <summary>Whatever byte is wrong or missing: an error of the format or a value, and nothing else.</summary>
    [Fact]
    public void A_damaged_file_is_an_error_and_never_read_past_its_end()
    {
        byte[] whole = Kernel().ToBytes();
        Random random = new(20261129);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = random.Next(4) == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (int changes = random.Next(1, 4); changes > 0 && bytes.Length > 0; changes--)
                bytes[random.Next(bytes.Length)] = (byte)(random.Next(2) == 0 ? random.Next(256) : 0xff);
            Exception? failure = Record.Exception(() =>
            {
                BtfFile file = new(bytes, Wanted);
                foreach (string path in (string[])["number", "next", "both.second", "hidden", "missing.deeper"])
                    file.Find("entry", path);
                file.ValueOf("kinds", "SEVEN");
            });
            Assert.True(failure is null or FormatException or OverflowException, $"round {i}: {failure}");
        }
    }

    [Fact]
    public void A_file_of_another_kind_is_an_error() => Assert.Throws<FormatException>(() => new BtfFile(new byte[64], Wanted));

    private static FakeBtf Kernel()
    {
        FakeBtf fake = new();
        uint number = fake.Int("unsigned int", 4), wide = fake.Int("long", 8);
        uint alias = fake.Named(BtfKind.Typedef, fake.Named(BtfKind.Volatile, number), "u32");
        uint inner = fake.Struct("inner", 16, ("first", wide, 0), ("second", wide, 64));
        uint nameless = fake.Struct("", 8, ("hidden", alias, 0), ("other", number, 32));
        fake.Struct(
            "entry", 56,
            ("number", alias, 0), ("next", fake.Pointer(inner), 64), ("both", fake.Array(inner, 2), 128), ("", nameless, 384));
        fake.Enum("kinds", ("SIX", 6), ("SEVEN", 7));
        fake.Function("function_of_kernel");
        return fake;
    }
}
