//! A time limit that is nearly always kept. Its timer moves only when it fires or must fire earlier, so that a wait that
//! ends in time, as almost all do, costs no change to the runtime's timers.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// When a wait is over. The one who waits sets it before each wait.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    /// Present once there was something to wait for. It may fire before `at`, never after.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// A limit at that instant.
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, timer: None }
    }

    /// Moves it.
    pub(crate) fn set(&mut self, at: Instant) {
        self.at = at;
    }

    /// Ready when the time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    #[tokio::test]
    async fn it_ends_when_it_was_last_set_to() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut deadline = Deadline::new(at(10_000));
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending());
        for (from, to) in [(5, 20), (20, 40)] {
            // The timer fires at the earlier instant and is moved on.
            deadline.set(at(from));
            assert!(
                poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending() || begin.elapsed() >= at(from) - begin
            );
            deadline.set(at(to));
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(begin.elapsed() >= Duration::from_millis(to));
        }
    }
}
