//! From what the client reports to what happened.

use std::error::Error as StdError;
use std::io;

use clickhouse::error::Error;

use crate::error::{NetworkFault, ServerError, SinkError};

/// Characters of a server's message that are kept, at most.
const MESSAGE_CHARS_MAX: usize = 1_000;
/// Characters of an answer from something else that are quoted, at most.
const FOREIGN_CHARS_MAX: usize = 160;

/// The code of a table with too many parts, and of an insert into too many partitions.
const TOO_MANY_PARTS: i32 = 252;

/// Turns an error of the client into one of the sink. `server` is scheme, host and port.
pub(crate) fn sink_error(error: Error, operation: &str, server: &str, timeout_ms: u64) -> SinkError {
    let operation = operation.to_owned();
    match error {
        Error::BadResponse(text) => match parse_server_error(&text) {
            Some(error) => SinkError::Server { operation, mend: error.mend(), error: Box::new(error) },
            None => SinkError::NotClickhouse {
                operation,
                status: foreign_status(&text),
                answer: cut(&text, FOREIGN_CHARS_MAX),
            },
        },
        Error::TimedOut => SinkError::TimedOut { operation, server: server.to_owned(), timeout_ms },
        Error::Network(_) => {
            let fault = network_fault(&error);
            SinkError::Network { operation, server: server.to_owned(), fault, source: Box::new(error) }
        }
        // The client wraps what its own task reports; look for an IO error below before calling it unreadable.
        other => match find_io(&other) {
            Some(_) => {
                let fault = network_fault(&other);
                SinkError::Network { operation, server: server.to_owned(), fault, source: Box::new(other) }
            }
            None => SinkError::Answer { operation, source: Box::new(other) },
        },
    }
}

/// Reads `Code: 60. DB::Exception: text. (NAME) (version 26.9 ...)`, or the bare `Code: 516` of an empty answer.
/// Anything else is not ClickHouse's.
pub(crate) fn parse_server_error(text: &str) -> Option<ServerError> {
    let rest = text.trim().strip_prefix("Code: ")?;
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let code = rest[..digits].parse::<i32>().ok()?;
    let rest = &rest[digits..];
    if rest.is_empty() {
        let message = "no further text".to_owned();
        let (is_of_view, is_of_partitions) = (false, false);
        return Some(ServerError {
            code,
            name: String::new(),
            message,
            is_of_view,
            is_of_partitions,
            row: None,
        });
    }
    let rest = rest.strip_prefix(". DB::")?;
    let (kind, mut message) = rest.split_once(": ")?;
    if !kind.ends_with("Exception") {
        return None;
    }
    if let Some(at) = message.rfind(" (version ") {
        message = &message[..at];
    }
    let mut name = "";
    if let Some(at) = message.rfind(" (")
        && let Some(inner) = message[at + 2..].strip_suffix(')')
        && !inner.is_empty()
        && inner.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    {
        name = inner;
        message = &message[..at];
    }
    let is_of_view = message.contains("while pushing to view");
    let is_of_partitions = code == TOO_MANY_PARTS && message.contains("max_partitions_per_insert_block");
    // A violated constraint is followed by the row's values, which are not for logs.
    if let Some(at) = message.find(" Column values:") {
        message = &message[..at];
    }
    let message = message.trim().trim_end_matches('.');
    let row = named_row(message);
    Some(ServerError {
        code,
        name: name.to_owned(),
        message: cut(message, MESSAGE_CHARS_MAX),
        is_of_view,
        is_of_partitions,
        row,
    })
}

/// The row, counted from 0, of `… is violated at row 5. …` and `… (at row 5)`, which count from 1.
fn named_row(message: &str) -> Option<usize> {
    let (_, after) = message.rsplit_once("at row ")?;
    let digits = after.find(|character: char| !character.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse::<usize>().ok()?.checked_sub(1)
}

/// The status of an answer that is not ClickHouse's. The client passes on the body alone, so it is read from the
/// client's own words for an empty body (`503 Service Unavailable`) or from the title of a proxy's page.
fn foreign_status(text: &str) -> Option<u16> {
    let lower = text.to_ascii_lowercase();
    let start = match lower.find("<title>") {
        Some(at) => lower[at + 7..].trim_start(),
        None => lower.as_str(),
    };
    let start = start.strip_prefix("error ").unwrap_or(start);
    let digits: String = start.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|status| digits.len() == 3 && (100..600).contains(status))
}

fn network_fault(error: &Error) -> NetworkFault {
    let text = chain_text(error).to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has(&["dns error", "failed to lookup", "name or service not known"]) {
        return NetworkFault::Dns;
    }
    if has(&["certificate", "tls", "received corrupt message", "handshake"]) {
        return NetworkFault::Tls;
    }
    match find_io(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => return NetworkFault::Refused,
        Some(io::ErrorKind::TimedOut) => return NetworkFault::ConnectTimeout,
        _ => {}
    }
    if has(&["invalid http", "invalid uri", "parsed with"]) {
        NetworkFault::Protocol
    } else {
        NetworkFault::Lost
    }
}

fn chain_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

fn find_io(error: &Error) -> Option<&io::Error> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = source.source();
    }
    None
}

