//! Fuzzes `shakedown::fuzzing::nrql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::nrql(data));
