//! `deploy/systemd/housepipe.service`: what systemd says of it, and of how far it is held back.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::command_line::CommandLine;
use super::{file, output, tell, text};

const NAME: &str = "systemd/housepipe.service";

/// Where the program is on a machine that the unit is for.
const PROGRAM: &str = "/usr/local/bin/housepipe";

/// The exposure that `systemd-analyze security` may come to, in tenths: 0 is a service that can do nothing, 100 one that can do all.
const EXPOSURE_MAX: &str = "13";

pub(super) fn check(binary: &Path) -> anyhow::Result<Vec<CommandLine>> {
    let unit = text(NAME)?;
    if cfg!(target_os = "linux") {
        analyze(&unit, binary)?;
    } else {
        println!("deploy/{NAME}: read without systemd, which is Linux's");
    }
    let line = values(&unit, "ExecStart").next().and_then(|line| line.strip_prefix(PROGRAM));
    let line = line.with_context(|| format!("{NAME} does not start {PROGRAM}"))?;
    let words = line.split_whitespace().map(str::to_owned).collect();
    let variables =
        values(&unit, "Environment").filter_map(|set| Some(set.split_once('=')?.0.to_owned())).collect();
    Ok(vec![CommandLine { place: format!("deploy/{NAME}"), words, variables }])
}

/// What the unit says of `key`, in the order of its lines.
fn values<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

fn analyze(unit: &str, binary: &Path) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("housepipe-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let copy = folder.join("housepipe.service");
    // It looks for the program, which is elsewhere here.
    std::fs::write(&copy, unit.replace(PROGRAM, &binary.display().to_string()))?;
    let told = verify(&copy);
    std::fs::remove_dir_all(&folder)?;
    tell(&file(NAME), &told?);
    Ok(())
}

fn verify(unit: &Path) -> anyhow::Result<String> {
    let verify = || {
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(unit);
        output(&mut command)
    };
    // A key that it does not know is a warning, with which it succeeds.
    let told = verify()?;
    ensure!(told.is_empty(), "systemd-analyze verify: {told}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager"]).arg(format!("--threshold={EXPOSURE_MAX}"));
    let told = output(security.arg(unit))?;
    let level = told.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
    Ok(level.trim_start_matches(['→', ' ']).to_owned())
}
