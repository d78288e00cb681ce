namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A test that requires musl's compiler, and is skipped without it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MuslFactAttribute : FactAttribute
{
    /// <summary>Checks for the compiler.</summary>
    public MuslFactAttribute()
    {
        if (!CProgram.IsInstalled(CProgram.MuslCompiler))
            Skip = $"{CProgram.MuslCompiler} is missing: apt-get install musl-tools";
    }
}

/// <summary>A test that requires the cross compiler and the emulator of another processor, and is skipped without them. The suite does not
/// install them: they are large, and the result changes only with a new constant or struct.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProcessorFactAttribute : FactAttribute
{
    /// <summary>Checks for both.</summary>
    /// <param name="processor">The GNU name of the processor.</param>
    public ProcessorFactAttribute(string processor)
    {
        if (!CProgram.IsInstalled(CProgram.CrossCompilerOf(processor)) || !CProgram.IsInstalled(CProgram.EmulatorOf(processor)))
            Skip = $"{CProgram.CrossCompilerOf(processor)} or {CProgram.EmulatorOf(processor)} is missing: see docs/libc.md";
    }
}
