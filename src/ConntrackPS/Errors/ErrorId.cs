namespace ConntrackPS.Errors;

/// <summary>The ids of all error records: the first word of FullyQualifiedErrorId, which scripts may rely on. The summaries are
/// the causes that about_ConntrackPS_Errors lists.</summary>
internal enum ErrorId
{
    // Filters and parameters

    /// <summary>A cmdlet that deletes or changes was given no filter, so every entry would be affected.</summary>
    NoFilter,

    /// <summary>Two filters exclude each other, so no entry can match.</summary>
    ContradictoryFilter,

    /// <summary>A filter has a value without a meaning, such as no status bit.</summary>
    InvalidFilter,

    /// <summary>A value is not in the form that the parameter accepts.</summary>
    InvalidValue,

    /// <summary>A value is outside the range that the kernel accepts.</summary>
    ValueOutOfRange,

    /// <summary>-Exact was given more or less than one whole tuple.</summary>
    InexactTuple,

    /// <summary>The protocol of the flow does not have the state.</summary>
    InvalidState,

    /// <summary>A cmdlet that changes something was given no new value.</summary>
    NoChange,

    /// <summary>Parameters are missing that this protocol and direction need.</summary>
    MissingMandatoryParameter,

    /// <summary>-SortBy names a rate, but -Interval is missing.</summary>
    NoInterval,

    /// <summary>-ScaleBucket was given with a setting other than Maximum.</summary>
    NothingToScale,

    /// <summary>An alert was given no threshold, or an upper limit that is below the lower one.</summary>
    InvalidThreshold,

    /// <summary>-Finding names a finding that the health check does not have.</summary>
    FindingNotKnown,

    /// <summary>-AllNamespace and -NetworkNamespace were given together.</summary>
    AllOrOneNamespace,

    /// <summary>Several network namespaces, or a name with wildcards, were given for work that is done in one namespace: changes, -Exact,
    /// objects of the pipeline, and expectations.</summary>
    SeveralNamespaces,

    // Objects in the pipeline

    /// <summary>Objects were piped into a cmdlet, or with a parameter, that takes none.</summary>
    NoPipelineInput,

    /// <summary>An object in the pipeline does not name an entry.</summary>
    NotAnEntry,

    /// <summary>A part of the tuple is missing in an object or a line, so it does not identify a flow.</summary>
    IncompleteEntry,

    /// <summary>Parameters or an object do not describe an entry that the kernel could create.</summary>
    InvalidEntry,

    /// <summary>An object in the pipeline does not name an expectation.</summary>
    NotAnExpectation,

    /// <summary>Parameters or an object do not describe an expectation.</summary>
    InvalidExpectation,

    /// <summary>A group selects no entries: it was counted from objects, contains every entry, or has lost its objects (-NoElement). Or an array is empty.</summary>
    GroupNamesNoEntries,

    /// <summary>An object in the pipeline is not a finding of Test-ConntrackHealth.</summary>
    NotAFinding,

    // Entries

    /// <summary>No entry has the tuple and zone. It may have ended.</summary>
    EntryNotFound,

    /// <summary>An entry with the same tuple exists already.</summary>
    EntryExists,

    /// <summary>Another entry hides this one: the kernel finds only the first of two with the same tuple.</summary>
    EntryHidden,

    /// <summary>The timeout is fixed (status FixedTimeout), so the kernel ignores a new one.</summary>
    FixedTimeout,

    /// <summary>The kernel sets these status bits itself, and no program can.</summary>
    StatusNotChangeable,

    /// <summary>The kernel cannot give this entry another helper, since it has one already.</summary>
    HelperNotChangeable,

    /// <summary>The kernel has no such helper, or its module is not loaded.</summary>
    HelperUnknown,

    /// <summary>The kernel keeps no labels, since no rule uses them.</summary>
    LabelsUnused,

    /// <summary>This kernel does not track the protocol.</summary>
    ProtocolNotTracked,

    /// <summary>The table is full (nf_conntrack_max).</summary>
    TableFull,

    // Expectations

    /// <summary>No expectation has the tuple and zone. The connection may have started.</summary>
    ExpectationNotFound,

    /// <summary>An expectation with the same tuple exists already.</summary>
    ExpectationExists,

    /// <summary>Another expectation overlaps this one.</summary>
    ExpectationClashes,

    /// <summary>The helper's limit of expectations for the connection, or nf_conntrack_expect_max, is reached.</summary>
    TooManyExpectations,

    /// <summary>The master connection of the expectation is not in the table.</summary>
    MasterNotFound,

    /// <summary>Another entry hides the master connection of the expectation.</summary>
    MasterHidden,

    /// <summary>The master connection of the expectation has no helper.</summary>
    MasterWithoutHelper,

    // Reading

    /// <summary>The hash table was resized repeatedly during the listing, so entries may be missing.</summary>
    ListingIncomplete,

    /// <summary>A table that must be complete was resized while it was read.</summary>
    TableNotReadWhole,

    /// <summary>Answers of the kernel were lost.</summary>
    MessagesLost,

    /// <summary>The kernel did not answer in time.</summary>
    NoAnswer,

    /// <summary>The kernel's answer has a malformed length or type.</summary>
    MalformedAnswer,

    /// <summary>The kernel is busy with the same object.</summary>
    Busy,

    /// <summary>The kernel is out of memory or at a limit.</summary>
    LimitExceeded,

    /// <summary>The kernel refused a value.</summary>
    RefusedByKernel,

    /// <summary>The kernel lacks the function.</summary>
    NotSupportedByKernel,

    /// <summary>The kernel reported an error without a more specific id. The message has its number and name.</summary>
    KernelError,

    // Events

