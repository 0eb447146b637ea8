//! Why a record was rejected.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a record was rejected. The names are stable, since they are stored in error tables; new codes may join
        /// with new types.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectCode { $($(#[$doc])* $variant,)* }

        impl RejectCode {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [RejectCode] = &[$(RejectCode::$variant,)*];

            /// The stable name, in snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(RejectCode::$variant => $name,)* }
            }

            /// The code of this name.
            ///
            /// ```
            /// use housepipe_transform::RejectCode;
            /// assert_eq!(RejectCode::by_name("out_of_range"), Some(RejectCode::OutOfRange));
            /// ```
            #[must_use]
            pub fn by_name(name: &str) -> Option<RejectCode> {
                match name { $($name => Some(RejectCode::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// The record, the row that it would make, or the paths of a JSON document in it have more bytes than the limit.
    RecordTooLarge = "record_too_large",
    /// Arrays and objects are nested deeper than the limit, or than the server's JSON parser takes.
    TooDeep = "too_deep",
    /// The record has more keys than the limit.
    TooManyFields = "too_many_fields",
    /// The bytes are not a JSON document (RFC 8259).
    InvalidJson = "invalid_json",
    /// The record is a JSON document, yet not an object.
    NotAnObject = "not_an_object",
    /// Something follows the object: a second document, a comma.
    TrailingData = "trailing_data",
    /// Bytes that are not UTF-8, with `strict_utf8`.
    InvalidUtf8 = "invalid_utf8",
    /// A `\u` escape that is a lone surrogate or has bad digits, or another escape that cannot be read.
    InvalidEscape = "invalid_escape",
    /// A key appears twice.
    DuplicateKey = "duplicate_key",
    /// A key fits several columns by letter case, and none exactly.
    AmbiguousKey = "ambiguous_key",
    /// The column's type does not take a JSON value of this kind.
    TypeMismatch = "type_mismatch",
    /// The number or the moment lies outside the type's range.
    OutOfRange = "out_of_range",
    /// Text or number that does not read as a number of this type: `1.5` for an integer.
    InvalidNumber = "invalid_number",
    /// The text has more bytes than the FixedString.
    StringTooLong = "string_too_long",
    /// Text that does not read as a date.
    InvalidDate = "invalid_date",
    /// Text that does not read as a date with time.
    InvalidDateTime = "invalid_date_time",
    /// A date-time text without a year: ClickHouse would take the year of its clock.
    DateTimeWithoutYear = "date_time_without_year",
    /// Text that does not read as a time of day or a span of time.
    InvalidTime = "invalid_time",
    /// A name or number that the Enum does not have.
    UnknownEnumValue = "unknown_enum_value",
    /// `null` for an Enum without the number 0.
    NullEnum = "null_enum",
    /// An array whose length is not the tuple's.
    WrongTupleLength = "wrong_tuple_length",
    /// Text that does not read as a UUID.
    InvalidUuid = "invalid_uuid",
    /// Text that does not read as an address.
    InvalidIpAddress = "invalid_ip_address",
    /// A document that the server's JSON column would refuse: the same path twice, a number such as `1e400`.
    InvalidJsonColumn = "invalid_json_column",
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record that was not encoded: why, and where.
///
/// It prints with its place and its code:
///
/// ```
/// use housepipe_transform::{Reject, RejectCode};
/// let reject = Reject::new(RejectCode::OutOfRange, 5, "the number does not fit UInt8").in_column("a");
/// assert_eq!(reject.to_string(), "a: the number does not fit UInt8 (out_of_range at byte 5)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message} ({code} at byte {position})", .column.as_ref().map(|column| format!("{column}: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct Reject {
    /// Why.
    pub code: RejectCode,
    /// The byte of the record at which the fault was found; the record's length when something is missing.
    pub position: usize,
    /// The path of the column, such as `b[3].x`; none for faults of the document.
    pub column: Option<String>,
    /// A short sentence for people. It never quotes the record's values.
    pub message: String,
}

impl Reject {
    /// A reject of the document as a whole.
    #[must_use]
    pub fn new(code: RejectCode, position: usize, message: impl Into<String>) -> Reject {
        Reject { code, position, column: None, message: message.into() }
    }

    /// The same reject, for the value of a column.
    #[must_use]
    pub fn in_column(mut self, path: impl Into<String>) -> Reject {
        self.column = Some(path.into());
        self
    }
}
