//! Which documents a JSON column refuses for a path that stands twice, held against a plain list of all paths.
#![allow(clippy::unwrap_used, reason = "helpers of tests are test code too")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use housepipe_transform::{Encoder, Plan, PlanOptions, RejectCode};
use proptest::prelude::*;

/// A document whose keys may stand twice, and may have points in them.
#[derive(Debug, Clone)]
enum Node {
    Null,
    Plain,
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![Just(Node::Null), Just(Node::Plain), Just(Node::Plain)];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let key = prop::sample::select(vec!["a", "b", "a.b", "b.a", ".a", "", "long enough for two words"]);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Node::Array),
            3 => prop::collection::vec((key.prop_map(str::to_owned), inner), 0..4).prop_map(Node::Object),
        ]
    })
}

fn write(node: &Node, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Plain => out.push('1'),
        Node::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Node::Object(pairs) => {
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                let _ = write!(out, "{}\"{key}\":", if at == 0 { "" } else { "," });
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// All paths that were met, and whether one was met twice.
#[derive(Default)]
struct Seen {
    paths: HashSet<(usize, String)>,
    scopes: usize,
    is_repeated: bool,
}

impl Seen {
    /// The pairs of an object, whose paths begin with the prefix in the scope.
    fn object(&mut self, pairs: &[(String, Node)], scope: usize, prefix: &str) {
        let mut keys = HashSet::new();
        for (key, value) in pairs {
            self.is_repeated |= !keys.insert((key, matches!(value, Node::Object(_))));
            let path = format!("{prefix}{key}");
            match value {
                Node::Null => {}
                Node::Plain => self.is_repeated |= !self.paths.insert((scope, path)),
                Node::Array(items) => {
                    self.is_repeated |= !self.paths.insert((scope, path));
                    self.array(items);
                }
                Node::Object(pairs) => self.object(pairs, scope, &format!("{path}.")),
            }
        }
    }

    /// Each object of an array has paths of its own.
    fn array(&mut self, items: &[Node]) {
        for item in items {
            match item {
                Node::Array(items) => self.array(items),
                Node::Object(pairs) => {
                    self.scopes += 1;
                    self.object(pairs, self.scopes, "");
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_path_that_stands_twice_is_refused_and_no_other(
        pairs in prop::collection::vec((prop::sample::select(vec!["a", "b", "a.b", "c"]), node()), 0..4),
    ) {
        let pairs: Vec<(String, Node)> = pairs.into_iter().map(|(key, node)| (key.to_owned(), node)).collect();
        let mut seen = Seen::default();
        seen.object(&pairs, 0, "");
        let mut record = String::from("{\"j\":");
        write(&Node::Object(pairs), &mut record);
        record.push('}');

        let plan = Plan::compile(&"j JSON".parse().unwrap(), &PlanOptions::default()).unwrap();
        let verdict = Encoder::new(Arc::new(plan)).encode(record.as_bytes(), &mut Vec::new());
        let code = verdict.map_err(|reject| reject.code);
        let expected = if seen.is_repeated { Err(RejectCode::InvalidJsonColumn) } else { Ok(()) };
        prop_assert_eq!(code, expected, "{}", record);
    }
}
