#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (plasma_fuzz_targets::target("recovery_kit").run)(bytes);
});
