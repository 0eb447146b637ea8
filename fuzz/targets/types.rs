//! Types and columns: no panic, and what parses prints and parses again as the same.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (housepipe_fuzz::target("types").check)(data));

#[cfg(not(fuzzing))]
fn main() {
    housepipe_fuzz::replay(housepipe_fuzz::target("types"));
}
