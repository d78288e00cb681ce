using System.Management.Automation;
using ConntrackPS.Linux;
using ConntrackPS.Top.Drawing;

namespace ConntrackPS.Errors;

/// <summary>The error records of files that cmdlets write.</summary>
internal static partial class ErrorFactory
{
    /// <summary>A file could not be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cause">The reason.</param>
    public static ErrorRecord FileNotWritten(string path, Exception cause) => Create(
        new IOException($"The file '{TextWidth.Printable(path)}' could not be written. {TextWidth.Printable(cause.Message)}".TrimEnd('.') + ".", cause),
        ErrorId.FileNotWritten,
        cause switch
        {
            UnusableFileException => ErrorCategory.InvalidArgument,
            UnauthorizedAccessException => ErrorCategory.PermissionDenied,
            _ => ErrorCategory.WriteError,
        },
        path,
        cause switch
        {
            UnauthorizedAccessException => "Give a path that you may write, or run pwsh as root (sudo pwsh).",
            DirectoryNotFoundException => "Create the folder first (New-Item -ItemType Directory).",
            UnusableFileException => "Give the path of another file.",
            _ => "Check the disk (df), and whether it is mounted read-only.",
        });

    /// <summary>-NoClobber was given, and the file exists.</summary>
    public static ErrorRecord FileExists(string path) => Create(
        new IOException($"The file '{TextWidth.Printable(path)}' already exists."), ErrorId.FileExists, ErrorCategory.ResourceExists, path,
        "Give another path, or omit -NoClobber to replace the file.");

    /// <summary>An object has no values of a table.</summary>
    public static ErrorRecord NotAStatistic(PSObject input, FormatException problem) => Create(
        new ArgumentException($"The object can't be recorded: {problem.Message}"), ErrorId.NotAStatistic, ErrorCategory.InvalidArgument, input,
        "Pipe in objects of Get-ConntrackStat, without -PerCpu.");

    /// <summary>A history can't be read.</summary>
    public static ErrorRecord UnreadableHistory(Exception exception, string path) => exception is FileNotFoundException
        ? Create(exception, ErrorId.UnreadableFile, ErrorCategory.ObjectNotFound, path, "Add-ConntrackHistory begins one.")
        : Create(
            exception, ErrorId.UnreadableFile, exception is UnauthorizedAccessException ? ErrorCategory.PermissionDenied : ErrorCategory.ReadError, path,
            "Give the path that Add-ConntrackHistory was given, without the number of an older file.");

    /// <summary>An object has no place in a report.</summary>
    public static ErrorRecord NotForReport(PSObject input, FormatException problem) => Create(
        new ArgumentException($"The object has no place in a report: {problem.Message}"), ErrorId.NotForReport, ErrorCategory.InvalidArgument, input,
        "A report takes entries, and objects of Get-ConntrackHistory, Get-ConntrackStat, Test-ConntrackHealth, Get-ConntrackSetting and Get-ConntrackTimeout.");
}
