//! Panics in our own code: each is counted and costs no more than the work that it happened in.
//!
//! Whoever catches one answers for what it has left half done: the caught work is never touched again.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{LazyLock, Once},
    task::Poll,
};

use prometheus_client::metrics::counter::Counter;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught: what it said and where, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked(String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All panics of the process, those that nobody catches included.
pub(crate) fn count() -> Counter {
    static COUNT: LazyLock<Counter> = LazyLock::new(Counter::default);
    COUNT.clone()
}

/// From here on panics are counted and their places known. What was done at a panic before is still done.
pub(crate) fn observe() {
    static OBSERVED: Once = Once::new();
    OBSERVED.call_once(|| {
        let before = panic::take_hook();
        let panics = count();
        panic::set_hook(Box::new(move |info| {
            panics.inc();
            let place = info.location().map(|at| format!("{}:{}:{}", at.file(), at.line(), at.column()));
            // A panic within this one finds it borrowed; a second panic in a hook would end the process.
            let _ = PLACE.try_with(|last| last.try_borrow_mut().map(|mut last| *last = place));
            before(info);
        }));
    });
}

/// Does something that may panic.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let place = PLACE.take().unwrap_or_else(|| "an unknown place".into());
        Panicked(format!("panicked at {place}: {}", said(&*payload)))
    })
}

/// Waits for something that may panic. Pinned by the caller, for here it would take its room twice.
pub(crate) async fn catching<F: Future>(mut work: Pin<&mut F>) -> Result<F::Output, Panicked> {
    std::future::poll_fn(|cx| match catch(|| work.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

fn said(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_words_and_its_place_and_counted() {
        observe();
        let before = count().get();
        let caught = catch(|| panic!("number {}", 7)).map(|(): ()| ()).unwrap_err().to_string();
        assert!(caught.contains("panics.rs:") && caught.ends_with(": number 7"), "{caught}");
        assert!(count().get() > before);
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[tokio::test]
    async fn what_is_waited_for_may_panic_at_any_poll() {
        observe();
        for yields in 0..3 {
            let work = async {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                panic!("static");
            };
            let caught = catching(pin!(work)).await.map(|(): ()| ()).unwrap_err().to_string();
            assert!(caught.ends_with(": static"), "{caught}");
        }
        assert_eq!(catching(pin!(async { 7 })).await, Ok(7));
    }
}
