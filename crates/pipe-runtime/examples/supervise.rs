//! Runs every pipe file of a folder, and takes over what is edited there. Ctrl-C ends it.
//!
//! ```sh
//! cargo run --example supervise -- pipes/
//! ```

#![allow(clippy::print_stderr, reason = "an example tells what it sees")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use housepipe_runtime::{Generation, PipeFile, PipeId, Supervisor, SupervisorOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "pipes".to_owned());
    let supervisor = Supervisor::new(SupervisorOptions::default());
    let mut events = supervisor.events();
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            eprintln!("{}: {} {}", event.pipe, event.stage, event.reason.unwrap_or_default());
        }
    });
    let mut seen: HashMap<PathBuf, (SystemTime, u64)> = HashMap::new();
    loop {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let Ok(changed) = path.metadata().and_then(|metadata| metadata.modified()) else { continue };
            let (known, generation) = seen.entry(path.clone()).or_insert((SystemTime::UNIX_EPOCH, 0));
            if *known != changed {
                (*known, *generation) = (changed, *generation + 1);
                match PipeFile::read(&path) {
                    Ok(file) => supervisor.run(&id(&path), Generation::of(*generation), file),
                    Err(error) => eprintln!("{error}"),
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    supervisor.end().await;
    Ok(())
}

/// One pipe a file.
fn id(path: &Path) -> PipeId {
    PipeId::from(path.to_string_lossy().as_ref())
}
