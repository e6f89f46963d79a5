//! Preloaded into the bench's load and upstream (`LD_PRELOAD`), it replaces the C library's `epoll_wait` by one that
//! never sleeps: it looks, lets the other program on its core run, and looks again.
//!
//! A program that sleeps is woken by whoever sends to it, over loopback by the proxy that is measured, and that is
//! charged to the proxy: half a wake-up per request for a fast one, and 1.7 for one half as fast, which gives the load
//! time to sleep; in a virtual machine several microseconds each. Over a network no proxy pays for that.

// The one symbol replaced is C's, and so is the call that does its work.
#![allow(unsafe_code)]

use std::{
    thread,
    time::{Duration, Instant},
};

use libc::{SYS_epoll_wait, c_int, epoll_event};

/// As `epoll_wait(2)`.
///
/// # Safety
///
/// As there: there is room for `most` events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(epoll: c_int, events: *mut epoll_event, most: c_int, timeout: c_int) -> c_int {
    let limit = u64::try_from(timeout).ok().map(Duration::from_millis);
    let start = Instant::now();
    loop {
        // SAFETY: the arguments are the caller's, who promises what `epoll_wait(2)` asks for.
        let ready = unsafe { libc::syscall(SYS_epoll_wait, epoll, events, most, 0) } as c_int;
        if ready != 0 || limit.is_some_and(|limit| start.elapsed() >= limit) {
            return ready;
        }
        thread::yield_now();
    }
}
