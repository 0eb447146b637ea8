//! The lag of a pipe, from those of its partitions.

use super::progress::PartitionProgress;

/// Records that are not stored, over all partitions; absent until every end is known, and where there is no partition.
pub(crate) fn records(partitions: &[PartitionProgress]) -> Option<u64> {
    let lags: Option<u64> = partitions.iter().map(|partition| partition.lag_records).sum();
    lags.filter(|_| !partitions.is_empty())
}

/// Age of the oldest record that is not stored, in seconds, as far as it is known. It is 0 only where everything of all partitions is
/// stored: what is not known of one of them is no reason to say so.
pub(crate) fn seconds(partitions: &[PartitionProgress]) -> Option<f64> {
    let oldest = partitions.iter().filter_map(|partition| partition.lag_seconds).reduce(f64::max);
    let is_whole = partitions.iter().all(|partition| partition.lag_seconds.is_some());
    oldest.filter(|oldest| is_whole || *oldest > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(lag_records: Option<u64>, lag_seconds: Option<f64>) -> PartitionProgress {
        PartitionProgress { partition: 0, position: None, stored: None, end: None, lag_records, lag_seconds }
    }

    #[test]
    fn what_is_not_known_of_one_partition_is_not_taken_for_nothing() {
        let stored = partition(Some(0), Some(0.0));
        let late = partition(Some(4), Some(2.5));
        let of_no_age = partition(Some(70), None);
        let unknown = partition(None, None);
        for (partitions, expected) in [
            (vec![], (None, None)),
            (vec![stored.clone(), stored.clone()], (Some(0), Some(0.0))),
            (vec![stored.clone(), late.clone()], (Some(4), Some(2.5))),
            (vec![stored.clone(), of_no_age.clone()], (Some(70), None)),
            (vec![of_no_age, late.clone()], (Some(74), Some(2.5))),
            (vec![stored, unknown.clone()], (None, None)),
            (vec![late, unknown], (None, Some(2.5))),
        ] {
            assert_eq!((records(&partitions), seconds(&partitions)), expected, "{partitions:?}");
        }
    }
}
