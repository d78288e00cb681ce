using System.Runtime.InteropServices;
using ConntrackPS.Fuzzing;
using ConntrackPS.Linux;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Tests.Fuzzing;

public sealed unsafe class GuardedMemoryTests
{
    private const int BadAddress = 14;

    /// <summary>The kernel reads the bytes here and returns EFAULT. A program would end with SIGSEGV.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(5000)]
    public void One_byte_past_the_end_can_t_be_read(int length)
    {
        using GuardedMemory memory = new(8192);
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(7);
        ReadOnlySpan<byte> placed = memory.Place(bytes);
        Assert.True(placed.SequenceEqual(bytes));
        fixed (byte* start = placed)
            Assert.True(start + length == memory.End);

        string file = Path.GetTempFileName();
        try
        {
            using SafeFileHandle handle = File.OpenHandle(file, FileMode.Open, FileAccess.Write);
            Assert.Equal(1, LibC.Write(handle, new ReadOnlySpan<byte>(memory.End - 1, 1)));
            Assert.Equal(-1, LibC.Write(handle, new ReadOnlySpan<byte>(memory.End, 1)));
            Assert.Equal(BadAddress, Marshal.GetLastPInvokeError());
        }
        finally
        {
            File.Delete(file);
        }
    }
}
