//! How long a peer that is waited for may take: time that waiting uses up and bytes give back, at the rate that is the least
//! it must keep. So one that says nothing is given up after that time, and one that trickles not much later.
//!
//! Time in which nobody waits for the peer does not count.

use std::time::Duration;

use tokio::time::Instant;

/// What a peer has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    most: Duration,
    /// Bytes a second; 0: any byte gives all back.
    rate: u64,
    left: Duration,
    /// Since when it is waited for.
    since: Option<Instant>,
}

impl Patience {
    /// With all of its time.
    pub(crate) fn new(most: Duration, rate: u64) -> Self {
        Self { most, rate, left: most, since: None }
    }

    /// The peer is waited for; tells until when.
    pub(crate) fn wait(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now) + self.left
    }

    /// Until when it is waited for, if it is.
    pub(crate) fn until(&self) -> Option<Instant> {
        Some(self.since? + self.left)
    }

    /// It is no longer waited for; so many bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.use_up(since.elapsed());
        }
        if bytes > 0 && self.left < self.most {
            let nanos = (bytes as u64).saturating_mul(1_000_000_000).checked_div(self.rate);
            let earned = nanos.map_or(self.most, Duration::from_nanos);
            self.left = self.left.saturating_add(earned).min(self.most);
        }
    }

    fn use_up(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// Whether all of its time is there again.
    pub(crate) fn is_whole(&self) -> bool {
        self.since.is_none() && self.left == self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    fn waits(patience: &mut Patience, millis: u64, bytes: usize) {
        patience.use_up(Duration::from_millis(millis));
        patience.moved(bytes);
    }

    #[test]
    fn silence_and_a_trickle_end_and_a_slow_stream_does_not() {
        let mut silent = Patience::new(MOST, 100);
        let begun = Instant::now();
        let until = silent.wait();
        assert!(until >= begun + MOST && until <= Instant::now() + MOST);
        assert_eq!((silent.wait(), silent.until()), (until, Some(until)), "it does not begin anew");
        let mut trickle = Patience::new(MOST, 100);
        for _ in 0..2 {
            waits(&mut trickle, 4_900, 1);
        }
        assert_eq!(trickle.left, Duration::from_millis(200 + 20));
        let mut slow = Patience::new(MOST, 100);
        for _ in 0..1_000 {
            waits(&mut slow, 1_000, 100);
        }
        assert_eq!(slow.left, MOST);
    }

    #[test]
    fn no_more_is_given_back_than_was_there() {
        let mut patience = Patience::new(MOST, 100);
        patience.moved(1 << 30);
        waits(&mut patience, 1_000, 0);
        assert!(!patience.is_whole() && patience.until().is_none());
        patience.moved(100);
        assert!(patience.is_whole());
    }

    #[test]
    fn without_a_rate_any_byte_will_do() {
        let mut patience = Patience::new(MOST, 0);
        for _ in 0..10 {
            waits(&mut patience, 9_999, 1);
        }
        assert!(patience.is_whole());
    }
}
