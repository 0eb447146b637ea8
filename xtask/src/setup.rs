//! What a machine needs before anything can be built or run.

use housepipe_local_stack::{Lines, Parts, Wanted, prepare_wanted, requirements};

/// Makes sure that the tools are there for the servers that the environment asks for.
pub(crate) fn tools() -> anyhow::Result<()> {
    tools_for(&Wanted::from_environment())
}

/// Makes sure that the tools are there for tests.
pub(crate) fn tools_for_tests() -> anyhow::Result<()> {
    tools_for(&Wanted::pinned())
}

/// Installs what can be installed without a question, names the rest.
fn tools_for(wanted: &Wanted) -> anyhow::Result<()> {
    let missing = requirements::check_wanted(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        eprintln!("missing: {} ({})", tool.what, tool.why);
    }
    Ok(requirements::install(&missing, &mut Lines::default())?)
}

/// Makes sure that ClickHouse and Kafka are in the cache: the pinned ones, which tests run against whatever servers the
/// environment names.
pub(crate) fn pinned_parts() -> anyhow::Result<Parts> {
    Ok(prepare_wanted(&Wanted::pinned(), &mut Lines::default())?)
}
