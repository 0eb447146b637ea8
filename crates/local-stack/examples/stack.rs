//! Starts the local stack, says where it is, and keeps it until Ctrl-C or the end of standard input.
//!
//! ```sh
//! cargo run -p housepipe-local-stack --example stack
//! ```
#![allow(clippy::print_stdout, reason = "an example is a program of its own")]

use std::io::Read;
use std::time::Instant;

use housepipe_local_stack::{Lines, Stack, prepare};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parts = prepare(&mut Lines::default())?;
    let began = Instant::now();
    let stack = Stack::start(&parts)?;
    println!("up in {:.1} s", began.elapsed().as_secs_f64());
    println!("ClickHouse        {}  database {}", stack.clickhouse.url(), stack.clickhouse.database());
    println!("Kafka, plain      {}", stack.kafka.bootstrap());
    println!("Kafka, SASL_SSL   {}  CA {}", stack.kafka.bootstrap_sasl_ssl(), stack.kafka.ca_pem().display());
    println!("Kafka, mTLS       {}", stack.kafka.bootstrap_mtls());
    // Ctrl-C ends this process at once; the keepers notice and clean up.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
