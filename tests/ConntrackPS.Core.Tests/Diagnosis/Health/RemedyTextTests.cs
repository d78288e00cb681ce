using System.Runtime.CompilerServices;
using ConntrackPS.Conntrack;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Linux;
using ConntrackPS.Tuning.Persistence;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Tests.Diagnosis.Health;

public class RemedyTextTests
{
    public static TheoryData<string> Kinds => [.. typeof(Remedy).GetNestedTypes().Select(kind => kind.Name)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_remedy_has_a_command_line(string kind)
    {
        object remedy = RuntimeHelpers.GetUninitializedObject(typeof(Remedy).GetNestedType(kind)!);
        Assert.IsNotType<NotSupportedException>(Record.Exception(() => RemedyText.Of((Remedy)remedy)));
    }

    [Fact]
    public void A_deletion_that_names_nothing_has_none() =>
        Assert.Throws<ArgumentException>(() => RemedyText.Of(new Remedy.DeleteEntries("blue")));

    [Fact]
    public void A_deletion_keeps_every_condition() => Assert.Equal(
        "Remove-ConntrackEntry -Unreplied -SourceAddress 10.0.0.5 -Protocol tcp -State SynSent, SynRecv -TimeoutBelow 9 -TimeoutAbove 4 -NetworkNamespace 'blue'",
        RemedyText.Of(new Remedy.DeleteEntries("blue")
        {
            Unreplied = true,
            Source = "10.0.0.5",
            Protocol = IPProtocol.Tcp,
            States = [ConntrackState.SynSent, ConntrackState.SynRecv],
            TimeoutBelow = 9,
            TimeoutAbove = 4,
        }));

    [Fact]
    public void What_boot_keeps_is_the_value_of_now_to_the_second() => Assert.Equal(
        "Set-ConntrackTimeout -Protocol Tcp -State Established -Timeout 432000 -PersistOnly",
        RemedyText.Of(new Remedy.SetTimeout(TimeoutProtocol.Tcp, TimeoutState.Established, 432000, new RemedyScope(null, RemedyTime.AtBoot, new SystemRoot()))));

    [Theory]
    [InlineData(MachinePlace.Here, " -Persist")]
    [InlineData(MachinePlace.OfFirstProcess, " -NetworkNamespace 1 -Persist")]
    [InlineData(MachinePlace.Elsewhere, " # on the host: in the initial network namespace")]
    public void What_all_namespaces_share_is_set_in_the_initial_one(object place, string where) => Assert.Equal(
        "Set-ConntrackSetting -Name Maximum -Value 5 -ScaleBucket" + where,
        RemedyText.Of((Snapshots.Healthy with { Namespace = "blue", MachinePlace = (MachinePlace)place }).Set("Maximum", 5, scaleBucket: true)));
}
