//! A fault on its way up, gathering the path of its column.

use std::fmt::Write as _;

use crate::reject::{Reject, RejectCode};

/// A fault; boxed, since the good way should not carry its weight.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: RejectCode,
    position: usize,
    message: String,
    /// The record is refused whatever else its value might be.
    is_final: bool,
    /// From the innermost step to the column.
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Column(String),
    Element(String),
    Index(usize),
}

impl Fault {
    #[cold]
    pub(crate) fn new(code: RejectCode, position: usize, message: impl Into<String>) -> Fault {
        use RejectCode::{DateTimeWithoutYear, RecordTooLarge, TooDeep, TooManyFields};
        // Limits of ours, and texts that ClickHouse reads by its clock.
        let is_final = matches!(code, DateTimeWithoutYear | RecordTooLarge | TooDeep | TooManyFields);
        Fault(Box::new(Inner { code, position, message: message.into(), is_final, path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn json(position: usize, message: impl Into<String>) -> Fault {
        Fault::new(RejectCode::InvalidJson, position, message)
    }

    /// Whether the record is refused whatever else its value might be: other members of a Variant are not tried.
    pub(crate) fn is_final(&self) -> bool {
        self.0.is_final
    }

    /// Where it is.
    pub(crate) fn position(&self) -> usize {
        self.0.position
    }

    /// The same fault, as one that no other member of a Variant mends.
    #[cold]
    pub(crate) fn made_final(mut self) -> Fault {
        self.0.is_final = true;
        self
    }

    /// The same fault at another position.
    #[cold]
    pub(crate) fn moved_to(mut self, position: usize) -> Fault {
        self.0.position = position;
        self
    }

    /// The same fault in this column; nothing is added for a field without a name of its own, whose columns say theirs.
    #[cold]
    pub(crate) fn in_column(mut self, name: &str) -> Fault {
        if !name.is_empty() {
            self.0.path.push(Step::Column(name.to_owned()));
        }
        self
    }

    #[cold]
    pub(crate) fn in_element(mut self, name: &str) -> Fault {
        self.0.path.push(Step::Element(name.to_owned()));
        self
    }

    #[cold]
    pub(crate) fn at_index(mut self, index: usize) -> Fault {
        self.0.path.push(Step::Index(index));
        self
    }

    pub(crate) fn into_reject(self) -> Reject {
        let Inner { code, position, message, path, .. } = *self.0;
        let mut column = String::new();
        for step in path.iter().rev() {
            match step {
                Step::Column(name) => column.push_str(name),
                Step::Element(name) => {
                    column.push('.');
                    column.push_str(name);
                }
                Step::Index(index) => {
                    // Writing into a String cannot fail.
                    let _ = write!(column, "[{index}]");
                }
            }
        }
        Reject { code, position, column: (!path.is_empty()).then_some(column), message }
    }
}
