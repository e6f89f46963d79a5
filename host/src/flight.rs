//! Single flight: of callers that ask the same at the same time, the first asks and the others wait.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::lock::lock;

type Table = Mutex<HashMap<u128, Arc<State>>>;

/// The calls under way, by what they ask.
#[derive(Default)]
pub(crate) struct Flights(Arc<Table>);

struct State {
    /// Closed when the call has ended: that wakes everybody.
    landed: Semaphore,
    /// Whether it is worth looking at what it brought.
    worth_it: AtomicBool,
}

/// What a caller is to do.
pub(crate) enum Role {
    /// Ask, and then land.
    First(Flight),
    /// Wait for the first.
    Passenger(Waiting),
}

/// A call under way. Landing, and also being dropped in the middle, lets the others go on.
pub(crate) struct Flight {
    table: Arc<Table>,
    key: u128,
    state: Arc<State>,
}

/// A place in somebody else's call.
pub(crate) struct Waiting(Arc<State>);

impl Flights {
    pub(crate) fn join(&self, key: u128) -> Role {
        let mut table = lock(&self.0);
        if let Some(state) = table.get(&key) {
            return Role::Passenger(Waiting(state.clone()));
        }
        let state = Arc::new(State { landed: Semaphore::new(0), worth_it: AtomicBool::new(true) });
        table.insert(key, state.clone());
        Role::First(Flight { table: self.0.clone(), key, state })
    }
}

impl Flight {
    /// The call has ended; `kept` says whether the cache has what it brought.
    pub(crate) fn land(self, kept: bool) {
        self.state.worth_it.store(kept, Ordering::Relaxed);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        lock(&self.table).remove(&self.key);
        self.state.landed.close();
    }
}

impl Waiting {
    /// Waits for the first caller, but no longer than `most`. False: better ask than wait again.
    pub(crate) async fn wait(self, most: Duration) -> bool {
        // The semaphore has no permits: acquiring ends only when it is closed.
        let landed = tokio::time::timeout(most, self.0.landed.acquire()).await.is_ok();
        landed && self.0.worth_it.load(Ordering::Relaxed)
    }
}
