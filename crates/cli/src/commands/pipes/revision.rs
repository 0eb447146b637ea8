//! Which revision of a pipe a file was made from: the first line of what `pipes file` prints, which `pipes edit` reads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What the first line begins with.
const MARK: &str = "# revision: ";
/// Bytes of a file that are looked at, at most.
const LINE_BYTES_MAX: u64 = 64;

/// The first line of the file of a pipe at `revision`.
pub(super) fn line(revision: i64) -> String {
    format!("{MARK}{revision}\n")
}

/// The revision that a file was made from, where its first line has one.
pub(super) fn of_file(path: &Path) -> io::Result<Option<i64>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    Ok(of_line(&String::from_utf8_lossy(&line)))
}

fn of_line(line: &str) -> Option<i64> {
    line.strip_prefix(MARK)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(of_line(&line(41)), Some(41));
        for other in ["", "name: clicks\n", "# revision: \n", "# revision: 4x\n", "## revision: 4\n"] {
            assert_eq!(of_line(other), None, "{other:?}");
        }
        assert!(of_file(Path::new("/no/such/file")).is_err());
    }
}