fn cut(text: &str, chars_max: usize) -> String {
    // One line: the text goes into logs.
    let mut out: String =
        text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(chars_max).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureClass;

    fn of(text: &str) -> SinkError {
        sink_error(Error::BadResponse(text.to_owned()), "the insert into `t`", "http://h:8123", 1)
    }

    #[test]
    fn clickhouse_errors_are_taken_apart() {
        let error = parse_server_error(
            "Code: 60. DB::Exception: Table d.t does not exist. (UNKNOWN_TABLE) (version 26.9.1.1 (official build))",
        )
        .unwrap();
        assert_eq!(
            (error.code, error.name.as_str(), error.message.as_str()),
            (60, "UNKNOWN_TABLE", "Table d.t does not exist")
        );
        let error = of("Code: 210. DB::NetException: I/O error: Broken pipe. (NETWORK_ERROR) (version 23.8)");
        assert_eq!((error.code(), error.class()), (Some(210), FailureClass::Retry));
        assert_eq!(of("Code: 516").code(), Some(516));
        assert_eq!(
            of("Code: 60. DB::Exception: Table d.t does not exist. (UNKNOWN_TABLE)").to_string(),
            "clickhouse refused the insert into `t` (code 60 UNKNOWN_TABLE): Table d.t does not exist; \
             create the table, or correct its name and database"
        );
    }

    #[test]
    fn what_only_looks_like_clickhouse_is_not() {
        for text in [
            "",
            "code: 60. DB::Exception: x",
            "Code: x. DB::Exception: x",
            "Code: 60 DB::Exception: x",
            "x Code: 60. DB::Exception: x",
            "Code: 99999999999. DB::Exception: x",
            "Code: 60. DB::Fish: x",
        ] {
            assert_eq!(parse_server_error(text), None, "{text}");
            assert_eq!(of(text).class(), FailureClass::Hold, "{text}");
        }
    }

    #[test]
    fn a_proxys_answer_is_classed_by_its_status() {
        assert_eq!(of("503 Service Unavailable").class(), FailureClass::Retry);
        assert_eq!(
            of("<html><head><title>502 Bad Gateway</title></head></html>").class(),
            FailureClass::Retry
        );
        assert_eq!(of("401 Unauthorized").class(), FailureClass::Hold);
        assert_eq!(of("<html>hello</html>").class(), FailureClass::Hold);
        assert_eq!(of("5030 rows").class(), FailureClass::Hold);
    }

    #[test]
    fn the_row_that_clickhouse_names_is_known() {
        let named =
            |text: &str| of(&format!("Code: 469. DB::Exception: {text}. (X) (version 26.9)")).named_row();
        assert_eq!(
            named("Constraint `at row 9` for table d.t (1) is violated at row 5. Expression: (n < 1)"),
            Some(4)
        );
        assert_eq!(named("Cannot parse: (at row 12)\n: While executing BinaryRowInputFormat"), Some(11));
        for text in ["at row 0", "at row ", "at row x", "at row 99999999999999999999999", "nothing"] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn values_of_rows_stay_out_of_messages() {
        let error = of(
            "Code: 469. DB::Exception: Constraint `c` for table d.t (1) is violated at row 1. Expression: \
                        (n < 10). Column values: n = 4711. (VIOLATED_CONSTRAINT) (version 26.9)",
        );
        assert_eq!(error.class(), FailureClass::IsolateRow);
        assert!(!error.to_string().contains("4711"), "{error}");
        assert!(error.has_stored_nothing());
        let of_view = of(
            "Code: 469. DB::Exception: Constraint `c` for table d.t is violated at row 1. Expression: (n < 10). \
                        Column values: n = 4711: while pushing to view d.v. (VIOLATED_CONSTRAINT) (version 26.9)",
        );
        assert!(!of_view.has_stored_nothing(), "the table before the view has stored them");
        assert!(!of("503 Service Unavailable").has_stored_nothing());
    }

    #[test]
    fn too_many_partitions_are_told_from_too_many_parts() {
        let parts = of(
            "Code: 252. DB::Exception: Too many parts (3001 with average size of 1.00 KiB) in table 'd.t'. Merges \
                        are processing significantly slower than inserts. (TOO_MANY_PARTS) (version 26.9)",
        );
        assert_eq!((parts.class(), parts.has_stored_nothing()), (FailureClass::Retry, false));
        assert!(parts.to_string().contains("let merges catch up"), "{parts}");
        let text = "Too many partitions for a single INSERT block (150 partitions, limit is 100). The limit is controlled by \
                    the 'max_partitions_per_insert_block' setting.";
        let partitions =
            of(&format!("Code: 252. DB::Exception: {text} A large number. (TOO_MANY_PARTS) (version 26.9)"));
        assert_eq!((partitions.class(), partitions.has_stored_nothing()), (FailureClass::Divide, true));
        assert!(partitions.to_string().contains("raise `max_partitions_per_insert_block`"), "{partitions}");
        let of_view = of(&format!(
            "Code: 252. DB::Exception: {text}: while pushing to view d.v. (TOO_MANY_PARTS) (version 26.9)"
        ));
        assert_eq!((of_view.class(), of_view.has_stored_nothing()), (FailureClass::Hold, false));
    }

    #[test]
    fn long_messages_are_cut_and_kept_on_one_line() {
        let error = of(&format!("Code: 1. DB::Exception: a\nb{}", "ü".repeat(5_000)));
        assert!(error.to_string().chars().count() < 1_200);
        assert!(!error.to_string().contains('\n'));
    }
}
