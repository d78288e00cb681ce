using System.Buffers;

namespace ConntrackPS.Text.Reading;

/// <summary>Reads the times that logs and terminals put before a line.</summary>
/// <remarks>RFC 3164 and ctime(3) (<c>Jul 16 12:54:54</c>, <c>Fri Nov 20 07:40:00 2026</c>, also as date(1) prints it), ISO 8601
/// with its like (<c>2026-11-20 07:40:00,123</c>), klog's (<c>I1120 07:40:00.123456</c>), <c>20/Nov/2026:07:40:00 +0100</c>, seconds since 1970, and the time alone.</remarks>
internal ref struct LogTime
{
    private const string Months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    private const string Days = "MonTueWedThuFriSatSun";

    /// <summary>The zones whose name always means the same offset, in minutes. CST and IST do not.</summary>
    private static readonly (string Name, int Minutes)[] Zones =
    [
        ("UTC", 0), ("GMT", 0), ("Z", 0), ("WET", 0), ("WEST", 60), ("BST", 60), ("CET", 60), ("CEST", 120), ("SAST", 120), ("EET", 120),
        ("EEST", 180), ("MSK", 180), ("PKT", 300), ("WIB", 420), ("HKT", 480), ("JST", 540), ("KST", 540), ("AEST", 600), ("AEDT", 660),
        ("NZST", 720), ("NZDT", 780), ("EST", -300), ("EDT", -240), ("CDT", -300), ("MDT", -360), ("MST", -420), ("PDT", -420), ("PST", -480),
    ];

    private static readonly SearchValues<char> Capitals = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    private readonly ReadOnlySpan<char> _text;
    private int _at;
    private int _year;
    private int _month;
    private int _day;
    private TimeSpan _clock;

    /// <summary>Minutes east of UTC; null for the local zone.</summary>
    private int? _offset;
    private bool _isZoneUnknown;

    private LogTime(ReadOnlySpan<char> text) => _text = text;

    private readonly ReadOnlySpan<char> Rest => _text[_at..];

    /// <summary>Reads the time at the beginning of a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="reference">The time of reading. A time without a year is the latest possible one that is at most a day later.</param>
    /// <param name="time">The local time; null if the date is missing or the zone is unknown.</param>
    /// <returns>The length of the time; 0 if there is none.</returns>
    public static int Read(ReadOnlySpan<char> text, DateTime reference, out DateTime? time)
    {
        time = null;
        if (text.Length < 5)
            return 0;
        if (ReadEpoch(text, out time) is > 0 and var length)
        {
            // A number that would be a time to come is no time.
            if (time <= reference.ToLocalTime().AddDays(1))
                return length;
            time = null;
            return 0;
        }

        LogTime read = new(text);
        if (!read.TryRead())
            return 0;
        time = read.Make(reference.Kind == DateTimeKind.Utc ? reference.ToLocalTime() : reference);
        return read._at;
    }

    /// <summary>Reads seconds since 1970 with a fraction, or milliseconds. Fewer than nine digits are seconds since boot.</summary>
    private static int ReadEpoch(ReadOnlySpan<char> text, out DateTime? time)
    {
        time = null;
        int digits = 0;
        while (digits < text.Length && digits < 17 && char.IsAsciiDigit(text[digits]))
            digits++;
        if (digits is not (9 or 10 or 13 or 16))
            return 0;
        long ticks = long.Parse(text[..digits], System.Globalization.CultureInfo.InvariantCulture)
            * (digits switch { 13 => TimeSpan.TicksPerMillisecond, 16 => TimeSpan.TicksPerMicrosecond, _ => TimeSpan.TicksPerSecond });
        int length = digits;
        if (digits <= 10 && text.Length > digits + 1 && text[digits] == '.' && char.IsAsciiDigit(text[digits + 1]))
            ticks += ReadFraction(text, ref length);
        if (length < text.Length && (char.IsAsciiLetterOrDigit(text[length]) || text[length] is '.' or '='))
            return 0;
        time = DateTime.UnixEpoch.AddTicks(ticks).ToLocalTime();
        return length;
    }

    /// <summary>Reads a point or comma and the digits after it.</summary>
    private static long ReadFraction(ReadOnlySpan<char> text, ref int at)
    {
        long unit = TimeSpan.TicksPerSecond, ticks = 0;
        for (at++; at < text.Length && char.IsAsciiDigit(text[at]); at++)
        {
            unit /= 10;
            ticks += unit * (text[at] - '0');
        }

        return ticks;
    }

    private bool TryRead()
    {
        bool hasDay = IndexOfName(Days) >= 0 && _text.Length > 4 && _text[3] is ' ' or ',' or '\t';
        if (hasDay)
        {
            _at = 3;
            Skip(',');
            SkipBlanks();
        }

        if (TryReadKlog())
            return TryReadClock();
        if (TryReadNumbers())
            return TryReadClock() && ReadZone(hasDay);
        if (TryReadDayAndMonth())
            return TryReadClock() && ReadZone(isCertain: false);
        if (TryReadMonthAndDay())
            return TryReadClock() && ReadZone(isCertain: false) && ReadLateYear();
        return !hasDay && TryReadClock(isAlone: true);
    }

    /// <summary>Reads 2026-11-20, 2026/11/20, 20.11.2026; 11/20/2026 if no month has that number.</summary>
    private bool TryReadNumbers()
    {
        int start = _at;
        if (TryNumber(1, 4, out int first) && !Rest.IsEmpty && Rest[0] is '-' or '/' or '.' && Rest[0] is var separator
            && Skip(separator) && TryNumber(1, 2, out int second) && Skip(separator) && TryNumber(2, 4, out int third))
        {
            if (first > 1900)
            {
                (_year, _month, _day) = (first, second, third);
            }
            else if (third > 1900)
            {
                // Slashes don't show which number is the month. A missing time is better than a wrong one.
                bool isKnown = separator == '.' || second > 12 || first > 12;
                (_year, _month, _day) = !isKnown ? (third, 0, 0) : second > 12 ? (third, first, second) : (third, second, first);
            }

            if (_year > 0 && !Rest.IsEmpty && Rest[0] is 'T' or ' ' or '\t' or '_' or ':' or ',')
            {
                _at++;
                SkipBlanks();
                return true;
            }
        }

        (_at, _year) = (start, 0);
        return false;
    }

    /// <summary>I1120 of glog and klog: the level, the month and the day.</summary>
    private bool TryReadKlog()
    {
        int start = _at;
        if (Rest.Length > 6 && Rest[0] is 'I' or 'W' or 'E' or 'F' && Rest[5] == ' ')
        {
            _at++;
            if (TryNumber(2, 2, out int month) && TryNumber(2, 2, out int day) && SkipBlanks())
            {
                (_month, _day) = (month, day);
                return true;
            }
        }

        _at = start;
        return false;
    }

    /// <summary>Reads 20 Nov 2026, 20/Nov/2026, 20-Nov-2026.</summary>
    private bool TryReadDayAndMonth()
    {
        int start = _at;
        if (TryNumber(1, 2, out int day) && !Rest.IsEmpty && Rest[0] is ' ' or '/' or '-' && Rest[0] is var separator && Skip(separator)
            && IndexOfName(Months) is >= 0 and var month)
        {
            _at += 3;
            if (Skip(separator) && TryNumber(4, 4, out int year) && (Skip(':') || SkipBlanks()))
            {
                (_year, _month, _day) = (year, month + 1, day);
                return true;
            }
        }

        _at = start;
        return false;
    }

    /// <summary>Reads Nov 20, Nov 20 2026, Nov 20, 2026.</summary>
    private bool TryReadMonthAndDay()
    {
        int start = _at;
        if (IndexOfName(Months) is >= 0 and var month)
        {
            _at += 3;
            if (SkipBlanks() && TryNumber(1, 2, out int day))
            {
                Skip(',');
                int next = _at;
                if (SkipBlanks())
                {
                    (_month, _day) = (month + 1, day);
                    next = _at;
                    if (TryNumber(4, 4, out int year) && SkipBlanks())
                        _year = year;
                    else
                        _at = next;
                    return true;
                }
            }
        }

        _at = start;
        return false;
    }

    private bool TryReadClock(bool isAlone = false)
    {
        int second = 0;
        if (!TryNumber(1, 2, out int hour) || !Skip(':') || !TryNumber(2, 2, out int minute))
            return false;
        bool hasSeconds = Rest.Length > 2 && Rest[0] == ':' && char.IsAsciiDigit(Rest[1]) && char.IsAsciiDigit(Rest[2]);
        if (hasSeconds && Skip(':'))
            TryNumber(2, 2, out second);
        if (hour > 24 || minute > 59 || second > 60 || (isAlone && !hasSeconds))
            return false;
        long fraction = hasSeconds && Rest.Length > 1 && Rest[0] is '.' or ',' && char.IsAsciiDigit(Rest[1]) ? ReadFraction(_text, ref _at) : 0;
        _clock = new TimeSpan(hour, minute, second) + TimeSpan.FromTicks(fraction);
        if (Rest.StartsWith(" PM") || Rest.StartsWith(" AM"))
        {
            _clock += TimeSpan.FromHours((Rest[1] == 'P' ? 12 : 0) - (hour == 12 ? 12 : 0));
            _at += 3;
        }

        // A longer word is not part of a time.
        return Rest.IsEmpty || !(char.IsAsciiDigit(Rest[0]) || Rest[0] == '=');
    }

    /// <param name="isCertain">True if a zone always follows, so that even an unknown name is one.</param>
    private bool ReadZone(bool isCertain)
    {
        int start = _at;
        SkipBlanks();
        if (Rest.Length > 2 && Rest[0] is '+' or '-' && char.IsAsciiDigit(Rest[1]) && char.IsAsciiDigit(Rest[2]))
        {
            int sign = Rest[0] == '-' ? -1 : 1;
            _at++;
            TryNumber(2, 2, out int hours);
            int minutes = 0;
            int next = _at;
            if ((Skip(':') || true) && !TryNumber(2, 2, out minutes))
                _at = next;
            if (hours <= 14 && minutes < 60 && (Rest.IsEmpty || !char.IsAsciiLetterOrDigit(Rest[0])))
            {
                _offset = sign * (hours * 60 + minutes);
                return true;
            }
        }
        else if (Rest.IndexOfAnyExcept(Capitals) is var length && (length < 0 ? Rest.Length : length) is > 0 and <= 5 and var count
            && (length < 0 || Rest[length] is ' ' or '\t' or ']' or ')' or '"' or ':'))
        {
            ReadOnlySpan<char> name = Rest[..count];
            foreach ((string zone, int minutes) in Zones)
            {
                if (name.SequenceEqual(zone))
                    _offset = minutes;
            }

            bool isYearNext = count < Rest.Length - 4 && Rest[count] == ' ' && !Rest.Slice(count + 1, 4).ContainsAnyExceptInRange('0', '9');
            if (_offset is not null || isCertain || isYearNext || name is "CST" or "IST")
            {
                _isZoneUnknown = _offset is null;
                _at += count;
                return true;
            }
        }

        _at = start;
        return true;
    }

    /// <summary>Reads the year of ctime(3) and date(1), which follows the time.</summary>
    private bool ReadLateYear()
    {
        int start = _at;
        if (_year == 0 && SkipBlanks() && TryNumber(4, 4, out int year) && year is > 1969 and < 2200
            && (Rest.IsEmpty || !char.IsAsciiLetterOrDigit(Rest[0])))
            _year = year;
        else
            _at = start;
        return true;
    }

    private readonly DateTime? Make(DateTime reference)
    {
        if (_day == 0 || _month == 0 || _isZoneUnknown)
            return null;
        if (_year > 0)
            return MakeIn(_year);
        DateTime latest = reference.Year < 9999 ? reference.AddDays(1) : reference;

        // A span of eight years always has a 29th of February.
        for (int year = latest.Year; year > latest.Year - 9; year--)
        {
            if (MakeIn(year) is { } time && time <= latest)
                return time;
        }

        return null;
    }

    private readonly DateTime? MakeIn(int year)
    {
        if (year is < 1970 or > 9000 || _month is < 1 or > 12 || _day < 1 || _day > DateTime.DaysInMonth(year, _month))
            return null;
        DateTime time = new DateTime(year, _month, _day, 0, 0, 0, DateTimeKind.Unspecified) + _clock;
        return _offset is { } minutes
            ? DateTime.SpecifyKind(time.AddMinutes(-minutes), DateTimeKind.Utc).ToLocalTime()
            : DateTime.SpecifyKind(time, DateTimeKind.Local);
    }

    /// <summary>The index of the three letters at this place, in any case.</summary>
    private readonly int IndexOfName(string names)
    {
        if (Rest.Length < 4 || char.IsAsciiLetter(Rest[3]))
            return -1;
        for (int i = 0; i < names.Length; i += 3)
        {
            if (Rest[..3].Equals(names.AsSpan(i, 3), StringComparison.OrdinalIgnoreCase))
                return i / 3;
        }

        return -1;
    }

    private bool TryNumber(int least, int most, out int number)
    {
        (number, int count) = (0, 0);
        while (count < most && _at < _text.Length && char.IsAsciiDigit(_text[_at]))
        {
            number = number * 10 + _text[_at++] - '0';
            count++;
        }

        return count >= least;
    }

    private bool Skip(char c)
    {
        if (_at >= _text.Length || _text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private bool SkipBlanks()
    {
        int start = _at;
        while (_at < _text.Length && _text[_at] is ' ' or '\t')
            _at++;
        return _at > start;
    }
}
