//! The typed record of the nested corpus.

use serde::Deserialize;

use super::values::{Pairs, Put, record};

record! {
    /// An order.
    Nested {
        id: u64,
        tags: Vec<S>,
        attributes: Pairs<S, S>,
        items: Vec<Item<S>>,
        matrix: Vec<Vec<i32>>,
        buyer: Buyer<S>,
        scores: Pairs<S, f64>,
    }
}

record! {
    /// A line of an order.
    Item {
        sku: S,
        quantity: u32,
        price: f64,
    }
}

record! {
    /// Who ordered.
    Buyer {
        id: u64,
        name: S,
    }
}
