//! Fuzzes `shakedown::fuzzing::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::frames(data));
