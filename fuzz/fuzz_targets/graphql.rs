//! Fuzzes `shakedown::fuzzing::graphql`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::graphql(data));
