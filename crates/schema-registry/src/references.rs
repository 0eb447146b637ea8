//! Everything that a schema refers to, one after the other, within limits.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;

use crate::address::Subject;
use crate::config::Limits;
use crate::error::RegistryError;
use crate::schema::{Resolved, Schema};

type Key = (Subject, u32);

/// A schema whose references are being looked at.
struct Step {
    schema: Arc<Schema>,
    /// Its next reference.
    next: usize,
    /// What it was fetched as; `None` for the first one, which may have come by its id.
    key: Option<Key>,
}

/// Walks the references in depth, without recursion: `path` is the way from `schema` to where it stands.
pub(crate) async fn resolve<F>(
    schema: &Arc<Schema>,
    limits: &Limits,
    fetch: impl Fn(Subject, u32) -> F,
) -> Result<Resolved, RegistryError>
where
    F: Future<Output = Result<Arc<Schema>, RegistryError>>,
{
    let id = schema.id;
    let too_many = |limit, unit| Err(RegistryError::TooManyReferences { id, limit, unit });
    let mut names: BTreeMap<String, Arc<Schema>> = BTreeMap::new();
    let mut fetched: HashMap<Key, Arc<Schema>> = HashMap::new();
    let mut bytes = schema.text.len();
    let mut path = vec![Step { schema: Arc::clone(schema), next: 0, key: None }];
    while let Some(step) = path.last_mut() {
        let parent = Arc::clone(&step.schema);
        let Some(reference) = parent.references.get(step.next) else {
            path.pop();
            continue;
        };
        step.next += 1;
        let key = (reference.subject.clone(), reference.version);
        if path.iter().any(|step| step.key.as_ref() == Some(&key)) {
            return Err(RegistryError::Cycle { path: circle(&path, &key) });
        }
        // As serializers do it: what a name stands for first it stands for everywhere, and nothing else by that name is asked for.
        if names.contains_key(&reference.name) {
            continue;
        }
        if let Some(known) = fetched.get(&key) {
            names.insert(reference.name.clone(), Arc::clone(known));
            continue;
        }
        if path.len() > limits.reference_depth {
            return too_many(limits.reference_depth, "steps from one schema to the next");
        }
        if fetched.len() >= limits.references {
            return too_many(limits.references, "schemas");
        }
        let found = fetch(key.0.clone(), key.1).await.map_err(|source| RegistryError::Reference {
            id: parent.id,
            name: reference.name.clone(),
            subject: reference.subject.clone(),
            version: reference.version,
            source: Box::new(source),
        })?;
        bytes += found.text.len();
        if bytes > limits.schema_bytes {
            return too_many(limits.schema_bytes, "bytes");
        }
        names.insert(reference.name.clone(), Arc::clone(&found));
        fetched.insert(key.clone(), Arc::clone(&found));
        path.push(Step { schema: found, next: 0, key: Some(key) });
    }
    Ok(Resolved { schema: Arc::clone(schema), references: names })
}

