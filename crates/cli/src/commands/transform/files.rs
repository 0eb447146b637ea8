//! The files of `housepipe transform`. An output is emptied only once all of them are open and none is another one.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::args::TransformArgs;
use crate::exit::Exit;

/// Where the records come from, where the rows and the rejects go.
pub(super) struct Files {
    pub(super) input: File,
    pub(super) output: File,
    pub(super) rejects: Option<File>,
}

impl Files {
    /// Opens the files that the arguments name, and standard input and output where they name none.
    pub(super) fn open(args: &TransformArgs) -> Result<Files, Exit> {
        let input = match &args.input {
            Some(path) => {
                let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
                Opened { name: path.display().to_string(), file, is_new: false }
            }
            None => Opened::standard("standard input", io::stdin().as_fd())?,
        };
        if input.metadata()?.is_dir() {
            return Err(Exit::failed(anyhow!("cannot read {}: it is a folder", input.name)));
        }
        let output = match &args.output {
            Some(path) => Opened::to_write(path)?,
            None => Opened::standard("standard output", io::stdout().as_fd())?,
        };
        let rejects = match args.rejects.as_deref().map(Opened::to_write).transpose() {
            Ok(rejects) => rejects,
            Err(error) => {
                output.forget(args.output.as_deref());
                return Err(error.into());
            }
        };
        if let Err(refused) = all_different(&input, &output, rejects.as_ref()) {
            output.forget(args.output.as_deref());
            if let Some(rejects) = rejects {
                rejects.forget(args.rejects.as_deref());
            }
            return Err(refused);
        }
        if args.output.is_some() {
            output.empty()?;
        }
        if let Some(rejects) = &rejects {
            rejects.empty()?;
        }
        Ok(Files { input: input.file, output: output.file, rejects: rejects.map(|rejects| rejects.file) })
    }
}

/// Fails where two of them are the same file, under whatever names.
fn all_different(input: &Opened, output: &Opened, rejects: Option<&Opened>) -> Result<(), Exit> {
    let same = |one: &Opened, role: &str, other: &Opened, other_role: &str| {
        if !one.is_same(other)? {
            return Ok(());
        }
        let names = if one.name == other.name {
            one.name.clone()
        } else {
            format!("{} and {}", one.name, other.name)
        };
        Err(Exit::usage(anyhow!(
            "{role} and {other_role} are the same file ({names}), which would be overwritten; name another one"
        )))
    };
    same(input, "the input", output, "the output")?;
    if let Some(rejects) = rejects {
        same(input, "the input", rejects, "--rejects")?;
        same(output, "the output", rejects, "--rejects")?;
    }
    Ok(())
}

/// An open file, as it was when it was opened.
struct Opened {
    name: String,
    file: File,
    /// It was made just now.
    is_new: bool,
}

impl Opened {
    /// Opens a file to write to, or makes it; what it holds stays.
    fn to_write(path: &Path) -> Result<Opened, anyhow::Error> {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        let is_new = made.is_ok();
        let file = match made {
            // A link to nothing is there too, and is followed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).create(true).truncate(false).open(path)
            }
            made => made,
        };
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Opened { name: path.display().to_string(), file, is_new })
    }

    /// A standard stream, as a file: rows are written as they come, not line by line.
    fn standard(name: &str, stream: BorrowedFd<'_>) -> Result<Opened, anyhow::Error> {
        let stream = stream.try_clone_to_owned().with_context(|| format!("cannot use {name}"))?;
        Ok(Opened { name: name.to_owned(), file: File::from(stream), is_new: false })
    }

    fn metadata(&self) -> Result<Metadata, anyhow::Error> {
        self.file.metadata().with_context(|| format!("cannot look at {}", self.name))
    }

    /// Whether both are the same file on a disk. Terminals, pipes and `/dev/null` may well be used twice.
    fn is_same(&self, other: &Opened) -> Result<bool, anyhow::Error> {
        let (one, other) = (self.metadata()?, other.metadata()?);
        let is_on_disk = one.is_file() || one.file_type().is_block_device();
        Ok(is_on_disk && (one.dev(), one.ino()) == (other.dev(), other.ino()))
    }

    /// Throws away what a file holds; a device or a pipe holds nothing.
    fn empty(&self) -> Result<(), anyhow::Error> {
        if self.metadata()?.is_file() {
            self.file.set_len(0).with_context(|| format!("cannot empty {}", self.name))?;
        }
        Ok(())
    }

    /// Removes the file where it was made for nothing.
    fn forget(&self, path: Option<&Path>) {
        if let Some(path) = path.filter(|_| self.is_new) {
            // An empty file that stays behind is no second failure to tell of.
            let _ = std::fs::remove_file(path);
        }
    }
}
