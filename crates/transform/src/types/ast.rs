//! The tree of a ClickHouse data type.

use chrono_tz::Tz;

/// A ClickHouse data type.
///
/// It parses from and prints as the text that ClickHouse itself prints.
///
/// ```
/// use housepipe_transform::DataType;
/// let ty: DataType = "array( Tuple(x String, y DateTime64(3,'UTC')) )".parse()?;
/// assert_eq!(ty.to_string(), "Array(Tuple(x String, y DateTime64(3, 'UTC')))");
/// # Ok::<(), housepipe_transform::TypeParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataType {
    /// Signed integer of 8 bits.
    Int8,
    /// Signed integer of 16 bits.
    Int16,
    /// Signed integer of 32 bits.
    Int32,
    /// Signed integer of 64 bits.
    Int64,
    /// Signed integer of 128 bits.
    Int128,
    /// Unsigned integer of 8 bits.
    UInt8,
    /// Unsigned integer of 16 bits.
    UInt16,
    /// Unsigned integer of 32 bits.
    UInt32,
    /// Unsigned integer of 64 bits.
    UInt64,
    /// Unsigned integer of 128 bits.
    UInt128,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// `true` or `false`, one byte.
    Bool,
    /// Bytes of any length.
    String,
    /// Exactly this many bytes, filled up with zeros.
    FixedString(usize),
    /// Days since 1970 in 16 bits.
    Date,
    /// Days around 1970 in 32 bits, 1900 to 2299.
    Date32,
    /// Seconds since 1970 in 32 bits, with the zone in which texts are read.
    DateTime(Option<Tz>),
    /// Ticks of `10^-precision` seconds, with the zone in which texts are read.
    DateTime64(u8, Option<Tz>),
    /// Named numbers of 8 bits, sorted by number.
    Enum8(Vec<EnumItem<i8>>),
    /// Named numbers of 16 bits, sorted by number.
    Enum16(Vec<EnumItem<i16>>),
    /// 16 bytes, written with hyphens.
    Uuid,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// Dictionary-encoded at rest; on the wire the same as the inner type.
    LowCardinality(Box<DataType>),
    /// The inner type, or NULL.
    Nullable(Box<DataType>),
    /// Any number of values.
    Array(Box<DataType>),
    /// A fixed list of values, with names (read from objects) or without (read from arrays).
    Tuple(Vec<TupleElement>),
    /// Pairs of key and value, in order, duplicates kept.
    Map(Box<DataType>, Box<DataType>),
    /// As a column: one array per element, `n.a` and `n.b`. Inside another type: an array of named tuples.
    Nested(Vec<TupleElement>),
    /// A JSON column, sent as its validated text.
    Json(JsonTypeArgs),
    /// The former JSON column, `Object('json')`.
    ObjectJson,
}

/// A name and a number of an Enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumItem<N> {
    /// The name, unquoted.
    pub name: String,
    /// The number.
    pub value: N,
}

/// An element of a Tuple or of a Nested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TupleElement {
    /// The name, unquoted; all elements of a tuple have one, or none has.
    pub name: Option<String>,
    /// The type.
    pub ty: DataType,
}

/// The arguments of a `JSON` type, in the order in which ClickHouse prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonTypeArgs {
    /// `max_dynamic_types=N`.
    pub max_dynamic_types: Option<u64>,
    /// `max_dynamic_paths=N`.
    pub max_dynamic_paths: Option<u64>,
    /// Paths with a type of their own.
    pub paths: Vec<(String, DataType)>,
    /// Paths that the server leaves out.
    pub skips: Vec<JsonSkip>,
}

/// A path that a JSON column leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonSkip {
    /// `SKIP path`.
    Path(String),
    /// `SKIP REGEXP 'pattern'`.
    Regexp(String),
}
