//! Which records a sample shows.

use std::str::FromStr;

use housepipe_kafka_source::OwnedRecord;
use housepipe_schema_registry::parse_framing;
use housepipe_transform::{KeyPath, PathStep};
use serde_json::Value;

/// Which records a sample shows: those that are as every part of it says. Without any part, all of them.
#[derive(Debug, Clone, Default)]
pub struct SampleFilter {
    /// The partition.
    pub partition: Option<i32>,
    /// The whole key.
    pub key: Option<String>,
    /// Texts of which each stands in the key, the value, or the name or the value of a header, as bytes.
    pub contains: Vec<String>,
    /// Values inside of records that are JSON.
    pub fields: Vec<FieldFilter>,
}

/// A value at a place inside of a record, such as `user.id=7`.
///
/// What is behind the first `=` that ends a path is compared with the text of a string, or with what else stands there as JSON.
///
/// ```
/// use housepipe_runtime::FieldFilter;
///
/// assert!("user.emails[0]=ann@example.com".parse::<FieldFilter>().is_ok());
/// assert!("user".parse::<FieldFilter>().unwrap_err().contains("PATH=VALUE"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFilter {
    path: KeyPath,
    value: String,
}

impl FromStr for FieldFilter {
    type Err = String;

    /// # Errors
    /// In words what is no path, or that there is no value.
    fn from_str(text: &str) -> Result<FieldFilter, String> {
        let mut first = None;
        for (at, _) in text.match_indices('=') {
            // A key in backquotes may hold an equals sign.
            match text[..at].parse() {
                Ok(path) => return Ok(FieldFilter { path, value: text[at + 1..].to_owned() }),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(match first {
            Some(error) => format!("what stands before the `=` is no path: {error}"),
            None => "write it as PATH=VALUE, such as user.id=7".to_owned(),
        })
    }
}

impl SampleFilter {
    pub(super) fn is_empty(&self) -> bool {
        let SampleFilter { partition, key, contains, fields } = self;
        partition.is_none() && key.is_none() && contains.is_empty() && fields.is_empty()
    }

    /// Whether a record is as it says.
    pub(super) fn takes(&self, record: &OwnedRecord) -> bool {
        let SampleFilter { partition, key, contains, fields } = self;
        partition.is_none_or(|partition| record.partition.0 == partition)
            && key.as_ref().is_none_or(|key| record.key.as_deref() == Some(key.as_bytes()))
            && contains.iter().all(|text| holds(record, text.as_bytes()))
            && (fields.is_empty() || has_fields(record, fields))
    }
}

fn holds(record: &OwnedRecord, text: &[u8]) -> bool {
    let view = record.as_record();
    let is_in = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| memchr::memmem::find(bytes, text).is_some());
    is_in(view.key)
        || is_in(view.payload)
        || view.headers().any(|(name, value)| is_in(Some(name.as_bytes())) || is_in(value))
}

fn has_fields(record: &OwnedRecord, fields: &[FieldFilter]) -> bool {
    let Some(payload) = &record.payload else { return false };
    let Ok(document) = serde_json::from_slice::<Value>(parse_framing(payload).body()) else { return false };
    fields.iter().all(|FieldFilter { path, value }| match at(&document, path) {
        Some(Value::String(text)) => text == value,
        Some(other) => serde_json::to_string(other).is_ok_and(|text| text == *value),
        None => false,
    })
}

/// What stands at a path.
fn at<'v>(document: &'v Value, path: &KeyPath) -> Option<&'v Value> {
    path.rest().iter().try_fold(document.get(path.key())?, |value, step| match step {
        PathStep::Key(key) => value.get(key),
        PathStep::Index(index) => value.get(index),
    })
}

#[cfg(test)]
mod tests {
    use housepipe_kafka_source::{Offset, PartitionId};

    use super::*;

    fn record(partition: i32, key: &str, payload: &[u8]) -> OwnedRecord {
        OwnedRecord {
            partition: PartitionId(partition),
            offset: Offset(0),
            timestamp_ms: None,
            key: Some(key.into()),
            payload: Some(payload.to_vec()),
            headers: vec![("trace".to_owned(), Some(b"t-17".to_vec()))],
        }
    }

    #[test]
    fn a_record_is_as_every_part_says() {
        let document = br#"{"user":{"id":7,"names":["Ann","B=C"]},"ok":true,"a=b":"x","nothing":null}"#;
        let framed = [b"\0\0\0\0\x07", &document[..]].concat();
        for record in [record(3, "k", document), record(3, "k", &framed)] {
            let takes = |set: &dyn Fn(&mut SampleFilter)| {
                let mut filter = SampleFilter::default();
                assert!(filter.is_empty() && filter.takes(&record));
                set(&mut filter);
                assert!(!filter.is_empty());
                filter.takes(&record)
            };
            assert!(takes(&|it| it.partition = Some(3)) && !takes(&|it| it.partition = Some(0)));
            assert!(takes(&|it| it.key = Some("k".to_owned())) && !takes(&|it| it.key = Some(String::new())));
            for (text, is_there) in
                [("Ann", true), ("t-17", true), ("trace", true), ("k", true), ("ann", false)]
            {
                assert_eq!(takes(&|it| it.contains = vec![text.to_owned()]), is_there, "{text}");
            }
            for (field, is_there) in [
                ("user.id=7", true),
                ("user.id=8", false),
                ("user.names[1]=B=C", true),
                ("user.names[2]=", false),
                ("ok=true", true),
                ("nothing=null", true),
                ("`a=b`=x", true),
                ("user.names=[\"Ann\",\"B=C\"]", true),
            ] {
                assert_eq!(takes(&|it| it.fields = vec![field.parse().unwrap()]), is_there, "{field}");
            }
            assert!(!takes(&|it| {
                it.partition = Some(3);
                it.contains = vec!["Ann".to_owned(), "nobody".to_owned()];
            }));
        }
        let filter = SampleFilter { fields: vec!["a=1".parse().unwrap()], ..SampleFilter::default() };
        assert!(!filter.takes(&record(0, "", b"no JSON")));
    }

    #[test]
    fn what_is_no_filter_says_what_to_write() {
        for (text, said) in [("user", "PATH=VALUE"), ("a..b=1", "no path"), ("=1", "no path")] {
            let error = text.parse::<FieldFilter>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
