//! Schemas and the tables that they make.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use housepipe_schema_registry::Schema;

use super::*;
use crate::infer::{InferError, InferReport, infer_records};
use crate::pipe_file::PipeDraft;

const DRAFT: &str = "\
name: orders
source: { type: kafka, brokers: 'localhost:9092', topic: orders }
destination: { table: orders }
";

fn resolved(kind: SchemaKind, text: &str) -> Resolved {
    let schema = Schema { id: SchemaId(7), kind, text: text.to_owned(), references: Vec::new() };
    Resolved { schema: Arc::new(schema), references: BTreeMap::new() }
}

fn infer(text: &str, records: &[OwnedRecord]) -> Result<InferReport, InferError> {
    let declared = declared(&resolved(SchemaKind::Json, text)).unwrap();
    infer_records(&PipeDraft::parse(DRAFT, "p.yaml").unwrap(), records, Some(declared))
}

fn check(text: &str, outcome: &Expect) {
    let report = infer(text, &[]).unwrap();
    outcome.assert_eq(&report.text());
    let pipe = format!(
        "name: t\nsource: {{ type: kafka, brokers: 'h:1', topic: t }}\ndestination:\n  url: http://h:8123\n  table: t\n{}",
        report.destination_yaml
    );
    let pipe = crate::PipeFile::parse(&pipe, "t.yaml").unwrap_or_else(|error| panic!("{error}\n{pipe}"));
    assert_eq!(pipe.destination.columns.len(), report.columns.len());
}

#[test]
fn a_table_without_a_sample() {
    check(
        r#"{"type":"object","required":["order_id","placed_at","status","items","total"],"properties":{
            "order_id":{"type":"string","format":"uuid"},
            "placed_at":{"type":"string","format":"date-time"},
            "status":{"enum":["new","paid","sent"]},
            "total":{"type":"number","minimum":0},
            "quantity":{"type":"integer","minimum":0,"maximum":60000},
            "delta":{"type":["integer","null"]},
            "gift":{"type":"boolean"},
            "due":{"type":["string","null"],"format":"date"},
            "ip":{"type":"string","format":"ipv4"},
            "note":{"type":"string","maxLength":10},
            "odd":{"type":["string","integer"]},
            "anything":{},
            "labels":{"type":"object","additionalProperties":{"type":"string"}},
            "extra":{"type":"object"},
            "address":{"type":"object","required":["city"],"properties":{"city":{"type":"string"},"zip":{"type":"string"}}},
            "place":{"type":"object","required":["lat"],"properties":{"lat":{"type":"number"},"hint":{"type":"string"}},"additionalProperties":false},
            "items":{"type":"array","items":{"type":"object","required":["sku"],"additionalProperties":false,"properties":{
                "sku":{"type":"string"},"count":{"type":"integer","minimum":1}}}},
            "tags":{"type":"array","items":{"type":"string"}}
        }}"#,
        &expect![[r#"
              # Inferred from schema 7 and 0 samples of the topic `orders`; the lines down to the statement belong under `destination:`.
              managed_table:
                engine: MergeTree
                # placed_at for ranges of time, then order_id to tell rows apart
                order_by: [placed_at, order_id]
                # months of placed_at: whole partitions can be dropped when they are old, and there are few of them
                partition_by: toYYYYMM(placed_at)
              columns:
                # 50 %: schema 7: object, may be missing
                - { name: address, type: JSON }
                # 50 %: schema 7: anything, may be missing, kept as its text
                - { name: anything, type: Nullable(String) }
                # 99 %: schema 7: integer, or null, may be missing
                - { name: delta, type: Nullable(Int64) }
                # 99 %: schema 7: string of format "date", or null, may be missing
                - { name: due, type: Nullable(Date32) }
                # 99 %: schema 7: object, may be missing
                - { name: extra, type: JSON }
                # 99 %: schema 7: boolean, may be missing
                - { name: gift, type: Nullable(Bool) }
                # 99 %: schema 7: string of format "ipv4", may be missing
                - { name: ip, type: Nullable(IPv4) }
                # 50 %: schema 7: array, always there
                - { name: items, type: "Array(Tuple(count Nullable(UInt64), sku String))" }
                # 50 %: schema 7: object, may be missing
                - { name: labels, type: "Map(String, String)" }
                # 50 %: schema 7: string, may be missing
                - { name: note, type: Nullable(String) }
                # 99 %: schema 7: integer, string, may be missing, kept as its text
                - { name: odd, type: Nullable(String) }
                # 50 %: schema 7: string of format "uuid", always there
                - { name: order_id, type: UUID }
                # 50 %: schema 7: object, may be missing
                - { name: place, type: "Tuple(hint Nullable(String), lat Float64)" }
                # 99 %: schema 7: string of format "date-time", always there
                - { name: placed_at, type: "DateTime64(6, 'UTC')" }
                # 99 %: schema 7: integer from 0 to 60000, may be missing
                - { name: quantity, type: Nullable(UInt16) }
                # 99 %: schema 7: string, one of 3, always there
                - { name: status, type: LowCardinality(String) }
                # 50 %: schema 7: array, may be missing
                - { name: tags, type: Array(String) }
                # 99 %: schema 7: number from 0 on, always there
                - { name: total, type: Float64 }
            #
            # `housepipe run` creates the table with:
            # CREATE TABLE IF NOT EXISTS `orders`
            # (
            #     `address` JSON,
            #     `anything` Nullable(String),
            #     `delta` Nullable(Int64),
            #     `due` Nullable(Date32),
            #     `extra` JSON,
            #     `gift` Nullable(Bool),
            #     `ip` Nullable(IPv4),
            #     `items` Array(Tuple(count Nullable(UInt64), sku String)),
            #     `labels` Map(String, String),
            #     `note` Nullable(String),
            #     `odd` Nullable(String),
            #     `order_id` UUID,
            #     `place` Tuple(hint Nullable(String), lat Float64),
            #     `placed_at` DateTime64(6, 'UTC'),
            #     `quantity` Nullable(UInt16),
            #     `status` LowCardinality(String),
            #     `tags` Array(String),
            #     `total` Float64
            # )
            # ENGINE = MergeTree
            # PARTITION BY (toYYYYMM(placed_at))
            # ORDER BY (`placed_at`, `order_id`)
            # SETTINGS non_replicated_deduplication_window = 10000
        "#]],
    );
}

#[test]
fn what_names_no_members_makes_no_table() {
    let error = infer(r#"{"type":"object"}"#, &[]).unwrap_err().to_string();
    assert!(error.contains("the schema names no members"), "{error}");
}

#[test]
fn what_is_no_json_schema_says_so() {
    for (kind, text, said) in [
        (SchemaKind::Avro, r#"{"type":"record"}"#, "schema 7 says nothing of columns: it is no JSON Schema"),
        (SchemaKind::Json, "{", "schema 7 says nothing of columns: the schema is not JSON"),
    ] {
        let error = declared(&resolved(kind, text)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
