use housepipe_transform::{Columns, Engine, RejectCode, Semantics};

use super::*;
use crate::shape::Table;
use crate::subject::{Encoded, Product};

/// The encoder itself in the place of ClickHouse, so that what differs is only what a test spoils.
struct Honest;

impl Reference for Honest {
    fn rows(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
        if lines.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let list: Columns = columns.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        let records: Vec<Vec<u8>> =
            lines.trim_ascii_end().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let encoded = Product { engine: Engine::EXACT }
            .encode(&list, Semantics::ClickHouse, &records)
            .map_err(anyhow::Error::msg)?;
        let rows: Result<Vec<Vec<u8>>, _> = encoded.verdicts.into_iter().collect();
        Ok(rows.map(|rows| rows.concat()).map_err(|reject| format!("Code: 1. {reject}")))
    }

    fn texts(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
        self.rows(columns, lines)
    }

    fn read_back(&mut self, _: &str, rows: &[u8], _: bool) -> anyhow::Result<Result<Vec<u8>, String>> {
        Ok(Ok(rows.to_vec()))
    }
}

/// An encoder with one fault: what it does to the verdicts on a list of records.
struct Faulty(fn(&str, &[Vec<u8>], Semantics, &mut Encoded));

impl Subject for Faulty {
    fn encode(
        &mut self,
        columns: &Columns,
        semantics: Semantics,
        records: &[Vec<u8>],
    ) -> Result<Encoded, String> {
        let mut encoded = Product { engine: Engine::default() }.encode(columns, semantics, records)?;
        (self.0)(&columns.to_string(), records, semantics, &mut encoded);
        Ok(encoded)
    }
}

/// A group whose records have no newline, at which `Honest` parts them.
fn group(seed: u64, index: u64, table: &Table) -> Group {
    let mut group = Group::generate(seed, index, table);
    for byte in group.records.iter_mut().flatten().filter(|byte| **byte == b'\n') {
        *byte = b' ';
    }
    group
}

/// Runs groups until the fault is found, and shrinks what it did.
fn find(fault: fn(&str, &[Vec<u8>], Semantics, &mut Encoded), class: Class) -> Group {
    let table = Table::new(|text| !text.contains("JSON") && !text.contains("Object"), |_| Ok(())).unwrap();
    let mut subject = Faulty(fault);
    for index in 0..500 {
        let group = group(1, index, &table);
        let outcome =
            compare(&list_of(&group.columns), &group.records, &mut subject, &mut Honest).unwrap().unwrap();
        if let Some(finding) = outcome.findings.iter().find(|finding| finding.class == class) {
            return Shrinker::new(&mut subject, &mut Honest, class).shrink(&group, finding.record).unwrap();
        }
    }
    panic!("the fault was never found");
}

#[test]
fn without_a_fault_nothing_is_found() {
    let table = Table::new(|_| true, |_| Ok(())).unwrap();
    let mut product = Product { engine: Engine::default() };
    for index in 0..40 {
        let group = group(2, index, &table);
        let outcome =
            compare(&list_of(&group.columns), &group.records, &mut product, &mut Honest).unwrap().unwrap();
        let unexpected: Vec<_> =
            outcome.findings.iter().filter(|f| f.class != Class::StrictRefuses).collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:?}", list_of(&group.columns));
        assert_eq!(outcome.verdicts.values().sum::<u64>(), group.records.len() as u64);
    }
}

#[test]
fn a_wrong_byte_is_found_and_shrunk_to_one_value_of_the_type() {
    // Rows with a UInt16 are spoilt where the record has the digit 7.
    let small = find(
        |columns, records, _, encoded| {
            for (record, verdict) in records.iter().zip(&mut encoded.verdicts) {
                if let Ok(row) = verdict
                    && columns.contains("UInt16")
                    && record.contains(&b'7')
                    && let Some(last) = row.last_mut()
                {
                    *last ^= 0x40;
                }
            }
        },
        Class::OtherBytes,
    );
    let text: Vec<_> = small.records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
    assert_eq!(list_of(&small.columns), "a UInt16", "{text:?}");
    let [record] = small.records.as_slice() else { panic!("one record") };
    assert!(
        record.len() <= br#"{"a":"7"}"#.len() && record.contains(&b'7'),
        "{}",
        String::from_utf8_lossy(record)
    );
}

