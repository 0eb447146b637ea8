//! Two outlines as one.

use std::collections::HashMap;

use super::{Others, Outline, Property, Types};

impl Outline {
    /// Values that both allow.
    pub(super) fn and(self, other: Outline) -> Outline {
        let is_format_asserted = match &self.format {
            Some(_) => self.is_format_asserted,
            None => other.is_format_asserted,
        };
        Outline {
            types: self.types.and(other.types),
            format: self.format.or(other.format),
            is_format_asserted,
            minimum: self.minimum.max(other.minimum),
            maximum: either(self.maximum, other.maximum, Ord::min),
            choices: either(self.choices, other.choices, Ord::min),
            properties: joined(self.properties, other.properties, |first, second| match (first, second) {
                (Some(first), Some(second)) => Some(Property {
                    is_required: first.is_required || second.is_required,
                    outline: first.outline.and(second.outline),
                    name: first.name,
                }),
                (first, second) => first.or(second),
            }),
            others: match (self.others, other.others) {
                (Others::None, _) | (_, Others::None) => Others::None,
                (Others::Of(first), Others::Of(second)) => Others::Of(Box::new(first.and(*second))),
                (Others::Any, others) | (others, Others::Any) => others,
            },
            items: either(self.items, other.items, |first, second| Box::new(first.and(*second))),
        }
    }

    /// Values that one of them allows. What only one says of a type that only it allows holds for both.
    pub(super) fn or(self, other: Outline) -> Outline {
        let types = self.types.or(other.types);
        let number = Types::INTEGER;
        let (minimum, maximum) = match (self.types.has(number), other.types.has(number)) {
            (true, false) => (self.minimum, self.maximum),
            (false, true) => (other.minimum, other.maximum),
            _ => (both(self.minimum, other.minimum, Ord::min), both(self.maximum, other.maximum, Ord::max)),
        };
        let (format, is_format_asserted, choices) =
            match (self.types.has(Types::STRING), other.types.has(Types::STRING)) {
                (true, false) => (self.format, self.is_format_asserted, self.choices),
                (false, true) => (other.format, other.is_format_asserted, other.choices),
                _ => {
                    let format = self.format.filter(|format| other.format.as_ref() == Some(format));
                    let is_asserted = self.is_format_asserted && other.is_format_asserted;
                    (format, is_asserted, both(self.choices, other.choices, usize::saturating_add))
                }
            };
        let items = match (self.types.has(Types::ARRAY), other.types.has(Types::ARRAY)) {
            (true, false) => self.items,
            (false, true) => other.items,
            _ => both(self.items, other.items, |first, second| Box::new(first.or(*second))),
        };
        let (properties, others) = match (self.types.has(Types::OBJECT), other.types.has(Types::OBJECT)) {
            (true, false) => (self.properties, self.others),
            (false, true) => (other.properties, other.others),
            _ => {
                (joined(self.properties, other.properties, of_either), any_others(self.others, other.others))
            }
        };
        Outline { types, format, is_format_asserted, minimum, maximum, choices, properties, others, items }
    }
}

/// A property of objects of two kinds. Where one of them does not name it, it is taken for something that these do not have.
fn of_either(first: Option<Property>, second: Option<Property>) -> Option<Property> {
    match (first, second) {
        (Some(first), Some(second)) => Some(Property {
            is_required: first.is_required && second.is_required,
            outline: first.outline.or(second.outline),
            name: first.name,
        }),
        (first, second) => first.or(second).map(|property| Property { is_required: false, ..property }),
    }
}

fn any_others(first: Others, second: Others) -> Others {
    match (first, second) {
        (Others::Any, _) | (_, Others::Any) => Others::Any,
        (Others::Of(first), Others::Of(second)) => Others::Of(Box::new(first.or(*second))),
        (Others::None, others) | (others, Others::None) => others,
    }
}

/// Properties of two lists, by name.
fn joined(
    first: Vec<Property>,
    second: Vec<Property>,
    join: impl Fn(Option<Property>, Option<Property>) -> Option<Property>,
) -> Vec<Property> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(second.len());
    places.extend(second.iter().enumerate().map(|(at, property)| (property.name.clone(), at)));
    let mut second: Vec<Option<Property>> = second.into_iter().map(Some).collect();
    let mut all = Vec::with_capacity(first.len() + second.len());
    for property in first {
        let twin = places.get(&property.name).and_then(|at| second.get_mut(*at)).and_then(Option::take);
        all.extend(join(Some(property), twin));
    }
    for property in second.into_iter().flatten() {
        all.extend(join(None, Some(property)));
    }
    all
}

/// What there is of two.
fn either<T>(first: Option<T>, second: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (first, second) {
        (Some(first), Some(second)) => Some(join(first, second)),
        (first, second) => first.or(second),
    }
}

/// What there is of both.
fn both<T>(first: Option<T>, second: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    first.zip(second).map(|(first, second)| join(first, second))
}
