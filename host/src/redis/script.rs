//! What the script is asked and what it answers. `take.lua` says the same of its side.

use std::{io, sync::LazyLock, time::Duration};

use data_encoding::HEXLOWER;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use sha2::{Digest as _, Sha256};

use crate::{
    calendar::{Span, span},
    config::{Calendar, RateLimit},
    limits::Taken,
};

const SCRIPT: &str = include_str!("take.lua");

/// What Redis knows the script by.
static DIGEST: LazyLock<String> =
    LazyLock::new(|| HEXLOWER.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, SCRIPT.as_bytes()).as_ref()));

/// One meter and the key that it is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) meter: Meter<'a>,
    pub(crate) key: &'a str,
}

/// What is counted.
pub(crate) enum Meter<'a> {
    Rate(&'a RateLimit),
    Quota {
        name: &'a str,
        most: u64,
        calendar: Calendar,
        /// Seconds since 1970.
        now: u64,
    },
    /// Nothing.
    Probe,
}

impl Asked<'_> {
    pub(super) fn probe() -> Self {
        Self { meter: Meter::Probe, key: "" }
    }
}

/// Key and arguments of each meter.
pub(super) fn words(prefix: &str, asked: &[Asked<'_>]) -> Vec<(String, Vec<String>)> {
    asked
        .iter()
        .map(|asked| {
            let arguments = asked.meter.arguments();
            // What clients say of themselves is not in it, and what is counted in another way is another key.
            let identity = match &asked.meter {
                Meter::Rate(limit) => format!("rate {} {}", limit.name, arguments.join(" ")),
                Meter::Quota { name, calendar, .. } => format!("quota {name} {:?} {}", calendar.per, calendar.offset),
                Meter::Probe => "probe".to_owned(),
            };
            let digest = Sha256::digest(format!("{identity}\n{}", asked.key));
            (format!("{prefix}:{}", HEXLOWER.encode(&digest[..16])), arguments)
        })
        .collect()
}

/// The command that names the script.
pub(super) fn by_digest(words: &[(String, Vec<String>)]) -> Vec<&[u8]> {
    command(b"EVALSHA", DIGEST.as_bytes(), words)
}

/// The command that brings it.
pub(super) fn whole(words: &[(String, Vec<String>)]) -> Vec<&[u8]> {
    command(b"EVAL", SCRIPT.as_bytes(), words)
}

fn command<'w>(name: &'static [u8], script: &'static [u8], words: &'w [(String, Vec<String>)]) -> Vec<&'w [u8]> {
    /// Meters of a request: a route names few.
    const NUMBERS: [&[u8]; 10] = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"];
    let mut command: Vec<&[u8]> = vec![name, script, NUMBERS[words.len().min(9)]];
    command.extend(words.iter().map(|(key, _)| key.as_bytes()));
    // The time is that of the server.
    command.push(b"");
    command.extend(words.iter().flat_map(|(_, arguments)| arguments).map(String::as_bytes));
    command
}

impl Meter<'_> {
    fn arguments(&self) -> Vec<String> {
        let numbers = match self {
            Self::Rate(limit) => {
                let (gain, cost, full) = credit(limit);
                return ["rate".to_owned(), gain.to_string(), cost.to_string(), full.to_string()].into();
            }
            Self::Probe => return ["rate", "1", "1", "1"].map(str::to_owned).into(),
            Self::Quota { most, calendar, now, .. } => {
                let Span { start, end } = span(*calendar, *now);
                let before = span(*calendar, start.saturating_sub(1)).start;
                [*most, before, start, end, span(*calendar, end).end]
            }
        };
        std::iter::once("quota".to_owned()).chain(numbers.map(|number| number.to_string())).collect()
    }
}

/// Credit that grows in a microsecond, that a request takes, and that a bucket holds: whole numbers, and as small as they
/// can be, for a number in the script is exact up to 2^53 only.
fn credit(limit: &RateLimit) -> (u64, u64, u64) {
    let per = u64::try_from(limit.per.as_micros()).unwrap_or(u64::MAX);
    let (mut one, mut other) = (u64::from(limit.requests.max(1)), per);
    while other > 0 {
        (one, other) = (other, one % other);
    }
    let (gain, cost) = (u64::from(limit.requests.max(1)) / one, per / one);
    (gain, cost, cost.saturating_mul(limit.burst.into()))
}

