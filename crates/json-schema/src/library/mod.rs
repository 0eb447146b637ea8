//! The `jsonschema` crate, fed with texts and trees of ours. It decides what the acceptor does not, and says what is wrong.

mod cost;
mod documents;
mod explain;
mod quote;

use std::fmt;

use jsonschema::{PatternOptions, ReferencingError, Registry, ValidationError, Validator};

use crate::error::SchemaError;
use crate::limits::Limits;
use crate::options::{Formats, Options};
use crate::record::{Counted, Entry, Records, Tree};
use crate::rejected::Rejected;

pub(crate) use documents::Documents;

/// A compiled schema.
pub(crate) struct Library {
    validator: Validator<Records>,
    limits: Limits,
    /// What a look at a text of a record costs.
    text_steps: u64,
}

/// Steps back of a pattern that cost as much as a look at a value.
const STEPS_BACK: usize = 100;

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
            limits: options.limits,
            text_steps: text_steps as u64,
        })
    }

    /// Checks a record that was read.
    pub(crate) fn check(&self, tree: Tree<'_>) -> Result<(), Rejected> {
        let counted = Counted::new(tree, self.limits.record_steps, self.text_steps);
        let is_valid = self.validator.is_valid(Entry::At(&counted, 0));
        if counted.is_spent() {
            return Err(self.too_much());
        }
        if is_valid {
            return Ok(());
        }
        let counted = Counted::new(tree, self.limits.record_steps, self.text_steps);
        match self.validator.validate(Entry::At(&counted, 0)) {
            _ if counted.is_spent() => Err(self.too_much()),
            // The two ways of the library are the same checks.
            Ok(()) => Ok(()),
            Err(error) => Err(Rejected::Violation(Box::new(explain::violation(&error)))),
        }
    }

    fn too_much(&self) -> Rejected {
        Rejected::TooMuch { what: "values to look at for this schema", limit: self.limits.record_steps }
    }
}

/// A fault that the library finds in a schema, in our words.
fn schema_error(documents: &Documents, error: &ValidationError<'_>) -> SchemaError {
    if let jsonschema::error::ValidationErrorKind::Referencing(fault) = error.kind() {
        return referencing_error(documents, fault);
    }
    SchemaError::Invalid {
        problem: explain::violation(error).message,
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
