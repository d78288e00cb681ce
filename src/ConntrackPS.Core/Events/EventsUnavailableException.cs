using ConntrackPS.Linux;

namespace ConntrackPS.Events;

/// <summary>This kernel tracks connections, but tells nobody of them: it was built without CONFIG_NF_CONNTRACK_EVENTS.</summary>
public sealed class EventsUnavailableException() : ConntrackUnavailableException("This kernel was built without connection-tracking events.");