/// What each meter says, up to the first that refuses.
pub(super) fn taken(numbers: &[i64], asked: &[Asked<'_>]) -> io::Result<Vec<Taken>> {
    let number = |index: usize| numbers.get(index).and_then(|&number| u64::try_from(number).ok());
    let read = |index: usize, asked: &Asked<'_>| {
        let refused = number(0)?;
        let (remaining, wait, period) = (number(1 + 3 * index)?, number(2 + 3 * index)?, number(3 + 3 * index)?);
        let window = match &asked.meter {
            Meter::Rate(limit) => window(limit),
            Meter::Quota { .. } | Meter::Probe => period,
        };
        Some(Taken { passed: refused != index as u64 + 1, remaining, window, wait: wait.div_ceil(1_000_000) })
    };
    let mut all = Vec::with_capacity(asked.len());
    for (index, asked) in asked.iter().enumerate() {
        let taken = read(index, asked).ok_or_else(|| io::Error::other("an answer that the script does not give"))?;
        all.push(taken);
        if !taken.passed {
            break;
        }
    }
    Ok(all)
}

/// Seconds until an empty bucket is full.
fn window(limit: &RateLimit) -> u64 {
    let full = Duration::from_micros(credit(limit).2 / credit(limit).0);
    crate::limits::seconds(full).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Store;

    fn limit(requests: u32, seconds: u64, burst: u32) -> RateLimit {
        let (name, per, store) = ("l".into(), Duration::from_secs(seconds), Store::Memory);
        RateLimit { name, requests, per, burst, key: None, entries: 1, store }
    }

    #[test]
    fn credit_is_exact_and_small() {
        assert_eq!(credit(&limit(10, 1, 3)), (1, 100_000, 300_000));
        assert_eq!(credit(&limit(3, 1, 2)), (3, 1_000_000, 2_000_000));
        assert_eq!(credit(&limit(1_000_000, 1, 1_000_000)), (1, 1, 1_000_000));
        assert_eq!(credit(&limit(7, 86_400, 7)), (7, 86_400_000_000, 604_800_000_000));
        // All but what is burst by a hundred thousand in a day is exact.
        assert!(credit(&limit(999_983, 3600, 1_000_000)).2 < 1 << 53);
    }

    #[test]
    fn keys_are_those_of_a_limit_as_it_is_and_have_no_text_of_a_client_in_them() {
        let key = |requests, key| {
            let limit = limit(requests, 60, 5);
            words("gw", &[Asked { meter: Meter::Rate(&limit), key }])[0].0.clone()
        };
        assert_eq!(key(1, "secret"), key(1, "secret"));
        assert_ne!(key(1, "secret"), key(1, "other"));
        assert_ne!(key(1, "secret"), key(2, "secret"));
        assert!(key(1, "secret").starts_with("gw:") && key(1, "secret").len() == 35);
    }

    #[test]
    fn an_answer_is_read_up_to_the_first_that_refuses_and_one_that_is_none_is_an_error() {
        let limit = limit(1, 60, 5);
        let asked = [(); 2].map(|()| Asked { meter: Meter::Rate(&limit), key: "" });
        let taken = |numbers: &[i64]| taken(numbers, &asked).ok();
        let told = |passed, remaining, wait| Taken { passed, remaining, window: 300, wait };
        assert_eq!(taken(&[0, 4, 1, 0, 3, 60_000_001, 0]), Some(vec![told(true, 4, 1), told(true, 3, 61)]));
        assert_eq!(taken(&[1, 0, 1_000_000, 0, 3, 1, 0]), Some(vec![told(false, 0, 1)]));
        assert_eq!((taken(&[]), taken(&[0, 1, 2, 3]), taken(&[0, -1, 2, 3, 1, 1, 1])), (None, None, None));
    }
}
