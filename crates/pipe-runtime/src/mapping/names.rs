//! Names of columns and of fields, and how like they are.

use housepipe_transform::{DataType, Source};
use serde::Serialize;

use super::TopicField;

/// Levels of objects within objects whose members are looked at.
const DEPTH_MAX: usize = 4;

/// How the name of a field is like that of the column that it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// It is the same.
    Exact,
    /// It differs in letter case.
    LetterCase,
    /// It has the same words, written in another way, as `userId` and `user_id`.
    Words,
    /// Its words, with those of the objects around it, are the same, as of `user.id` and `user_id`.
    Path,
}

impl Likeness {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Likeness::Exact => "exact",
            Likeness::LetterCase => "letter_case",
            Likeness::Words => "words",
            Likeness::Path => "path",
        }
    }

    /// The likest first.
    pub(super) const ALL: [Likeness; 4] =
        [Likeness::Exact, Likeness::LetterCase, Likeness::Words, Likeness::Path];
}

/// Something in a record that may fill a column.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The key of the record that it is, or is inside of.
    pub(super) field: String,
    /// As `from:` of a pipe file names it.
    pub(super) from: String,
    pub(super) data_type: DataType,
    /// It is the field itself.
    is_field: bool,
    /// Its letters and digits, in lower case; with those of the objects around it.
    letters: String,
}

impl Candidate {
    /// How like it is to a column; none where it is not.
    pub(super) fn likeness(&self, column: &str) -> Option<Likeness> {
        let is_alike = || letters(column) == self.letters;
        if !self.is_field {
            return is_alike().then_some(Likeness::Path);
        }
        if self.field == column {
            Some(Likeness::Exact)
        } else if self.field.to_lowercase() == column.to_lowercase() {
            Some(Likeness::LetterCase)
        } else {
            is_alike().then_some(Likeness::Words)
        }
    }
}

/// Everything that may fill a column: the fields, and the members of objects whose members are known.
pub(super) fn candidates(fields: &[TopicField]) -> Vec<Candidate> {
    let mut all = Vec::new();
    for TopicField { name, data_type } in fields {
        let from = Source::Field(name.clone()).to_string();
        all.push(Candidate {
            field: name.clone(),
            from: from.clone(),
            data_type: data_type.clone(),
            is_field: true,
            letters: letters(name),
        });
        members(name, (&from, &letters(name)), data_type, DEPTH_MAX, &mut all);
    }
    all
}

fn members(
    field: &str,
    (from, words): (&str, &str),
    data_type: &DataType,
    depth: usize,
    all: &mut Vec<Candidate>,
) {
    let DataType::Tuple(elements) = data_type else { return };
    let Some(depth) = depth.checked_sub(1) else { return };
    for element in elements {
        let Some(name) = &element.name else { continue };
        let from = format!("{from}.{}", Source::Field(name.clone()));
        let words = format!("{words}{}", letters(name));
        members(field, (&from, &words), &element.ty, depth, all);
        all.push(Candidate {
            field: field.to_owned(),
            from,
            data_type: element.ty.clone(),
            is_field: false,
            letters: words,
        });
    }
}

/// What is left of a name without what stands between its words.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
