//! Wheels by way of pip: download with pinned checksums, then unpack into a folder of the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Growth, Measure};
use crate::error::{Result, StackError};
use crate::manifest::Wheel;
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;

/// The folder with the wheel's packages.
pub(crate) fn ensure(maker: &mut Maker<'_>, wheel: &Wheel) -> Result<PathBuf> {
    maker.ensure(&wheel.folder()?, |tools, folder, progress| make(wheel, tools, folder, progress))
}

fn make(wheel: &Wheel, tools: &Tools<'_>, folder: &Path, progress: &mut dyn Progress) -> Result<()> {
    let pip = virtual_environment(tools, progress)?;
    let work = tools.staging("wheel");
    crate::cache::remove_folder(&work)?;
    let wheels = work.join("wheels");
    // pip writes a download into its temporary folder first; there we can watch it.
    let temporary = work.join("tmp");
    for folder in [&wheels, &temporary] {
        fs::create_dir_all(folder).map_err(StackError::file("create", folder))?;
    }
    let requirement = work.join("requirements.txt");
    fs::write(&requirement, wheel.requirement()?).map_err(StackError::file("write", &requirement))?;
    let pip = |action: &str| {
        let mut command = Command::new(&pip);
        command
            .args(["-m", "pip", action, "--no-deps", "--require-hashes", "--only-binary", ":all:"])
            .arg("-r")
            .arg(&requirement)
            .env("TMPDIR", &temporary)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        command
    };

    progress.step(&format!("Downloading {} {} ({})", wheel.name, wheel.version, wheel.why));
    tools.run(
        pip("download").arg("--dest").arg(&wheels),
        &format!("pip-download-{}.log", wheel.name),
        progress,
        &Growth {
            folders: &[&wheels, &temporary],
            total: Some(wheel.download_bytes),
            measure: Measure::LargestFile,
        },
    )?;
    progress.step(&format!("Unpacking {} {}", wheel.name, wheel.version));
    tools.run(
        pip("install")
            .args(["--no-index", "--no-compile", "--find-links"])
            .arg(&wheels)
            .arg("--target")
            .arg(folder),
        &format!("pip-install-{}.log", wheel.name),
        progress,
        &Growth { folders: &[folder, &temporary], total: Some(wheel.installed_bytes), measure: Measure::Sum },
    )?;
    crate::cache::remove_folder(&work)
}

/// A Python of our own that has pip, whatever the system's packages are; it lives as long as the set-up.
fn virtual_environment(tools: &Tools<'_>, progress: &mut dyn Progress) -> Result<PathBuf> {
    let folder = tools.staging("venv");
    let python = folder.join("bin/python");
    if !python.exists() {
        progress.step("Making a Python environment for pip");
        tools.run(
            Command::new(tools.python).args(["-m", "venv"]).arg(&folder),
            "venv.log",
            progress,
            &Growth::NONE,
        )?;
    }
    Ok(python)
}
