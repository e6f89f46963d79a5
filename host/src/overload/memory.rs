//! The memory of the process, looked at by a thread: reading a file is nothing for a worker.

use std::{
    io,
    sync::{Weak, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use crate::server::Gateway;

/// So often it is looked at (Envoy: 250 ms).
const EVERY: Duration = Duration::from_millis(250);

/// What `/proc/self/statm` counts in. Linux has larger pages on some machines; nothing is refused too early with this.
const PAGE: u64 = 4096;

/// Looks for as long as the gateway lives.
pub(crate) fn watch(gateway: Weak<Gateway>) -> io::Result<()> {
    let look = move || {
        while let Some(gateway) = gateway.upgrade() {
            let most = gateway.snapshot().config.overload.max_memory;
            let used = most.and_then(|_| resident()).unwrap_or(0);
            let loads = &gateway.loads;
            loads.memory.store(used, Relaxed);
            // It ends a little below the bound, not to begin again at once.
            let was = loads.too_much_memory.load(Relaxed);
            let is = most.is_some_and(|most| used > if was { most / 20 * 19 } else { most });
            loads.too_much_memory.store(is, Relaxed);
            drop(gateway);
            thread::sleep(EVERY);
        }
    };
    thread::Builder::new().name("memory".into()).spawn(look).map(drop)
}

/// Bytes of memory that are the process's own: without what belongs to files.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split(' ').skip(1).map_while(|number| number.parse::<u64>().ok());
    let (resident, of_files) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(of_files) * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_takes_is_seen() {
        let before = resident().expect("the system tells");
        // More than the other tests may give back meanwhile.
        let taken = std::hint::black_box(vec![1_u8; 256 << 20]);
        let with = resident().expect("the system tells");
        assert!(with >= before + (128 << 20), "{before} and {with}, with {} bytes more", taken.len());
    }
}
