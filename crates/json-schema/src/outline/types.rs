//! The types of JSON, as a set.

use std::fmt;

/// Types of JSON values. Whole numbers are a type of their own, and `number` is two.
///
/// ```
/// use housepipe_json_schema::Types;
/// let number = Types::INTEGER.or(Types::FRACTION);
/// assert!(number.has(Types::INTEGER) && !Types::INTEGER.has(number));
/// assert_eq!(number.or(Types::NULL).to_string(), "null, integer, fraction");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Types(u8);

impl Types {
    /// None of them.
    pub const NONE: Types = Types(0);
    /// `null`
    pub const NULL: Types = Types(1);
    /// `true` and `false`
    pub const BOOLEAN: Types = Types(2);
    /// Whole numbers.
    pub const INTEGER: Types = Types(4);
    /// Other numbers.
    pub const FRACTION: Types = Types(8);
    /// Texts.
    pub const STRING: Types = Types(16);
    /// Arrays.
    pub const ARRAY: Types = Types(32);
    /// Objects.
    pub const OBJECT: Types = Types(64);
    /// All of them.
    pub const ANY: Types = Types(127);

    const NAMES: [(Types, &str); 7] = [
        (Types::NULL, "null"),
        (Types::BOOLEAN, "boolean"),
        (Types::INTEGER, "integer"),
        (Types::FRACTION, "fraction"),
        (Types::STRING, "string"),
        (Types::ARRAY, "array"),
        (Types::OBJECT, "object"),
    ];

    /// Those of both.
    #[must_use]
    pub const fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    /// Those that both have.
    #[must_use]
    pub const fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    /// Those without the others.
    #[must_use]
    pub const fn without(self, others: Types) -> Types {
        Types(self.0 & !others.0)
    }

    /// Whether all of the others are among them.
    #[must_use]
    pub const fn has(self, others: Types) -> bool {
        self.0 & others.0 == others.0
    }

    /// What the word of the keyword `type` stands for; none for a word that it does not know.
    pub(super) fn of_word(word: &str) -> Types {
        match word {
            "number" => Types::INTEGER.or(Types::FRACTION),
            "fraction" => Types::NONE,
            word => {
                Types::NAMES.iter().find(|(_, name)| *name == word).map_or(Types::NONE, |(types, _)| *types)
            }
        }
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Types::NAMES.iter().filter(|(types, _)| self.has(*types)).map(|(_, name)| *name);
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Types({self})")
    }
}
