//! What a worker makes of being late: it refuses part of the requests, more for as long as it stays late, and less when it is
//! not. As in CoDel, only what stays late is too much: a burst is what a queue is for.

use std::time::Duration;

use tokio::time::Instant;

/// It has to be late for so long without a break.
const INTERVAL: Duration = Duration::from_millis(500);

/// Of a thousand requests: so many more are refused each time that it is still late, and so many fewer when it is not.
const MORE: u32 = 100;
const FEWER: u32 = 50;

/// Never all of them: somebody has to show that it is better.
const MOST: u32 = 950;

/// How a worker has been of late.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    late_since: Option<Instant>,
    shedding: u32,
}

impl Pressure {
    /// It was so late now. Tells how many of a thousand requests are refused from here on. A bound of zero is none.
    pub(super) fn seen(&mut self, late: Duration, now: Instant, most: Duration) -> u32 {
        if most.is_zero() {
            *self = Self::default();
        } else if late <= most {
            self.late_since = None;
            self.shedding = self.shedding.saturating_sub(FEWER);
        } else if now.duration_since(*self.late_since.get_or_insert(now)) >= INTERVAL {
            self.shedding = (self.shedding + MORE).min(MOST);
        }
        self.shedding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_LATE: Duration = Duration::from_millis(100);
    const VERY: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Instant {
        use std::sync::LazyLock;
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        *START + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_no_overload_and_neither_is_a_pause_of_the_process() {
        let mut pressure = Pressure::default();
        assert_eq!(pressure.seen(Duration::from_secs(60), at(0), MOST_LATE), 0);
        assert_eq!(pressure.seen(VERY, at(400), MOST_LATE), 0);
        assert_eq!(pressure.seen(Duration::ZERO, at(450), MOST_LATE), 0);
        assert_eq!(pressure.seen(VERY, at(600), MOST_LATE), 0);
    }

    #[test]
    fn who_stays_late_refuses_more_and_more_but_never_all_and_then_less() {
        let mut pressure = Pressure::default();
        let refused: Vec<_> = (0..20).map(|tick| pressure.seen(VERY, at(tick * 300), MOST_LATE)).collect();
        assert_eq!(refused[..4], [0, 0, 100, 200]);
        assert_eq!(refused[19], MOST);
        let refused: Vec<_> = (20..40).map(|tick| pressure.seen(MOST_LATE, at(tick * 300), MOST_LATE)).collect();
        assert_eq!((refused[0], refused[19]), (MOST - FEWER, 0));
    }

    #[test]
    fn a_bound_of_zero_is_none() {
        let mut pressure = Pressure::default();
        assert!((0..20).all(|tick| pressure.seen(VERY, at(tick * 300), Duration::ZERO) == 0));
    }
}
