//! Fuzzes `shakedown::fuzzing::nrql_eval`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::nrql_eval(data));
