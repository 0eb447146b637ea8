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
        Fault(Box::new(Inner { code, position, message: message.into(), path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn json(position: usize, message: impl Into<String>) -> Fault {
        Fault::new(RejectCode::InvalidJson, position, message)
    }

    /// Whether the record is refused whatever else its value might be: by a limit of ours, or for a text that
    /// ClickHouse reads by its clock.
    pub(crate) fn is_final(&self) -> bool {
        use RejectCode::{DateTimeWithoutYear, RecordTooLarge, TooDeep, TooManyFields};
        matches!(self.0.code, DateTimeWithoutYear | RecordTooLarge | TooDeep | TooManyFields)
    }

    #[cold]
    pub(crate) fn in_column(mut self, name: &str) -> Fault {
        self.0.path.push(Step::Column(name.to_owned()));
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
        let Inner { code, position, message, path } = *self.0;
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
