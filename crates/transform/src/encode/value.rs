//! One value of any type.

use super::cursor::Cursor;
use super::fault::Fault;
use super::{
    State, containers, decimal, dynamic, enums, json_column, network, number, paths, string, temporal,
    variant, wide,
};
use crate::plan::{DefaultOf, Op};
use crate::reject::RejectCode;

/// Encodes the value at the cursor, white space before it already skipped.
#[inline]
pub(crate) fn encode(op: &Op, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    if c.peek() == b'n' {
        return null(op, c, s, out);
    }
    match op {
        Op::Int(kind) => number::integer(*kind, c, s, out),
        Op::WideInt { signed } => wide::integer(*signed, c, s, out),
        Op::BFloat16 => number::bfloat16(c, s, out),
        Op::Decimal(kind) => decimal::decimal(*kind, c, s, out),
        Op::Time => temporal::time(c, s, out),
        Op::Time64 { precision } => temporal::time_64(*precision, c, s, out),
        Op::Float32 => number::float32(c, s, out),
        Op::Float64 => number::float64(c, s, out),
        Op::DictionaryFloat(float) => {
            let start = out.len();
            encode(float, c, s, out)?;
            number::without_sign_of_nan(&mut out[start..]);
            Ok(())
        }
        Op::Bool => number::boolean(c, s, out),
        Op::String => string::string(c, s, out),
        Op::FixedString(bytes) => {
            string::fixed_string(*bytes, c, s, out)?;
            s.check_row_bytes(c.at, out)
        }
        Op::Date => temporal::date(c, s, out),
        Op::Date32 => temporal::date32(c, s, out),
        Op::DateTime { zone } => temporal::date_time(*zone, c, s, out),
        Op::DateTime64 { zone, precision } => temporal::date_time_64(*zone, *precision, c, s, out),
        Op::Enum8(table) => enums::enum8(table, c, s, out),
        Op::Enum16(table) => enums::enum16(table, c, s, out),
        Op::Uuid => network::uuid(c, s, out),
        Op::Ipv4 => network::ipv4(c, s, out),
        Op::Ipv6 => network::ipv6(c, s, out),
        Op::Nullable(inner) => {
            out.push(0);
            encode(inner, c, s, out)
        }
        Op::Array(inner) => containers::array(inner, c, s, out),
        Op::Tuple(tuple) => containers::tuple(tuple, c, s, out),
        Op::Map(key, value) => containers::map(key, value, c, s, out),
        Op::Json(paths) => json_column::json(paths, c, s, out),
        Op::Variant(variant) => variant::variant(variant, c, s, out),
        Op::Dynamic { zone } => dynamic::dynamic(*zone, c, s, out),
        Op::Vector(vector) => containers::vector(vector, c, s, out),
        Op::Paths(node) => paths::node(node, c, s, out),
    }
}

/// `null`: NULL where the type has it, else its default.
fn null(op: &Op, c: &mut Cursor<'_>, s: &mut State, out: &mut Vec<u8>) -> Result<(), Fault> {
    let at = c.at;
    c.literal("null")?;
    if !s.lenient && op.is_poisoned_by_default() {
        let message = "null is 0 for an Enum, which has no such number";
        return Err(Fault::new(RejectCode::NullEnum, at, message));
    }
    op.write_default(DefaultOf::OfMemory, out);
    s.check_row_bytes(at, out)
}