fn circle(path: &[Step], key: &Key) -> String {
    let circle = path.iter().filter_map(|step| step.key.as_ref()).skip_while(|at| *at != key).chain([key]);
    circle.map(|(subject, version)| format!("`{subject}` {version}")).collect::<Vec<_>>().join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::SchemaId;
    use crate::schema::{Reference, SchemaKind};

    /// A registry of lines `subject: names`, each with version 1 and its line's number as id; the first line is resolved.
    async fn resolved(lines: &str, limits: Limits) -> Result<String, RegistryError> {
        let mut all: HashMap<String, Arc<Schema>> = HashMap::new();
        let mut first = None;
        for (id, line) in (1..).zip(lines.lines()) {
            let (subject, names) = line.split_once(':').unwrap();
            let reference = |name: &str| Reference {
                name: name.split('=').next().unwrap().to_owned(),
                subject: Subject(name.rsplit('=').next().unwrap().to_owned()),
                version: 1,
            };
            let references = names.split_whitespace().map(reference).collect();
            let schema =
                Schema { id: SchemaId(id), kind: SchemaKind::Json, text: subject.to_owned(), references };
            let schema = Arc::new(schema);
            first.get_or_insert_with(|| Arc::clone(&schema));
            all.insert(subject.to_owned(), schema);
        }
        let fetch = |subject: Subject, _| {
            let url = "http://r/".to_owned();
            let found = all.get(&subject.0).cloned().ok_or(RegistryError::NoSubject { url, subject });
            std::future::ready(found)
        };
        let resolved = resolve(&first.unwrap(), &limits, fetch).await?;
        Ok(resolved.references.iter().map(|(name, of)| format!("{name}={} ", of.text)).collect())
    }

    #[tokio::test]
    async fn a_diamond_is_no_circle_and_each_is_asked_for_once() {
        let all = resolved("a: x=b y=c\nb: z=d\nc: z=d\nd:", Limits::default()).await.unwrap();
        assert_eq!(all, "x=b y=c z=d ");
        assert_eq!(resolved("a:", Limits::default()).await.unwrap(), "");
        // 30 diamonds in a row have 2^30 ways through them.
        let chain: String = (0..30).map(|n| format!("s{n}: p{n}=s{0} q{n}=s{0}\n", n + 1)).collect();
        let all = resolved(&format!("{chain}s30:"), Limits::default()).await.unwrap();
        assert_eq!(all.split_whitespace().count(), 60);
    }

    #[tokio::test]
    async fn a_circle_names_its_way() {
        let error = resolved("root: a\na: b\nb: c\nc: a", Limits::default()).await.unwrap_err();
        let expected = "the references of a schema go in a circle: `a` 1 -> `b` 1 -> `c` 1 -> `a` 1";
        assert_eq!(error.to_string(), expected);
        // The first schema may have come by its id: it is recognised by what follows.
        let error = resolved("a: b\nb: a", Limits::default()).await.unwrap_err();
        assert!(error.to_string().ends_with("`b` 1 -> `a` 1 -> `b` 1"), "{error}");
        let error = resolved("a: b\nb: b", Limits::default()).await.unwrap_err();
        assert!(error.to_string().ends_with("`b` 1 -> `b` 1"), "{error}");
    }

    #[tokio::test]
    async fn limits_hold() {
        let chain = |steps: usize| -> String { (0..steps).map(|n| format!("s{n}: s{}\n", n + 1)).collect() };
        let limits = Limits { reference_depth: 3, ..Limits::default() };
        assert!(resolved(&format!("{}s3:", chain(3)), limits).await.is_ok());
        let error = resolved(&format!("{}s4:", chain(4)), limits).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "schema 1 refers to too much: more than 3 steps from one schema to the next"
        );
        let limits = Limits { references: 2, ..Limits::default() };
        let error = resolved("a: b c d\nb:\nc:\nd:", limits).await.unwrap_err();
        assert_eq!(error.to_string(), "schema 1 refers to too much: more than 2 schemas");
        let limits = Limits { schema_bytes: 2, ..Limits::default() };
        assert!(resolved("a: b\nb:", limits).await.is_ok());
        let error = resolved("a: b c\nb:\nc:", limits).await.unwrap_err();
        assert_eq!(error.to_string(), "schema 1 refers to too much: more than 2 bytes");
    }

    #[tokio::test]
    async fn the_first_meaning_of_a_name_holds() {
        assert_eq!(resolved("a: x=b c\nb:\nc: x=d\nd:", Limits::default()).await.unwrap(), "c=c x=b ");
        // In depth first, in the order in which they are written; the other one is not even asked for.
        assert_eq!(resolved("a: c x=gone\nc: x=d\nd:", Limits::default()).await.unwrap(), "c=c x=d ");
        assert_eq!(resolved("a: x=b c\nb:\nc: x=b", Limits::default()).await.unwrap(), "c=c x=b ");
    }

    #[tokio::test]
    async fn what_is_missing_says_who_needs_it() {
        let error = resolved("a: b\nb: x=gone", Limits::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "schema 2 refers to `x`, version 1 of `gone`, which cannot be had");
        assert_eq!(error.class(), crate::ErrorClass::Reject);
    }
}
