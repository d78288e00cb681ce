using ConntrackPS.Conntrack;

namespace ConntrackPS.Tests.Linux;

public sealed class CNamesTests
{
    /// <summary>Enums of the library that share no number with the kernel.</summary>
    private static readonly string[] Ours =
    [
        "EntryFields", "KernelFeatures", "TableKind", "ConntrackEventType", "Side", "ConntrackTextDetails", "ConntrackTextFormat", "TupleParts", "TuplePlaces",
        "Counter", "FindingSeverity", "SettingKind", "TimeoutState", "GroupOrder", "StatePhase", "BlockStage", "FlowParts",
        "TopColumn", "TopGrouping", "TopPage", "TallyKind", "TopKeyCode", "TopPane", "TopStyle", "FileKind", "ReplayPhase", "Standing",
        "BootReaders", "MachinePlace", "ReadOnlyReason", "RemedyTime", "ExpectationTuple",
        "RuleKind", "RuleLifetime", "ModuleState", "HelperModuleProblem", "HelperRefusal", "ModprobeKind", "TextMatch", "ConntrackTextSource", "LineKind", "TupleGaps",
        "PacketPart", "Answer", "RuleEnd", "RuleEffect", "LoadedKind", "Ends", "TableEngine", "EntryParts", "WalkStop", "WalkAccess",
        "MetricType", "MetricPart", "MetricFormat", "AlertKind", "AlertState",
    ];

    [Fact]
    public void No_enum_of_the_library_escapes_the_comparison_with_the_headers()
    {
        IEnumerable<Type> enums = typeof(ConntrackEntry).Assembly.GetTypes().Where(type => type.IsEnum && !Ours.Contains(type.Name));
        Assert.Empty(enums.Except(CNames.CheckedEnums));
    }
}
