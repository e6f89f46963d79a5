//! Pure: the periods of quotas in the calendar, in UTC. Days are counted from 1970-01-01, a Thursday.

use crate::config::{Calendar, Period};

const DAY: u64 = 86_400;

/// 1970-01-01 is so many days after a Sunday.
const THURSDAY: i64 = 4;

/// One period. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its first second.
    pub(crate) start: u64,
    /// The first second of the next.
    pub(crate) end: u64,
}

impl Span {
    /// Seconds in it.
    pub(crate) fn length(self) -> u64 {
        self.end - self.start
    }
}

/// The period that a time is in.
pub(crate) fn span(calendar: Calendar, now: u64) -> Span {
    let day = i64::try_from(now / DAY).unwrap_or(0);
    let offset = i64::from(calendar.offset);
    let (start, end) = match calendar.per {
        Period::Day => (day, day + 1),
        Period::Week => {
            let start = day - (day + THURSDAY - offset).rem_euclid(7);
            (start, start + 7)
        }
        Period::Month => {
            let (year, month) = month_of(day - offset);
            (first_of(year, month) + offset, first_of(year, month + 1) + offset)
        }
    };
    let seconds = |day: i64| u64::try_from(day).unwrap_or(0) * DAY;
    Span { start: seconds(start), end: seconds(end) }
}

/// The year and the month, from 0, of a day: by Howard Hinnant's `civil_from_days`.
fn month_of(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    // Its years begin with March.
    (year + era * 400 + i64::from(month >= 10), (month + 2) % 12)
}

/// The first day of a month, which may be the thirteenth: `days_from_civil`.
fn first_of(year: i64, month: i64) -> i64 {
    let (year, month) = (year + month / 12, month % 12);
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let of_era = year.rem_euclid(400);
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each day of 150 years, counted one by one.
    fn days() -> impl Iterator<Item = (u64, i64, i64, i64)> {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = move |year| [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let dates = (1970..2120).flat_map(move |year| {
            let months = lengths(year).into_iter().enumerate();
            months.flat_map(move |(month, length)| (0..length).map(move |day| (year, month as i64, day)))
        });
        dates.enumerate().map(|(index, (year, month, day))| (index as u64, year, month, day))
    }

    /// Whether a new period begins with a day.
    fn begins(calendar: Calendar, index: u64, day_of_month: i64) -> bool {
        match calendar.per {
            Period::Day => true,
            // 1970-01-04 was a Sunday.
            Period::Week => (index + 7 - 3) % 7 == u64::from(calendar.offset),
            Period::Month => day_of_month == i64::from(calendar.offset),
        }
    }

    #[test]
    fn periods_are_as_a_calendar_that_is_counted_day_by_day_has_them() {
        for (per, most) in [(Period::Day, 0), (Period::Week, 6), (Period::Month, 27)] {
            for offset in 0..=most {
                let calendar = Calendar { per, offset };
                let starts: Vec<u64> = days().filter(|day| begins(calendar, day.0, day.3)).map(|day| day.0).collect();
                for pair in starts.windows(2) {
                    let whole = Span { start: pair[0] * DAY, end: pair[1] * DAY };
                    for now in [whole.start, whole.start + 1, (whole.start + whole.end) / 2, whole.end - 1] {
                        assert_eq!(span(calendar, now), whole, "{calendar:?} at {now}");
                    }
                }
            }
        }
    }

    #[test]
    fn known_dates() {
        // 2026-02-28 23:59:59 is a Saturday.
        let now = 1_772_323_199;
        let span = |per, offset| span(Calendar { per, offset }, now);
        assert_eq!(span(Period::Day, 0).end, now + 1);
        assert_eq!(span(Period::Week, 0).end, now + 1);
        assert_eq!(span(Period::Week, 1).end, now + 1 + DAY);
        assert_eq!((span(Period::Month, 0).end, span(Period::Month, 0).length()), (now + 1, 28 * DAY));
        assert_eq!((span(Period::Month, 1).end, span(Period::Month, 1).length()), (now + 1 + DAY, 28 * DAY));
    }
}
