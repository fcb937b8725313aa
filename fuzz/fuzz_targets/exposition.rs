//! Fuzzes `shakedown::fuzzing::exposition`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shakedown::fuzzing::exposition(data));
