//! Any record of any columns: no panic, nothing left behind by a reject, row and memory bounded.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (housepipe_fuzz::target("encode").check)(data));

#[cfg(not(fuzzing))]
fn main() {
    housepipe_fuzz::replay(housepipe_fuzz::target("encode"));
}
