//! Fuzzes `shakedown::fuzzing::trace`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::trace(data));
