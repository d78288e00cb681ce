using ConntrackPS.Conntrack;

namespace ConntrackPS.Text;

/// <summary>What a text doesn't tell by itself.</summary>
/// <param name="Labels">The names of label bits.</param>
/// <param name="CapturedAt">When the text was printed, which is what delta-time= counts from.</param>
internal sealed record TextContext(LabelNames Labels, DateTime? CapturedAt);
