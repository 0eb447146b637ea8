//! A schema and those that it refers to, as values, found by what a `$ref` is resolved to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jsonschema::{Retrieve, Uri, uri};
use serde_json::Value;

use super::quote;
use crate::accept::Whole;
use crate::draft::Draft;
use crate::error::SchemaError;
use crate::limits::Limits;
use crate::options::{Names, Options};
use crate::record::Parser;
use crate::rejected::{NotJson, Rejected};

/// How messages call the schema itself.
pub(super) const ROOT: &str = "the schema";
/// Where a schema without an id is taken to stand.
pub(super) const NO_BASE: &str = "json-schema:///";
/// Names of references that a message lists.
pub(super) const NAMES_SHOWN: usize = 10;

/// A schema and those that it refers to.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    root: Arc<Value>,
    draft: Draft,
    base: String,
    /// Each URI is one document for certain, and all of them are of the same draft.
    is_plain: bool,
    custom_metaschema: Option<String>,
    shelf: Arc<Shelf>,
}

/// The references.
#[derive(Debug, Default)]
struct Shelf {
    /// By the name that the registry gives, as it is written.
    by_name: BTreeMap<String, Arc<Value>>,
    /// By the URI that a name is in the schema, and by the references' own ids.
    by_uri: BTreeMap<String, Arc<Value>>,
    /// Where schemas stand: what a relative name is resolved against.
    bases: Vec<String>,
}

impl Documents {
    pub(crate) fn read<N, T>(
        text: &str,
        references: impl IntoIterator<Item = (N, T)>,
        options: &Options,
    ) -> Result<Self, SchemaError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        let limits = &options.limits;
        let mut bytes = 0;
        let mut parse = |document: &str, text: &str| parse(document, text, &mut bytes, limits);
        let root = Arc::new(parse(ROOT, text)?);
        let mut shelf = Shelf::default();
        for (name, text) in references {
            let name = name.as_ref();
            if shelf.by_name.len() >= limits.references {
                return Err(SchemaError::TooLarge {
                    document: ROOT.to_owned(),
                    what: "references",
                    limit: limits.references as u64,
                    mend: "put some of them together into one",
                });
            }
            let document = format!("the reference {:?}", quote::shorten(name));
            let value = Arc::new(parse(&document, text.as_ref())?);
            shelf.by_name.insert(name.strip_suffix('#').unwrap_or(name).to_owned(), value);
        }
        let default = options.default_draft;
        let (draft, custom_metaschema) = match root.get("$schema").and_then(Value::as_str) {
            None => (default, None),
            Some(uri) => match Draft::by_uri(uri) {
                Some(draft) => (draft, None),
                None => (Draft::Draft202012, Some(uri.to_owned())),
            },
        };
        let base = shelf.index(&root, draft);
        let is_plain = shelf.is_plain(&root, draft, &base);
        let documents = Documents { root, draft, base, is_plain, custom_metaschema, shelf: Arc::new(shelf) };
        documents.check_drafts()?;
        Ok(documents)
    }

    /// Every `$schema` is a draft, or one of the references.
    fn check_drafts(&self) -> Result<(), SchemaError> {
        let own = std::iter::once((ROOT, &self.root));
        let others = self.shelf.by_name.iter().map(|(name, value)| (name.as_str(), value));
        for (document, value) in own.chain(others) {
            let Some(uri) = value.get("$schema").and_then(Value::as_str) else { continue };
            if Draft::by_uri(uri).is_none() && self.shelf.get(uri).is_none() {
                let document = if document == ROOT {
                    document.to_owned()
                } else {
                    format!("the reference {document:?}")
                };
                return Err(SchemaError::UnknownDraft {
                    document: quote::shorten(&document),
                    uri: quote::shorten(uri),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    pub(crate) fn draft(&self) -> Draft {
        self.draft
    }

    /// The `$schema`, where it is a reference and not a draft.
    pub(crate) fn custom_metaschema(&self) -> Option<&str> {
        self.custom_metaschema.as_deref()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.shelf.by_name.keys().map(String::as_str)
    }

    /// Every reference once.
    pub(super) fn references(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.shelf.by_name.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Value> {
        self.shelf.get(uri).map(Arc::as_ref)
    }

    pub(super) fn retriever(&self) -> impl Retrieve + 'static {
        Lookup(Arc::clone(&self.shelf))
    }

    /// The schema itself, and where it stands.
    pub(crate) fn whole(&self) -> Whole<'_> {
        Whole { root: &self.root, base: &self.base }
    }

    /// The schema that a `$ref` in a document leads to; none where that is not certain.
    pub(crate) fn refer<'d>(
        &'d self,
        document: Whole<'d>,
        reference: &str,
    ) -> Option<(&'d Value, Whole<'d>)> {
        if !self.is_plain {
            return None;
        }
        let (uri, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = if uri.is_empty() { document } else { self.follow(document.base, uri)? };
        if !(pointer.is_empty() || pointer.starts_with('/')) || pointer.contains('%') {
            return None;
        }
        Some((document.root.pointer(pointer)?, document))
    }

    /// The document that a URI leads to from where another one stands.
    fn follow(&self, base: &str, uri: &str) -> Option<Whole<'_>> {
        let uri = resolved(base, uri)?;
        if uri == self.base {
            return Some(self.whole());
        }
        let (base, root) = self.shelf.by_uri.get_key_value(&uri)?;
        // What calls itself otherwise stands there.
        if id(root, self.draft).is_some_and(|own| resolved(base, own).as_ref() != Some(base)) {
            return None;
        }
        Some(Whole { root, base })
    }
}

impl Shelf {
    /// Notes what the names and ids stand for, seen from the schema; says where that stands.
    fn index(&mut self, root: &Value, draft: Draft) -> String {
        let base = id(root, draft).unwrap_or_default();
        let base = &uri::from_str(base).map_or_else(|_| NO_BASE.to_owned(), |uri| uri.as_str().to_owned());
        self.bases.push(base.clone());
        for (name, value) in &self.by_name {
            if let Some(uri) = resolved(base, name) {
                self.bases.push(uri.clone());
                self.by_uri.entry(uri).or_insert_with(|| Arc::clone(value));
            }
        }
        // What the registry calls a schema goes before what the schema calls itself.
        for (name, value) in &self.by_name {
            let own = Draft::ALL.into_iter().rev().find_map(|draft| id(value, draft));
            let at = resolved(base, name).unwrap_or_else(|| NO_BASE.to_owned());
            if let Some(uri) = own.and_then(|own| resolved(&at, own)) {
                let uri = uri.split('#').next().unwrap_or_default().to_owned();
                self.bases.push(uri.clone());
                self.by_uri.entry(uri).or_insert_with(|| Arc::clone(value));
            }
        }
        self.bases.sort_unstable();
        self.bases.dedup();
        base.clone()
    }

    fn is_plain(&self, root: &Value, draft: Draft, base: &str) -> bool {
        let is_of_draft = |value: &Value| {
            let uri = value.get("$schema").and_then(Value::as_str);
            uri.is_none_or(|uri| Draft::by_uri(uri) == Some(draft))
        };
        let is_alone = |value: &Value| !holds_inner_ids(value, draft, true);
        let names_itself = |value: &&Arc<Value>| id(value, draft).is_some();
        // As many URIs as documents, that is none with two, and none with the schema's own.
        let distinct = self.by_name.values().filter(names_itself).count() == 0
            || self.by_name.iter().all(|(name, value)| {
                id(value, draft).is_none_or(|own| resolved(base, own) == resolved(base, name))
            });
        distinct
            && self.by_uri.len() == self.by_name.len()
            && !self.by_uri.contains_key(base)
            && std::iter::once(root)
                .chain(self.by_name.values().map(Arc::as_ref))
                .all(|value| is_of_draft(value) && is_alone(value))
    }

    /// The reference of a URI: as it is resolved, or as it was written before it was.
    fn get(&self, uri: &str) -> Option<&Arc<Value>> {
        let uri = uri.split('#').next().unwrap_or_default();
        let written = || {
            let folders = self.bases.iter().filter_map(|base| base.get(..=base.rfind('/')?));
            folders.filter_map(|folder| self.by_name.get(uri.strip_prefix(folder)?)).next()
        };
        self.by_uri.get(uri).or_else(|| self.by_name.get(uri)).or_else(written)
    }
}

/// A reference as a URI, from where a document stands.
fn resolved(base: &str, reference: &str) -> Option<String> {
    let base = uri::from_str(base).ok()?;
    Some(uri::resolve_against(&base.borrow(), reference).ok()?.as_str().to_owned())
}

/// Whether something in a document may have a name of its own. As deep as the text, which has a limit.
fn holds_inner_ids(value: &Value, draft: Draft, is_root: bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| holds_inner_ids(item, draft, false)),
        Value::Object(object) => {
            (!is_root && (id(value, draft).is_some() || object.get("$schema").is_some_and(Value::is_string)))
                || object.values().any(|value| holds_inner_ids(value, draft, false))
        }
        _ => false,
    }
}

