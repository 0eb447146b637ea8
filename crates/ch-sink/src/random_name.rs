//! Names that nothing else has.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// A name of 128 random bits, for a session or a token.
pub(crate) fn random_name() -> String {
    let bits = || RandomState::new().hash_one(SystemTime::now());
    format!("housepipe-{:016x}{:016x}", bits(), bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let names: std::collections::BTreeSet<String> = (0..1_000).map(|_| random_name()).collect();
        assert_eq!(names.len(), 1_000);
    }
}
