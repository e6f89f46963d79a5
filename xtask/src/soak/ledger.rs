//! Each request as its client and as the gateway's access line tell it, put side by side. Requests are told apart by the
//! number at the end of their path; what both have told is judged and forgotten, so that a long run needs no memory.

use std::{collections::HashMap, sync::Mutex};

use serde_json::Value;

use super::lock;

/// So many that disagree are told, more only counted.
const TOLD: usize = 20;

/// What one party has told and the other not yet.
enum Half<C, G> {
    Client(C),
    Gateway(G),
}

/// Puts what a client saw (`C`) beside what the gateway wrote (`G`).
pub(crate) struct Ledger<C, G> {
    inner: Mutex<Inner<C, G>>,
    judge: fn(&C, &G) -> Result<(), String>,
}

struct Inner<C, G> {
    halves: HashMap<u64, Half<C, G>>,
    agreed: u64,
    disagreed: u64,
    told: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Requests of which both tell the same.
    pub(crate) agreed: u64,
    pub(crate) disagreed: u64,
    /// Requests of which only the client knows.
    pub(crate) unlogged: u64,
    /// Requests of which only the gateway knows.
    pub(crate) unanswered: u64,
    /// The first that disagree.
    pub(crate) told: Vec<String>,
}

impl<C, G> Ledger<C, G> {
    /// An empty one, with what is thought of two halves.
    pub(crate) fn new(judge: fn(&C, &G) -> Result<(), String>) -> Self {
        let inner = Inner { halves: HashMap::new(), agreed: 0, disagreed: 0, told: Vec::new() };
        Self { inner: Mutex::new(inner), judge }
    }

    /// What a client saw.
    pub(crate) fn client(&self, number: u64, seen: C) {
        let mut inner = lock(&self.inner);
        match inner.halves.remove(&number) {
            Some(Half::Gateway(written)) => inner.judged(number, (self.judge)(&seen, &written)),
            Some(Half::Client(_)) => inner.judged(number, Err("was answered twice".to_owned())),
            None => drop(inner.halves.insert(number, Half::Client(seen))),
        }
    }

    /// What the gateway wrote.
    pub(crate) fn gateway(&self, number: u64, written: G) {
        let mut inner = lock(&self.inner);
        match inner.halves.remove(&number) {
            Some(Half::Client(seen)) => inner.judged(number, (self.judge)(&seen, &written)),
            Some(Half::Gateway(_)) => inner.judged(number, Err("was logged twice".to_owned())),
            None => drop(inner.halves.insert(number, Half::Gateway(written))),
        }
    }

    /// What came of it so far.
    pub(crate) fn outcome(&self) -> Outcome {
        let inner = lock(&self.inner);
        let unlogged = inner.halves.values().filter(|half| matches!(half, Half::Client(_))).count() as u64;
        Outcome {
            agreed: inner.agreed,
            disagreed: inner.disagreed,
            unlogged,
            unanswered: inner.halves.len() as u64 - unlogged,
            told: inner.told.clone(),
        }
    }
}

impl<C, G> Inner<C, G> {
    fn judged(&mut self, number: u64, judgement: Result<(), String>) {
        match judgement {
            Ok(()) => self.agreed += 1,
            Err(why) => {
                self.disagreed += 1;
                if self.told.len() < TOLD {
                    self.told.push(format!("request {number}: {why}"));
                }
            }
        }
    }
}

/// The number at the end of an access line's path.
pub(crate) fn number(access: &Value) -> Option<u64> {
    access["path"].as_str()?.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_parties_tell_is_compared_in_either_order() {
        let ledger = Ledger::new(|a: &u8, b: &u8| if a == b { Ok(()) } else { Err(format!("{a} and {b}")) });
        ledger.client(1, 7);
        ledger.gateway(1, 7);
        ledger.gateway(2, 7);
        ledger.client(2, 8);
        ledger.client(3, 7);
        ledger.gateway(4, 7);
        ledger.gateway(5, 7);
        ledger.gateway(5, 7);
        let told = vec!["request 2: 8 and 7".to_owned(), "request 5: was logged twice".to_owned()];
        assert_eq!(ledger.outcome(), Outcome { agreed: 1, disagreed: 2, unlogged: 1, unanswered: 1, told });
    }
}
