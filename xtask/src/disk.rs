//! How much of the disk is left for what is built and for the servers.

use std::path::Path;

use anyhow::Context;
use nix::sys::statvfs::statvfs;

use crate::run::{root, target_folder};

/// A run of all stages on a fresh checkout leaves 12 GiB in the target folder; the servers of its tests need some more for a while.
const WANTED_GIB: u64 = 20;

/// Says how much is free where the project is built, and warns where that is little.
pub(crate) fn tell() -> anyhow::Result<()> {
    let target = target_folder()?;
    let folder = if target.exists() { target } else { root() };
    let free = free_gib(&folder)?;
    println!("disk: {free} GiB are free at {}", folder.display());
    if free < WANTED_GIB {
        println!(
            "warning: a first run of all tests wants {WANTED_GIB} GiB; where the disk is full, servers end and tests fail. \
             `cargo clean` frees what was built"
        );
    }
    Ok(())
}

fn free_gib(folder: &Path) -> anyhow::Result<u64> {
    let disk =
        statvfs(folder).with_context(|| format!("cannot ask for the free space at {}", folder.display()))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()) >> 30)
}
