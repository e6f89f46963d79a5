//! Request ids: 128 random bits as 32 hexadecimal digits, unique without coordination.

use std::{cell::Cell, fmt};

use http::HeaderValue;

/// The id of an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// A new one. The generator is seeded per thread by the system; ids are unique, not secret.
    pub fn random() -> Self {
        thread_local!(static STATE: Cell<[u64; 2]> = Cell::new(seed()));
        let mut state = STATE.get();
        let id = Self(hex(step(&mut state), step(&mut state)));
        STATE.set(state);
        id
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }

    /// As a header value.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("hexadecimal digits make a header value")
    }
}

/// xorshift128+ (Vigna 2014): a few cycles, full period over 128 bits of state.
fn step([a, b]: &mut [u64; 2]) -> u64 {
    let out = a.wrapping_add(*b);
    let mixed = *a ^ (*a << 23);
    *a = *b;
    *b = mixed ^ *b ^ (mixed >> 18) ^ (*b >> 5);
    out
}

fn seed() -> [u64; 2] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system's random source works when a thread starts");
    let bits = u128::from_ne_bytes(bytes) | 1;
    [bits as u64, (bits >> 64) as u64]
}

fn hex(high: u64, low: u64) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = (u128::from(high) << 64) | u128::from(low);
    std::array::from_fn(|i| DIGITS[(bits >> (124 - 4 * i)) as usize & 15])
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_differ() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|_| RequestId::random().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
