//! Fuzzes `shakedown::fuzzing::ingest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::ingest(data));
