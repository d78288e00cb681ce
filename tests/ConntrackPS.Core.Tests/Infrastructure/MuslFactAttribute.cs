namespace ConntrackPS.Tests.Infrastructure;

/// <summary>A test that needs musl's compiler, and is skipped without it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MuslFactAttribute : FactAttribute
{
    /// <summary>Looks for the compiler.</summary>
    public MuslFactAttribute()
    {
        if (!CProgram.IsInstalled(CProgram.MuslCompiler))
            Skip = $"{CProgram.MuslCompiler} is missing: apt-get install musl-tools";
    }
}

/// <summary>A test that needs the cross compiler and the emulator of another processor, and is skipped without them. The suite
/// doesn't install them: they are large, and what they tell changes with a new constant or struct only.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProcessorFactAttribute : FactAttribute
{
    /// <summary>Looks for both.</summary>
    /// <param name="processor">The processor as GNU names it.</param>
    public ProcessorFactAttribute(string processor)
    {
        if (!CProgram.IsInstalled(CProgram.CrossCompilerOf(processor)) || !CProgram.IsInstalled(CProgram.EmulatorOf(processor)))
            Skip = $"{CProgram.CrossCompilerOf(processor)} or {CProgram.EmulatorOf(processor)} is missing: see docs/libc.md";
    }
}
