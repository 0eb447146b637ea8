//! Laws that hold for every input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

use std::sync::Arc;

use housepipe_transform::{Columns, DataType, Encoder, Plan, PlanOptions, Semantics};
use proptest::prelude::*;

const COLUMNS: &str = "a UInt8, b Array(Tuple(x String, y Nullable(Float64))), c Map(String, Int64), \
d DateTime64(3, 'Europe/Berlin'), e Enum8('p' = 1, 'q' = 2), f JSON, g FixedString(4), h Date, i IPv6, j UUID";

fn encoder(semantics: Semantics) -> Encoder {
    let columns: Columns = COLUMNS.parse().unwrap();
    Encoder::new(Arc::new(
        Plan::compile(&columns, &PlanOptions::default().with_semantics(semantics)).unwrap(),
    ))
}

fn data_type() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("UInt8".to_owned()),
        Just("DateTime64(3, 'UTC')".to_owned()),
        Just("Enum8('a\\'b' = -1, 'c' = 2)".to_owned()),
        Just("JSON(max_dynamic_paths=8, `a.b` UInt32, SKIP x, SKIP REGEXP 'y.*')".to_owned()),
        Just("FixedString(16)".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| format!("Array({ty})")),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| format!("Map({key}, {value})")),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|types| format!("Tuple({})", types.join(", "))),
            (inner.clone(), inner).prop_map(|(x, y)| format!("Tuple(x {x}, `y z` {y})")),
        ]
    })
}

/// Pieces of which records consist, so that random records get far.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "null",
            "true",
            "1",
            "-1.5e3",
            "\"a\"",
            "\"b\"",
            "\"c\"",
            "\"d\"",
            "\"x\"",
            "\"f\"",
            "\"2024-01-02 03:04:05\"",
            "\\u00e9",
            "\"a\":1",
            "\"b\":[{\"x\":\"s\"}]",
            "{\"a\":1,",
            " ",
            "\"d\":\"",
            "\"h\":\"",
            "2024",
            "-",
            "Jan",
            "+",
            "\"e\":\"p\"",
            "\"c\":{\"k\":2}",
            "\"i\":\"::",
            "\"f\":{",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn types_print_as_they_were_parsed(text in data_type()) {
        let ty: DataType = text.parse().unwrap();
        prop_assert_eq!(ty.to_string(), text);
    }

    #[test]
    fn the_parser_of_types_never_panics(text in "[A-Za-z0-9(),'`\\\\= .é]{0,60}") {
        let _: Result<DataType, _> = text.parse();
        let _: Result<Columns, _> = text.parse();
    }

    #[test]
    fn a_reject_leaves_the_output_and_the_encoder_as_they_were(record in record()) {
        for semantics in [Semantics::Strict, Semantics::ClickHouse] {
            let mut encoder = encoder(semantics);
            let mut out = b"kept".to_vec();
            if let Err(reject) = encoder.encode(&record, &mut out) {
                prop_assert_eq!(&out, b"kept");
                prop_assert!(reject.position <= record.len());
            }
            // What one record did to the encoder must not show in the next.
            let good = br#"{"d":"2024-03-31 02:30:00","b":[{"y":1,"x":"s"}],"a":3,"e":"q"}"#;
            let (mut after, mut fresh) = (Vec::new(), Vec::new());
            encoder.encode(good, &mut after).unwrap();
            self::encoder(semantics).encode(good, &mut fresh).unwrap();
            prop_assert_eq!(after, fresh);
        }
    }

    #[test]
    fn rows_follow_one_another(records in prop::collection::vec(record(), 0..6)) {
        let mut encoder = encoder(Semantics::ClickHouse);
        let (mut together, mut apart) = (Vec::new(), Vec::new());
        for record in &records {
            let _ = encoder.encode(record, &mut together);
            let mut row = Vec::new();
            if self::encoder(Semantics::ClickHouse).encode(record, &mut row).is_ok() {
                apart.extend_from_slice(&row);
            }
        }
        prop_assert_eq!(together, apart);
    }
}
