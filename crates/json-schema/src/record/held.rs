//! What the library's errors hold of a record.
//!
//! Each of its errors holds the value that it is about, and those that are inside of `anyOf`, `oneOf` and `propertyNames` have it
//! copied. There may be hundreds of a record. So they hold a few bytes of it, and what a message quotes is read from the tree, at
//! the place that the error names.

use std::borrow::Cow;
use std::sync::OnceLock;

use jsonschema_value::LazyInstance;
use serde_json::{Map, Value};

use super::{Counted, Kind, Tree};
use crate::limits::QUOTE_BYTES;

/// Bytes that an error holds of a value.
const HELD_BYTES: usize = 64;

/// A name that is cut is quoted as one that is whole, which is cut later. A character has four bytes at most.
const _: () = assert!(HELD_BYTES >= QUOTE_BYTES + 4);

impl<'t> Counted<'t> {
    /// What an error holds of the value at `at`.
    pub(super) fn held(&'t self, at: u32) -> LazyInstance<'t> {
        let Some(item) = self.tree.item(at) else { return beginning("") };
        // Where a pattern is left undecided, the library looks for its place in the record as a whole, and does not take that it
        // is not there. So this one has every place.
        if at == 0 && self.price.backtracks {
            self.pay_for_error(self.shape_steps());
            return LazyInstance::Ready(Cow::Borrowed(self.shape()));
        }
        if item.kind == Kind::Array {
            // To write an error, the library counts the items of an array beyond those that a list has schemas for. It does not
            // take one that has fewer.
            let list_max = u32::try_from(self.price.list_max).unwrap_or(u32::MAX);
            let count = item.count().min(list_max.saturating_add(1));
            self.pay_for_error(u64::from(count));
            return LazyInstance::Deferred { bytes: &[], tag: count, make: nulls, cell: OnceLock::new() };
        }
        self.pay_for_error(0);
        beginning(self.tree.source(item))
    }
}

/// What an error holds of a text, or of the text of a value.
pub(super) fn beginning(text: &str) -> LazyInstance<'_> {
    let held = text.get(..text.floor_char_boundary(HELD_BYTES)).unwrap_or_default();
    LazyInstance::Deferred { bytes: held.as_bytes(), tag: 0, make: whole_text, cell: OnceLock::new() }
}

fn whole_text(bytes: &[u8], _: u32) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

fn nulls(_: &[u8], count: u32) -> Value {
    Value::Array(vec![Value::Null; count as usize])
}

impl Tree<'_> {
    /// The value at `at` with `null` for everything that has nothing inside. As deep as the record is, which has a limit.
    pub(super) fn shape(self, at: u32) -> Value {
        match self.item(at).map(|item| item.kind) {
            Some(Kind::Array) => Value::Array(self.elements(at).map(|element| self.shape(element)).collect()),
            Some(Kind::Object) => Value::Object(
                self.members(at)
                    .map(|(name, value)| (name.to_owned(), self.shape(value)))
                    .collect::<Map<_, _>>(),
            ),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Item, Parser, Price};
    use super::*;
    use crate::limits::Limits;
    use crate::options::Names;

    const PRICE: Price = Price { steps: 1_000_000, text_steps: 1, backtracks: false, list_max: 2 };

    /// What is held of each value of a record.
    fn held(record: &str, price: Price) -> Vec<Value> {
        let mut parser = Parser::default();
        let tree = parser.parse(record.as_bytes(), &Limits::default(), Names::LastCounts).unwrap();
        let counted = Counted::telling(tree, price);
        let is_value = |item: &Item| !matches!(item.kind, Kind::Name | Kind::Shadowed);
        let places = (0..).zip(tree.items).filter(|(_, item)| is_value(item));
        places.map(|(at, _)| counted.held(at).into_cow().into_owned()).collect()
    }

    #[test]
    fn an_error_holds_a_few_bytes_of_a_value() {
        let long = "ä".repeat(100_000);
        let record = format!(r#"{{"a":"{long}","b":[1,2,3,4,5],"c":[0],"d":12.50}}"#);
        let all = held(&record, PRICE);
        let [object, text, array, rest @ ..] = &all[..] else { panic!() };
        for value in [object, text] {
            let held = value.as_str().unwrap();
            assert!(held.len() <= HELD_BYTES && held.len() > QUOTE_BYTES && record.contains(held), "{held}");
        }
        assert_eq!(array, &json!([null, null, null]), "one more than the longest list");
        assert_eq!(rest[5..], [json!([null]), json!("0"), json!("12.50")]);
        let name = beginning(&long);
        assert_eq!(name.get().as_str().unwrap(), "ä".repeat(HELD_BYTES / 2));
    }

    #[test]
    fn the_record_has_every_place_where_one_may_be_looked_for() {
        let record = r#"{"a":"xxx","b":[1,{"c~d/e":[[]]}],"a":"\u0078"}"#;
        let all = held(record, Price { backtracks: true, ..PRICE });
        assert_eq!(all[0], json!({"a": null, "b": [null, {"c~d/e": [[]]}]}));
        assert_eq!(all[1], json!("\"xxx\""));
    }

    #[test]
    fn an_error_that_cannot_be_paid_ends_the_search_by_unwinding() {
        let mut parser = Parser::default();
        let tree = parser.parse(b"[1]", &Limits::default(), Names::LastCounts).unwrap();
        let counted = Counted::telling(tree, Price { steps: 150, ..PRICE });
        drop(counted.held(1));
        let search = std::panic::AssertUnwindSafe(|| drop(counted.held(1)));
        assert!(std::panic::catch_unwind(search).is_err() && counted.is_spent());
        // Whoever does not ask what is wrong does not catch it.
        let counted = Counted::new(tree, Price { steps: 150, ..PRICE });
        (0..3).for_each(|_| drop(counted.held(0)));
        assert!(counted.is_spent());
    }
}
