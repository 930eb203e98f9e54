//! Time zones and the calendar: local dates and times of instants, working days, and ticks at a local time of day.
//!
//! Relies on the tz data that chrono-tz carries in the binary: nothing is read from the machine, so a rule means the
//! same everywhere. Local times are resolved in one way (`Zone::instant`): one that does not exist, because clocks
//! were put forward, is the first instant after the gap; one that exists twice, because they were put back, is the first.
//! So a [`Ticks`] has exactly one tick on each of its days, the short and the long one included.
//!
//! Invariant: nothing panics; what lies outside the years of a [`Timestamp`] is `None`.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Weekday};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::time::{Duration, Timestamp};

/// A time zone of the IANA data base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A point in time as calendars and clocks of a zone show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 1 (Monday) to 7 (Sunday).
    pub weekday: u32,
    /// Week of the year by ISO 8601, 1 to 53.
    pub week: u32,
}

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of a name such as `Europe/Berlin`; names are case-sensitive, as in the data base.
    pub fn by_name(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The names of all zones, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TZ_VARIANTS.iter().map(|tz| tz.name())
    }

    /// The local date and time of an instant.
    pub fn local(self, t: Timestamp) -> Local {
        let local = self.naive(t);
        Local {
            year: local.year(),
            month: local.month(),
            day: local.day(),
            hour: local.hour(),
            minute: local.minute(),
            weekday: local.weekday().number_from_monday(),
            week: local.iso_week().week(),
        }
    }

    fn naive(self, t: Timestamp) -> NaiveDateTime {
        self.0.timestamp_nanos(t.0).naive_local()
    }

    /// The instant of a local time: in a gap the first instant after it, of two the first.
    fn instant(self, local: NaiveDateTime) -> Option<Timestamp> {
        let time = match self.0.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time,
            LocalResult::None => GapInfo::new(&local, &self.0)?.end?,
        };
        time.timestamp_nanos_opt().map(Timestamp)
    }

    /// Whether a date exists: islands that moved over the date line have left one out.
    fn has_date(self, date: NaiveDate) -> bool {
        self.instant(date.and_time(NaiveTime::MIN)).is_some_and(|t| self.naive(t).date() == date)
    }
}

/// The time that a text in RFC 3339 means, also with a space for the `T`, and in UTC if it names no zone; or a text
/// that is a number, as [`since_1970`] takes it.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let parsed = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")));
    match parsed {
        Ok(time) => time.timestamp_nanos_opt().map(Timestamp),
        Err(_) if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => since_1970(text.parse().ok()?),
        Err(_) => None,
    }
}

/// The time that lies so long after 1970: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds, else
/// nanoseconds. Exact to the microsecond.
pub fn since_1970(number: f64) -> Option<Timestamp> {
    let unit = match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => 1e-3,
    };
    let micros = (number * unit).round();
    (micros.abs() < 9e15).then(|| Timestamp(micros as i64 * 1000))
}

/// The same local time of day `n` working days (Monday to Friday) after `t`, or before it for a negative `n`.
///
/// From a Saturday or Sunday counting begins at the next Monday: with `n` = 0 that Monday is the result. On a working
/// day `n` = 0 is `t` itself.
pub fn workday(t: Timestamp, n: i64, zone: Zone) -> Option<Timestamp> {
    let local = zone.naive(t);
    let weekday = local.weekday();
    let ahead = match weekday {
        Weekday::Sat => 2,
        Weekday::Sun => 1,
        _ if n == 0 => return Some(t),
        _ => 0,
    };
    let from = local.date().checked_add_days(Days::new(ahead))?;
    // Whole weeks first; what is left is less than a week and crosses at most one weekend.
    let place = i64::from(from.weekday().num_days_from_monday());
    let to = place.checked_add(n)?;
    let (weeks, rest) = (to.div_euclid(5), to.rem_euclid(5));
    let days = weeks.checked_mul(7)?.checked_add(rest - place)?;
    let date = if days < 0 {
        from.checked_sub_days(Days::new(days.unsigned_abs()))?
    } else {
        from.checked_add_days(Days::new(days.unsigned_abs()))?
    };
    zone.instant(date.and_time(local.time()))
}

/// Ticks at a local time of day, on some days of the week: `daily`, `weekly`, `weekdays`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticks {
    days: u8,
    time: NaiveTime,
    zone: Zone,
}

impl Ticks {
    /// Every day at a time of day.
    pub fn daily(time: TimeOfDay, zone: Zone) -> Self {
        Self { days: 0b111_1111, time: time.0, zone }
    }