#[test]
fn a_refusal_too_many_is_found_and_shrunk() {
    let small = find(
        |_, records, _, encoded| {
            for (record, verdict) in records.iter().zip(&mut encoded.verdicts) {
                if verdict.is_ok() && record.windows(4).any(|four| four == b"true") {
                    *verdict = Err(housepipe_transform::Reject::new(RejectCode::TypeMismatch, 0, "a fault"));
                }
            }
        },
        Class::Refuses,
    );
    assert_eq!(small.columns.len(), 1);
    assert!(small.records[0].len() < 20, "{}", String::from_utf8_lossy(&small.records[0]));
}

#[test]
fn a_fault_of_the_strict_semantics_alone_is_found() {
    let small = find(
        |_, _, semantics, encoded| {
            if semantics == Semantics::Strict {
                for row in encoded.verdicts.iter_mut().flatten() {
                    row.push(0);
                }
            }
        },
        Class::StrictAccepts,
    );
    assert_eq!((small.columns.len(), small.records.len()), (1, 1));
}

#[test]
fn a_fault_that_needs_several_records_keeps_those() {
    // An engine that goes wrong on the second record of one shape.
    let small = find(
        |_, records, _, encoded| {
            let short = |record: &&Vec<u8>| record.contains(&b'8');
            if records.iter().filter(short).count() >= 2 {
                encoded.engine_differs = Some("a fault".to_owned());
            }
        },
        Class::Engine,
    );
    assert_eq!(small.records, [b"8".to_vec(), b"8".to_vec()]);
}

#[test]
fn values_are_found_in_broken_records_too() {
    let found = values(br#"{"a":[1,{"x":"y]"}],"b":tr"#);
    for value in [&b"1"[..], br#"{"x":"y]"}"#, br#"[1,{"x":"y]"}]"#, br#""y]""#, b"tr"] {
        assert!(found.contains(&value), "{}", String::from_utf8_lossy(value));
    }
}

#[test]
fn columns_that_are_refused_are_one_finding() {
    struct Refuses;
    impl Reference for Refuses {
        fn rows(&mut self, _: &str, _: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
            Ok(Err("Code: 36. no such type".to_owned()))
        }

        fn texts(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
            self.rows(columns, lines)
        }

        fn read_back(
            &mut self,
            columns: &str,
            rows: &[u8],
            _: bool,
        ) -> anyhow::Result<Result<Vec<u8>, String>> {
            self.rows(columns, rows)
        }
    }
    let mut product = Product { engine: Engine::default() };
    let records = vec![br#"{"a":1}"#.to_vec(), br#"{"a":2}"#.to_vec()];
    let outcome = compare("a UInt8", &records, &mut product, &mut Refuses).unwrap().unwrap();
    assert_eq!(outcome.findings.iter().map(|finding| finding.class).collect::<Vec<_>>(), [Class::Columns]);
}

#[test]
fn a_wrong_byte_beside_a_json_column_is_found_though_clickhouse_forgives_it() {
    /// Whatever row it is given, it reads its own from it.
    struct Forgiving(Vec<u8>);
    impl Reference for Forgiving {
        fn rows(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
            let rows = Honest.rows(columns, lines)?;
            self.0 = rows.clone().unwrap_or_default();
            Ok(rows)
        }

        fn texts(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
            Honest.texts(columns, lines)
        }

        fn read_back(&mut self, _: &str, _: &[u8], _: bool) -> anyhow::Result<Result<Vec<u8>, String>> {
            Ok(Ok(self.0.clone()))
        }
    }
    let mut spoiled = Faulty(|_, _, _, encoded| {
        if let Some(last) = encoded.verdicts.iter_mut().flatten().next().and_then(|row| row.last_mut()) {
            *last = 2;
        }
    });
    let records = vec![br#"{"a":{"x":1},"b":true}"#.to_vec()];
    let mut forgiving = Forgiving(Vec::new());
    let outcome = compare("a JSON, b Bool", &records, &mut spoiled, &mut forgiving).unwrap().unwrap();
    assert_eq!(outcome.findings.iter().map(|finding| finding.class).collect::<Vec<_>>(), [Class::OtherBytes]);
}
