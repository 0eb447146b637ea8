//! Rows without their JSON columns: what is left has to be ClickHouse's byte by byte.
//!
//! The text of a JSON column is ours, or ClickHouse's own spelling of it where it writes JSON as texts; both stand
//! behind a length, wherever in a row they are.

use housepipe_transform::{Columns, DataType, TupleElement};

/// The rows with nothing in the place of each JSON value; none where the bytes are not rows of the columns.
pub(crate) fn without_json(columns: &Columns, rows: &[u8]) -> Option<Vec<u8>> {
    let mut walk = Walk { rows, at: 0, kept: Vec::with_capacity(rows.len()) };
    while walk.at < rows.len() {
        let start = walk.at;
        for column in columns {
            walk.value(&column.ty)?;
        }
        if walk.at == start {
            return None;
        }
    }
    Some(walk.kept)
}

struct Walk<'a> {
    rows: &'a [u8],
    at: usize,
    kept: Vec<u8>,
}

impl Walk<'_> {
    fn keep(&mut self, bytes: usize) -> Option<()> {
        self.kept.extend_from_slice(self.rows.get(self.at..self.at.checked_add(bytes)?)?);
        self.at += bytes;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        self.keep(1)?;
        self.kept.last().copied()
    }

    /// A length, seven bits a byte, which is kept.
    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(length);
            }
        }
        None
    }

    fn value(&mut self, ty: &DataType) -> Option<()> {
        let bytes = match ty {
            DataType::Int8 | DataType::UInt8 | DataType::Bool | DataType::Enum8(_) => 1,
            DataType::Int16
            | DataType::UInt16
            | DataType::BFloat16
            | DataType::Date
            | DataType::Enum16(_) => 2,
            DataType::Int32
            | DataType::UInt32
            | DataType::Float32
            | DataType::Date32
            | DataType::DateTime(_)
            | DataType::Time
            | DataType::Ipv4 => 4,
            DataType::Int64
            | DataType::UInt64
            | DataType::Float64
            | DataType::DateTime64(..)
            | DataType::Time64(_)
            | DataType::Interval(_) => 8,
            DataType::Int128 | DataType::UInt128 | DataType::Uuid | DataType::Ipv6 => 16,
            DataType::Int256 | DataType::UInt256 => 32,
            DataType::Decimal(..=9, _) => 4,
            DataType::Decimal(..=18, _) => 8,
            DataType::Decimal(..=38, _) => 16,
            DataType::Decimal(..) => 32,
            DataType::FixedString(bytes) => *bytes,
            DataType::String => self.length()?,
            DataType::Json(_) => {
                let kept = self.kept.len();
                self.at += self.length()?;
                self.kept.truncate(kept);
                0
            }
            DataType::Geo(geo) => return self.value(&geo.stands_for()),
            DataType::LowCardinality(inner) | DataType::SimpleAggregateFunction(_, inner) => {
                return self.value(inner);
            }
            DataType::Nullable(inner) => return if self.byte()? == 0 { self.value(inner) } else { Some(()) },
            DataType::Array(inner) => return self.items(&[inner]),
            DataType::QBit(qbit) => return self.items(&[&qbit.element]),
            DataType::Map(key, item) => return self.items(&[key, item]),
            DataType::Tuple(elements) => return elements.iter().try_for_each(|one| self.value(&one.ty)),
            DataType::Nested(elements) => {
                return self.items(&elements.iter().map(|one| &one.ty).collect::<Vec<_>>());
            }
            DataType::Variant(members) => {
                let member = self.byte()?;
                return if member == 0xFF { Some(()) } else { self.value(members.get(usize::from(member))?) };
            }
            DataType::Dynamic(_) => {
                return match self.data_type()? {
                    Some(ty) => self.value(&ty),
                    None => Some(()),
                };
            }
            // A type that came later: such lists are not compared byte by byte.
            _ => return None,
        };
        self.keep(bytes)
    }

    /// The type that stands before a value of a Dynamic, of those that JSON has; NULL has none.
    fn data_type(&mut self) -> Option<Option<DataType>> {
        let inner = |walk: &mut Self| walk.data_type().flatten().map(Box::new);
        Some(Some(match self.byte()? {
            0x00 => return Some(None),
            0x04 | 0x0A | 0x0E => DataType::UInt64,
            0x0F => DataType::Date,
            0x11 => DataType::DateTime(None),
            0x13 => DataType::DateTime64(self.byte()?, None),
            0x15 => DataType::String,
            0x1E => DataType::Array(inner(self)?),
            0x20 => {
                let mut elements = Vec::new();
                for _ in 0..self.length()? {
                    let name = self.length()?;
                    self.keep(name)?;
                    elements.push(TupleElement::unnamed(*inner(self)?));
                }
                DataType::Tuple(elements)
            }
            0x23 => DataType::Nullable(inner(self)?),
            0x2B => DataType::Dynamic(Some(self.byte()?)),
            0x2D => DataType::Bool,
            _ => return None,
        }))
    }

    fn items(&mut self, types: &[&DataType]) -> Option<()> {
        for _ in 0..self.length()? {
            types.iter().try_for_each(|ty| self.value(ty))?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(columns: &str, rows: &[u8]) -> Option<Vec<u8>> {
        without_json(&columns.parse().unwrap(), rows)
    }

    #[test]
    fn json_is_left_out_wherever_it_stands() {
        let columns = "a JSON, b Array(Tuple(JSON, Nullable(UInt8))), c String";
        assert_eq!(rest(columns, b"\x02{}\x02\x01x\x01\x00\x00\x07\x01z").unwrap(), b"\x02\x01\x00\x07\x01z");
        assert_eq!(rest("a Variant(JSON, UInt8)", b"\x00\x02{}\x01\x05\xff").unwrap(), b"\x00\x01\x05\xff");
    }

    #[test]
    fn a_dynamic_brings_its_type() {
        let row = b"\x02{}\x20\x02\x01a\x1e\x2b\x20\x01b\x23\x15\x01\x00\x01\x07";
        assert_eq!(rest("a JSON, b Dynamic, c UInt8", row).unwrap(), row[3..]);
        assert_eq!(rest("a JSON, b Dynamic", b"\x02{}\x7f"), None);
    }

    #[test]
    fn bytes_that_are_no_rows_are_seen() {
        assert_eq!(rest("a UInt16, b JSON", b"\x01\x02\x05{}"), None);
        assert_eq!(rest("a String", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(rest("a UInt16", b"\x01\x02\x03"), None);
    }
}
