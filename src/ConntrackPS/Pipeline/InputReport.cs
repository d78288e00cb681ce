using System.Management.Automation;
using ConntrackPS.Diagnosis.Health;
using ConntrackPS.Reporting;
using ConntrackPS.Tuning.Settings;
using ConntrackPS.Tuning.Timeouts;

namespace ConntrackPS.Pipeline;

/// <summary>Reads the objects of a report that are no entries, live or deserialised.</summary>
internal static class InputReport
{
    /// <summary>True for a finding of Test-ConntrackHealth.</summary>
    public static bool IsFinding(PSObject input) =>
        input.BaseObject is ConntrackFinding || (input.BaseObject is PSCustomObject && input.Properties["Severity"] is not null && input.Properties["Evidence"] is not null);

    /// <summary>A setting or a timeout; null for any other object.</summary>
    /// <exception cref="FormatException">A property is bad; the message completes a sentence.</exception>
    public static ReportSetting? TryReadSetting(PSObject input)
    {
        if (input.BaseObject is ConntrackSetting setting)
            return ReportSetting.Of(setting);
        if (input.BaseObject is ConntrackTimeout timeout)
            return ReportSetting.Of(timeout);
        if (input.BaseObject is not PSCustomObject)
            return null;
        PropertyBag properties = new(input);
        if (input.Properties["DefaultSeconds"] is not null)
        {
            return ReportSetting.OfTimeout(
                properties.Text("Sysctl"),
                $"{properties.Text("Protocol")} {properties.Text("State")}".Trim(),
                properties.Number("TimeoutSeconds", uint.MaxValue) ?? throw new FormatException("it has no TimeoutSeconds."),
                properties.Number("DefaultSeconds", uint.MaxValue));
        }

        return input.Properties["DefaultValue"] is null
            ? null
            : new ReportSetting(
                properties.Text("Sysctl") ?? throw new FormatException("it has no Sysctl."),
                properties.Text("Value") ?? throw new FormatException("it has no Value."),
                properties.Text("DefaultValue"),
                properties.Text("Unit"),
                properties.Text("Description") ?? "");
    }
}
