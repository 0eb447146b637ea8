//! Measures the encoder on one core: `cargo run --release -p housepipe-transform --example throughput`.
//!
//! Two corpora from a seed: `events` (12 columns, number-heavy, 280 B) and `logs` (38 columns, string-heavy, 1.3 KB).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a tool for developers")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use housepipe_transform::{Columns, Encoder, Engine, Path, Plan, PlanOptions, Tier};

const RECORDS: usize = 4_000;
const ROUNDS: usize = 40;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.below(u64::MAX), self.below(u64::MAX));
        let (c, d) = (a & 0xFFFF, b & 0xFFFF_FFFF_FFFF);
        format!("{:08x}-{:04x}-{c:04x}-{:04x}-{d:012x}", a >> 32, (a >> 16) & 0xFFFF, b >> 48)
    }

    fn moment(&mut self) -> String {
        let (hour, minute, second, micros) =
            (self.below(24), self.below(60), self.below(60), self.below(1_000_000));
        format!("2026-02-16T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

const EVENTS: &str = "ts DateTime64(6), user_id UInt64, session_id String, event String, value Float64, lat Float64, \
lon Float64, is_mobile Bool, count UInt32, delta Int64, country String, referrer Nullable(String)";

fn events(r: &mut Random) -> String {
    let referrer = match r.below(3) {
        0 => "null".to_owned(),
        _ => format!("\"https://www.example.com/p/{}\"", r.below(100_000)),
    };
    format!(
        "{{\"ts\":\"{}\",\"user_id\":{},\"session_id\":\"{}\",\"event\":\"page_view\",\"value\":{},\"lat\":{},\"lon\":{},\
         \"is_mobile\":{},\"count\":{},\"delta\":{},\"country\":\"DE\",\"referrer\":{referrer}}}",
        r.moment(),
        r.below(1 << 40),
        r.uuid(),
        r.below(10_000_000) as f64 / 100.0,
        r.below(180_000_000) as f64 / 1e6 - 90.0,
        r.below(360_000_000) as f64 / 1e6 - 180.0,
        r.below(2) == 0,
        r.below(1 << 20),
        i128::from(r.below(2_000_000)) - 1_000_000,
    )
}

/// Names of text columns, with the length that their texts have.
const TEXTS: [(&str, usize); 31] = [
    ("app_name", 9),
    ("app_version", 8),
    ("client_ip", 13),
    ("cluster_name", 17),
    ("component", 0),
    ("component_type", 6),
    ("container_image", 44),
    ("env_name", 4),
    ("extension_id", 36),
    ("host", 29),
    ("hostname", 24),
    ("k8s_container_id", 2),
    ("k8s_container_name", 3),
    ("k8s_namespace", 11),
    ("k8s_pod", 24),
    ("location", 5),
    ("log_agent", 8),
    ("log_format", 4),
    ("log_level", 5),
    ("log_type", 4),
    ("logger_name", 45),
    ("logger_type", 8),
    ("producer", 13),
    ("message", 160),
    ("request_id", 36),
    ("request_method", 4),
    ("request_uri", 23),
    ("user_agent", 23),
    ("thread", 20),
    ("type", 6),
    ("extra", 10),
];

fn logs_columns() -> String {
    let mut text = "timestamp DateTime64(6), version UInt32, account_id UInt64".to_owned();
    for (name, _) in TEXTS {
        write!(text, ", {name} String").unwrap();
    }
    text + ", modified Bool, port UInt16, producer_time DateTime64(6), tags Array(String)"
}

fn logs(r: &mut Random) -> String {
    let moment = r.moment();
    let mut text = format!(
        "{{\"timestamp\":\"{moment}\",\"version\":{},\"account_id\":{}",
        r.below(2000),
        r.below(1 << 46)
    );
    for (name, length) in TEXTS {
        write!(text, ",\"{name}\":\"").unwrap();
        for _ in 0..length {
            text.push(char::from(b"abcdefghijklmnop -"[usize::try_from(r.below(18)).unwrap()]));
        }
        if name == "message" && r.below(10) == 0 {
            text.push_str(" path=\\\"/a/b\\\"\\n");
        }
        text.push('"');
    }
    write!(
        text,
        ",\"modified\":{},\"port\":{},\"producer_time\":\"{}\",\"tags\":[\"audit\",\"system\"]}}",
        r.below(2) == 0,
        r.below(65_536),
        r.moment()
    )
    .unwrap();
    text
}

fn measure(name: &str, columns: &str, record: impl Fn(&mut Random) -> String) {
    let columns: Columns = columns.parse().unwrap();
    let plan = Arc::new(Plan::compile(&columns, &PlanOptions::default()).unwrap());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let records: Vec<String> = (0..RECORDS).map(|_| record(&mut random)).collect();
    let bytes: usize = records.iter().map(String::len).sum();
    let slices: Vec<&[u8]> = records.iter().map(String::as_bytes).collect();
    println!("{name}: {} B a record", bytes / RECORDS);
    let mut engines = vec![Engine::EXACT];
    for path in [Path::General, Path::Lockstep] {
        engines.extend(Tier::all().into_iter().map(|tier| Engine { path, tier }));
    }
    for engine in engines {
        let mut encoder = Encoder::with_engine(Arc::clone(&plan), engine);
        let mut out = Vec::new();
        let mut speeds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                for part in slices.chunks(200_000 * RECORDS / bytes) {
                    out.clear();
                    encoder.encode_batch(part, &mut out, |_, reject| panic!("{reject}"));
                }
                bytes as f64 / start.elapsed().as_secs_f64() / 1e6
            })
            .collect();
        speeds.sort_by(f64::total_cmp);
        let (median, best) = (speeds[ROUNDS / 2], speeds[ROUNDS - 1]);
        println!("  {:?} {}: median {median:.0} MB/s, best {best:.0} MB/s", engine.path, engine.tier);
    }
}

fn main() {
    measure("events", EVENTS, events);
    measure("logs", &logs_columns(), logs);
}
