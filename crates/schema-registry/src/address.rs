//! What a URL of a registry names: the registry itself, a schema by its id, or a version of a subject.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::error::RegistryError;
use crate::framing::SchemaId;

/// A subject: the name under which a registry keeps the versions of a schema, such as `clicks-value`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(pub String);

impl Subject {
    /// Whether the name says in which context of the registry it is, as `:.dev:clicks-value` does. Every context counts its ids by
    /// itself.
    #[must_use]
    pub fn is_qualified(&self) -> bool {
        self.0.starts_with(":.")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which version of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// The newest at the moment of the request.
    Latest,
    /// A number, counted from 1.
    Number(u32),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Latest => f.write_str("latest"),
            Version::Number(number) => number.fmt(f),
        }
    }
}

/// What a URL names within its registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// The registry, and no schema of it.
    Root,
    /// One schema.
    Id(SchemaId),
    /// A version of a subject.
    Version(Subject, Version),
}

/// The URL of a registry, or of a schema in one.
///
/// ```
/// use housepipe_schema_registry::{Address, SchemaId, Subject, Target, Version};
///
/// let address: Address = "https://registry.example/api/subjects/clicks-value/versions/3".parse()?;
/// assert_eq!(address.root.as_str(), "https://registry.example/api/");
/// assert_eq!(address.target, Target::Version(Subject("clicks-value".to_owned()), Version::Number(3)));
///
/// let target = |url: &str| url.parse::<Address>().map(|address| address.target);
/// assert_eq!(target("http://localhost:8081/schemas/ids/7")?, Target::Id(SchemaId(7)));
/// assert_eq!(target("http://localhost:8081/subjects/clicks-value")?, target("http://localhost:8081/subjects/clicks-value/versions/latest")?);
/// assert_eq!(target("http://localhost:8081")?, Target::Root);
/// # Ok::<(), housepipe_schema_registry::RegistryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where the registry's API begins; its path ends with `/`.
    pub root: Url,
    /// What is named there.
    pub target: Target,
}

impl FromStr for Address {
    type Err = RegistryError;

    /// # Errors
    /// [`RegistryError::Address`] where it is no `http` or `https` URL, holds credentials, a query or a fragment, or goes on
    /// after `schemas/ids` or `subjects` in a way that names no schema.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem: &str| RegistryError::Address {
            // What may hold a password is not repeated.
            address: if text.contains('@') { "the registry's url".to_owned() } else { format!("`{text}`") },
            problem: problem.to_owned(),
        };
        let mut url = Url::parse(text.trim())
            .map_err(|error| fail(&format!("it is no url ({error}); write it as https://host:port")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail("it has to begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fail("it holds credentials, which would end up in logs; give them apart from it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(fail("it goes on with `?` or `#`; leave that away"));
        }
        let segments = segments(&url).map_err(|()| fail("its path is not valid UTF-8 after decoding"))?;
        let (kept, target) = target(&segments).map_err(|problem| fail(&problem))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(&segments[..kept]).push("");
        }
        Ok(Address { root: url, target })
    }
}

/// The decoded segments of the path, without the empty ones at its end.
fn segments(url: &Url) -> Result<Vec<String>, ()> {
    let mut segments = Vec::new();
    for segment in url.path_segments().into_iter().flatten() {
        let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().map_err(drop)?;
        segments.push(decoded.into_owned());
    }
    while segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    Ok(segments)
}

