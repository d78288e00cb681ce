using System.Management.Automation;
using ConntrackPS.Errors;
using ConntrackPS.Expectations;
using ConntrackPS.Netlink;
using ConntrackPS.Pipeline;

namespace ConntrackPS.Commands;

/// <summary>Announces connections to the kernel, as helpers do: one made of parameters, or those of the pipeline.</summary>
[Cmdlet(VerbsCommon.New, "ConntrackExpectation", SupportsShouldProcess = true)]
[OutputType(typeof(ConntrackExpectation))]
public sealed partial class NewConntrackExpectationCommand : ConntrackCommand
{
    private readonly PerNamespace<ExpectationCreator> _creators =
        new(table => new ExpectationTable(table.NetworkNamespace).CreateCreator());

    private long _number;

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() =>
    {
        long number = InputObject is null ? 0 : ++_number;
        try
        {
            ConntrackExpectation expectation = Build();
            if (ShouldProcess(expectation.ToString(), "Create expectation"))
                Create(expectation, number);
        }
        catch (FormatException exception)
        {
            ErrorRecord error = ErrorFactory.InvalidExpectation(exception, InputObject, number);
            if (InputObject is null)
                ThrowTerminatingError(error);
            WriteError(error);
        }
    });

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _creators.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>An expectation of the pipeline is the start; an entry is the master.</summary>
    private ConntrackExpectation Build()
    {
        PSObject? master = Master;
        ConntrackExpectation? start = null;
        if (InputObject is not null && InputExpectation.IsExpectation(InputObject))
            start = InputExpectation.Read(InputObject);
        else
            master ??= InputObject;
        return BuildTemplate(master).Make(start);
    }

    private void Create(ConntrackExpectation expectation, long number)
    {
        PSObject? source = InputObject ?? Master;
        string? networkNamespace = NamespaceName ?? (source is null ? null : InputExpectation.NamespaceOf(source));
        try
        {
            ConntrackExpectation? created = _creators.In(networkNamespace).Create(expectation, Force);
            if (created is not null && created.Class != expectation.Class)
                WriteWarning($"The kernel gave the expectation class {created.Class}, since it takes one together with -Helper only: {created}");
            if (PassThru && created is not null)
                WriteObject(created);
        }
        catch (NetlinkException exception)
        {
            WriteError(ErrorFactory.ExpectationNotCreated(exception, expectation, number, networkNamespace));
        }
    }
}
