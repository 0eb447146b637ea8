//! The one table from ClickHouse's error codes and HTTP states to what is done about them.

/// What a failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// It may pass by itself: send the same bytes with the same token again, later.
    Retry,
    /// Somebody must mend something: stop, keep the offsets, say what to mend.
    Hold,
    /// Rows are refused for what they contain: bisect until those stand alone.
    IsolateRow,
    /// The rows are of more partitions of the table than one insert may reach: nothing of it is stored, and none of them is
    /// bad. Send them in several inserts.
    Divide,
}

/// The class of a ClickHouse error code. A code that is not listed is [`FailureClass::Hold`]: never a silent loss.
///
/// Names are those of ClickHouse's `ErrorCodes.cpp`. A code alone does not tell all: 252 is also that of an insert into too
/// many partitions, which [`SinkError::class`](crate::SinkError::class) knows by its text.
pub const fn class_of_code(code: i32) -> FailureClass {
    match code {
        159 // TIMEOUT_EXCEEDED
        | 198 // DNS_ERROR
        | 201 // QUOTA_EXCEEDED
        | 202 // TOO_MANY_SIMULTANEOUS_QUERIES
        | 203 // NO_FREE_CONNECTION
        | 209 // SOCKET_TIMEOUT
        | 210 // NETWORK_ERROR
        | 236 // ABORTED
        | 241 // MEMORY_LIMIT_EXCEEDED
        | 242 // TABLE_IS_READ_ONLY (a replica that lost its Keeper)
        | 243 // NOT_ENOUGH_SPACE
        | 252 // TOO_MANY_PARTS
        | 254 // NO_ACTIVE_REPLICAS
        | 279 // ALL_CONNECTION_TRIES_FAILED
        | 285 // TOO_FEW_LIVE_REPLICAS
        | 286 // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        | 289 // REPLICA_IS_NOT_IN_QUORUM
        | 290 // LIMIT_EXCEEDED
        | 319 // UNKNOWN_STATUS_OF_INSERT
        | 372 // SESSION_NOT_FOUND (of a look at a server that was started anew since)
        | 373 // SESSION_IS_LOCKED
        | 384 // PART_IS_LOCKED
        | 425 // SYSTEM_ERROR
        | 999 // KEEPER_EXCEPTION
        | 1000 // POCO_EXCEPTION
        => FailureClass::Retry,
        6 // CANNOT_PARSE_TEXT
        | 27 // CANNOT_PARSE_INPUT_ASSERTION_FAILED
        | 38 // CANNOT_PARSE_DATE
        | 41 // CANNOT_PARSE_DATETIME
        | 53 // TYPE_MISMATCH (where every row is refused, the bisection gives up and the pipe stops)
        | 69 // ARGUMENT_OUT_OF_BOUND
        | 70 // CANNOT_CONVERT_TYPE
        | 72 // CANNOT_PARSE_NUMBER
        | 117 // INCORRECT_DATA
        | 321 // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        | 349 // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        | 469 // VIOLATED_CONSTRAINT
        => FailureClass::IsolateRow,
        _ => FailureClass::Hold,
    }
}

/// The class of an HTTP status that came without a ClickHouse code, that is from something in between.
pub const fn class_of_status(status: u16) -> FailureClass {
    match status {
        408 | 425 | 429 | 500..=599 => FailureClass::Retry,
        _ => FailureClass::Hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_holds() {
        for code in [-1, 0, 16, 47, 60, 62, 81, 164, 192, 193, 194, 195, 497, 516, 620, 5_000] {
            assert_eq!(class_of_code(code), FailureClass::Hold, "{code}");
        }
        for status in [301, 400, 401, 403, 404, 413] {
            assert_eq!(class_of_status(status), FailureClass::Hold, "{status}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_retried_and_what_the_row_did_is_isolated() {
        for code in [159, 202, 210, 241, 242, 252, 319, 372, 999, 1000] {
            assert_eq!(class_of_code(code), FailureClass::Retry, "{code}");
        }
        for code in [6, 27, 38, 41, 53, 69, 70, 72, 117, 321, 349, 469] {
            assert_eq!(class_of_code(code), FailureClass::IsolateRow, "{code}");
        }
        assert_eq!(class_of_status(503), FailureClass::Retry);
    }
}
