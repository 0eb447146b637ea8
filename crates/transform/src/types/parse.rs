//! Parses types and column lists, with the position of every error.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::Hash;
use std::str::FromStr;

use super::aggregate;
use super::aliases;
use super::check::{DATE_TIME_64_PRECISION_MAX, FIXED_STRING_BYTES, check};
use super::{
    AggregateFunction, DataType, EnumItem, GeoType, IntervalUnit, JsonSkip, JsonTypeArgs, QBitType,
    TupleElement, members,
};
use crate::limits::TYPE_DEPTH_MAX;
use crate::zone::{TimeZone, UnknownTimeZone};

/// A type or a column list that could not be read.
///
/// ```
/// use housepipe_transform::Columns;
/// let error = "a UInt8, b Array()".parse::<Columns>().unwrap_err();
/// assert_eq!((error.column.as_deref(), error.position), (Some("b"), 17));
/// assert_eq!(error.to_string(), "column `b`: at byte 17: expected a type");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}at byte {position}: {message}", .column.as_ref().map(|column| format!("column `{column}`: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct TypeParseError {
    /// The column whose type it is, in a list of columns.
    pub column: Option<String>,
    /// The byte of the text at which it stopped making sense.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

const SUPPORTED: &str = "Int8 to Int256, UInt8 to UInt256, BFloat16, Float32, Float64, Decimal(P, S), Bool, String, FixedString(N), \
     Date, Date32, DateTime, DateTime64(P), Time, Time64(P), Interval types, Enum8, Enum16, UUID, IPv4, IPv6, \
     LowCardinality, Nullable, Array, Tuple, Map, Nested, Variant, Dynamic, SimpleAggregateFunction, the geo types, QBit, JSON";

impl FromStr for DataType {
    type Err = TypeParseError;

    fn from_str(text: &str) -> Result<Self, TypeParseError> {
        let mut parser = Parser::new(text);
        let ty = parser.data_type()?;
        parser.end()?;
        Ok(ty)
    }
}