    /// Monday to Friday at a time of day.
    pub fn weekdays(time: TimeOfDay, zone: Zone) -> Self {
        Self { days: 0b001_1111, time: time.0, zone }
    }

    /// Once a week: on a day from 1 (Monday) to 7 (Sunday), at a time of day.
    pub fn weekly(weekday: u32, time: TimeOfDay, zone: Zone) -> Self {
        Self { days: 1 << (weekday.clamp(1, 7) - 1), time: time.0, zone }
    }

    /// The first tick later than `t`; `None` beyond the last year of a [`Timestamp`].
    pub fn after(&self, t: Timestamp) -> Option<Timestamp> {
        // A tick that a gap has moved over midnight belongs to the day before.
        let mut date = self.zone.naive(t).date().pred_opt()?;
        // A week, and room for a date that does not exist on the only day of it.
        for _ in 0..17 {
            if self.days & (1 << date.weekday().num_days_from_monday()) != 0
                && self.zone.has_date(date)
                && let Some(tick) = self.zone.instant(date.and_time(self.time))
                && tick > t
            {
                return Some(tick);
            }
            date = date.succ_opt()?;
        }
        None
    }

    /// The first tick at or after `t`.
    pub fn at_or_after(&self, t: Timestamp) -> Option<Timestamp> {
        if t == Timestamp::MIN { self.after(t) } else { self.after(Timestamp(t.0 - 1)) }
    }
}

/// A local time of day, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeOfDay(NaiveTime);

impl TimeOfDay {
    /// Reads `06:00`, `6:00` or `06:00:30`; `None` for anything else, `24:00` included.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut part = |required: bool| -> Option<u32> {
            match parts.next() {
                Some(digits) if (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
                    digits.parse().ok()
                }
                None if !required => Some(0),
                _ => None,
            }
        };
        let (hour, minute, second) = (part(true)?, part(true)?, part(false)?);
        if parts.next().is_some() {
            return None;
        }
        NaiveTime::from_hms_opt(hour, minute, second).map(Self)
    }
}

/// The day of the week from 1 (Monday) to 7 (Sunday) of `mon` or `monday`, in any case.
pub fn weekday(text: &str) -> Option<u32> {
    text.parse::<Weekday>().ok().map(|day| day.number_from_monday())
}

