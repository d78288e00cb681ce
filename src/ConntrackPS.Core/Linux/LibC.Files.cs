using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace ConntrackPS.Linux;

/// <summary>Calls that work below an opened folder, for which .NET has none: openat(2) and its kin.</summary>
internal static unsafe partial class LibC
{
    public const int O_WRONLY = 1;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_PATH = 0x200000;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int STATX_BASIC_STATS = 0x7ff;
    public const int RENAME_NOREPLACE = 1;
    public const int RENAME_EXCHANGE = 2;
    public const int LOCK_NB = 4;

    private static readonly ProcessorNumbers Numbers = ProcessorNumbers.Of(RuntimeInformation.ProcessArchitecture);

    public static readonly int O_NOFOLLOW = Numbers.NoFollow;
    public static readonly int O_DIRECTORY = Numbers.Directory;
    public static readonly nint SYS_statx = Numbers.Statx;
    public static readonly nint SYS_renameat2 = Numbers.RenameAt2;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(SafeFileHandle folder, string name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ReadLinkAt(SafeFileHandle folder, string name, byte* buffer, nuint length);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeFolderAt(SafeFileHandle folder, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int UnlinkAt(SafeFileHandle folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(SafeFileHandle fromFolder, string from, SafeFileHandle toFolder, string to);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    public static partial int ChangeOwner(SafeFileHandle file, uint user, uint group);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChangeMode(SafeFileHandle file, uint mode);

    /// <summary>statx(2) and renameat2(2), which older libraries have no function for.</summary>
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint SystemCall(nint number, SafeFileHandle folder, string name, nint third, nint fourth, void* fifth);

    /// <summary>renameat2(2).</summary>
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint SystemCall(nint number, SafeFileHandle fromFolder, string from, SafeFileHandle toFolder, string to, nint flags);
}

/// <summary>The numbers that differ between processors (asm/fcntl.h, asm/unistd.h).</summary>
/// <param name="NoFollow">O_NOFOLLOW.</param>
/// <param name="Directory">O_DIRECTORY.</param>
/// <param name="Statx">SYS_statx.</param>
/// <param name="RenameAt2">SYS_renameat2.</param>
internal readonly record struct ProcessorNumbers(int NoFollow, int Directory, nint Statx, nint RenameAt2)
{
    /// <summary>Those of a processor; the last line is what the kernel gives each new one (asm-generic).</summary>
    public static ProcessorNumbers Of(Architecture processor) => processor switch
    {
        Architecture.X64 => new(0x20000, 0x10000, 332, 316),
        Architecture.Arm64 => new(0x8000, 0x4000, 291, 276),
        Architecture.S390x => new(0x20000, 0x10000, 379, 347),
        Architecture.Ppc64le => new(0x8000, 0x4000, 383, 357),
        _ => new(0x20000, 0x10000, 291, 276),
    };
}
