//! Lines whose rows come in pieces: the same rows as at once, and no more memory than a piece asks for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are test code too")]

#[path = "support/counting.rs"]
mod counting;

use std::sync::Arc;

use counting::{Counting, measure};
use housepipe_transform::{
    Encoder, Engine, LineCounts, LineReject, Path, Plan, PlanOptions, RejectCode, Semantics, Tier,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn encoder(columns: &str, engine: Engine) -> Encoder {
    let plan = Plan::compile(&columns.parse().unwrap(), &PlanOptions::default()).unwrap();
    Encoder::with_engine(Arc::new(plan), engine)
}

fn engines() -> impl Iterator<Item = Engine> {
    [Path::Exact, Path::General, Path::Lockstep].into_iter().map(|path| Engine::new(path, Tier::best()))
}

/// Encodes the lines in pieces and hands each to `each`. Returns the counts of all of them together.
fn in_pieces(
    encoder: &mut Encoder,
    input: &[u8],
    out_bytes_max: usize,
    mut each: impl FnMut(&[u8]),
    mut on_reject: impl FnMut(LineReject),
) -> LineCounts {
    let mut all = LineCounts::default();
    let mut out = Vec::new();
    while all.bytes < input.len() {
        out.clear();
        let counts =
            encoder.encode_lines_up_to(&input[all.bytes..], &mut out, out_bytes_max, |mut rejected| {
                rejected.line += all.lines;
                rejected.bytes = rejected.bytes.start + all.bytes..rejected.bytes.end + all.bytes;
                on_reject(rejected);
            });
        assert!(counts.records > 0 || all.bytes + counts.bytes == input.len());
        all.lines += counts.lines;
        all.records += counts.records;
        all.rows += counts.rows;
        all.bytes += counts.bytes;
        each(&out);
    }
    all
}

#[test]
fn pieces_together_are_the_whole() {
    let mut input = String::new();
    for number in 0..500 {
        input.push_str(match number % 7 {
            3 => "\n",
            5 => "{\"a\":300}\n",
            6 => " \t\r\n{\"b\":\"another order\",\"a\":1}\n",
            _ => "{\"a\":7,\"b\":\"some text\"}\n",
        });
    }
    input.push_str("{\"a\":2,\"b\":\"no newline\"}");
    for engine in engines() {
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        let mut whole = encoder("a UInt8, b String", engine);
        let counts = whole.encode_lines(input.as_bytes(), &mut rows, |rejected| rejects.push(rejected));
        assert_eq!(counts.bytes, input.len());
        for out_bytes_max in [0, 1, 11, 12, 100, 3_000, usize::MAX] {
            let (mut pieces, mut rejected) = (Vec::new(), Vec::new());
            let mut encoder = encoder("a UInt8, b String", engine);
            let together = in_pieces(
                &mut encoder,
                input.as_bytes(),
                out_bytes_max,
                |rows| pieces.extend_from_slice(rows),
                |reject| rejected.push(reject),
            );
            assert_eq!(together, counts, "{out_bytes_max} bytes by {engine:?}");
            assert_eq!((&pieces, &rejected), (&rows, &rejects), "{out_bytes_max} bytes by {engine:?}");
        }
    }
}

#[test]
fn vertical_tab_and_form_feed_are_blank_to_clickhouse_alone() {
    let input = b"\n \t\r\n\x0b\n{\"a\":1}\n\x0c \n\x0b\x0c\r\n\x00\n";
    for engine in engines() {
        let rejects = |semantics| {
            let options = PlanOptions::default().with_semantics(semantics);
            let plan = Plan::compile(&"a UInt8".parse().unwrap(), &options).unwrap();
            let mut encoder = Encoder::with_engine(Arc::new(plan), engine);
            let (mut rows, mut rejects) = (Vec::new(), Vec::new());
            let counts = encoder.encode_lines(input, &mut rows, |rejected| {
                rejects.push((rejected.line, rejected.reject.code));
            });
            assert_eq!((counts.lines, counts.records, &*rows), (7, 1 + rejects.len(), &[1u8][..]));
            rejects
        };
        let invalid = |lines: &[usize]| -> Vec<_> {
            lines.iter().map(|line| (*line, RejectCode::InvalidJson)).collect()
        };
        assert_eq!(rejects(Semantics::ClickHouse), invalid(&[6]), "{engine:?}");
        assert_eq!(rejects(Semantics::Strict), invalid(&[2, 4, 5, 6]), "{engine:?}");
    }
}

#[test]
fn short_lines_of_wide_rows_cost_a_piece_and_a_row() {
    const OUT_BYTES_MAX: usize = 256 << 10;
    // The row that passes the limit, the vector doubled on its way, and the encoder itself.
    const PEAK_BYTES_MAX: i64 = 2 * ((256 << 10) + 1_000_000) + (1 << 20);
    let wide: Vec<String> = (0..1_000).map(|number| format!("c{number} UInt256")).collect();
    for (columns, lines) in [("a FixedString(1000000)", 200), (&*wide.join(", "), 2_000)] {
        let input = "{}\n".repeat(lines);
        for engine in engines() {
            let mut encoder = encoder(columns, engine);
            let mut bytes = 0;
            let (counts, usage) = measure(|| {
                let each = |rows: &[u8]| bytes += rows.len();
                in_pieces(&mut encoder, input.as_bytes(), OUT_BYTES_MAX, each, |rejected| {
                    panic!("{rejected:?}")
                })
            });
            assert_eq!((counts.rows, bytes > lines * 30_000), (lines, true));
            assert!(usage.peak_bytes <= PEAK_BYTES_MAX, "{usage:?} by {engine:?} for {lines} lines");
        }
    }
}
