//! Every engine gives the rows, rejects and counts of the exact path.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| (housepipe_fuzz::target("paths").check)(data));

#[cfg(not(fuzzing))]
fn main() {
    housepipe_fuzz::replay(housepipe_fuzz::target("paths"));
}
