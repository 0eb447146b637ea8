//! Rules of arrays.

use super::NodeId;

/// What an array has to keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArrayRule {
    pub(super) items: NodeId,
    pub(super) count_min: usize,
    pub(super) count_max: usize,
}