    /// <summary>The kernel was built without events, or nf_conntrack is not loaded.</summary>
    EventsUnavailable,

    /// <summary>The kernel refused the size of the socket's receive buffer.</summary>
    ReceiveBufferRefused,

    /// <summary>A subscription by Register-ConntrackEvent has the same name.</summary>
    SubscriberExists,

    /// <summary>PowerShell's engine refused the subscription's name.</summary>
    InvalidSubscription,

    /// <summary>-Forward and -Action were given together.</summary>
    ForwardWithAction,

    // Blocks

    /// <summary>No block of this session has the id.</summary>
    BlockNotFound,

    /// <summary>Another program deleted the block's nf_tables table.</summary>
    BlockLost,

    /// <summary>The kernel has no nf_tables, or lacks a part that a block needs.</summary>
    NftablesUnavailable,

    /// <summary>The block would cut the SSH connection that runs the command.</summary>
    OwnConnection,

    /// <summary>Packets do not contain their zone, so traffic cannot be blocked by zone.</summary>
    ZoneNotBlockable,

    // Timeouts, policies and settings

    /// <summary>The protocol has no timeout of this name.</summary>
    TimeoutNotFound,

    /// <summary>This kernel does not have the timeout.</summary>
    TimeoutNotSupported,

    /// <summary>No timeout policy has the name.</summary>
    PolicyNotFound,

    /// <summary>A timeout policy with the name exists already.</summary>
    PolicyExists,

    /// <summary>A rule uses the timeout policy, so the kernel does not delete it.</summary>
    PolicyInUse,

    /// <summary>The kernel does not accept the name for a timeout policy.</summary>
    InvalidPolicyName,

    /// <summary>There is no helper of that name.</summary>
    HelperNotFound,

    /// <summary>A helper for this traffic would be unsafe.</summary>
    HelperUnsafe,

    /// <summary>The helper does not read the protocol or the address family.</summary>
    HelperMismatch,

    /// <summary>Only other helpers attach the helper.</summary>
    HelperHasNoPort,

    /// <summary>No rule that can be removed here attaches the helper.</summary>
    HelperNotEnabled,

    /// <summary>modprobe.d or the kernel's command line forbids to load a module of the helper.</summary>
    HelperModuleBlacklisted,

    /// <summary>The kernel does not have the module of the helper.</summary>
    HelperModuleMissing,

    /// <summary>modprobe could not load a module of the helper.</summary>
    HelperModuleNotLoaded,

    /// <summary>The options of the module give the helper other names.</summary>
    HelperRenamed,

    // Rules

    /// <summary>There is no rule with that name.</summary>
    RuleNotFound,

    /// <summary>The rule belongs to another process.</summary>
    RuleOfOtherProcess,

    /// <summary>No traffic was named for a rule.</summary>
    NoTraffic,

    /// <summary>A rule can't check a condition of the filter, because packets do not have it.</summary>
    ConditionNotOfPackets,

    /// <summary>The traffic must stay tracked, because rules or translations need its entries.</summary>
    TrackingNeeded,

    /// <summary>The system has no nftables service that could load a persisted rule.</summary>
    NoNftablesService,

    // Settings and files

    /// <summary>This kernel has no such setting.</summary>
    SettingNotFound,

    /// <summary>The setting is read-only here.</summary>
    SettingReadOnly,

    /// <summary>The kernel's value of the setting is not in the expected form.</summary>
    SettingUnreadable,

    /// <summary>/proc/sys is mounted read-only, as in a container.</summary>
    ProcSysReadOnly,

    /// <summary>Boot does not set up this network namespace, so a value cannot be persisted for it.</summary>
    NotPersistable,

    /// <summary>The file that persists the value could not be written.</summary>
    NotPersisted,

    /// <summary>The file that -Persist would write is masked (a link to /dev/null), so boot would not read it.</summary>
    PersistenceMasked,

    // Text

    /// <summary>A line is not in any known format of connection-tracking text.</summary>
    InvalidConntrackText,

    /// <summary>The text format cannot represent the object.</summary>
    NoTextForm,

    /// <summary>A file of text or a history cannot be opened or read.</summary>
    UnreadableFile,

    // Files, histories and reports

    /// <summary>A file could not be written: the folder is missing or read-only, the disk is full, or the path is not a file. What was there before is
    /// unchanged.</summary>
    FileNotWritten,

    /// <summary>-NoClobber was given, and the file exists.</summary>
    FileExists,

    /// <summary>An object in the pipeline has no values of a table that a history could keep.</summary>
    NotAStatistic,

    /// <summary>An object in the pipeline has no place in a report.</summary>
    NotForReport,

    // The system

    /// <summary>The process lacks the privilege.</summary>
    PermissionDenied,

    /// <summary>The network namespace does not exist.</summary>
    NetworkNamespaceNotFound,

    /// <summary>The network namespace was deleted while it was in use.</summary>
    NetworkNamespaceGone,

    /// <summary>The process may not enter the network namespace.</summary>
    NetworkNamespaceDenied,

    /// <summary>The name or path is not a network namespace.</summary>
    NetworkNamespaceInvalid,

    /// <summary>The kernel has no connection tracking, or nf_conntrack_netlink is not loaded.</summary>
    ConntrackUnavailable,

    /// <summary>-Engine Bpf was given, and the kernel or the process can't walk the table. The message says what is missing.</summary>
    EngineUnavailable,

    /// <summary>The live view needs a terminal.</summary>
    NoTerminal,

    /// <summary>The cmdlet needs the Linux kernel, and this system is not Linux.</summary>
    NotLinux,

    /// <summary>The module has no native code for this processor.</summary>
    ProcessorNotSupported,

    /// <summary>An unexpected error. Please report it.</summary>
    Unexpected,
}
