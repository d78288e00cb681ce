using System.Globalization;
using System.Management.Automation;
using ConntrackPS.Blocking;

namespace ConntrackPS.Errors;

/// <summary>The error records of blocking.</summary>
internal static partial class ErrorFactory
{
    /// <summary>This process holds no block of this number.</summary>
    public static ErrorRecord NoSuchBlock(int id) => Create(
        new ItemNotFoundException(string.Create(CultureInfo.InvariantCulture, $"This PowerShell process holds no block {id} here.")),
        "BlockNotFound", ErrorCategory.ObjectNotFound, id, "Get-ConntrackBlock lists those there are.");

    private static ErrorRecord? FromBlocking(Exception exception, object? target) => exception switch
    {
        BlockingUnavailableException => Create(
            exception, "BlockingUnavailable", ErrorCategory.NotInstalled, target,
            "Nothing was blocked or deleted. Load the kernel modules (modprobe nf_tables nft_ct), or remove entries without -Block."),
        BlockLostException => Create(
            exception, "BlockLost", ErrorCategory.ResourceUnavailable, target,
            "Block it again; nft monitor and nft list tables show what else works on nf_tables."),
        OwnConnectionException => Create(
            exception, "OwnConnection", ErrorCategory.InvalidOperation, target,
            "Name less, such as -DestinationPort or -Protocol; -Force blocks it all the same."),
        ZoneNotBlockableException => Create(
            exception, "ZoneNotBlockable", ErrorCategory.InvalidArgument, target,
            "Leave -Zone out, or remove entries without -Block."),
        _ => null,
    };
}
