using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Top.Control;

namespace ConntrackPS.Terminal;

/// <summary>The terminal's alternate screen, until it is disposed, which restores the screen before. SIGTERM restores it
/// too.</summary>
internal sealed class TerminalScreen : IDisposable
{
    // Alternate screen, no cursor, no line wrap (DECSET 1049, 25, 7), and all of it back.
    private const string Enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
    private const string Leave = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l";

    private const string Clear = "\u001b[0m\u001b[2J";

    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly PosixSignalRegistration _terminated;
    private int _left;

    public TerminalScreen()
    {
        // PowerShell runs no finally blocks when it is killed by SIGTERM; the signal goes on afterwards.
        _terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Restore());
        Write(Enter);
    }

    /// <summary>Columns of the screen, now.</summary>
    public static int Width => Math.Max(1, Console.WindowWidth);

    /// <summary>Lines of the screen, now.</summary>
    public static int Height => Math.Max(1, Console.WindowHeight);

    /// <summary>Writes all at once, so that no half-drawn frame shows.</summary>
    /// <param name="text">What to write.</param>
    /// <param name="clear">Whether the screen is cleared first.</param>
    public void Write(string text, bool clear = false)
    {
        _output.Write(Encoding.UTF8.GetBytes(clear ? Clear + text : text));
        _output.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Restore();
        _terminated.Dispose();
    }

    private void Restore()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
            Write(Leave);
    }
}

/// <summary>Keys of the terminal, without waiting for them.</summary>
internal static class TerminalKeys
{
    /// <returns>False where no key was pressed.</returns>
    public static bool TryRead(out TopKey key)
    {
        key = default;
        if (!Console.KeyAvailable)
            return false;
        ConsoleKeyInfo pressed = Console.ReadKey(intercept: true);
        key = new TopKey(CodeOf(pressed), pressed.KeyChar);
        if (key.Code != TopKeyCode.Character)
            key = key with { Character = '\0' };
        return true;
    }

    private static TopKeyCode CodeOf(ConsoleKeyInfo pressed) => pressed.Key switch
    {
        ConsoleKey.UpArrow => TopKeyCode.Up,
        ConsoleKey.DownArrow => TopKeyCode.Down,
        ConsoleKey.LeftArrow => TopKeyCode.Left,
        ConsoleKey.RightArrow => TopKeyCode.Right,
        ConsoleKey.PageUp => TopKeyCode.PageUp,
        ConsoleKey.PageDown => TopKeyCode.PageDown,
        ConsoleKey.Home => TopKeyCode.Home,
        ConsoleKey.End => TopKeyCode.End,
        ConsoleKey.Enter => TopKeyCode.Enter,
        ConsoleKey.Escape => TopKeyCode.Escape,
        ConsoleKey.Backspace => TopKeyCode.Backspace,
        ConsoleKey.Delete => TopKeyCode.Delete,
        _ => pressed.KeyChar == '\0' ? TopKeyCode.Other : TopKeyCode.Character,
    };
}
