//! The columns to fill, in the order of the INSERT.

use std::fmt;
use std::str::FromStr;

use crate::envelope::Virtual;
use crate::key_path::{KeyPath, PathParseError};
use crate::types::{DataType, Identifier, Parser, TypeParseError};

/// An ordered list of columns.
///
/// ```
/// use housepipe_transform::Columns;
/// let columns: Columns = "a UInt8, `n.x y` Array(String)".parse()?;
/// assert_eq!(columns.to_string(), "a UInt8, `n.x y` Array(String)");
/// # Ok::<(), housepipe_transform::TypeParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// A list of these columns. [`Plan::compile`](crate::Plan::compile) checks it.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self(columns)
    }

    /// The columns as a slice.
    #[must_use]
    pub fn as_slice(&self) -> &[Column] {
        &self.0
    }

    /// The columns in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }

    /// How many columns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Column> for Columns {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Columns {
    type Item = &'a Column;
    type IntoIter = std::slice::Iter<'a, Column>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromStr for Columns {
    type Err = TypeParseError;

    fn from_str(text: &str) -> Result<Self, TypeParseError> {
        let mut parser = Parser::new(text);
        let mut columns = Vec::new();
        parser.blank();
        if parser.end().is_ok() {
            return Ok(Self(columns));
        }
        loop {
            let name = parser.dotted()?;
            let ty = match parser.data_type() {
                Ok(ty) => ty,
                Err(error) => return Err(TypeParseError { column: Some(name), ..error }),
            };
            columns.push(Column::new(name, ty));
            if !parser.eat(',') {
                parser.end()?;
                return Ok(Self(columns));
            }
        }
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, column) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", Identifier(&column.name), column.ty)?;
        }
        Ok(())
    }
}

/// A column: its name and type in the table, and what fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// The name in the table.
    pub name: String,
    /// The type in the table.
    pub ty: DataType,
    /// What fills it.
    pub source: Source,
    /// What it holds where the record has nothing for it.
    pub default: DefaultKind,
}

impl Column {
    /// A column that the field of the same name fills, with the type's default.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: DataType) -> Self {
        let name = name.into();
        Self { source: Source::Field(name.clone()), name, ty, default: DefaultKind::Type }
    }

    /// The same column, filled by the field of this key.
    #[must_use]
    pub fn from_field(mut self, key: impl Into<String>) -> Self {
        self.source = Source::Field(key.into());
        self
    }

    /// The same column, filled by this.
    #[must_use]
    pub fn from_source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// The same column, with a DEFAULT expression that the server evaluates.
    #[must_use]
    pub fn with_default_expression(mut self) -> Self {
        self.default = DefaultKind::Expression;
        self
    }
}

/// What fills a column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The field of the record with this key.
    Field(String),
    /// A value inside of a field.
    Path(KeyPath),
    /// What is known of the record beside its value.
    Virtual(Virtual),
    /// The same in every row: a text that the type takes as a JSON string, or as it stands.
    Constant(String),
    /// NULL in every row.
    Null,
}

impl Source {
    /// What fills a column of this name where nothing else is said: the virtual column of that name, else the field.
    ///
    /// ```
    /// use housepipe_transform::{Source, Virtual};
    /// assert_eq!(Source::of_column("_offset"), Source::Virtual(Virtual::Offset));
    /// assert_eq!(Source::of_column("_id"), Source::Field("_id".to_owned()));
    /// assert_eq!(Source::of_column("a.b"), Source::Field("a.b".to_owned()));
    /// ```
    #[must_use]
    pub fn of_column(name: &str) -> Source {
        name.parse().map_or_else(|_| Source::Field(name.to_owned()), Source::Virtual)
    }
}

/// As pipe files write it: the name of a virtual column, or a [`KeyPath`].
///
/// ```
/// use housepipe_transform::{Source, Virtual};
/// assert_eq!("_offset".parse(), Ok(Source::Virtual(Virtual::Offset)));
/// assert_eq!("`_offset`".parse(), Ok(Source::Field("_offset".to_owned())));
/// assert!(matches!("user.name".parse(), Ok(Source::Path(_))));
/// assert!("_ofset".parse::<Source>().is_err(), "neither a virtual column nor in backquotes");
/// ```
impl FromStr for Source {
    type Err = PathParseError;

    fn from_str(text: &str) -> Result<Source, PathParseError> {
        if let Ok(known) = text.parse() {
            return Ok(Source::Virtual(known));
        }
        let path: KeyPath = text.parse()?;
        Ok(if path.rest().is_empty() { Source::Field(path.key().to_owned()) } else { Source::Path(path) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Field(key) => write!(f, "{}", KeyPath::field(key.as_str())),
            Source::Path(path) => write!(f, "{path}"),
            Source::Virtual(known) => write!(f, "{known}"),
            // Its text may be a secret.
            Source::Constant(_) => f.write_str("a constant"),
            Source::Null => f.write_str("NULL"),
        }
    }
}

/// What a column holds where the record has nothing for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefaultKind {
    /// The default of its type.
    Type,
    /// The column's DEFAULT expression, which the server evaluates: needs
    /// [`RowFormat::RowBinaryWithDefaults`](crate::RowFormat::RowBinaryWithDefaults).
    Expression,
}
