//! The keys of a URL. Each instance of the plugin has its own.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use gatehouse_plugin::{Result, clock, http, info, warn};
use jwt_core::KeySet;

/// Seconds between two attempts while there are no keys at all and every request fails.
const WITHOUT_KEYS: u32 = 5;

pub(crate) struct Remote {
    url: String,
    /// Seconds.
    refresh: u32,
    /// Seconds between two attempts out of turn.
    interval: u32,
    timeout: Duration,
    keys: RefCell<Option<Rc<KeySet>>>,
    /// When the keys came, and when they were last asked for.
    fetched: Cell<u64>,
    tried: Cell<u64>,
}

impl Remote {
    pub(crate) fn new(url: String, refresh: u32, interval: u32, timeout_ms: u32) -> Self {
        Self {
            url,
            refresh,
            interval,
            timeout: Duration::from_millis(timeout_ms.into()),
            keys: RefCell::default(),
            fetched: Cell::new(0),
            tried: Cell::new(0),
        }
    }

    pub(crate) fn refresh(&self) -> u32 {
        self.refresh
    }

    /// The keys, fetched if they are old or do not know the one that a token names. Tokens that name keys which do not exist
    /// make it fetch no more often than the interval says; neither does a server that fails. Old keys are kept then.
    pub(crate) fn get(&self, kid: Option<&str>) -> Result<Rc<KeySet>> {
        let now = clock::now().as_secs();
        let old = now >= self.fetched.get() + u64::from(self.refresh);
        let unknown = !self.keys.borrow().as_ref().is_some_and(|keys| kid.is_none_or(|kid| keys.knows(kid)));
        let interval = if self.keys.borrow().is_some() { self.interval } else { self.interval.min(WITHOUT_KEYS) };
        if (old || unknown) && now >= self.tried.get() + u64::from(interval) {
            self.tried.set(now);
            match self.fetch() {
                Ok(keys) => {
                    info!("{} keys from {}", keys.len(), self.url);
                    self.fetched.set(now);
                    self.keys.replace(Some(Rc::new(keys)));
                }
                Err(error) => warn!("no keys from {}: {error:?}", self.url),
            }
        }
        Ok(self.keys.borrow().clone().ok_or("there are no keys to check a token with")?)
    }

    fn fetch(&self) -> Result<KeySet> {
        let request =
            http::Request::new("GET", &self.url).header("accept", "application/jwk-set+json, application/json");
        let response = request.timeout(self.timeout).send()?;
        if response.status != 200 {
            Err(format!("the status is {}", response.status))?;
        }
        let keys = KeySet::from_jwks(std::str::from_utf8(&response.body)?)?.without_secrets();
        if keys.is_empty() { Err("all keys are secrets, which do not belong there")? } else { Ok(keys) }
    }
}
