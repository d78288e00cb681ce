namespace ConntrackPS.Top.Control;

/// <summary>The keys that are no characters.</summary>
internal enum TopKeyCode
{
    Character,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Delete,
    Other,
}

/// <summary>A key that was pressed.</summary>
/// <param name="Code">Which.</param>
/// <param name="Character">The character, control characters included; for <see cref="TopKeyCode.Character"/>.</param>
internal readonly record struct TopKey(TopKeyCode Code, char Character = '\0')
{
    public static TopKey Of(char character) => new(TopKeyCode.Character, character);
}
