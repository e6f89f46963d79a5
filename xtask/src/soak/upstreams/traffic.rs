//! The two loads: requests to upstreams that break them, each held against what must become of it, and good ones.

use std::{collections::BTreeMap, sync::Mutex};

use super::case::{Case, Expected, Kind};
use crate::soak::{
    connection::{Answer, Lost},
    load::{Traffic, get},
    lock,
};

/// What a good request is answered.
pub(super) const SERVED: &[u8] = b"served";

/// Good requests.
pub(super) struct Good;

impl Traffic for Good {
    fn request(&self, _: u64) -> Vec<Vec<u8>> {
        vec![get("/good")]
    }

    fn answered(&self, _: u64, answer: &Answer) -> Result<(), String> {
        match answer.status == 200 && answer.body == SERVED {
            true => Ok(()),
            false => Err(format!("{answer:?}")),
        }
    }
}

/// Requests to upstreams that break them.
pub(super) struct Broken {
    seed: u64,
    /// How often an exchange of a kind ended in a way, and whether it had to.
    ends: Mutex<BTreeMap<(Kind, String), (u64, bool)>>,
    /// Answers that look whole and are not, as told.
    wrong: Mutex<Vec<String>>,
}

/// What came of all of them.
pub(super) struct Seen {
    pub(super) faults: u64,
    pub(super) wrong: usize,
    pub(super) unexpected: u64,
}

impl Broken {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ends: Mutex::default(), wrong: Mutex::default() }
    }

    fn note(&self, kind: Kind, end: String, expected: bool) {
        lock(&self.ends).entry((kind, end)).or_insert((0, expected)).0 += 1;
    }

    /// Prints what was seen, and sums it up.
    pub(super) fn report(&self) -> Seen {
        let (ends, wrong) = (lock(&self.ends), lock(&self.wrong));
        for ((kind, end), (count, expected)) in ends.iter() {
            println!("  {:<12}{count:>8}  {end}{}", format!("{kind:?}"), if *expected { "" } else { "  UNEXPECTED" });
        }
        wrong.iter().take(20).for_each(|wrong| println!("  {wrong}"));
        let faults = ends.iter().filter(|((kind, _), _)| !matches!(kind, Kind::Plain | Kind::Upload));
        Seen {
            faults: faults.map(|(_, (count, _))| count).sum(),
            wrong: wrong.len(),
            unexpected: ends.values().filter(|(_, expected)| !expected).map(|(count, _)| count).sum(),
        }
    }
}

impl Traffic for Broken {
    fn request(&self, number: u64) -> Vec<Vec<u8>> {
        let case = Case::of(self.seed, number);
        if !case.has_body() {
            return vec![get(&case.path())];
        }
        let body = case.body();
        let head =
            format!("POST {} HTTP/1.1\r\nhost: soak.test\r\ncontent-length: {}\r\n\r\n", case.path(), body.len());
        vec![head.into_bytes(), body]
    }

    fn answered(&self, number: u64, answer: &Answer) -> Result<(), String> {
        let case = Case::of(self.seed, number);
        let right = answer.body == case.body();
        let body = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
        let code = body.as_ref().and_then(|body| body["code"].as_str()).unwrap_or_default();
        let expected = match case.expected() {
            Expected::Whole => answer.status == 200 && right,
            Expected::Failure(status, failures) => answer.status == status && failures.contains(&code),
            Expected::Broken => false,
        };
        if answer.status == 200 && !(right && expected) {
            let (came, all) = (answer.body.len(), case.body().len());
            let told = format!("request {number}: {came} of {all} bytes, with {:?}: {answer:?}", case.fault);
            lock(&self.wrong).push(told.chars().take(500).collect());
        }
        self.note(case.kind, format!("{} {code}", answer.status), expected);
        Ok(())
    }

    fn lost(&self, number: u64, _: bool, lost: &Lost) -> Option<String> {
        let case = Case::of(self.seed, number);
        let broken = matches!(lost, Lost::Broken(_));
        // Where in the answer it broke off is another in each.
        let end = if broken { "broken off".to_owned() } else { lost.to_string() };
        self.note(case.kind, end, broken && case.expected() == Expected::Broken);
        None
    }
}
