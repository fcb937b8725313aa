//! Fuzzes `shakedown::fuzzing::points`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::points(data));
