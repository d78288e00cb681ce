using System.Runtime.InteropServices;
using System.Text;
using ConntrackPS.Top.Control;

namespace ConntrackPS.Terminal;

/// <summary>The terminal's alternate screen. Dispose and SIGTERM restore the previous screen.</summary>
internal sealed class TerminalScreen : IDisposable
{
    // Alternate screen, no cursor, no line wrap (DECSET 1049, 25, 7). The second string undoes that.
    private const string Enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
    private const string Leave = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l";

    private const string Clear = "\u001b[0m\u001b[2J";

    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly PosixSignalRegistration _terminated;
    private int _left;

    public TerminalScreen()
    {
        // PowerShell runs no finally blocks when SIGTERM ends it. The signal still ends it afterwards.
        _terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Restore());
        Write(Enter);
    }

    /// <summary>The current number of columns.</summary>
    public static int Width => Math.Max(1, Console.WindowWidth);

    /// <summary>The current number of lines.</summary>
    public static int Height => Math.Max(1, Console.WindowHeight);

    /// <summary>Writes the whole text at once, so that no half-drawn frame is visible.</summary>
    /// <param name="text">The text.</param>
    /// <param name="clear">True if the screen is cleared first.</param>
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

/// <summary>Reads keys of the terminal without waiting.</summary>
internal static class TerminalKeys
{
    /// <returns>False if no key was pressed.</returns>
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
