//! A `housepipe serve` for checks, with a state of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// A running service on a port of its own; it ends with this value.
pub(crate) struct Served {
    process: Child,
    /// Where its API is, such as `http://127.0.0.1:8080`.
    pub(crate) url: String,
    /// The folder with its state, gone with this value.
    _folder: tempfile::TempDir,
}

impl Served {
    pub(crate) fn start(binary: &Path) -> anyhow::Result<Served> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(binary)
            .args(["serve", "--state", "state.db", "--listen", "127.0.0.1:0", "--metrics-listen", "off"])
            .args(["--json", "--log", "error"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        // One document, behind which it says nothing more.
        let told = process
            .stdout
            .take()
            .map(|output| serde_json::Deserializer::from_reader(output).into_iter::<Value>().next());
        let told = told.flatten().and_then(Result::ok).unwrap_or_default();
        match told["url"].as_str() {
            Some(url) => Ok(Served { process, url: url.to_owned(), _folder: folder }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                bail!("`housepipe serve` does not say where it listens")
            }
        }
    }

    /// Kills it.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.end();
    }
}
