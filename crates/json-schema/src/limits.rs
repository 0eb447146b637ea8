//! Every limit, each with its unit. They keep a hostile schema or record from costing memory, a stack or hours.

/// What a schema and a record may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a schema together with the schemas that it refers to.
    pub schema_bytes: usize,
    /// Arrays and objects inside of each other in the text of a schema.
    pub schema_depth: usize,
    /// Schemas that a schema refers to.
    pub references: usize,
    /// Schemas that are applied to one and the same value, each as often as it is: through `$ref`, `allOf`, `anyOf`, `oneOf`,
    /// `not`, `if` and the like.
    pub schemas_at_a_value: u64,
    /// Regular expressions in a schema and those that it refers to.
    pub patterns: usize,
    /// Bytes that one compiled regular expression may take.
    pub pattern_bytes: usize,
    /// Places that the references of a schema may lead to, all together: one for each reference, and one more for each id inside
    /// of the document where it stands, since such an id may change what it is relative to.
    pub reference_places: usize,
    /// Bytes that the rules of the one pass over a record may take. A schema that needs more is checked value by value.
    pub acceptor_bytes: usize,
    /// Steps back in one match of a regular expression that cannot be matched in linear time.
    pub pattern_steps: usize,
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Arrays and objects inside of each other in a record. Checking value by value goes down by recursion: the default keeps to
    /// the 2 MiB of a thread even without optimisation, and more may need a larger stack.
    pub record_depth: usize,
    /// Looks at values of one record while it is checked value by value. A long text costs more than one, and so does each text
    /// where a pattern takes steps back, and everything that is wrong with the record.
    pub record_steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            schema_bytes: 4 << 20,
            schema_depth: 128,
            references: 256,
            schemas_at_a_value: 10_000,
            patterns: 1_000,
            pattern_bytes: 512 << 10,
            reference_places: 2_000_000,
            acceptor_bytes: 16 << 20,
            pattern_steps: 100_000,
            record_bytes: 16 << 20,
            record_depth: 128,
            record_steps: 20_000_000,
        }
    }
}

/// Bytes of a value or a name of a record that a message quotes.
pub(crate) const QUOTE_BYTES: usize = 40;
/// Bytes of a message, and of each path beside it.
pub(crate) const MESSAGE_BYTES: usize = 400;
