//! Which types are the same to ClickHouse, whatever they are called.

use crate::types::{DataType, GeoType, TupleElement};

/// The type without the names of functions around it.
pub(super) fn bare(ty: &DataType) -> &DataType {
    match ty {
        DataType::SimpleAggregateFunction(_, inner) => bare(inner),
        ty => ty,
    }
}

/// The array, the tuple or the map that the type is another name of; any other type as it is.
pub(super) fn shape(ty: &DataType) -> DataType {
    match bare(ty) {
        DataType::Nested(elements) => DataType::Array(Box::new(DataType::Tuple(elements.clone()))),
        DataType::Geo(geo) if *geo != GeoType::Geometry => geo.stands_for(),
        ty => ty.clone(),
    }
}

/// The type with its values in place of dictionaries. A Variant and a JSON keep theirs.
pub(super) fn without_dictionaries(ty: &DataType) -> DataType {
    let boxed = |ty: &DataType| Box::new(without_dictionaries(ty));
    let elements = |elements: &[TupleElement]| {
        let each = |TupleElement { name, ty }: &TupleElement| TupleElement {
            name: name.clone(),
            ty: without_dictionaries(ty),
        };
        elements.iter().map(each).collect::<Vec<_>>()
    };
    match ty {
        DataType::LowCardinality(inner) => without_dictionaries(inner),
        DataType::Nullable(inner) => DataType::Nullable(boxed(inner)),
        DataType::Array(inner) => DataType::Array(boxed(inner)),
        DataType::Map(key, value) => DataType::Map(boxed(key), boxed(value)),
        DataType::Tuple(list) => DataType::Tuple(elements(list)),
        DataType::Nested(list) => {
            let plain = elements(list);
            // A Nested that has changed is one no more.
            if plain == *list { ty.clone() } else { DataType::Array(Box::new(DataType::Tuple(plain))) }
        }
        DataType::SimpleAggregateFunction(function, inner) => {
            DataType::SimpleAggregateFunction(function.clone(), boxed(inner))
        }
        ty => ty.clone(),
    }
}

/// Whether both are the same to ClickHouse, whatever they are called.
pub(super) fn same(one: &DataType, other: &DataType) -> bool {
    let all = |ones: &[TupleElement], others: &[TupleElement]| {
        ones.len() == others.len()
            && ones.iter().zip(others).all(|(one, other)| one.name == other.name && same(&one.ty, &other.ty))
    };
    match (shape(one), shape(other)) {
        (DataType::Nullable(one), DataType::Nullable(other)) => same(&one, &other),
        (DataType::Array(one), DataType::Array(other)) => same(&one, &other),
        (DataType::Map(key, value), DataType::Map(other_key, other_value)) => {
            same(&key, &other_key) && same(&value, &other_value)
        }
        (DataType::Tuple(ones), DataType::Tuple(others)) => all(&ones, &others),
        // Decimals of one width in bits.
        (DataType::Decimal(one, scale), DataType::Decimal(other, other_scale)) => {
            let bits = |precision: u8| [9, 18, 38].iter().position(|digits| precision <= *digits);
            scale == other_scale && bits(one) == bits(other)
        }
        (DataType::Bool, DataType::UInt8) | (DataType::UInt8, DataType::Bool) => true,
        (one, other) => one == other,
    }
}
