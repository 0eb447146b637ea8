//! Lines are cut as by hand.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (housepipe_fuzz::target("lines").check)(data));

#[cfg(not(fuzzing))]
fn main() {
    housepipe_fuzz::replay(housepipe_fuzz::target("lines"));
}
