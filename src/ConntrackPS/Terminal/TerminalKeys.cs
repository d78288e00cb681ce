using ConntrackPS.Top.Control;

namespace ConntrackPS.Terminal;

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
