//! How far a batch is divided whose rows are of more partitions of the table than one insert may reach.

/// Pieces into which a batch is divided, about. Rows in an order of time, as of a backlog, need a few.
///
/// Where more would be needed the partitions are strewn over the batch, and each piece makes nearly as many parts as the
/// whole would: thousands of small parts are worse for the server than a pipe that waits for somebody.
const PIECES_MAX: usize = 64;

/// Whether a piece of `rows` rows, of a batch of `whole_rows`, is divided once more.
///
/// ```
/// assert!(housepipe_ch_sink::may_divide(101, 6_400));
/// assert!(!housepipe_ch_sink::may_divide(100, 6_400));
/// assert!(!housepipe_ch_sink::may_divide(1, 3), "one row is in one partition");
/// ```
pub fn may_divide(rows: usize, whole_rows: usize) -> bool {
    rows > (whole_rows / PIECES_MAX).max(1)
}
