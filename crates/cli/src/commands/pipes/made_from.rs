//! From which definition of a pipe a file was made: the first line of what `pipes file` prints, which `pipes edit` looks for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::remote::PipeView;

/// Bytes of a file in which the line is looked for, at most.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// A mark that editors of some systems put before a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What a file was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MadeFrom {
    /// Counts edits alone: a pause leaves the file good.
    Definition(u64),
    /// Counts every change, where the service tells no definition.
    Revision(i64),
}

impl fmt::Display for MadeFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MadeFrom::Definition(number) => write!(f, "definition {number}"),
            MadeFrom::Revision(number) => write!(f, "revision {number}"),
        }
    }
}

impl MadeFrom {
    /// What a file is made from that shows `pipe`.
    pub(super) fn of_pipe(pipe: &PipeView) -> MadeFrom {
        pipe.definition.map_or(MadeFrom::Revision(pipe.revision), MadeFrom::Definition)
    }

    /// What the file at `path` says that it was made from; none where it says nothing.
    pub(super) fn of_file(path: &Path) -> io::Result<Option<MadeFrom>> {
        let mut head = Vec::new();
        File::open(path)?.take(HEAD_BYTES_MAX).read_to_end(&mut head)?;
        Ok(of_head(&String::from_utf8_lossy(&head)))
    }

    /// The first line of the file.
    pub(super) fn line(self) -> String {
        match self {
            MadeFrom::Definition(number) => format!("# definition: {number}\n"),
            MadeFrom::Revision(number) => format!("# revision: {number}\n"),
        }
    }

    /// Whether `pipe` is still defined as the file was made from it.
    pub(super) fn is_of(self, pipe: &PipeView) -> bool {
        match self {
            MadeFrom::Definition(number) => pipe.definition == Some(number),
            MadeFrom::Revision(number) => pipe.revision == number,
        }
    }
}

/// What stands before the first key. Somebody may have put other lines above ours.
fn of_head(text: &str) -> Option<MadeFrom> {
    text.lines()
        .map(|line| line.trim_start_matches(BYTE_ORDER_MARK).trim())
        .take_while(|line| line.is_empty() || line.starts_with(['#', '%']) || line.starts_with("---"))
        .find_map(of_line)
}

fn of_line(line: &str) -> Option<MadeFrom> {
    let (key, number) = line.strip_prefix('#')?.split_once(':')?;
    let number = number.trim();
    match key.trim() {
        "definition" => number.parse().ok().map(MadeFrom::Definition),
        "revision" => number.parse().ok().map(MadeFrom::Revision),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for made_from in [MadeFrom::Definition(41), MadeFrom::Revision(3)] {
            assert_eq!(of_head(&format!("{}name: clicks\n", made_from.line())), Some(made_from));
        }
        for other in ["", "name: clicks\n", "# revision: \n", "# definition: 4x\n", "## revision: 4\n"] {
            assert_eq!(of_head(other), None, "{other:?}");
        }
        assert!(MadeFrom::of_file(Path::new("/no/such/file")).is_err());
    }

    #[test]
    fn it_is_found_below_what_others_have_put_above_it() {
        for above in [
            "# yaml-language-server: $schema=https://example.com/pipe-file.schema.json\n",
            "---\n",
            "\u{feff}",
            "\u{feff}---\r\n\r\n",
            "%YAML 1.2\n--- # a pipe\n\n  # of the shop\n",
        ] {
            for line in ["# definition: 3\n", "#definition:3\r\n", "  # definition: 3"] {
                let text = format!("{above}{line}");
                assert_eq!(of_head(&text), Some(MadeFrom::Definition(3)), "{text:?}");
            }
        }
        // What stands among the keys is somebody's own.
        assert_eq!(of_head("name: clicks\n# definition: 3\n"), None);
    }

    #[test]
    fn a_pause_is_no_other_definition() {
        let pipe = PipeView { revision: 7, definition: Some(3), ..PipeView::default() };
        assert_eq!(MadeFrom::of_pipe(&pipe), MadeFrom::Definition(3));
        assert!(MadeFrom::Definition(3).is_of(&PipeView { revision: 8, ..pipe.clone() }));
        assert!(!MadeFrom::Definition(2).is_of(&pipe) && !MadeFrom::Revision(3).is_of(&pipe));
        let of_an_older_service = PipeView { definition: None, ..pipe };
        assert_eq!(MadeFrom::of_pipe(&of_an_older_service), MadeFrom::Revision(7));
        assert!(!MadeFrom::Definition(3).is_of(&of_an_older_service));
    }
}
