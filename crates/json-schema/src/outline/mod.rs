//! What a schema says of the values that it allows, as far as a table's columns can be made of it.

mod combine;
mod read;
#[cfg(test)]
mod tests;
mod types;

pub use types::Types;

use crate::error::SchemaError;
use crate::library::Documents;
use crate::options::Options;

/// What a schema says of the values at one place: their types, and what is inside of them.
///
/// It is an outline: `not`, `if`, `pattern` and the like are left out, and where schemas are choices (`anyOf`, `oneOf`) it is
/// one that has room for all of them, but that what only one of them names is taken for something that the others do not have.
/// What is listed under `properties` or `items` is taken for what the place is meant to be,
/// also where `type` does not say so. A reference that leads back to itself allows anything there.
///
/// ```
/// use housepipe_json_schema::{Options, Outline, Types};
///
/// let text = r##"{"$defs": {"id": {"type": "integer", "minimum": 0}}, "required": ["id"],
///     "properties": {"id": {"$ref": "#/$defs/id"}, "tag": {"type": ["string", "null"]}}}"##;
/// let none: [(&str, &str); 0] = [];
/// let outline = Outline::read(text, none, &Options::default())?;
/// assert_eq!(outline.types, Types::OBJECT);
/// let names: Vec<_> = outline.properties.iter().map(|it| (it.name.as_str(), it.is_required)).collect();
/// assert_eq!(names, [("id", true), ("tag", false)]);
/// assert_eq!(outline.properties[0].outline.minimum, Some(0));
/// assert_eq!(outline.properties[1].outline.types, Types::STRING.or(Types::NULL));
/// # Ok::<(), housepipe_json_schema::SchemaError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outline {
    /// The types of the values.
    pub types: Types,
    /// What `format` says of texts.
    pub format: Option<String>,
    /// Whether a text of another format is rejected: it is where `format` is asserted, and known.
    pub is_format_asserted: bool,
    /// The least whole number.
    pub minimum: Option<i128>,
    /// The greatest whole number.
    pub maximum: Option<i128>,
    /// How many texts there are, where they are listed one by one.
    pub choices: Option<usize>,
    /// The members of objects that are named, by name.
    pub properties: Vec<Property>,
    /// The other members of objects.
    pub others: Others,
    /// The elements of arrays, where it says something of all of them.
    pub items: Option<Box<Outline>>,
}

/// A member of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its values.
    pub outline: Outline,
    /// Whether every object has it.
    pub is_required: bool,
}

/// Members of objects that are not named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Others {
    /// Any.
    Any,
    /// None.
    None,
    /// Any whose values are such.
    Of(Box<Outline>),
}

impl Outline {
    /// Reads the text of a schema and of those that it refers to, as [`Schema::compile`](crate::Schema::compile) does.
    ///
    /// # Errors
    /// What is no schema of a known draft, and what is larger than the limits allow. It is not looked whether the schema is sound
    /// beyond that: to compile it tells.
    pub fn read<N, T>(
        text: &str,
        references: impl IntoIterator<Item = (N, T)>,
        options: &Options,
    ) -> Result<Outline, SchemaError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        Ok(read::read(&Documents::read(text, references, options)?, options))
    }

    /// An outline of anything.
    #[must_use]
    pub fn any() -> Outline {
        Outline {
            types: Types::ANY,
            format: None,
            is_format_asserted: false,
            minimum: None,
            maximum: None,
            choices: None,
            properties: Vec::new(),
            others: Others::Any,
            items: None,
        }
    }
}
