//! Reads JSON Lines from standard input, and prints the columns that fit them, a sorting key, a partitioning, and the
//! time that it took: `cargo run --release -p housepipe-transform --example infer < events.jsonl`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::io::Read as _;
use std::time::Instant;

use housepipe_transform::{Inference, InferenceOptions};

fn main() -> std::io::Result<()> {
    let mut lines = Vec::new();
    std::io::stdin().lock().read_to_end(&mut lines)?;
    let samples: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();

    let begin = Instant::now();
    let mut inference = Inference::new();
    for (number, sample) in (1..).zip(&samples) {
        if let Err(reject) = inference.add(sample, number) {
            eprintln!("line {number}: {reject}");
        }
    }
    let added = begin.elapsed();
    let inferred = inference.finish(&InferenceOptions::default());
    let took = begin.elapsed();

    for column in &inferred.columns {
        let decided_by = column.decided_by.map_or_else(String::new, |line| format!(" (line {line})"));
        println!("{} {}", column.column.name, column.column.ty);
        println!("    {:.2}  {}{decided_by}", column.confidence, column.reason);
        for note in &column.notes {
            println!("    note: {note}");
        }
    }
    for key in &inferred.left_out {
        println!("left out: {:?}: {}", key.key, key.reason);
    }
    println!("ORDER BY ({})\n    {}", inferred.order_by.join(", "), inferred.order_by_reason);
    let partition_by = inferred.partition_by.map_or_else(|| "tuple()".to_owned(), |key| key.to_string());
    println!("PARTITION BY {partition_by}\n    {}", inferred.partition_by_reason);
    eprintln!(
        "{} samples of {} bytes in {took:?}, of which {:?} to choose",
        inferred.samples,
        lines.len(),
        took.saturating_sub(added)
    );
    Ok(())
}
