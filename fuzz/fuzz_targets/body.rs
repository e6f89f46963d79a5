//! See `host/src/fuzz.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    gatehouse::fuzz::run("body", bytes);
});
