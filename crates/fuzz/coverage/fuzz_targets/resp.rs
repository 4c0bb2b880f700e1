#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| althing_fuzz_coverage::run("resp", data));
