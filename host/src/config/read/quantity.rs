//! Durations (`"250ms"`) and sizes (`"16KiB"`), always with their unit: a bare `30` has meant seconds, milliseconds and
//! minutes in different gateways.

use std::{ops::RangeInclusive, time::Duration};

use toml::de::DeValue;

use crate::config::{
    problem::{Problem, quoted},
    value::Node,
};

/// Milliseconds, longest unit first.
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Bytes, largest unit first.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
    ("B", 1),
];

impl Node<'_> {
    /// A duration within a range.
    pub(super) fn duration(self, range: RangeInclusive<Duration>) -> Result<Duration, Problem> {
        if let DeValue::Integer(number) = self.value.get_ref() {
            let message = format!("`{}` has no unit", self.name);
            return Err(self.problem(message).help(format!("write `\"{number}s\"` or `\"{number}ms\"`")));
        }
        let DeValue::String(text) = self.value.get_ref() else {
            return Err(self.mismatch("a duration such as `\"10s\"`"));
        };
        let value = quantity(text, &TIMES).map(Duration::from_millis).ok_or_else(|| {
            let message = format!("{} is not a duration", quoted(text));
            self.problem(message).help("a whole number and its unit, as in `\"250ms\"`, `\"10s\"`, `\"5m\"`, `\"1h\"`")
        })?;
        if range.contains(&value) {
            return Ok(value);
        }
        let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
        Err(self.problem(format!("`{}` must be between {from} and {to}", self.name)))
    }

    /// A number of bytes within a range: a bare integer, or a string with a unit.
    pub(super) fn size(self, range: RangeInclusive<u64>) -> Result<u64, Problem> {
        let value = match self.value.get_ref() {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            DeValue::String(text) => match quantity(text, &SIZES) {
                None => {
                    let problem = self.problem(format!("{} is not a size", quoted(text)));
                    return Err(problem.help(size_help(text)));
                }
                value => value,
            },
            _ => return Err(self.mismatch("a size such as `\"16KiB\"`")),
        };
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            let (from, to) = (show(*range.start(), &SIZES), show(*range.end(), &SIZES));
            self.problem(format!("`{}` must be between {from} and {to}", self.name))
        })
    }
}

/// A duration as it is written in the configuration.
pub(super) fn show_duration(value: Duration) -> String {
    match u64::try_from(value.as_millis()).unwrap_or(u64::MAX) {
        0 => "0s".to_owned(),
        value => show(value, &TIMES),
    }
}

/// None when this is no quantity. One that does not fit is beyond all ranges, as is the number that it becomes.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX).saturating_mul(*factor))
}

/// In the largest unit that leaves no fraction.
fn show(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    match whole.or(units.last()) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => value.to_string(),
    }
}

/// For `16k`, `16 kib`, `16`: what was probably meant.
fn size_help(text: &str) -> String {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => "B",
        "k" | "kib" | "ki" => "KiB",
        "kb" => "KB",
        "m" | "mib" | "mi" => "MiB",
        "mb" => "MB",
        "g" | "gib" | "gi" => "GiB",
        "gb" => "GB",
        _ => "",
    };
    match (digits.is_empty(), unit.is_empty()) {
        (false, false) => format!("did you mean `\"{digits}{unit}\"`?"),
        _ => "a whole number and its unit: B, KB, MB, GB (decimal) or KiB, MiB, GiB (binary)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{SIZES, TIMES, quantity, show};

    #[test]
    fn quantities_are_read_and_shown_in_their_units() {
        for (text, value) in [("0s", 0), ("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(quantity(text, &TIMES), Some(value), "{text}");
        }
        for (text, value) in
            [("500B", 500), ("16KiB", 16_384), ("64KB", 64_000), ("10MiB", 10 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(quantity(text, &SIZES), Some(value), "{text}");
            assert_eq!(show(value, &SIZES), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_as_long_as_possible() {
        for text in ["99999999999999999999s", "6000000000000000h"] {
            assert_eq!(quantity(text, &TIMES), Some(u64::MAX), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "5", "s", "1.5s", "-1s", "1 s", "1S", "٣s"] {
            assert_eq!(quantity(text, &TIMES), None, "{text}");
        }
    }
}
