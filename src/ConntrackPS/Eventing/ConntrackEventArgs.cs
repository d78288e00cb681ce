using ConntrackPS.Events;

namespace ConntrackPS.Eventing;

/// <summary>What an engine event of Register-ConntrackEvent carries: <c>$EventArgs</c> in an action,
/// <c>SourceEventArgs</c> on what Get-Event returns.</summary>
public sealed class ConntrackEventArgs : EventArgs
{
    internal ConntrackEventArgs(ConntrackEvent[] events) => Events = events;

    internal ConntrackEventArgs(Exception exception) => Exception = exception;

    /// <summary>The event, or the first of several; null where there is an <see cref="Exception"/> instead.</summary>
    public ConntrackEvent? Event => Events is [var first, ..] ? first : null;

    /// <summary>The events in their order: one, or up to -BatchSize of them.</summary>
    public IReadOnlyList<ConntrackEvent> Events { get; } = [];

    /// <summary>Why nothing more will come from a network namespace, such as that it was deleted; or that its table could not
    /// be read whole after a loss, and is tried again (<see cref="IncompleteTableException"/>).</summary>
    public Exception? Exception { get; }
}
