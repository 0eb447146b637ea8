//! What a pipe file takes from outside of it: what its references stand for, variables of the environment, files.

use std::cell::RefCell;

/// A file that `${file:..}` names may have this many bytes, at most.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is around a pipe file. [`ThisMachine`] for a file of whoever runs the program; whoever takes files of others decides what they may
/// have from here.
pub trait Surroundings {
    /// What `${kind:name}` stands for, in the value of `key`.
    ///
    /// # Errors
    /// Why it stands for nothing, and what to do; without what it would have stood for.
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String>;

    /// The variable of the environment that is taken where the file leaves out a key, such as `AWS_REGION`.
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether certificates and keys may be named by the path of their file, rather than stand in the pipe file.
    ///
    /// # Errors
    /// Why they may not, and what to do.
    fn allows_paths(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether librdkafka's settings may be given by their names, some of which name files, and others secrets.
    ///
    /// # Errors
    /// Why they may not, and what to do.
    fn allows_raw_settings(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether the pipe may connect to `host`, a name or an address without its port.
    ///
    /// # Errors
    /// Why it may not.
    fn allows_host(&self, _host: &str) -> Result<(), String> {
        Ok(())
    }

    /// Whether a user of the pipe's own gets the name and the password that the file leaves out from whoever runs the pipe.
    fn names_own_user(&self) -> bool {
        false
    }
}

/// A key of the pipe file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// Its path, such as `source.auth.password`.
    pub path: &'a str,
    /// Whether its value is a secret.
    pub is_secret: bool,
}

/// `${env:NAME}` and `${file:PATH}` of the machine and the process, and files by their paths.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisMachine;

impl Surroundings for ThisMachine {
    fn reference(&self, kind: &str, name: &str, _: Key<'_>) -> Result<String, String> {
        match kind {
            "env" => std::env::var(name).map_err(|_| {
                format!(
                    "the environment variable `{name}` is not set (or not UTF-8); export it before the start"
                )
            }),
            "file" => read(name),
            // It may be a part of a password, so it is not shown.
            _ => Err("`${…}` is not a reference: write ${env:NAME} or ${file:PATH}".to_owned()),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The text of a file, without its last newline.
pub(super) fn read(path: &str) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| unread(path, &e))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("the file `{path}` has {size} bytes, more than {FILE_BYTES_MAX}"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unread(path, &e))?;
    // Secrets written by an editor or by `echo` end in a newline that is not part of them.
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t)).to_owned())
}

/// Says where a file was looked for that cannot be read.
fn unread(path: &str, error: &std::io::Error) -> String {
    let folder = std::env::current_dir().ok().filter(|_| std::path::Path::new(path).is_relative());
    let looked = folder
        .map(|folder| format!("; a relative path begins at the folder of the process, {}", folder.display()));
    format!("cannot read the file `{path}`: {error}{}", looked.unwrap_or_default())
}

/// The host of a URL; none where it is no URL, which is told elsewhere.
pub(super) fn host_of_url(text: &str) -> Option<String> {
    url::Url::parse(text).ok()?.host_str().map(str::to_owned)
}

/// What one reading of a file works with.
pub(super) struct Outside<'a> {
    surroundings: &'a dyn Surroundings,
    /// Paths of the keys that hold secrets.
    secrets: RefCell<Vec<String>>,
    /// Paths of the keys that hold PEM, or the path of a file with it.
    pems: RefCell<Vec<String>>,
}

/// What a document refers to, by the paths of its keys.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) secrets: Vec<String>,
    pub(super) pems: Vec<String>,
}

impl<'a> Outside<'a> {
    pub(super) fn new(surroundings: &'a dyn Surroundings) -> Outside<'a> {
        Outside { surroundings, secrets: RefCell::default(), pems: RefCell::default() }
    }

    /// What is around the file.
    pub(super) fn surroundings(&self) -> &'a dyn Surroundings {
        self.surroundings
    }

    /// Notes that the value at `path` is a secret.
    pub(super) fn is_secret(&self, path: &str) {
        self.secrets.borrow_mut().push(path.to_owned());
    }

    /// Notes that the value at `path` is PEM, or the path of a file with it.
    pub(super) fn is_pem(&self, path: &str) {
        self.pems.borrow_mut().push(path.to_owned());
    }

    /// The paths that were noted, in the order of the file.
    pub(super) fn into_noted(self) -> Noted {
        Noted { secrets: self.secrets.into_inner(), pems: self.pems.into_inner() }
    }

    /// The `text` of a key with every reference replaced. The error says nothing of what is in either.
    pub(super) fn resolve(&self, text: &str, key: Key<'_>) -> Result<String, String> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            resolved.push_str(&rest[..start]);
            let reference = &rest[start..];
            let Some(end) = reference.find('}') else {
                return Err("a reference, `${…}`, has no closing `}`".to_owned());
            };
            let (kind, name) = reference[2..end].split_once(':').unwrap_or((&reference[2..end], ""));
            resolved.push_str(&self.surroundings.reference(kind, name, key)?);
            rest = &reference[end + 1..];
        }
        resolved.push_str(rest);
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String, String> {
        Outside::new(&ThisMachine).resolve(text, Key { path: "a", is_secret: false })
    }

    #[test]
    fn leaves_plain_text_alone() {
        assert_eq!(resolve("a$b {c}").unwrap(), "a$b {c}");
    }

    #[test]
    fn reads_a_file_without_its_last_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "pass word\n").unwrap();
        assert_eq!(resolve(&format!("<${{file:{}}}>", file.path().display())).unwrap(), "<pass word>");
    }

    #[test]
    fn names_what_is_missing() {
        assert!(resolve("${env:HOUSEPIPE_NOT_SET}").unwrap_err().contains("`HOUSEPIPE_NOT_SET` is not set"));
        assert!(resolve("${file:/nowhere/at/all}").unwrap_err().contains("/nowhere/at/all"));
        assert!(resolve("${vault:x}").unwrap_err().contains("is not a reference"));
        assert!(resolve("${x}").unwrap_err().contains("is not a reference"));
        assert!(resolve("${env:X").unwrap_err().contains("no closing"));
    }
}
