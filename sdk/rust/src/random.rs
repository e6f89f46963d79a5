//! Cryptographically secure randomness.

#[cfg(target_arch = "wasm32")]
use crate::bindings::wasi::random::random;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::random;

/// That many random bytes.
pub fn bytes(length: usize) -> Vec<u8> {
    random::get_random_bytes(length as u64)
}

/// A random number.
pub fn number() -> u64 {
    random::get_random_u64()
}
