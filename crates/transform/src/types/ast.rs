//! The tree of a ClickHouse data type.

use crate::zone::TimeZone;
/// A ClickHouse data type.
///
/// It parses from and prints as the text that ClickHouse itself prints.
///
/// ```
/// use housepipe_transform::DataType;
/// let ty: DataType = "Array( Tuple(x String, y DateTime64(3,'UTC')) )".parse()?;
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
    /// Signed integer of 256 bits.
    Int256,
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
    /// Unsigned integer of 256 bits.
    UInt256,
    /// The upper half of an IEEE 754 single precision number.
    BFloat16,
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// A decimal number of this precision (1 to 76 digits) and scale (digits behind the point).
    Decimal(u8, u8),
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
    DateTime(Option<TimeZone>),
    /// Ticks of `10^-precision` seconds, with the zone in which texts are read.
    DateTime64(u8, Option<TimeZone>),
    /// A time of day or a span of time, in seconds of 32 bits.
    Time,
    /// A time of day or a span of time, in ticks of `10^-precision` seconds.
    Time64(u8),
    /// A count of these units, 64 bits.
    Interval(IntervalUnit),
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
    /// Points and what consists of them: tuples and arrays with a name.
    Geo(GeoType),
    /// A value of any of these types, or NULL. ClickHouse keeps the members sorted by name, each of them once; a list
    /// in another order means the same type.
    Variant(Vec<DataType>),
    /// A value of any type, which it brings along. How many types a column keeps apart, at most, where it is said.
    Dynamic(Option<u8>),
    /// A vector of numbers, kept by bits.
    QBit(QBitType),
    /// Values of the type, which merges combine by the function.
    SimpleAggregateFunction(AggregateFunction, Box<DataType>),
    /// A JSON column, sent as its validated text.
    Json(JsonTypeArgs),
}

impl DataType {
    /// The types inside, one level down; those of JSON paths too.
    pub(crate) fn children(&self) -> Vec<&DataType> {
        match self {
            DataType::Nullable(inner)
            | DataType::LowCardinality(inner)
            | DataType::Array(inner)
            | DataType::SimpleAggregateFunction(_, inner) => vec![inner],
            DataType::Map(key, value) => vec![key, value],
            DataType::Tuple(elements) | DataType::Nested(elements) => {
                elements.iter().map(|element| &element.ty).collect()
            }
            DataType::Variant(members) => members.iter().collect(),
            DataType::QBit(qbit) => vec![&qbit.element],
            DataType::Json(args) => args.paths.iter().map(|(_, ty)| ty).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the type itself or any inside is so.
    pub(crate) fn any(&self, is_so: &impl Fn(&DataType) -> bool) -> bool {
        is_so(self) || self.children().into_iter().any(|child| child.any(is_so))
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Its name in a type.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            pub(crate) fn by_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

named! {
    /// The unit of an Interval.
    IntervalUnit {
        /// Billionths of a second.
        Nanosecond = "IntervalNanosecond",
        /// Millionths of a second.
        Microsecond = "IntervalMicrosecond",
        /// Thousandths of a second.
        Millisecond = "IntervalMillisecond",
        /// Seconds.
        Second = "IntervalSecond",
        /// Minutes.
        Minute = "IntervalMinute",
        /// Hours.
        Hour = "IntervalHour",
        /// Days.
        Day = "IntervalDay",
        /// Weeks.
        Week = "IntervalWeek",
        /// Months.
        Month = "IntervalMonth",
        /// Quarters of a year.
        Quarter = "IntervalQuarter",
        /// Years.
        Year = "IntervalYear",
    }
}

/// What a QBit consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QBitType {
    /// The type of an element: Int8, BFloat16, Float32 or Float64.
    pub element: Box<DataType>,
    /// How many elements every vector has.
    pub dimension: usize,
    /// Elements kept together; it divides the dimension.
    pub stride: Option<usize>,
}

named! {
    /// A geometric type.
    GeoType {
        /// Two coordinates.
        Point = "Point",
        /// Points.
        MultiPoint = "MultiPoint",
        /// Points that are joined by lines and closed to a ring.
        Ring = "Ring",
        /// Points that are joined by lines.
        LineString = "LineString",
        /// Several lines.
        MultiLineString = "MultiLineString",
        /// An outer ring and its holes.
        Polygon = "Polygon",
        /// Several polygons.
        MultiPolygon = "MultiPolygon",
        /// Any of the others, but MultiPoint.
        Geometry = "Geometry",
    }
}

impl GeoType {
    /// The tuple, array or variant that the type is a name of.
    #[must_use]
    pub fn stands_for(self) -> DataType {
        let array = |inner: GeoType| DataType::Array(Box::new(inner.stands_for()));
        match self {
            GeoType::Point => {
                let coordinate = TupleElement { name: None, ty: DataType::Float64 };
                DataType::Tuple(vec![coordinate.clone(), coordinate])
            }
            GeoType::MultiPoint | GeoType::Ring | GeoType::LineString => array(GeoType::Point),
            GeoType::MultiLineString => array(GeoType::LineString),
            GeoType::Polygon => array(GeoType::Ring),
            GeoType::MultiPolygon => array(GeoType::Polygon),
            GeoType::Geometry => DataType::Variant(
                [
                    GeoType::LineString,
                    GeoType::MultiLineString,
                    GeoType::MultiPolygon,
                    GeoType::Point,
                    GeoType::Polygon,
                    GeoType::Ring,
                ]
                .map(DataType::Geo)
                .into(),
            ),
        }
    }
}

impl QBitType {
    /// Vectors of so many elements of the type.
    #[must_use]
    pub fn new(element: DataType, dimension: usize) -> Self {
        Self { element: Box::new(element), dimension, stride: None }
    }
}

/// The function of a SimpleAggregateFunction, such as `max` or `groupArrayArray(10)`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AggregateFunction {
    /// Its name.
    pub name: String,
    /// Its parameters: whole numbers are all that these functions take.
    pub parameters: Vec<u64>,
}

impl AggregateFunction {
    /// The function of this name, with its parameters.
    #[must_use]
    pub fn new(name: impl Into<String>, parameters: Vec<u64>) -> Self {
        Self { name: name.into(), parameters }
    }
}

/// A name and a number of an Enum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnumItem<N> {
    /// The name, unquoted.
    pub name: String,
    /// The number.
    pub value: N,
}

impl<N> EnumItem<N> {
    /// The name, unquoted, and its number.
    pub fn new(name: impl Into<String>, value: N) -> Self {
        Self { name: name.into(), value }
    }
}

/// An element of a Tuple or of a Nested.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TupleElement {
    /// The name, unquoted; all elements of a tuple have one, or none has.
    pub name: Option<String>,
    /// The type.
    pub ty: DataType,
}

impl TupleElement {
    /// An element with a name, unquoted.
    #[must_use]
    pub fn named(name: impl Into<String>, ty: DataType) -> Self {
        Self { name: Some(name.into()), ty }
    }

    /// An element without a name.
    #[must_use]
    pub fn unnamed(ty: DataType) -> Self {
        Self { name: None, ty }
    }
}

/// The arguments of a `JSON` type, in the order in which ClickHouse prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum JsonSkip {
    /// `SKIP path`.
    Path(String),
    /// `SKIP REGEXP 'pattern'`.
    Regexp(String),
}
