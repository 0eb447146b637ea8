//! The harness of validation without its clock: every way gives the same verdicts.

use housepipe_benches::transform::corpora::SEED;
use housepipe_benches::validation::{cases, check_equal_verdicts, dataset, schemas};

#[test]
fn every_way_gives_the_same_verdicts() {
    for known in schemas::all() {
        let dataset = dataset(&known, SEED, 60_000).unwrap();
        let accepted = check_equal_verdicts(&known, &dataset).unwrap();
        let expected = if known.name == "events, library only" { 0 } else { dataset.len() };
        assert_eq!(accepted, expected, "{}", known.name);
        let mut out = Vec::new();
        for mut case in cases(&known, &dataset).unwrap() {
            assert_eq!((case.run)(&mut out), dataset.len(), "{}: {}", known.name, case.name);
        }
    }
}
