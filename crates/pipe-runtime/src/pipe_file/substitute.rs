//! `${env:NAME}` and `${file:PATH}` in string values.
//!
//! They are resolved after the file was parsed, so what they hold can change a value and never the file's structure.

/// A file that `${file:..}` names may have this many bytes, at most.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// `text` with every reference replaced. The error names the reference, never what it holds.
pub(super) fn resolve(text: &str) -> Result<String, String> {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        resolved.push_str(&rest[..start]);
        let reference = &rest[start..];
        let Some(end) = reference.find('}') else {
            return Err(format!("`{reference}` has no closing `}}`"));
        };
        resolved.push_str(&look_up(&reference[2..end])?);
        rest = &reference[end + 1..];
    }
    resolved.push_str(rest);
    Ok(resolved)
}

fn look_up(reference: &str) -> Result<String, String> {
    match reference.split_once(':') {
        Some(("env", name)) => std::env::var(name).map_err(|_| {
            format!("the environment variable `{name}` is not set (or not UTF-8); export it before the start")
        }),
        Some(("file", path)) => read(path),
        _ => Err(format!("`${{{reference}}}` is not a reference: write ${{env:NAME}} or ${{file:PATH}}")),
    }
}

fn read(path: &str) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|e| format!("cannot read the file `{path}`: {e}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("the file `{path}` has {size} bytes, more than {FILE_BYTES_MAX}"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read the file `{path}`: {e}"))?;
    // Secrets written by an editor or by `echo` end in a newline that is not part of them.
    Ok(text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(resolve("${env:X").unwrap_err().contains("no closing"));
    }
}
