using System.Globalization;
using ConntrackPS.Blocking;

namespace ConntrackPS.Diagnosis.Health.Rules;

/// <summary>The kernel does not have, or did not always have, what this process holds as a block.</summary>
internal sealed class BlockRule : IHealthRule
{
    public IEnumerable<HealthFinding> Check(HealthSnapshot snapshot)
    {
        foreach (ConntrackBlock block in snapshot.Blocks.Where(block => block.Problem is not null))
        {
            yield return block.IsInForce
                ? snapshot.Finding(
                    FindingSeverity.Warning,
                    "BlockLost",
                    Evidence(block),
                    "Its traffic passed for a moment, and may have made entries. It is blocked again now.",
                    Show(block))
                : snapshot.Finding(
                    FindingSeverity.Critical,
                    "BlockNotInForce",
                    Evidence(block),
                    "What is listed as blocked may pass. This process tries every second to block it again.",
                    Show(block));
        }
    }

    private static string Evidence(ConntrackBlock block) =>
        string.Create(CultureInfo.InvariantCulture, $"Block {block.Id} of {block.Traffic}: {block.Problem}");

    /// <summary>Blocks have their numbers from the process, so that no namespace need be named; to list one is to try again.
    /// </summary>
    private static Remedy.ShowBlock Show(ConntrackBlock block) => new(block.Id);
}
