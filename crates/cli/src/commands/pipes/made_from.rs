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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MadeFrom {
    state: State,
    /// The pipe's id; none in files of before, which named no pipe.
    id: Option<String>,
}

/// Which of the pipe's states it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Counts edits alone: a pause leaves the file good.
    Definition(u64),
    /// Counts every change, where the service tells no definition.
    Revision(i64),
}

/// What a file is to a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// It was made from the pipe as it is defined.
    Current,
    /// The pipe has been edited since.
    Stale,
    /// It was made from another pipe: of another name, or of this one before it was removed and created anew.
    OfAnother,
    /// It does not say from which pipe it was made, or from what of it.
    Unknown,
}

impl fmt::Display for MadeFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Definition(number) => write!(f, "definition {number}"),
            State::Revision(number) => write!(f, "revision {number}"),
        }
    }
}

impl MadeFrom {
    /// What a file is made from that shows `pipe`.
    pub(super) fn of_pipe(pipe: &PipeView) -> MadeFrom {
        let state = pipe.definition.map_or(State::Revision(pipe.revision), State::Definition);
        MadeFrom { state, id: Some(pipe.id.clone()) }
    }

    /// What the file at `path` says that it was made from; none where it says nothing.
    pub(super) fn of_file(path: &Path) -> io::Result<Option<MadeFrom>> {
        let mut head = Vec::new();
        File::open(path)?.take(HEAD_BYTES_MAX).read_to_end(&mut head)?;
        Ok(of_head(&String::from_utf8_lossy(&head)))
    }

    /// The first line of the file.
    pub(super) fn line(&self) -> String {
        let of = self.id.as_deref().map_or_else(String::new, |id| format!(" of {id}"));
        match self.state {
            State::Definition(number) => format!("# definition: {number}{of}\n"),
            State::Revision(number) => format!("# revision: {number}{of}\n"),
        }
    }

    /// The id of the pipe.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What a file that was made from this is to `pipe`.
    pub(super) fn kinship(&self, pipe: &PipeView) -> Kinship {
        let is_current = match self.state {
            State::Definition(number) => pipe.definition == Some(number),
            State::Revision(number) => pipe.revision == number,
        };
        match &self.id {
            Some(id) if *id != pipe.id => Kinship::OfAnother,
            _ if !is_current => Kinship::Stale,
            Some(_) => Kinship::Current,
            // A pipe that was removed and created anew counts from 1 again.
            None => Kinship::Unknown,
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
    let (key, value) = line.strip_prefix('#')?.split_once(':')?;
    let mut words = value.split_whitespace();
    let number = words.next()?;
    let state = match key.trim() {
        "definition" => State::Definition(number.parse().ok()?),
        "revision" => State::Revision(number.parse().ok()?),
        _ => return None,
    };
    let id = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some("of"), Some(id), None) => Some(id.to_owned()),
        _ => return None,
    };
    Some(MadeFrom { state, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(number: u64, id: Option<&str>) -> MadeFrom {
        MadeFrom { state: State::Definition(number), id: id.map(str::to_owned) }
    }

    #[test]
    fn what_is_written_is_read() {
        let revision = MadeFrom { state: State::Revision(3), id: Some("p1".to_owned()) };
        for made_from in [definition(41, Some("p1")), definition(41, None), revision] {
            assert_eq!(of_head(&format!("{}name: clicks\n", made_from.line())), Some(made_from));
        }
        assert_eq!(definition(2, Some("p48e")).line(), "# definition: 2 of p48e\n");
        for other in [
            "",
            "name: clicks\n",
            "# revision: \n",
            "# definition: 4x\n",
            "## revision: 4\n",
            "# definition: 4 of\n",
            "# definition: 4 p1\n",
            "# definition: 4 of p1 and p2\n",
        ] {
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
            for line in ["# definition: 3 of p1\n", "#definition:3  of p1\r\n", "  # definition: 3 of p1"] {
                let text = format!("{above}{line}");
                assert_eq!(of_head(&text), Some(definition(3, Some("p1"))), "{text:?}");
            }
        }
        // What stands among the keys is somebody's own.
        assert_eq!(of_head("name: clicks\n# definition: 3 of p1\n"), None);
    }

    #[test]
    fn a_pause_is_no_other_definition() {
        let pipe = PipeView { id: "p1".into(), revision: 7, definition: Some(3), ..PipeView::default() };
        let made_from = MadeFrom::of_pipe(&pipe);
        assert_eq!(made_from, definition(3, Some("p1")));
        assert_eq!(made_from.kinship(&PipeView { revision: 8, ..pipe.clone() }), Kinship::Current);
        assert_eq!(made_from.kinship(&PipeView { definition: Some(4), ..pipe.clone() }), Kinship::Stale);
        let of_an_older_service = PipeView { definition: None, ..pipe };
        assert_eq!(made_from.kinship(&of_an_older_service), Kinship::Stale);
        let made_from = MadeFrom::of_pipe(&of_an_older_service);
        assert_eq!(made_from.to_string(), "revision 7");
        assert_eq!(made_from.kinship(&of_an_older_service), Kinship::Current);
    }

    #[test]
    fn each_pipe_counts_its_own_definitions() {
        let pipe = PipeView { id: "p1".into(), definition: Some(1), ..PipeView::default() };
        for (made_from, kinship) in [
            (definition(1, Some("p1")), Kinship::Current),
            (definition(1, Some("p2")), Kinship::OfAnother),
            (definition(2, Some("p2")), Kinship::OfAnother),
            // A line of before, which says no pipe, is good for nothing but to tell that it is too old.
            (definition(1, None), Kinship::Unknown),
            (definition(2, None), Kinship::Stale),
        ] {
            assert_eq!(made_from.kinship(&pipe), kinship, "{made_from:?}");
        }
    }
}
