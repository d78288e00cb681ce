using System.Management.Automation;
using ConntrackPS.Linux;

namespace ConntrackPS.Errors;

/// <summary>The error records of files that cmdlets write.</summary>
internal static partial class ErrorFactory
{
    /// <summary>A file could not be written. Nothing was changed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cause">The reason.</param>
    public static ErrorRecord FileNotWritten(string path, Exception cause)
    {
        (ErrorCategory category, string remedy) = cause switch
        {
            UnusableFileException => (ErrorCategory.InvalidArgument, "Give the path of a file."),
            UnauthorizedAccessException => (ErrorCategory.PermissionDenied, "Give a file in a folder that this user may write to, or run pwsh as root (sudo pwsh)."),
            _ => (ErrorCategory.WriteError, "The folder must exist, and have space left."),
        };
        return Create(
            new IOException($"The file '{path}' could not be written. {cause.Message.TrimEnd('.')}.", cause), ErrorId.FileNotWritten, category, path, remedy);
    }
}
