using System.Globalization;
using ConntrackPS.Netlink;

namespace ConntrackPS.Nftables;

/// <summary>A table that is in force until it is disposed, or the process ends in any way. <see cref="TableWatch"/> checks every second that
/// the kernel still has it, and it is created again if not.</summary>
/// <remarks>Safe for use from several threads. docs/blocking.md describes how the kernel can lose a table.</remarks>
/// <param name="connection">The socket that owns the table. It is disposed with this.</param>
/// <param name="table">The table.</param>
/// <param name="owner">The purpose of the table in a sentence: "block" or "rule".</param>
/// <param name="absence">The effect of its absence: "traffic passed".</param>
internal sealed class WatchedTable(NetlinkConnection connection, OwnedTable table, string owner, string absence) : IDisposable
{
    private OwnedTable.Content? _content;
    private RuleCounters _before;
    private RuleCounters _last;
    private int _lossCount;
    private DateTime? _lastLoss;
    private Exception? _failure;
    private bool _isMade;
    private bool _isEnded;

    /// <summary>Held while the table or its content changes. Hold it to change what the content is made from.</summary>
    public object Gate { get; } = new();

    /// <summary>The name of the table, of family inet, as <c>nft list ruleset</c> shows it.</summary>
    public string Name => table.Name;

    /// <summary>True if the kernel had the table with its whole content at the last check, at most a second ago.</summary>
    public bool IsInForce
    {
        get
        {
            lock (Gate)
                return _isMade && _failure is null && !_isEnded;
        }
    }

    /// <summary>The number of times that the kernel had lost the table.</summary>
    public int LossCount
    {
        get
        {
            lock (Gate)
                return _lossCount;
        }
    }

    /// <summary>The time when the last loss was detected, local time. Null if there was none.</summary>
    public DateTime? LastLoss
    {
        get
        {
            lock (Gate)
                return _lastLoss;
        }
    }

    /// <summary>The current or past problem, in one or two sentences. Null if there was none.</summary>
    public string? Problem
    {
        get
        {
            lock (Gate)
                return DescribeProblem();
        }
    }

    /// <summary>Creates the table, and begins to watch it.</summary>
    /// <param name="content">Adds the content, again after each loss.</param>
    /// <inheritdoc cref="OwnedTable.Make"/>
    public void Begin(OwnedTable.Content content)
    {
        lock (Gate)
        {
            _content = content;
            Make();
        }

        TableWatch.Add(this);
    }

    /// <summary>Adds to the table. If the kernel has lost it, creates it again with its whole content, which has the addition already.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    /// <exception cref="NftTableLostException">The kernel has lost the table, and loses a new one too.</exception>
    public void Add(OwnedTable.Content addition)
    {
        lock (Gate)
        {
            try
            {
                table.Change(addition);
            }
            catch (NftTableLostException)
            {
                NoteLoss();
                Make();
            }
            catch (Exception exception)
            {
                // It is unknown how much of it the kernel accepted, so the next check creates the whole table again.
                (_isMade, _failure) = (false, exception);
                throw;
            }
        }
    }

    /// <summary>Checks that the kernel has the table, creates it again if not, and reads its counters. If the table was lost, the counts
    /// since the last reading are missing.</summary>
    /// <exception cref="NetlinkException">The kernel refused the request.</exception>
    public RuleCounters ReadCounters()
    {
        lock (Gate)
        {
            Look();
            if (_isMade && _failure is null && !_isEnded)
                _last = RuleCounters.Read(connection, Name);
            return _before.Plus(_last);
        }
    }

    /// <summary>Checks that the kernel has the table, and creates it again if not. <see cref="IsInForce"/> and <see cref="Problem"/> show
    /// whether this failed.</summary>
    public void Look()
    {
        lock (Gate)
        {
            if (_isEnded)
                return;
            try
            {
                if (_isMade && !table.IsThere())
                    NoteLoss();
                if (!_isMade)
                    Make();
                _failure = null;
            }
            catch (Exception exception) when (exception is NetlinkException or NetlinkProtocolException or NftTableLostException or NftablesUnavailableException)
            {
                _failure = exception;
            }
        }
    }

    /// <summary>Removes the table.</summary>
    public void Dispose()
    {
        TableWatch.Remove(this);
        lock (Gate)
        {
            _isEnded = true;
            connection.Dispose();
        }
    }

    private void Make()
    {
        try
        {
            table.Make(_content!);
        }
        catch (NftTableLostException)
        {
            // Lost before the first check. Once may be a coincidence, a second time is an error.
            NoteLoss();
            table.Make(_content!);
        }

        _isMade = true;
    }

    private void NoteLoss()
    {
        _isMade = false;
        _lossCount++;
        _lastLoss = DateTime.Now;
        (_before, _last) = (_before.Plus(_last), default);
    }

    private string? DescribeProblem()
    {
        string? lost = _lastLoss is { } when
            ? string.Create(
                CultureInfo.CurrentCulture,
                $"The kernel has lost the {owner}'s table {Name} {(_lossCount == 1 ? "once" : $"{_lossCount} times")}, last at {when:T}; {absence} until it was created again.")
            : null;
        return _failure is null ? lost : $"The {owner}'s table {Name} may not be in force: {_failure.Message} {lost}".TrimEnd();
    }
}

/// <summary>Checks every second that the kernel still has the tables of this process.</summary>
/// <remarks>It polls, because there is no event: the kernel removes the tables of a closed socket without an event to NFNLGRP_NFTABLES
/// (nf_tables_api.c: nft_rcv_nl_event). A request for one table takes microseconds.</remarks>
internal static class TableWatch
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly HashSet<WatchedTable> Tables = [];
    private static Timer? _timer;

    /// <summary>Starts to watch a table.</summary>
    public static void Add(WatchedTable table)
    {
        lock (Tables)
        {
            Tables.Add(table);
            _timer ??= new Timer(_ => LookAtAll(), null, Period, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Stops watching a table that ends.</summary>
    public static void Remove(WatchedTable table)
    {
        lock (Tables)
        {
            if (!Tables.Remove(table) || Tables.Count > 0)
                return;
            _timer?.Dispose();
            _timer = null;
        }
    }

    private static void LookAtAll()
    {
        WatchedTable[] tables;
        lock (Tables)
            tables = [.. Tables];
        foreach (WatchedTable table in tables)
            table.Look();

        // Scheduled only after the check, so that a slow kernel is not asked twice at once.
        lock (Tables)
            _timer?.Change(Period, Timeout.InfiniteTimeSpan);
    }
}
