//! Prints types as ClickHouse prints them.

use std::fmt;

use super::{DataType, EnumItem, JsonSkip, QBitType, TupleElement, aggregate, members};

/// Text between single quotes, escaped as ClickHouse escapes it.
pub(crate) struct QuotedText<'a>(pub(crate) &'a str);

impl fmt::Display for QuotedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        escape(f, self.0, '\'')?;
        f.write_str("'")
    }
}

/// A name, between back quotes where it needs them.
pub(crate) struct Identifier<'a>(pub(crate) &'a str);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("`")?;
        escape(f, self.0, '`')?;
        f.write_str("`")
    }
}

/// Words that ClickHouse quotes although they look like names.
const RESERVED: [&str; 9] = ["distinct", "all", "table", "select", "from", "null", "true", "false", "skip"];

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    starts
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word))
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\0' => f.write_str("\\0")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => {
                f.write_char('\\')?;
                f.write_char(c)?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int8 => f.write_str("Int8"),
            Self::Int16 => f.write_str("Int16"),
            Self::Int32 => f.write_str("Int32"),
            Self::Int64 => f.write_str("Int64"),
            Self::Int128 => f.write_str("Int128"),
            Self::Int256 => f.write_str("Int256"),
            Self::UInt256 => f.write_str("UInt256"),
            Self::BFloat16 => f.write_str("BFloat16"),
            Self::Decimal(precision, scale) => write!(f, "Decimal({precision}, {scale})"),
            Self::Time => f.write_str("Time"),
            Self::Time64(precision) => write!(f, "Time64({precision})"),
            Self::Interval(unit) => f.write_str(unit.as_str()),
            Self::Geo(geo) => f.write_str(geo.as_str()),
            Self::SimpleAggregateFunction(function, inner) => {
                let name = aggregate::canonical(&function.name).unwrap_or(&function.name);
                write!(f, "SimpleAggregateFunction({}", Identifier(name))?;
                for (at, parameter) in function.parameters.iter().enumerate() {
                    write!(f, "{}{parameter}", if at == 0 { "(" } else { ", " })?;
                }
                let close = if function.parameters.is_empty() { "" } else { ")" };
                write!(f, "{close}, {inner})")
            }
            Self::UInt8 => f.write_str("UInt8"),
            Self::UInt16 => f.write_str("UInt16"),
            Self::UInt32 => f.write_str("UInt32"),
            Self::UInt64 => f.write_str("UInt64"),
            Self::UInt128 => f.write_str("UInt128"),
            Self::Float32 => f.write_str("Float32"),
            Self::Float64 => f.write_str("Float64"),
            Self::Bool => f.write_str("Bool"),
            Self::String => f.write_str("String"),
            Self::FixedString(bytes) => write!(f, "FixedString({bytes})"),
            Self::Date => f.write_str("Date"),
            Self::Date32 => f.write_str("Date32"),
            Self::DateTime(None) => f.write_str("DateTime"),
            Self::DateTime(Some(zone)) => write!(f, "DateTime({})", QuotedText(zone.name())),
            Self::DateTime64(precision, None) => write!(f, "DateTime64({precision})"),
            Self::DateTime64(precision, Some(zone)) => {
                write!(f, "DateTime64({precision}, {})", QuotedText(zone.name()))
            }
            Self::Enum8(items) => enumeration(f, "Enum8", items),
            Self::Enum16(items) => enumeration(f, "Enum16", items),
            Self::Uuid => f.write_str("UUID"),
            Self::Ipv4 => f.write_str("IPv4"),
            Self::Ipv6 => f.write_str("IPv6"),
            Self::LowCardinality(inner) => write!(f, "LowCardinality({inner})"),
            Self::Nullable(inner) => write!(f, "Nullable({inner})"),
            Self::Array(inner) => write!(f, "Array({inner})"),
            Self::Tuple(elements) => elements_of(f, "Tuple", elements),
            Self::Map(key, value) => write!(f, "Map({key}, {value})"),
            Self::Variant(list) => {
                f.write_str("Variant(")?;
                for (at, (name, _)) in members(list).iter().enumerate() {
                    write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Dynamic(None) => f.write_str("Dynamic"),
            Self::Dynamic(Some(max_types)) => write!(f, "Dynamic(max_types={max_types})"),
            Self::QBit(QBitType { element, dimension, stride }) => {
                write!(f, "QBit({element}, {dimension}")?;
                if let Some(stride) = stride {
                    write!(f, ", {stride}")?;
                }
                f.write_str(")")
            }
            Self::Nested(elements) => elements_of(f, "Nested", elements),
            Self::Json(args) => {
                f.write_str("JSON")?;
                let mut separator = "(";
                if let Some(n) = args.max_dynamic_types {
                    write!(f, "{separator}max_dynamic_types={n}")?;
                    separator = ", ";
                }
                if let Some(n) = args.max_dynamic_paths {
                    write!(f, "{separator}max_dynamic_paths={n}")?;
                    separator = ", ";
                }
                for (path, ty) in &args.paths {
                    write!(f, "{separator}{} {ty}", Identifier(path))?;
                    separator = ", ";
                }
                for skip in &args.skips {
                    match skip {
                        JsonSkip::Path(path) => write!(f, "{separator}SKIP {}", Identifier(path))?,
                        JsonSkip::Regexp(text) => write!(f, "{separator}SKIP REGEXP {}", QuotedText(text))?,
                    }
                    separator = ", ";
                }
                if separator == "(" { Ok(()) } else { f.write_str(")") }
            }
        }
    }
}

fn enumeration<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    items: &[EnumItem<N>],
) -> fmt::Result {
    write!(f, "{name}(")?;
    for (at, item) in items.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        write!(f, "{separator}{} = {}", QuotedText(&item.name), item.value)?;
    }
    f.write_str(")")
}

fn elements_of(f: &mut fmt::Formatter<'_>, name: &str, elements: &[TupleElement]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (at, element) in elements.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        if let Some(name) = &element.name {
            write!(f, "{} ", Identifier(name))?;
        }
        write!(f, "{}", element.ty)?;
    }
    f.write_str(")")
}
