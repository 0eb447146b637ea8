//! Values that are accepted: a record of many columns is refused for the first that is not, and shows nothing of the
//! others. So most values of such records are those that our own encoder takes; what it refuses wrongly is found in
//! records of few columns, and in the values that are left as they come.

use std::sync::Arc;

use housepipe_transform::{Encoder, Engine, Plan, PlanOptions};

use crate::shape::Shape;

/// Values tried before one is left as it is.
const TRIES_MAX: usize = 6;

/// Tells which values a type takes.
#[derive(Debug)]
pub(crate) struct Suited {
    encoder: Option<Encoder>,
    row: Vec<u8>,
}

impl Suited {
    /// For values of this type.
    pub(crate) fn new(shape: &Shape) -> Suited {
        let plan = format!("a {shape}")
            .parse()
            .ok()
            .and_then(|columns| Plan::compile(&columns, &PlanOptions::default()).ok());
        let encoder = plan.map(|plan| Encoder::with_engine(Arc::new(plan), Engine::EXACT));
        Suited { encoder, row: Vec::new() }
    }

    /// The first value made that the strict semantics take; the last one made where none is.
    pub(crate) fn value(&mut self, mut make: impl FnMut() -> String) -> String {
        let mut value = make();
        for _ in 1..TRIES_MAX {
            if self.takes(&value) {
                break;
            }
            value = make();
        }
        value
    }

    fn takes(&mut self, value: &str) -> bool {
        self.row.clear();
        let record = format!("{{\"a\":{value}}}");
        self.encoder.as_mut().is_none_or(|encoder| encoder.encode(record.as_bytes(), &mut self.row).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::uint;

    #[test]
    fn the_first_value_that_is_taken_is_the_one() {
        let mut suited = Suited::new(&Shape::Scalar("UInt8", uint(8)));
        let mut values = ["300", "x", "7", "8"].into_iter().map(str::to_owned);
        assert_eq!(suited.value(|| values.next().unwrap()), "7");
        let mut tries = 0;
        let last = suited.value(|| {
            tries += 1;
            format!("x{tries}")
        });
        assert_eq!((last.as_str(), tries), ("x6", TRIES_MAX));
    }
}
