//! What a piece of work is, and which pipe it is about.

use super::WorkKind;
use crate::service::Subject;

/// What is done, and about which pipe.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(super) kind: WorkKind,
    pub(super) subject: Subject,
}

impl From<WorkKind> for About {
    fn from(kind: WorkKind) -> About {
        About { kind, subject: Subject::default() }
    }
}

impl From<(WorkKind, Subject)> for About {
    fn from((kind, subject): (WorkKind, Subject)) -> About {
        About { kind, subject }
    }
}
