//! Points in time as text, in UTC.

use std::time::Duration;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2025-06-15T15:06:40.000Z`, of a time since 1970.
pub(crate) fn rfc3339(time: Duration) -> String {
    let (year, month, day) = date(time);
    let (hour, minute, second) = clock(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", time.subsec_millis())
}

/// `15/Jun/2025:15:06:40 +0000`, of a time since 1970.
pub(crate) fn common(time: Duration) -> String {
    let (year, month, day) = date(time);
    let (hour, minute, second) = clock(time);
    format!("{day:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000", MONTHS[month - 1])
}

fn clock(time: Duration) -> (u64, u64, u64) {
    let seconds = time.as_secs();
    (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Year, month from 1, day from 1. The algorithm is Howard Hinnant's `civil_from_days`: it counts years from March, so
/// that the leap day is the last of its year.
fn date(time: Duration) -> (u64, usize, u64) {
    let days = time.as_secs() / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month as usize, day)
}
