//! Why offsets were not set.

use housepipe_kafka_source::SourceError;

use crate::error::PipeError;

/// Why offsets could not be looked at, or were not set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetsError {
    /// Kafka refused, or is out of reach; where offsets were being set, its text says whether they are.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The work could not be done in this process.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// What was asked for is refused.
    #[error("no offset was set: {}", listed(.reasons))]
    Refused {
        /// Why, and how to mend it; never empty.
        reasons: Vec<String>,
    },
    /// Somebody else has set an offset since the plan was made.
    #[error(
        "no offset was set: that of partition {partition} has changed since it was looked at, from {from} to {to}; look \
         again"
    )]
    Changed {
        /// The partition.
        partition: i32,
        /// What it was, in words.
        from: String,
        /// What it is, in words.
        to: String,
    },
}

/// One reason on the line, more of them on a line each.
fn listed(reasons: &[String]) -> String {
    match reasons {
        [one] => one.clone(),
        more => more.iter().map(|reason| format!("\n- {reason}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed() {
        let told = |reasons: &[&str]| {
            let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            OffsetsError::Refused { reasons }.to_string()
        };
        assert_eq!(told(&["no"]), "no offset was set: no");
        assert_eq!(told(&["no", "nor that"]), "no offset was set: \n- no\n- nor that");
    }
}