/// How many segments lead to the registry, and what the others name. What comes last decides, so that a registry may stand
/// behind a path of any words.
fn target(segments: &[String]) -> Result<(usize, Target), String> {
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    for at in 0..words.len() {
        match &words[at..] {
            ["schemas", "ids", id] | ["schemas", "ids", id, "schema"] => {
                let id =
                    id.parse().map_err(|_| format!("`{id}` is no schema id, which is a whole number"))?;
                return Ok((at, Target::Id(SchemaId(id))));
            }
            ["subjects", subject] | ["subjects", subject, "versions"] => {
                return Ok((at, Target::Version(Subject((*subject).to_owned()), Version::Latest)));
            }
            ["subjects", subject, "versions", version]
            | ["subjects", subject, "versions", version, "schema"] => {
                return Ok((at, Target::Version(Subject((*subject).to_owned()), self::version(version)?)));
            }
            ["subjects"] | ["schemas"] | ["schemas", "ids"] => return Ok((at, Target::Root)),
            ["schemas", "ids", ..] | ["subjects", _, "versions", ..] => {
                return Err(
                    "its path names no schema; write .../schemas/ids/7 or .../subjects/clicks-value/versions/latest"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    Ok((words.len(), Target::Root))
}

fn version(text: &str) -> Result<Version, String> {
    match text.parse() {
        _ if text == "latest" => Ok(Version::Latest),
        Ok(number @ 1..) => Ok(Version::Number(number)),
        _ => Err(format!("`{text}` is no version; write a number from 1, or `latest`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> String {
        match text.parse::<Address>() {
            Ok(Address { root, target }) => format!("{root} {target:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_form_of_a_url() {
        let of =
            |subject: &str, version| format!("{:?}", Target::Version(Subject(subject.to_owned()), version));
        for (url, root, target) in [
            ("http://r:8081", "http://r:8081/", "Root".to_owned()),
            ("http://r:8081//", "http://r:8081/", "Root".to_owned()),
            ("https://r/apis/ccompat/v7", "https://r/apis/ccompat/v7/", "Root".to_owned()),
            ("https://r/apis/ccompat/v7/subjects/", "https://r/apis/ccompat/v7/", "Root".to_owned()),
            ("https://r/a/schemas/ids/4294967295", "https://r/a/", "Id(SchemaId(4294967295))".to_owned()),
            ("https://r/schemas/ids/1/schema/", "https://r/", "Id(SchemaId(1))".to_owned()),
            ("https://r/subjects/s", "https://r/", of("s", Version::Latest)),
            ("https://r/subjects/s/versions", "https://r/", of("s", Version::Latest)),
            ("https://r/subjects/s/versions/latest", "https://r/", of("s", Version::Latest)),
            ("https://r/subjects/s/versions/12/schema", "https://r/", of("s", Version::Number(12))),
            ("https://r/subjects/a%2Fb%20%C3%BC/versions/1", "https://r/", of("a/b ü", Version::Number(1))),
            ("https://r/subjects/:.dev:s/versions/1", "https://r/", of(":.dev:s", Version::Number(1))),
            ("https://r/contexts/:.dev:/subjects/s", "https://r/contexts/:.dev:/", of("s", Version::Latest)),
            // A subject may be called like a word of the API.
            ("https://r/subjects/subjects", "https://r/", of("subjects", Version::Latest)),
            ("https://r/subjects/schemas/versions/1", "https://r/", of("schemas", Version::Number(1))),
        ] {
            assert_eq!(parse(url), format!("{root} {target}"), "{url}");
        }
    }

    #[test]
    fn what_names_nothing_says_what_to_write() {
        for (url, part) in [
            ("", "is no url"),
            ("registry:8081", "begin with http:// or https://"),
            ("localhost", "is no url"),
            ("ftp://r/", "begin with http:// or https://"),
            ("https://r/schemas/ids/-1", "`-1` is no schema id"),
            ("https://r/schemas/ids/4294967296", "`4294967296` is no schema id"),
            ("https://r/schemas/ids/1/versions", "names no schema"),
            ("https://r/subjects/s/versions/0", "`0` is no version"),
            ("https://r/subjects/s/versions/newest", "`newest` is no version"),
            ("https://r/subjects/s/versions/1/referencedby", "names no schema"),
            ("https://r/subjects/s?deleted=true", "leave that away"),
            ("https://r/#x", "leave that away"),
            ("https://r/subjects/%ff", "not valid UTF-8"),
        ] {
            let error = parse(url);
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in ["https://ann:hush@r/", "https://hush@r/", "ann:hush@r"] {
            let error = url.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }
}
