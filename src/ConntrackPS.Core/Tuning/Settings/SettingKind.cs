namespace ConntrackPS.Tuning.Settings;

/// <summary>What a setting's number means.</summary>
internal enum SettingKind
{
    /// <summary>A number, of something.</summary>
    Number,

    /// <summary>0 for no, 1 for yes.</summary>
    Boolean,

    /// <summary>0 for off, 1 for on, 2 for automatic.</summary>
    Events,

    /// <summary>0 for none, 255 for all, else a protocol's IANA number.</summary>
    Protocol,
}
