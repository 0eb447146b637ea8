//! The `jsonschema` crate, fed with texts and trees of ours. It decides what the acceptor does not, and says what is wrong.

mod cost;
mod documents;
mod explain;
mod index;
mod quote;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{PatternOptions, ReferencingError, Registry, ValidationError, Validator};

use crate::error::SchemaError;
use crate::options::{Formats, Options};
use crate::record::{Counted, Entry, Price, Records, Tree};
use crate::rejected::Rejected;

pub(crate) use documents::Documents;

/// A compiled schema.
pub(crate) struct Library {
    validator: Validator<Records>,
    /// What a record may cost.
    price: Price,
    /// Bytes that it takes, about.
    bytes: usize,
}

/// Steps back of a pattern that cost as much as a look at a value.
const STEPS_BACK: usize = 100;
/// Bytes that the library takes for an object of a schema: an estimate, since it does not say.
const OBJECT_BYTES: usize = 1 << 10;
/// Bytes that it takes for a pattern: an estimate as well.
const PATTERN_BYTES: usize = 32 << 10;

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

impl Library {
    pub(crate) fn compile(documents: &Documents, options: &Options) -> Result<Self, SchemaError> {
        let cost = cost::check(documents, &options.limits)?;
        let error = |error: &ValidationError<'_>| schema_error(documents, error);
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(options.limits.pattern_steps)
            .size_limit(options.limits.pattern_bytes)
            .dfa_size_limit(options.limits.pattern_bytes);
        let mut builder = jsonschema::options_for::<Records>()
            .with_retriever(documents.retriever())
            .with_pattern_options(patterns);
        builder = match options.formats {
            Formats::ByDraft => builder,
            Formats::Assert => builder.should_validate_formats(true),
            Formats::Ignore => builder.should_validate_formats(false),
        };
        let validator = if let Some(uri) = documents.custom_metaschema() {
            // The meta-schema has to be known before the schema is looked at.
            let registry = documents
                .get(uri)
                .map(|schema| Registry::new().retriever(documents.retriever()).add(uri, schema)?.prepare())
                .transpose()
                .map_err(|fault| referencing_error(documents, &fault))?;
            match &registry {
                Some(registry) => builder.with_registry(registry).build(documents.root()),
                None => builder.build(documents.root()),
            }
        } else {
            builder.with_draft(documents.draft().in_library()).build(documents.root())
        };
        let text_steps = if cost.backtracks { options.limits.pattern_steps / STEPS_BACK } else { 1 };
        Ok(Library {
            validator: validator.map_err(|fault| error(&fault))?,
            price: Price {
                steps: options.limits.record_steps,
                text_steps: text_steps as u64,
                backtracks: cost.backtracks,
                list_max: cost.list_max,
            },
            bytes: cost.objects * OBJECT_BYTES + cost.patterns * PATTERN_BYTES,
        })
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks a record that was read.
    pub(crate) fn check(&self, tree: Tree<'_>) -> Result<(), Rejected> {
        let counted = Counted::new(tree, self.price);
        let is_valid = self.validator.is_valid(Entry::At(&counted, 0));
        if counted.is_spent() {
            return Err(self.too_much());
        }
        if is_valid {
            return Ok(());
        }
        let counted = Counted::telling(tree, self.price);
        // To say what is wrong the library may look at much more than to say that something is, and it ends by unwinding where
        // no looks are left. Nothing that it was at is used behind that.
        let told = catch_unwind(AssertUnwindSafe(|| self.validator.validate(Entry::At(&counted, 0))));
        match told {
            _ if counted.is_spent() => Err(self.too_much()),
            // The two ways of the library are the same checks.
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Rejected::Violation(Box::new(explain::violation(&error, Some(tree))))),
            // A fault of the library is one of a record's check, and not of the thread that would come back to the record.
            Err(_) => Err(Rejected::Violation(Box::new(explain::fault()))),
        }
    }

    fn too_much(&self) -> Rejected {
        Rejected::TooMuch { what: "values to look at for this schema", limit: self.price.steps }
    }
}

/// A fault that the library finds in a schema, in our words.
fn schema_error(documents: &Documents, error: &ValidationError<'_>) -> SchemaError {
    if let jsonschema::error::ValidationErrorKind::Referencing(fault) = error.kind() {
        return referencing_error(documents, fault);
    }
    SchemaError::Invalid {
        problem: explain::violation(error, None).message,
        place: quote::shorten(error.instance_path().as_str()),
    }
}

fn referencing_error(documents: &Documents, error: &ReferencingError) -> SchemaError {
    match error {
        ReferencingError::Unretrievable { uri, .. } => SchemaError::UnknownReference {
            reference: quote::shorten(uri.strip_prefix(documents::NO_BASE).unwrap_or(uri)),
            known: documents.names().map(quote::shorten).take(documents::NAMES_SHOWN).collect(),
        },
        ReferencingError::PointerToNowhere { pointer } => {
            SchemaError::UnknownPlace { place: quote::shorten(pointer) }
        }
        ReferencingError::NoSuchAnchor { anchor } | ReferencingError::InvalidAnchor { anchor } => {
            SchemaError::UnknownPlace { place: quote::shorten(anchor) }
        }
        ReferencingError::UnknownSpecification { specification }
        | ReferencingError::CircularMetaschema { uri: specification } => SchemaError::UnknownDraft {
            document: documents::ROOT.to_owned(),
            uri: quote::shorten(specification),
        },
        other => SchemaError::Invalid { problem: quote::shorten(&other.to_string()), place: String::new() },
    }
}
