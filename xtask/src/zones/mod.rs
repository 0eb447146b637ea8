//! `cargo xtask zones`: the time zones of the pinned ClickHouse, as the transform's table of them.

mod pack;
mod posix;
mod tzif;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use housepipe_local_stack::{Clickhouse, ClickhouseOptions};

use crate::{run, setup};

/// Where the transform has its table; `table.rs` beside it says what stands in it.
const TABLE: &str = "crates/transform/src/zone/zones.bin";

/// Takes the zones out of the server's own file, their names from the running server, and writes the table.
///
/// ClickHouse is linked with a compiled file for each of its zones, one behind the other in the order of their names.
/// No answer to a query tells as much: its table of days cuts changes off to quarters of an hour.
pub(crate) fn run() -> anyhow::Result<()> {
    setup::tools_for_tests()?;
    let parts = setup::pinned_parts()?;
    let file = parts.clickhouse_file().context("the pinned ClickHouse is no file on this machine")?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = tzif::find_all(&bytes)?;

    let clickhouse = Clickhouse::start(&parts, &ClickhouseOptions::default())?;
    let names =
        clickhouse.query("SELECT time_zone FROM system.time_zones ORDER BY time_zone FORMAT TSVRaw")?;
    let version = clickhouse
        .query("SELECT value FROM system.build_options WHERE name = 'TZDATA_VERSION' FORMAT TSVRaw")?;
    let names: Vec<&str> = names.lines().collect();
    ensure!(
        names.len() == found.len(),
        "the server names {} zones, and {} has {}",
        names.len(),
        file.display(),
        found.len()
    );

    let zones: BTreeMap<&str, _> = names.into_iter().zip(found).collect();
    let table = pack::pack(version.trim(), &zones)?;
    let path = run::root().join(TABLE);
    std::fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} zones of the database {} in {} bytes: {TABLE}", zones.len(), version.trim(), table.len());
    println!("`cargo xtask test conformance` compares them with the server");
    Ok(())
}
