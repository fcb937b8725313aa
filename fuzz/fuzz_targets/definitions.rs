//! Fuzzes `shakedown::fuzzing::definitions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::definitions(data));
