//! Random types: trees of what there is.
//!
//! A new type is one line: in [`SCALARS`] or [`RARE`] with the kind of values that suit it, or in [`WRAPPERS`]. What
//! the product does not read yet is left out at start, and the report says so.

use std::fmt;

use housepipe_transform::{Columns, Plan, PlanOptions};

use crate::random::Random;
use crate::types::{Kind, RARE, SCALARS};
use crate::zones;

/// Ways to make a type of types: how often, a text that shows whether it is read, and how it is made.
pub(crate) const WRAPPERS: &[(usize, &str, Build)] = &[
    (25, "Array(UInt8)", |r, all, depth| Shape::Array(Box::new(all.shape(r, depth)))),
    (15, "Nullable(UInt8)", |r, all, depth| Shape::Nullable(Box::new(all.shape(r, depth)))),
    (10, "LowCardinality(String)", |r, all, _| Shape::LowCardinality(Box::new(all.dictionary(r)))),
    (15, "Map(String, UInt8)", |r, all, depth| {
        let key = if r.chance(50) { all.named("String") } else { all.scalar(r) };
        Shape::Map(Box::new(key), Box::new(all.shape(r, depth)))
    }),
    (15, "Tuple(UInt8, String)", |r, all, depth| {
        Shape::Tuple((0..r.range(1, 4)).map(|_| (None, all.shape(r, depth))).collect())
    }),
    (20, "Tuple(x UInt8, y String)", |r, all, depth| Shape::Tuple(all.elements(r, depth))),
    (4, "Nested(x UInt8)", |r, all, depth| Shape::Nested(all.elements(r, depth))),
    (10, "Variant(UInt8, String)", |r, all, depth| {
        Shape::Variant((0..r.range(1, 4)).map(|_| all.shape(r, depth)).collect())
    }),
    (5, "JSON(a UInt8, SKIP b)", |r, all, depth| {
        let mut paths = JSON_PATHS.to_vec();
        r.shuffle(&mut paths);
        let count = r.range(1, 5);
        let skipped = if r.chance(30) { paths.pop() } else { None };
        let typed = paths.into_iter().take(count).map(|path| (Some(path), all.shape(r, depth.min(2))));
        Shape::Json(typed.collect(), skipped)
    }),
];

/// Typed paths of JSON columns, of which some are below others or differ by letter case.
const JSON_PATHS: &[&str] = &["a", "b", "c", "A", "b.c", "c.d", "c.d.e", "`x y`", "`é`", "ab"];

/// Makes a type around types of a smaller depth.
type Build = fn(&mut Random, &Table, usize) -> Shape;

/// Names of the elements of tuples; some differ by letter case, some need quotes.
const ELEMENT_NAMES: &[&str] = &["x", "y", "X", "`a b`", "long_name", "`é`", "`q\"u`", "Int8"];

/// How often, of a hundred, a type without types inside is one of the rare.
const RARE_PERCENT: usize = 25;
/// How often it is one of those with a time zone.
const ZONED_PERCENT: usize = 3;
const RARE_AND_ZONED_PERCENT: usize = RARE_PERCENT + ZONED_PERCENT;

