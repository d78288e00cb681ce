namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A test that needs musl's compiler, and is skipped without it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MuslFactAttribute : FactAttribute
{
    /// <summary>Looks for the compiler.</summary>
    public MuslFactAttribute()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, CProgram.MuslCompiler))))
            Skip = $"{CProgram.MuslCompiler} is missing: apt-get install musl-tools";
    }
}
