//! Prints the newest records of a topic, without joining a consumer group:
//! `cargo run -p housepipe-kafka-source --example newest -- localhost:9092 orders 5`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::process::ExitCode;
use std::time::Duration;

use housepipe_kafka_source::{SourceConfig, SourceError, describe_topic, sample};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (brokers, topic, count) = match words.as_slice() {
        [brokers, topic] => (brokers, topic, 10),
        [brokers, topic, count] if count.parse::<usize>().is_ok() => {
            (brokers, topic, count.parse().unwrap_or(10))
        }
        _ => {
            eprintln!("usage: newest BROKERS TOPIC [COUNT]");
            return ExitCode::from(2);
        }
    };
    match print(&SourceConfig::new(brokers.as_str(), topic.as_str(), "example"), count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each cause has its own words, with what mends it.
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(config: &SourceConfig, count: usize) -> Result<(), SourceError> {
    let topic = describe_topic(config, Duration::from_secs(8))?;
    println!("{} partitions on {} brokers", topic.partitions, topic.brokers);
    let sampled = sample(config, count, Duration::from_secs(10))?;
    if let Some(error) = &sampled.cut_short {
        eprintln!("not all of them: {error}");
    }
    for record in sampled.records {
        let payload = record.payload.as_deref().map(String::from_utf8_lossy);
        println!("{}:{} {}", record.partition, record.offset, payload.as_deref().unwrap_or("no value"));
    }
    Ok(())
}
