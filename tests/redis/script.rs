//! The script by itself, with a time that is given: it decides as a simple model of buckets and counts does.

use std::net::TcpStream;

use crate::support::Redis;

const SCRIPT: &str = include_str!("../../host/src/redis/take.lua");

/// Numbers that look random and are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn numbers(answer: &str) -> Vec<u64> {
    answer.lines().filter_map(|line| line.strip_prefix(':')?.parse().ok()).collect()
}

/// A bucket: credit that grows with the time, exactly.
struct Bucket {
    gain: u64,
    cost: u64,
    full: u64,
    credit: u64,
    last: u64,
}

/// A count for each period of an hour.
struct Count {
    most: u64,
    period: u64,
    count: u64,
}

#[test]
fn it_decides_as_a_simple_model_does() {
    let redis = Redis::start();
    let mut connection = TcpStream::connect(redis.address()).unwrap();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..30 {
        let (gain, cost) = (1 + random.below(7), 1 + random.below(1_000_000));
        let full = cost * (1 + random.below(5));
        let mut now = 1_767_225_600_000_000 + random.below(1_000_000_000);
        let mut bucket = Bucket { gain, cost, full, credit: full, last: now };
        let mut count = Count { most: 1 + random.below(20), period: 0, count: 0 };
        let (first, second) = (format!("rate-{round}"), format!("quota-{round}"));
        for _ in 0..80 {
            now += random.below(2 * cost / gain + 2) + if random.below(20) == 0 { 1_800_000_000 } else { 0 };
            let hour = now / 3_600_000_000 * 3600;
            let begins = [hour - 3600, hour, hour + 3600, hour + 7200].map(|second| second.to_string());
            let [now_text, gain_text, cost_text, full_text, most] =
                [now, gain, cost, full, count.most].map(|number| number.to_string());
            let words = [
                "EVAL", SCRIPT, "2", &first, &second, &now_text, "rate", &gain_text, &cost_text, &full_text, "quota",
                &most, &begins[0], &begins[1], &begins[2], &begins[3],
            ];
            let answer = numbers(&redis.ask_over(&mut connection, &words));
            bucket.credit = bucket.full.min(bucket.credit + (now - bucket.last) * bucket.gain);
            bucket.last = now;
            if count.period != hour {
                (count.period, count.count) = (hour, 0);
            }
            let (rate, quota) = (bucket.credit >= bucket.cost, count.count < count.most);
            let refused = if !rate { 1 } else { u64::from(!quota) * 2 };
            assert_eq!(answer[0], refused, "{round}: {answer:?}");
            if refused == 0 {
                bucket.credit -= bucket.cost;
                count.count += 1;
                let wait = (bucket.full - bucket.credit).div_ceil(bucket.gain);
                let end = (hour + 3600) * 1_000_000 - now;
                let expected = [0, bucket.credit / bucket.cost, wait, 0, count.most - count.count, end, 3600];
                assert_eq!(answer, expected, "{round}");
            } else if refused == 1 {
                let wait = (bucket.cost - bucket.credit).div_ceil(bucket.gain);
                assert_eq!(answer[1..3], [0, wait], "{round}");
            }
        }
    }
}

#[test]
fn clocks_of_gateways_that_differ_count_in_the_period_of_the_server() {
    let redis = Redis::start();
    let mut connection = TcpStream::connect(redis.address()).unwrap();
    let noon = 1_767_268_800_u64;
    let day = noon / 86_400 * 86_400;
    // A gateway is a day behind, one has the right time, one is a day ahead.
    for (behind, count) in [(1, 9), (0, 8), (-1_i64, 7)] {
        let begins = [-1, 0, 1, 2].map(|next: i64| (day as i64 + (next - behind) * 86_400).to_string());
        let now = (noon * 1_000_000).to_string();
        let words = ["EVAL", SCRIPT, "1", "k", &now, "quota", "10", &begins[0], &begins[1], &begins[2], &begins[3]];
        let answer = numbers(&redis.ask_over(&mut connection, &words));
        assert_eq!(answer, [0, count, 43_200_000_000, 86_400], "{behind}");
    }
}

#[test]
fn what_is_kept_goes_by_itself_when_it_says_nothing_any_more() {
    let redis = Redis::start();
    redis.ask(&["EVAL", SCRIPT, "1", "rate", "", "rate", "1", "1000000", "5000000"]);
    let left = |key| numbers(&redis.ask(&["PTTL", key]))[0];
    assert!((1000..=2000).contains(&left("rate")), "{}", left("rate"));
    // An answer that refuses changes nothing.
    redis.ask(&["SET", "full", "0:9000000000000000"]);
    let answer = numbers(&redis.ask(&["EVAL", SCRIPT, "1", "full", "1", "rate", "1", "1000000", "5000000"]));
    assert_eq!(answer[0], 1);
    assert!(redis.ask(&["GET", "full"]).contains("0:9000000000000000"));
}
