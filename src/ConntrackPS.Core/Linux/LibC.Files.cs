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

    // These differ between processors (asm/fcntl.h, asm/unistd.h); what most have is the default.
    public static readonly int O_NOFOLLOW = HasOwnOpenFlags ? 0x8000 : 0x20000;
    public static readonly int O_DIRECTORY = HasOwnOpenFlags ? 0x4000 : 0x10000;
    public static readonly nint SYS_statx = Number(x64: 332, s390x: 379, ppc64le: 383, others: 291);
    public static readonly nint SYS_renameat2 = Number(x64: 316, s390x: 347, ppc64le: 357, others: 276);

    private static bool HasOwnOpenFlags => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Ppc64le;

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

    private static nint Number(int x64, int s390x, int ppc64le, int others) => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => x64,
        Architecture.S390x => s390x,
        Architecture.Ppc64le => ppc64le,
        _ => others,
    };
}