/// The first multiple of `period` since 1970 that is later than `t`: ticks of `every 15m`.
pub fn aligned_after(t: Timestamp, period: Duration) -> Option<Timestamp> {
    if period.0 <= 0 {
        return None;
    }
    t.0.div_euclid(period.0).checked_add(1)?.checked_mul(period.0).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let time = chrono::DateTime::parse_from_rfc3339(text).expect("a time");
        Timestamp(time.timestamp_nanos_opt().expect("in range"))
    }

    fn zone(name: &str) -> Zone {
        Zone::by_name(name).expect("a zone")
    }

    fn time(text: &str) -> TimeOfDay {
        TimeOfDay::parse(text).expect("a time of day")
    }

    #[test]
    fn local_times() {
        let t = at("2026-03-29T00:59:59Z");
        assert_eq!(zone("Europe/Berlin").local(t).hour, 1);
        let t = at("2026-03-29T01:00:00Z");
        let local = zone("Europe/Berlin").local(t);
        assert_eq!((local.hour, local.day, local.weekday), (3, 29, 7));
        assert_eq!(Zone::UTC.local(t).hour, 1);
        assert_eq!(Zone::by_name("Europe/berlin"), None);
        assert_eq!(zone("Asia/Kolkata").local(t).minute, 30);
    }

    #[test]
    fn a_day_has_one_tick_when_clocks_go_forward() {
        // 02:30 does not exist on 29 March 2026 in Berlin: clocks go from 02:00 to 03:00 at 01:00 UTC.
        let ticks = Ticks::daily(time("02:30"), zone("Europe/Berlin"));
        let mut t = at("2026-03-27T12:00:00Z");
        let mut seen = Vec::new();
        for _ in 0..3 {
            t = ticks.after(t).expect("a tick");
            seen.push(t);
        }
        assert_eq!(seen, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"].map(at));
    }

    #[test]
    fn a_day_has_one_tick_when_clocks_go_back() {
        // 02:30 exists twice on 25 October 2026 in Berlin.
        let ticks = Ticks::daily(time("02:30"), zone("Europe/Berlin"));
        let first = at("2026-10-25T00:30:00Z");
        assert_eq!(ticks.after(at("2026-10-24T12:00:00Z")), Some(first));
        assert_eq!(ticks.after(first), Some(at("2026-10-26T01:30:00Z")));
        assert_eq!(ticks.at_or_after(first), Some(first));
    }

    #[test]
    fn days_without_midnight_and_dates_that_were_left_out() {
        // In São Paulo clocks went from 00:00 to 01:00 on 4 November 2018.
        let ticks = Ticks::daily(time("00:00"), zone("America/Sao_Paulo"));
        let first = ticks.after(at("2018-11-03T12:00:00Z")).expect("a tick");
        assert_eq!(first, at("2018-11-04T03:00:00Z"));
        assert_eq!(ticks.after(first), Some(at("2018-11-05T02:00:00Z")));
        // Samoa went from 29 to 31 December 2011.
        let ticks = Ticks::daily(time("06:00"), zone("Pacific/Apia"));
        let first = ticks.after(at("2011-12-29T00:00:00Z")).expect("a tick");
        assert_eq!(first, at("2011-12-29T16:00:00Z"));
        assert_eq!(ticks.after(first), Some(at("2011-12-30T16:00:00Z")));
        // The 30th was a Friday.
        let ticks = Ticks::weekly(5, time("06:00"), zone("Pacific/Apia"));
        assert_eq!(ticks.after(at("2011-12-28T00:00:00Z")), Some(at("2012-01-05T16:00:00Z")));
    }

    #[test]
    fn some_days_of_the_week() {
        let berlin = zone("Europe/Berlin");
        // 2 January 2026 is a Friday.
        let ticks = Ticks::weekdays(time("06:00"), berlin);
        assert_eq!(ticks.after(at("2026-01-02T05:00:00Z")), Some(at("2026-01-05T05:00:00Z")));
        let ticks = Ticks::weekly(7, time("06:00:30"), berlin);
        assert_eq!(ticks.after(at("2026-01-02T05:00:00Z")), Some(at("2026-01-04T05:00:30Z")));
        assert_eq!(aligned_after(Timestamp(-1), Duration(10)), Some(Timestamp(0)));
        assert_eq!(aligned_after(Timestamp(10), Duration(10)), Some(Timestamp(20)));
    }

    #[test]
    fn working_days() {
        let berlin = zone("Europe/Berlin");
        let friday = at("2026-03-27T09:00:00Z");
        // Over the weekend on which clocks go forward: 10:00 stays 10:00.
        assert_eq!(workday(friday, 1, berlin), Some(at("2026-03-30T08:00:00Z")));
        assert_eq!(workday(friday, 0, berlin), Some(friday));
        assert_eq!(workday(friday, -5, berlin), Some(at("2026-03-20T09:00:00Z")));
        assert_eq!(workday(friday, 11, Zone::UTC), Some(at("2026-04-13T09:00:00Z")));
        let saturday = at("2026-03-28T09:00:00Z");
        assert_eq!(workday(saturday, 0, Zone::UTC), Some(at("2026-03-30T09:00:00Z")));
        assert_eq!(workday(saturday, 1, Zone::UTC), Some(at("2026-03-31T09:00:00Z")));
        assert_eq!(workday(saturday, -1, Zone::UTC), Some(at("2026-03-27T09:00:00Z")));
        // Sunday evening in UTC is Monday in Auckland.
        let t = at("2026-06-07T20:00:00Z");
        assert_eq!(workday(t, 0, zone("Pacific/Auckland")), Some(t));
        assert_eq!(workday(t, i64::MAX, berlin), None);
        assert_eq!(workday(at("2026-06-09T20:00:00Z"), i64::MAX, berlin), None);
        assert_eq!(workday(t, 1_000_000, berlin), None);
    }

    #[test]
    fn times_of_day() {
        assert_eq!(TimeOfDay::parse("6:00"), TimeOfDay::parse("06:00:00"));
        for wrong in ["", "6", "24:00", "6:60", "06:00:00:00", "+6:00", "006:00", "6:00 "] {
            assert_eq!(TimeOfDay::parse(wrong), None, "{wrong}");
        }
        assert_eq!(weekday("mon"), Some(1));
        assert_eq!(weekday("Sunday"), Some(7));
        assert_eq!(weekday("someday"), None);
    }

    #[test]
    fn the_ends_of_time_are_no_ticks() {
        let ticks = Ticks::daily(time("06:00"), zone("Europe/Berlin"));
        assert_eq!(ticks.after(Timestamp::MAX), None);
        assert!(ticks.after(Timestamp::MIN).is_some());
    }
}
