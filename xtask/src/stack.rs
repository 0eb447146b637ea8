//! `cargo xtask stack`: servers for development.

use std::io::Read;

use housepipe_local_stack::{DATABASE, Lines, Stack, prepare};

use crate::setup;

/// Starts both servers, prints where they are, and keeps them until Ctrl-C or the end of standard input.
pub(crate) fn run() -> anyhow::Result<()> {
    setup::tools()?;
    let stack = Stack::start(&prepare(&mut Lines::default())?)?;
    if stack.clickhouse.is_external() {
        println!(
            "CLICKHOUSE_URL names a server of yours, {}   # database {DATABASE}",
            stack.clickhouse.url()
        );
    } else {
        println!("export CLICKHOUSE_URL={}   # database {DATABASE}", stack.clickhouse.url());
    }
    println!("export KAFKA_BROKERS={}", stack.kafka.bootstrap());
    if !stack.kafka.is_external() {
        println!("SASL_SSL: {}   CA: {}", stack.kafka.bootstrap_sasl_ssl(), stack.kafka.ca_pem().display());
    }
    println!("Ctrl-C ends both.");
    // Ctrl-C ends this process, and the servers end with their owner.
    let mut ignored = Vec::new();
    std::io::stdin().read_to_end(&mut ignored)?;
    Ok(())
}
