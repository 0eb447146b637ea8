//! A record with which hundreds of things are wrong.

/// The schemas of 40 kinds of events with ten required members each, as a list, and a record of a megabyte that is none of them.
pub(crate) fn far_from_every_kind() -> (String, String) {
    let kind = |kind: usize| {
        let required: Vec<String> = (0..10).map(|at| format!("\"k{kind}_{at}\"")).collect();
        format!(r#"{{"required": [{}]}}"#, required.join(","))
    };
    let kinds: Vec<String> = (0..40).map(kind).collect();
    (kinds.join(","), format!(r#"{{"pad": "{}"}}"#, "x".repeat(1 << 20)))
}
