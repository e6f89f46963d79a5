//! Concurrency limits: so many exchanges under way for each value of a key, over all workers.
//!
//! Only values with an exchange under way are held, so that there are no more than exchanges. A permit is given back once,
//! when its exchange closes or when the last who has it is gone, whichever comes first.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use crate::{config::ConcurrencyLimit, lock::lock};

/// The values of a key are spread over so many locks, each of which is held for a look-up.
const SHARDS: usize = 16;

/// A concurrency limit with what is under way.
pub(crate) struct Concurrency {
    pub(crate) config: ConcurrencyLimit,
    shards: [Mutex<HashMap<String, u32>>; SHARDS],
    hasher: RandomState,
    pub(crate) refused: Counter,
    under_way: Gauge,
}

/// An exchange that counts.
pub(crate) struct Permit {
    limit: Arc<Concurrency>,
    key: String,
    returned: AtomicBool,
}

impl fmt::Debug for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency").field("config", &self.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.limit.config.name).finish()
    }
}

impl Concurrency {
    pub(crate) fn new(config: ConcurrencyLimit, refused: Counter, under_way: Gauge) -> Self {
        Self { config, shards: Default::default(), hasher: RandomState::new(), refused, under_way }
    }

    /// A permit, unless as many as may be are under way.
    pub(crate) fn enter(self: &Arc<Self>, key: String) -> Option<Permit> {
        {
            let mut shard = lock(self.shard(&key));
            match shard.get_mut(&key) {
                Some(count) if *count >= self.config.max => return None,
                Some(count) => *count += 1,
                None => drop(shard.insert(key.clone(), 1)),
            }
        }
        self.under_way.inc();
        Some(Permit { limit: self.clone(), key, returned: AtomicBool::new(false) })
    }

    fn shard(&self, key: &str) -> &Mutex<HashMap<String, u32>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl Permit {
    /// Gives it back, the first time.
    pub(crate) fn release(&self) {
        if self.returned.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut shard = lock(self.limit.shard(&self.key));
        if let Some(count) = shard.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&self.key);
            }
        }
        self.limit.under_way.dec();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_given_back_once_and_nothing_is_left_of_its_key() {
        let config = ConcurrencyLimit { name: "c".into(), max: 2, key: None };
        let limit = Arc::new(Concurrency::new(config, Counter::default(), Gauge::default()));
        let enter = |key: &str| limit.enter(key.to_owned());
        let (first, second) = (enter("a").expect("the first"), enter("a").expect("the second"));
        assert!(enter("a").is_none() && enter("b").is_some());
        first.release();
        first.release();
        drop(first);
        let third = enter("a").expect("one was given back");
        assert!(enter("a").is_none(), "and only one");
        assert_eq!(limit.under_way.get(), 2);
        drop((second, third));
        assert_eq!(limit.under_way.get(), 0);
        assert!(limit.shards.iter().all(|shard| lock(shard).is_empty()));
    }
}
