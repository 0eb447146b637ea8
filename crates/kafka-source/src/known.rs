//! What one membership learns of the topic's partitions, and the next one has to know.

/// The partitions of a topic, as the members that a process opens one after the other know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownPartitions {
    /// Whose beginning may be older than the reading: those above were added while it went on, and all of them is read.
    pub(crate) older: usize,
    /// How many there are at least. A broker that lags behind may tell fewer.
    pub(crate) seen: usize,
}

impl KnownPartitions {
    /// Those of a topic that was created while the former one of its name was read: all of it is newer than the reading.
    pub fn of_topic_made_anew() -> KnownPartitions {
        KnownPartitions::default()
    }
}