/// The id of a schema, which in draft 4 has another keyword.
pub(super) fn id(schema: &Value, draft: Draft) -> Option<&str> {
    schema.get(if draft == Draft::Draft4 { "id" } else { "$id" })?.as_str()
}

/// Answers the library's questions for schemas, from the references alone.
struct Lookup(Arc<Shelf>);

#[derive(Debug)]
struct NotThere;

impl fmt::Display for NotThere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is none of the references")
    }
}

impl std::error::Error for NotThere {}

impl Retrieve for Lookup {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        self.0.get(uri.as_str()).map(|value| value.as_ref().clone()).ok_or_else(|| NotThere.into())
    }
}

fn parse(document: &str, text: &str, bytes: &mut usize, limits: &Limits) -> Result<Value, SchemaError> {
    let too_large = |what, limit: usize, mend| SchemaError::TooLarge {
        document: document.to_owned(),
        what,
        limit: limit as u64,
        mend,
    };
    *bytes += text.len();
    if *bytes > limits.schema_bytes {
        return Err(too_large(
            "bytes (with all that it refers to)",
            limits.schema_bytes,
            "leave out examples and descriptions",
        ));
    }
    let mut own = *limits;
    own.record_depth = limits.schema_depth;
    own.record_bytes = limits.schema_bytes;
    match Parser::default().parse(text.as_bytes(), &own, Names::LastCounts) {
        Ok(tree) => Ok(tree.to_value(0)),
        Err(Rejected::NotJson(NotJson { position, reason })) => {
            Err(SchemaError::NotJson { document: document.to_owned(), position, reason })
        }
        Err(_) => Err(too_large(
            "levels of arrays and objects",
            limits.schema_depth,
            "move inner schemas into `$defs` and refer to them",
        )),
    }
}