/// A cursor over the text of a type.
pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, TypeParseError> {
        Err(TypeParseError { column: None, position: self.at, message: message.into() })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Takes the character if it comes next, blanks before it included.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        self.blank();
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<(), TypeParseError> {
        if self.eat(c) { Ok(()) } else { self.error(format!("expected `{c}`")) }
    }

    pub(crate) fn end(&mut self) -> Result<(), TypeParseError> {
        self.blank();
        if self.rest().is_empty() { Ok(()) } else { self.error("unexpected text behind the end") }
    }

    fn word(&mut self) -> &'a str {
        self.blank();
        let rest = self.rest();
        let bytes = rest.bytes();
        let len = bytes.take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        self.at += len;
        &rest[..len]
    }

    /// A name: plain, or between back quotes or double quotes.
    pub(crate) fn identifier(&mut self) -> Result<String, TypeParseError> {
        self.blank();
        match self.rest().chars().next() {
            Some(quote @ ('`' | '"')) => {
                let name = self.quoted(quote)?;
                if name.is_empty() { self.error("a name cannot be empty") } else { Ok(name) }
            }
            _ => {
                let start = self.at;
                let word = self.word();
                if word.is_empty() || word.as_bytes()[0].is_ascii_digit() {
                    self.at = start;
                    return self.error("expected a name");
                }
                Ok(word.to_owned())
            }
        }
    }

    /// A name with dots, as columns of flattened Nested types and paths of JSON types have.
    pub(crate) fn dotted(&mut self) -> Result<String, TypeParseError> {
        let mut name = self.identifier()?;
        while self.rest().starts_with('.') {
            self.at += 1;
            name.push('.');
            name.push_str(&self.identifier()?);
        }
        Ok(name)
    }

    fn quoted(&mut self, quote: char) -> Result<String, TypeParseError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                if chars.peek().is_some_and(|(_, next)| *next == quote) {
                    chars.next();
                    text.push(quote);
                    continue;
                }
                self.at = start + at + quote.len_utf8();
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let Some((_, escaped)) = chars.next() else { break };
            match escaped {
                '0' => text.push('\0'),
                'b' => text.push('\u{8}'),
                'f' => text.push('\u{c}'),
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                '\\' | '\'' | '"' | '`' | '/' | '=' => text.push(escaped),
                other => {
                    text.push('\\');
                    text.push(other);
                }
            }
        }
        self.error("a quoted text without an end")
    }

    fn string(&mut self) -> Result<String, TypeParseError> {
        self.blank();
        if self.rest().starts_with('\'') { self.quoted('\'') } else { self.error("expected a quoted text") }
    }

    fn number<N: FromStr>(&mut self, what: &str) -> Result<N, TypeParseError> {
        self.blank();
        let start = self.at;
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let len = sign + rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        self.at += len;
        rest[..len].parse().or_else(|_| {
            self.at = start;
            self.error(format!("expected {what}"))
        })
    }

    fn zone(&mut self) -> Result<TimeZone, TypeParseError> {
        self.blank();
        let start = self.at;
        let name = self.string()?;
        name.parse().or_else(|error: UnknownTimeZone| {
            self.at = start;
            self.error(error.to_string())
        })
    }

    pub(crate) fn data_type(&mut self) -> Result<DataType, TypeParseError> {
        self.depth += 1;
        if self.depth > TYPE_DEPTH_MAX {
            return self.error(format!("types are nested deeper than {TYPE_DEPTH_MAX}"));
        }
        self.blank();
        let start = self.at;
        let (name, is_alias) = self.type_name();
        let ty = match self.simple(name) {
            Some(ty) => {
                if is_alias {
                    self.ignored_width()?;
                }
                ty
            }
            None => self.parametric(name, start)?,
        };
        self.depth -= 1;
        Ok(ty)
    }

    /// The name of a type, its own where an alias of one or more words stands there.
    fn type_name(&mut self) -> (&'a str, bool) {
        let start = self.at;
        let (mut words, mut ends) = (Vec::new(), Vec::new());
        for _ in 0..aliases::WORDS_MAX {
            let word = self.word();
            if word.is_empty() {
                break;
            }
            words.push(word);
            ends.push(self.at);
        }
        if let Some((name, count)) = aliases::find(&words) {
            self.at = ends[count - 1];
            return (name, true);
        }
        self.at = start;
        (self.word(), false)
    }

    /// The width behind an alias, such as `VARCHAR(10)`, which means nothing to ClickHouse.
    fn ignored_width(&mut self) -> Result<(), TypeParseError> {
        if self.eat('(') {
            self.number::<u64>("a number")?;
            if self.eat(',') {
                self.number::<u64>("a number")?;
            }
            self.expect(')')?;
        }
        Ok(())
    }

    fn simple(&self, name: &str) -> Option<DataType> {
        Some(match name {
            "Int8" => DataType::Int8,
            "Int16" => DataType::Int16,
            "Int32" => DataType::Int32,
            "Int64" => DataType::Int64,
            "Int128" => DataType::Int128,
            "Int256" => DataType::Int256,
            "UInt256" => DataType::UInt256,
            "BFloat16" => DataType::BFloat16,
            "UInt8" => DataType::UInt8,
            "UInt16" => DataType::UInt16,
            "UInt32" => DataType::UInt32,
            "UInt64" => DataType::UInt64,
            "UInt128" => DataType::UInt128,
            "Float32" => DataType::Float32,
            "Float64" => DataType::Float64,
            "String" => DataType::String,
            "UUID" => DataType::Uuid,
            "IPv4" => DataType::Ipv4,
            "IPv6" => DataType::Ipv6,
            _ if name.eq_ignore_ascii_case("Bool") => DataType::Bool,
            _ if name.eq_ignore_ascii_case("Date") => DataType::Date,
            _ if name.eq_ignore_ascii_case("Date32") => DataType::Date32,
            _ if name.eq_ignore_ascii_case("Time") => DataType::Time,
            _ => {
                let interval = IntervalUnit::by_name(name).map(DataType::Interval);
                return interval.or_else(|| GeoType::by_name(name).map(DataType::Geo));
            }
        })
    }

    fn parametric(&mut self, name: &str, start: usize) -> Result<DataType, TypeParseError> {
        if name.eq_ignore_ascii_case("DateTime") {
            return self.date_time(true);
        }
        if name == "DateTime32" {
            return self.date_time(false);
        }
        if name.eq_ignore_ascii_case("DateTime64") {
            return self.date_time_64();
        }
        if name.eq_ignore_ascii_case("Time64") {
            return self.time_64();
        }
        if let Some(precision) = decimal_precision(name) {
            return self.decimal(precision);
        }
        if name.eq_ignore_ascii_case("Enum") {
            return self.enumeration();
        }
        if name.eq_ignore_ascii_case("JSON") {
            return self.json();
        }
        if name == "Dynamic" {
            return self.dynamic();
        }
        let opens = |this: &mut Self| this.expect('(');
        let ty = match name {
            "FixedString" => {
                opens(self)?;
                let at = self.at;
                let bytes: usize = self.number("a number of bytes")?;
                if !FIXED_STRING_BYTES.contains(&bytes) {
                    self.at = at;
                    return self.error("a FixedString has 1 to 16777215 bytes");
                }
                DataType::FixedString(bytes)
            }
            "Enum8" => {
                opens(self)?;
                DataType::Enum8(self.enum_items()?)
            }
            "Enum16" => {
                opens(self)?;
                DataType::Enum16(self.enum_items()?)
            }
            "SimpleAggregateFunction" => {
                opens(self)?;
                let function = self.aggregate()?;
                self.expect(',')?;
                let ty = self.data_type()?;
                DataType::SimpleAggregateFunction(aggregate::named(function, &ty), Box::new(ty))
            }
            "LowCardinality" => {
                opens(self)?;
                DataType::LowCardinality(Box::new(self.data_type()?))
            }
            "Nullable" => {
                opens(self)?;
                DataType::Nullable(Box::new(self.data_type()?))
            }
            "Array" => {
                opens(self)?;
                DataType::Array(Box::new(self.data_type()?))
            }
            "Map" => {
                opens(self)?;
                let key = self.data_type()?;
                self.expect(',')?;
                DataType::Map(Box::new(key), Box::new(self.data_type()?))
            }
            "Variant" => {
                opens(self)?;
                self.variant()?
            }
            "QBit" => {
                opens(self)?;
                self.qbit()?
            }
            "Tuple" => {
                opens(self)?;
                if self.eat(')') {
                    return Ok(DataType::Tuple(Vec::new()));
                }
                DataType::Tuple(self.elements(false)?)
            }
            "Nested" => {
                opens(self)?;
                DataType::Nested(self.elements(true)?)
            }
            "Object" => {
                self.at = start;
                return self.error("ClickHouse has no Object('json') any more; its successor is JSON");
            }
            "" => return self.error("expected a type"),
            _ => {
                self.at = start;
                return self.error(format!("the type `{name}` is not supported; supported are {SUPPORTED}"));
            }
        };
        self.expect(')')?;
        Ok(ty)
    }

    /// The members of a Variant, in the order that ClickHouse gives them.
    fn variant(&mut self) -> Result<DataType, TypeParseError> {
        let at = self.at;
        let mut list = Vec::new();
        loop {
            list.push(self.data_type()?);
            if !self.eat(',') {
                break;
            }
        }
        let list: Vec<DataType> = members(&list).into_iter().map(|(_, ty)| ty.clone()).collect();
        self.checked(DataType::Variant(list), at)
    }

    /// `Dynamic`, or `Dynamic(max_types=N)`.
    fn dynamic(&mut self) -> Result<DataType, TypeParseError> {
        let at = self.at;
        if !self.eat('(') || self.eat(')') {
            return Ok(DataType::Dynamic(None));
        }
        if self.word() != "max_types" {
            return self.error("Dynamic takes max_types");
        }
        self.expect('=')?;
        let max_types = self.number("a number of types, 0 to 254")?;
        self.expect(')')?;
        self.checked(DataType::Dynamic(Some(max_types)), at)
    }

    fn qbit(&mut self) -> Result<DataType, TypeParseError> {
        let at = self.at;
        let element = Box::new(self.data_type()?);
        self.expect(',')?;
        let dimension = self.number("a number of elements")?;
        let stride = if self.eat(',') { Some(self.number("a number of elements")?) } else { None };
        self.checked(DataType::QBit(QBitType { element, dimension, stride }), at)
    }

    /// The type, or the reason why ClickHouse cannot hold it.
    fn checked(&mut self, ty: DataType, at: usize) -> Result<DataType, TypeParseError> {
        if let Err(reason) = check(&ty) {
            self.at = at;
            return self.error(reason);
        }
        Ok(ty)
    }

    /// A DateTime; with a precision in the first place, where it may have one, a DateTime64.
    fn date_time(&mut self, may_be_64: bool) -> Result<DataType, TypeParseError> {
        if !self.eat('(') || self.eat(')') {
            return Ok(DataType::DateTime(None));
        }
        self.blank();
        if !may_be_64 || self.rest().starts_with('\'') {
            let zone = self.zone()?;
            self.expect(')')?;
            return Ok(DataType::DateTime(Some(zone)));
        }
        let at = self.at;
        let precision: u8 = self.number("a time zone in quotes, or a precision")?;
        let zone = if self.eat(',') { Some(self.zone()?) } else { None };
        self.expect(')')?;
        match precision {
            0 => Ok(DataType::DateTime(zone)),
            _ => self.checked(DataType::DateTime64(precision, zone), at),
        }
    }

    fn time_64(&mut self) -> Result<DataType, TypeParseError> {
        if !self.eat('(') {
            return Ok(DataType::Time64(3));
        }
        let at = self.at;
        let precision: u8 = self.number("a precision")?;
        if precision > DATE_TIME_64_PRECISION_MAX {
            self.at = at;
            return self.error("the precision of a Time64 is 0 to 9");
        }
        self.expect(')')?;
        Ok(DataType::Time64(precision))
    }

    /// The arguments of a Decimal: precision and scale, or the scale alone where the name has the precision.
    fn decimal(&mut self, precision: Option<u8>) -> Result<DataType, TypeParseError> {
        let at = self.at;
        let (precision, scale) = match precision {
            Some(precision) => {
                self.expect('(')?;
                (precision, self.number("a scale")?)
            }
            None if !self.eat('(') => return Ok(DataType::Decimal(10, 0)),
            None => {
                let precision = self.number("a precision")?;
                (precision, if self.eat(',') { self.number("a scale")? } else { 0 })
            }
        };
        self.expect(')')?;
        self.checked(DataType::Decimal(precision, scale), at)
    }

    /// An Enum without a width: that of its numbers.
    fn enumeration(&mut self) -> Result<DataType, TypeParseError> {
        self.expect('(')?;
        let items: Vec<EnumItem<i16>> = self.enum_items()?;
        self.expect(')')?;
        let narrow: Result<Vec<EnumItem<i8>>, _> = items
            .iter()
            .map(|item| i8::try_from(item.value).map(|value| EnumItem { name: item.name.clone(), value }))
            .collect();
        Ok(narrow.map_or(DataType::Enum16(items), DataType::Enum8))
    }

    /// The function of a SimpleAggregateFunction.
    fn aggregate(&mut self) -> Result<AggregateFunction, TypeParseError> {
        let name = self.identifier()?;
        let mut parameters = Vec::new();
        if self.eat('(') {
            while !self.eat(')') {
                parameters.push(self.number("a whole number")?);
                if !self.eat(',') {
                    self.expect(')')?;
                    break;
                }
            }
        }
        Ok(AggregateFunction { name, parameters })
    }

    fn date_time_64(&mut self) -> Result<DataType, TypeParseError> {
        if !self.eat('(') || self.eat(')') {
            return Ok(DataType::DateTime64(3, None));
        }
        let at = self.at;
        let precision: u8 = self.number("a precision")?;
        if precision > DATE_TIME_64_PRECISION_MAX {
            self.at = at;
            return self.error("the precision of a DateTime64 is 0 to 9");
        }
        let zone = if self.eat(',') { Some(self.zone()?) } else { None };
        self.expect(')')?;
        Ok(DataType::DateTime64(precision, zone))
    }

    fn enum_items<N: FromStr + Copy + Ord + Hash + Next>(
        &mut self,
    ) -> Result<Vec<EnumItem<N>>, TypeParseError> {
        let mut items: Vec<EnumItem<N>> = Vec::new();
        let mut last: Option<N> = None;
        let (mut names, mut values) = (HashSet::new(), HashSet::new());
        let mut second_has_number = None;
        loop {
            self.blank();
            let start = self.at;
            let name = self.string()?;
            let has_number = self.eat('=');
            if !items.is_empty() && *second_has_number.get_or_insert(has_number) != has_number {
                self.at = start;
                return self.error("behind the first name, either all names of an Enum have numbers or none");
            }
            let value = if has_number {
                self.number("a number in the Enum's range")?
            } else if let Some(next) = N::next(last) {
                next
            } else {
                return self.error("the Enum has no number left");
            };
            if !names.insert(name.clone()) || !values.insert(value) {
                self.at = start;
                return self.error("a name or number stands twice in the Enum");
            }
            last = Some(value);
            items.push(EnumItem { name, value });
            if !self.eat(',') {
                break;
            }
        }
        items.sort_by_key(|item| item.value);
        Ok(items)
    }

    fn elements(&mut self, names_required: bool) -> Result<Vec<TupleElement>, TypeParseError> {
        let mut elements: Vec<TupleElement> = Vec::new();
        let mut names = HashSet::new();
        loop {
            self.blank();
            let start = self.at;
            // A name is followed by a type, a type by `(`, `,` or `)`.
            let named = match self.rest().chars().next() {
                Some('`' | '"') => true,
                _ => {
                    let word = self.word();
                    self.blank();
                    let next = self.rest().chars().next();
                    self.at = start;
                    !word.is_empty() && next.is_some_and(|c| c.is_ascii_alphabetic())
                }
            };
            let name = if named { Some(self.identifier()?) } else { None };
            if name.is_none() && names_required {
                return self.error("the elements of a Nested have names");
            }
            if elements.first().is_some_and(|first| first.name.is_some() != name.is_some()) {
                self.at = start;
                return self.error("either all elements of a Tuple have names, or none");
            }
            if name.as_ref().is_some_and(|name| !names.insert(name.clone())) {
                self.at = start;
                return self.error("a name stands twice in the Tuple");
            }
            let ty = self.data_type()?;
            elements.push(TupleElement { name, ty });
            if !self.eat(',') {
                return Ok(elements);
            }
        }
    }

    fn json(&mut self) -> Result<DataType, TypeParseError> {
        let mut args = JsonTypeArgs::default();
        if !self.eat('(') {
            return Ok(DataType::Json(args));
        }
        while !self.eat(')') {
            self.json_argument(&mut args)?;
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        args.paths.sort_by(|a, b| a.0.cmp(&b.0));
        args.skips.sort_by(|a, b| match (a, b) {
            (JsonSkip::Path(a), JsonSkip::Path(b)) => a.cmp(b),
            (JsonSkip::Regexp(_), JsonSkip::Regexp(_)) => Ordering::Equal,
            (JsonSkip::Path(_), JsonSkip::Regexp(_)) => Ordering::Less,
            (JsonSkip::Regexp(_), JsonSkip::Path(_)) => Ordering::Greater,
        });
        Ok(DataType::Json(args))
    }

    fn json_argument(&mut self, args: &mut JsonTypeArgs) -> Result<(), TypeParseError> {
        self.blank();
        let start = self.at;
        let word = self.word();
        if self.eat('=') {
            let number = self.number("a number")?;
            match word {
                "max_dynamic_types" => args.max_dynamic_types = Some(number),
                "max_dynamic_paths" => args.max_dynamic_paths = Some(number),
                _ => {
                    self.at = start;
                    return self.error("JSON takes max_dynamic_paths and max_dynamic_types");
                }
            }
        } else if word.eq_ignore_ascii_case("SKIP") {
            let at = self.at;
            if self.word().eq_ignore_ascii_case("REGEXP") {
                args.skips.push(JsonSkip::Regexp(self.string()?));
            } else {
                self.at = at;
                let skip = JsonSkip::Path(self.dotted()?);
                if !args.skips.contains(&skip) {
                    args.skips.push(skip);
                }
            }
        } else {
            self.at = start;
            let path = self.dotted()?;
            args.paths.push((path, self.data_type()?));
        }
        Ok(())
    }
}

/// Whether the name is that of a Decimal, and which precision it says.
fn decimal_precision(name: &str) -> Option<Option<u8>> {
    let names = [
        ("Decimal", None),
        ("Decimal32", Some(9)),
        ("Decimal64", Some(18)),
        ("Decimal128", Some(38)),
        ("Decimal256", Some(76)),
    ];
    names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, precision)| *precision)
}

/// The number that an Enum item without one gets: the last one plus 1.
trait Next: Sized {
    fn next(last: Option<Self>) -> Option<Self>;
}

impl Next for i8 {
    fn next(last: Option<Self>) -> Option<Self> {
        last.map_or(Some(1), |last| last.checked_add(1))
    }
}

impl Next for i16 {
    fn next(last: Option<Self>) -> Option<Self> {
        last.map_or(Some(1), |last| last.checked_add(1))
    }
}