/// A type as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar(&'static str, Kind),
    Nullable(Box<Shape>),
    LowCardinality(Box<Shape>),
    Array(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    /// The names stand as they do in a type.
    Tuple(Vec<(Option<&'static str>, Shape)>),
    Nested(Vec<(Option<&'static str>, Shape)>),
    Variant(Vec<Shape>),
    /// The typed paths of a JSON type, and one that is left out.
    Json(Vec<(Option<&'static str>, Shape)>, Option<&'static str>),
}

impl Shape {
    /// The types inside, one level down.
    pub(crate) fn children(&self) -> Vec<&Shape> {
        match self {
            Shape::Scalar(..) => Vec::new(),
            Shape::Nullable(inner) | Shape::LowCardinality(inner) | Shape::Array(inner) => vec![inner],
            Shape::Map(key, value) => vec![key, value],
            Shape::Tuple(elements) | Shape::Nested(elements) | Shape::Json(elements, _) => {
                elements.iter().map(|(_, ty)| ty).collect()
            }
            Shape::Variant(members) => members.iter().collect(),
        }
    }

    /// Every type inside and the type itself, small ones first.
    pub(crate) fn parts(&self) -> Vec<&Shape> {
        let mut parts = vec![self];
        let mut at = 0;
        while at < parts.len() {
            parts.extend(parts[at].children());
            at += 1;
        }
        parts.sort_by_key(|part| part.to_string().len());
        parts
    }

    /// The name that the report counts by.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            // Of hundreds of zones each is hardly ever met.
            Shape::Scalar(_, Kind::Zoned) => "DateTime of any zone",
            Shape::Scalar(text, _) => text,
            Shape::Nullable(_) => "Nullable",
            Shape::LowCardinality(_) => "LowCardinality",
            Shape::Array(_) => "Array",
            Shape::Map(..) => "Map",
            Shape::Tuple(_) => "Tuple",
            Shape::Nested(_) => "Nested",
            Shape::Variant(_) => "Variant",
            Shape::Json(..) => "JSON",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Shape::Scalar(text, _) = self {
            return f.write_str(text);
        }
        write!(f, "{}(", self.name())?;
        for (at, child) in self.children().into_iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            if let Shape::Tuple(elements) | Shape::Nested(elements) | Shape::Json(elements, _) = self
                && let Some(name) = elements[at].0
            {
                write!(f, "{name} ")?;
            }
            write!(f, "{child}")?;
        }
        if let Shape::Json(_, Some(skipped)) = self {
            write!(f, ", SKIP {skipped}")?;
        }
        f.write_str(")")
    }
}

/// The types of a run.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    scalars: Vec<(&'static str, Kind)>,
    rare: Vec<(&'static str, Kind)>,
    zoned: Vec<(&'static str, Kind)>,
    wrappers: Vec<(usize, Build)>,
    /// What was left out, with the reason.
    pub(crate) skipped: Vec<(String, String)>,
}

impl Table {
    /// The types that the product and `server` take, and whose text `wanted` accepts.
    pub(crate) fn new(
        wanted: impl Fn(&str) -> bool,
        mut server: impl FnMut(&str) -> Result<(), String>,
    ) -> Result<Table, String> {
        let mut skipped = Vec::new();
        let mut takes = |text: &str| {
            let reason = compiles(&format!("a {text}")).and_then(|_| server(text)).err();
            let taken = reason.is_none();
            skipped.extend(reason.map(|reason| (text.to_owned(), reason)));
            taken
        };
        let mut of = |types: &[(&'static str, Kind)]| -> Vec<_> {
            types.iter().filter(|(text, _)| wanted(text) && takes(text)).copied().collect()
        };
        let (mut scalars, rare, zoned) = (of(SCALARS), of(RARE), of(&zones::types()));
        let mut wrappers: Vec<(usize, Build)> = WRAPPERS
            .iter()
            .filter(|(_, text, _)| wanted(text) && takes(text))
            .map(|(weight, _, build)| (*weight, *build))
            .collect();
        if scalars.is_empty() && rare.is_empty() && zoned.is_empty() {
            if wrappers.is_empty() {
                return Err("no type is left".to_owned());
            }
            // Wrappers alone were asked for: they need something to hold.
            scalars = SCALARS.iter().filter(|(text, _)| takes(text)).copied().collect();
        } else if wrappers.is_empty() {
            wrappers = WRAPPERS
                .iter()
                .filter(|(_, text, _)| takes(text))
                .map(|(weight, _, build)| (*weight, *build))
                .collect();
        }
        skipped.sort();
        skipped.dedup();
        Ok(Table { scalars, rare, zoned, wrappers, skipped })
    }

    /// A random type of at most this depth.
    pub(crate) fn shape(&self, r: &mut Random, depth: usize) -> Shape {
        if depth == 0 || self.wrappers.is_empty() || r.chance(50) {
            return self.scalar(r);
        }
        let total: usize = self.wrappers.iter().map(|(weight, _)| weight).sum();
        let mut at = r.below(total);
        for (weight, build) in &self.wrappers {
            if at < *weight {
                return build(r, self, depth - 1);
            }
            at -= weight;
        }
        self.scalar(r)
    }

    fn scalar(&self, r: &mut Random) -> Shape {
        let list = match r.below(100) {
            0..RARE_PERCENT => &self.rare,
            RARE_PERCENT..RARE_AND_ZONED_PERCENT => &self.zoned,
            _ => &self.scalars,
        };
        // Where only some types were asked for, lists may be empty, but never all of them.
        let lists = [list, &self.scalars, &self.rare, &self.zoned];
        let list = lists.into_iter().find(|list| !list.is_empty()).unwrap_or(list);
        let (text, kind) = r.pick(list);
        Shape::Scalar(text, kind)
    }

    fn named(&self, text: &'static str) -> Shape {
        let known = self.scalars.iter().find(|(name, _)| *name == text);
        known
            .or(self.scalars.first())
            .map_or(Shape::Scalar("String", Kind::Text), |(text, kind)| Shape::Scalar(text, *kind))
    }

    fn dictionary(&self, r: &mut Random) -> Shape {
        let inner = if r.chance(60) { self.named("String") } else { self.scalar(r) };
        if r.chance(40) { Shape::Nullable(Box::new(inner)) } else { inner }
    }

    fn elements(&self, r: &mut Random, depth: usize) -> Vec<(Option<&'static str>, Shape)> {
        let mut names = ELEMENT_NAMES.to_vec();
        r.shuffle(&mut names);
        let count = r.range(1, 5);
        names.into_iter().take(count).map(|name| (Some(name), self.shape(r, depth))).collect()
    }
}

/// The plan's own list of columns, where the product takes them.
pub(crate) fn compiles(columns: &str) -> Result<Columns, String> {
    let list: Columns = columns.parse().map_err(|error| format!("{error}"))?;
    let plan = Plan::compile(&list, &PlanOptions::default()).map_err(|error| error.to_string())?;
    Ok(plan.columns().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::uint;

    #[test]
    fn every_type_of_today_is_in_the_table() {
        let table = Table::new(|_| true, |_| Ok(())).unwrap();
        let mut r = Random::of_group(1, 1);
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..20_000 {
            let shape = table.shape(&mut r, 5);
            seen.extend(shape.parts().into_iter().map(|part| part.name().to_owned()));
        }
        for (name, _) in table.scalars.iter().chain(&table.rare) {
            assert!(seen.iter().any(|other| other == name), "{name} was never made");
        }
        for name in ["Nullable", "LowCardinality", "Array", "Map", "Tuple", "Nested", "Variant"] {
            assert!(seen.iter().any(|other| other == name), "{name} was never made");
        }
    }

    #[test]
    fn what_the_server_refuses_is_left_out_with_its_reason() {
        let table = Table::new(
            |text| text == "UInt8" || text == "Date",
            |text| {
                if text == "Date" { Err("no dates".to_owned()) } else { Ok(()) }
            },
        );
        let table = table.unwrap();
        assert!(table.skipped.contains(&("Date".to_owned(), "no dates".to_owned())), "{:?}", table.skipped);
        assert_eq!(table.shape(&mut Random::of_group(0, 0), 0), Shape::Scalar("UInt8", uint(8)));
    }

    #[test]
    fn a_type_prints_as_clickhouse_takes_it() {
        let uint8 = Shape::Scalar("UInt8", uint(8));
        let shape = Shape::Map(
            Box::new(uint8.clone()),
            Box::new(Shape::Tuple(vec![(Some("`a b`"), Shape::Array(Box::new(uint8.clone())))])),
        );
        assert_eq!(shape.to_string(), "Map(UInt8, Tuple(`a b` Array(UInt8)))");
        assert_eq!(shape.parts()[0], &uint8);
        assert_eq!(shape.parts().last(), Some(&&shape));
    }
}
