//! A pipe file as a document that is sent, stored and shown: its secrets apart, and its text without them.
//!
//! Whoever stores pipe files of others keeps the secrets elsewhere, and shows the rest. Which values are secrets only the parser knows, so
//! it tells. In the document `${secret:PATH}` stands in place of each, where PATH is that of the key, such as `source.auth.password`.

mod draft;
mod resolve;
mod serialize;

use std::fmt;
use std::path::Path;

use secrecy::SecretString;

pub use draft::Need;

use super::surroundings::{Outside, Surroundings};
use super::yaml::{self, Entry, Node, Value};
use super::{PipeFile, PipeFileError, Problem, parse, print};

/// A pipe file before it is understood: keys and values in their order. As JSON it is what `serde` makes of it, in both directions.
///
/// ```
/// use housepipe_runtime::{Document, ThisMachine};
///
/// let text = "name: clicks\n\
///             source: { type: kafka, brokers: 'localhost:9092', topic: clicks }\n\
///             destination: { url: 'http://localhost:8123', table: clicks, password: hunter2 }\n";
/// let apart = Document::parse(text, "clicks")?.take_apart("clicks", &ThisMachine)?;
/// assert_eq!(apart.secrets[0].0, "destination.password");
/// assert!(apart.document.to_yaml().contains(r#"password: "${secret:destination.password}""#));
/// # Ok::<(), housepipe_runtime::PipeFileError>(())
/// ```
#[derive(Clone)]
pub struct Document {
    root: Node,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets may stand in it.
        f.write_str("Document(..)")
    }
}

/// A document that was understood, and what was taken out of it.
#[derive(Debug)]
pub struct TakenApart {
    /// What may be shown.
    pub document: Document,
    /// The pipe.
    pub file: PipeFile,
    /// Secrets that stood in the document, by the paths of their keys.
    pub secrets: Vec<(String, SecretString)>,
    /// Paths at which the document refers to the secret that is kept for them already.
    pub kept: Vec<String>,
}

impl Document {
    /// The document in the file at `path`. Only its form is looked at.
    ///
    /// # Errors
    /// [`PipeFileError`] where it cannot be read, or is no YAML.
    pub fn load(path: &Path) -> Result<Document, PipeFileError> {
        Document::parse(&super::read_text(path)?, &path.display().to_string())
    }

    /// The document that `text` holds; `file` is the name that messages carry. Only its form is looked at.
    ///
    /// # Errors
    /// [`PipeFileError`] where the text is no YAML, and no JSON either.
    pub fn parse(text: &str, file: &str) -> Result<Document, PipeFileError> {
        let root = yaml::load(text).map_err(|problem| PipeFileError::of(file, vec![problem]))?;
        Ok(Document { root })
    }

    /// Understands the document, and takes the secrets out of it. What stands as a reference stays one.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn take_apart(
        self,
        file: &str,
        surroundings: &dyn Surroundings,
    ) -> Result<TakenApart, PipeFileError> {
        self.take_apart_by(file, parse::destination, surroundings)
    }

    fn take_apart_by(
        mut self,
        file: &str,
        destination: parse::ReadDestination,
        surroundings: &dyn Surroundings,
    ) -> Result<TakenApart, PipeFileError> {
        let (pipe, noted) = self.understand(file, destination, surroundings)?;
        let (mut secrets, mut kept) = (Vec::new(), Vec::new());
        for path in noted.secrets {
            // The parser has read a text there.
            let Some(Value::Text(text) | Value::Plain(text)) = self.root.value_at(&path) else { continue };
            if *text == reference(&path) {
                kept.push(path);
            } else if is_reference(text) {
                // It says where the secret is, and is none.
            } else if text.contains("${") {
                let mixed = Problem::at(0, &path, "a secret is either a text or one reference");
                return Err(PipeFileError::of(file, vec![mixed]));
            } else {
                secrets.push((path.clone(), std::mem::take(text).into()));
                self.refer(&path);
            }
        }
        Ok(TakenApart { document: self, file: pipe, secrets, kept })
    }

    /// The pipe that it describes, with what `surroundings` say that its references stand for: one of kind `secret` for what was taken out
    /// at that path.
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found.
    pub fn read(&self, file: &str, surroundings: &dyn Surroundings) -> Result<PipeFile, PipeFileError> {
        self.understand(file, parse::destination, surroundings).map(|(pipe, _)| pipe)
    }

    /// The text at a path of keys with dots between them, such as `destination.username`, as it is written; none where no text stands there.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        match self.value_at(path)? {
            Value::Text(text) | Value::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// Whether something stands at a path of keys, whatever it is.
    pub fn has(&self, path: &str) -> bool {
        self.value_at(path).is_some()
    }

    fn value_at(&self, path: &str) -> Option<&Value> {
        let node = path.split('.').try_fold(&self.root, |node, key| match &node.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        })?;
        Some(&node.value)
    }

    /// Adds a key with a text to a block that has no such key. A block that is not there is none, and nothing is added.
    ///
    /// ```
    /// use housepipe_runtime::Document;
    ///
    /// let mut document = Document::parse("destination: { table: clicks }\n", "clicks")?;
    /// document.add("destination", "username", "loader");
    /// document.add("destination", "table", "others");
    /// assert_eq!(document.to_yaml(), "destination:\n  table: clicks\n  username: loader\n");
    /// # Ok::<(), housepipe_runtime::PipeFileError>(())
    /// ```
    pub fn add(&mut self, block: &str, key: &str, text: &str) {
        if let Some(Value::Map(entries)) = self.root.value_at(block)
            && entries.iter().all(|entry| entry.key != key)
        {
            let node = Node { line: 0, value: Value::Text(text.to_owned()) };
            entries.push(Entry { key: key.to_owned(), line: 0, node });
        }
    }

    /// What decides where the secrets of the block `source`, `schema_registry` or `destination` are sent, and what is done with them there, as
    /// text to compare: whoever changes it has to know them. With the login of `setup:` goes what it creates, and what it grants to whom.
    pub fn way(&self, block: &str) -> String {
        let mut node = self.root.clone();
        // Its name is part of what is granted.
        let errors = node.value_at("error_table").filter(|_| self.has("destination.setup")).cloned();
        let Some(value) = node.value_at(block) else { return String::new() };
        if let Value::Map(entries) = value {
            let has_set_up = entries.iter().any(|entry| entry.key == "setup");
            match block {
                "destination" if has_set_up => {
                    let node = Node { line: 0, value: errors.unwrap_or(Value::Null) };
                    entries.push(Entry { key: "error_table".to_owned(), line: 0, node });
                    entries.retain(|entry| {
                        !["password", "columns", "compression"].contains(&entry.key.as_str())
                    });
                }
                "destination" => entries.retain(|entry| ["url", "username"].contains(&entry.key.as_str())),
                _ => entries
                    .retain(|entry| !["topic", "consumer_group", "offset"].contains(&entry.key.as_str())),
            }
        }
        print::document(&Node { line: 0, value: value.clone() })
    }

    /// Puts the reference to the secret of its own place at a path where something stands.
    pub fn refer(&mut self, path: &str) {
        if let Some(value) = self.root.value_at(path) {
            *value = Value::Text(reference(path));
        }
    }

    /// The text of a pipe file.
    pub fn to_yaml(&self) -> String {
        print::document(&self.root)
    }

    fn understand(
        &self,
        file: &str,
        destination: parse::ReadDestination,
        surroundings: &dyn Surroundings,
    ) -> Result<(PipeFile, super::surroundings::Noted), PipeFileError> {
        let outside = Outside::new(surroundings);
        let pipe = parse::parse_node(&self.root, destination, &outside)
            .map_err(|problems| PipeFileError::of(file, problems))?;
        Ok((pipe, outside.into_noted()))
    }
}

/// What stands in place of the secret at `path`.
fn reference(path: &str) -> String {
    format!("${{secret:{path}}}")
}

/// Whether the whole text is one reference.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.contains(['{', '}']))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use secrecy::ExposeSecret;

    use super::super::surroundings::{Key, ThisMachine};
    use super::*;

    const TEXT: &str = r#"
name: clicks
source:
  type: kafka
  brokers: broker.example.com:9093
  topic: clicks
  auth: { mechanism: SCRAM-SHA-512, username: app, password: "hunter1" }
  tls:
    certificate: client.pem
    key: |
      -----BEGIN PRIVATE KEY-----
      hunter2
      -----END PRIVATE KEY-----
schema_registry: { url: "https://registry.example.com", token: hunter3 }
destination:
  url: http://localhost:8123
  password: 0123
  table: clicks
  columns:
    - { name: id, type: UInt64 }
    - { name: n, type: "Nullable(String)", value: ~ }
batch: { max_rows: 1000 }
error_table: { enabled: false, stop_ratio: 0.25 }
"#;

    /// A place where the secrets of one pipe are.
    struct Kept(Vec<(String, SecretString)>);

    impl Surroundings for Kept {
        fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
            assert_eq!((kind, name, key.is_secret), ("secret", key.path, true));
            let found = self.0.iter().find(|(path, _)| path == name);
            found
                .map(|(_, secret)| secret.expose_secret().to_owned())
                .ok_or_else(|| format!("no secret {name}"))
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn apart(text: &str) -> TakenApart {
        Document::parse(text, "clicks").unwrap().take_apart("clicks", &ThisMachine).unwrap()
    }

    #[test]
    fn secrets_are_taken_out_and_put_back() {
        let taken = apart(TEXT);
        let paths: Vec<&str> = taken.secrets.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["source.tls.key", "source.auth.password", "schema_registry.token", "destination.password"]
        );
        assert_eq!(taken.secrets[3].1.expose_secret(), "0123", "a text stays as it was written");
        let shown = taken.document.to_yaml();
        expect![[r#"
            name: clicks
            source:
              type: kafka
              brokers: "broker.example.com:9093"
              topic: clicks
              auth:
                mechanism: SCRAM-SHA-512
                username: app
                password: "${secret:source.auth.password}"
              tls:
                certificate: client.pem
                key: "${secret:source.tls.key}"
            schema_registry:
              url: "https://registry.example.com"
              token: "${secret:schema_registry.token}"
            destination:
              url: "http://localhost:8123"
              password: "${secret:destination.password}"
              table: clicks
              columns:
                - { name: id, type: UInt64 }
                - { name: "n", type: Nullable(String), value: null }
            batch:
              max_rows: 1000
            error_table:
              enabled: false
              stop_ratio: "0.25"
        "#]]
        .assert_eq(&shown);
        let again = taken.document.read("clicks", &Kept(taken.secrets)).unwrap();
        assert_eq!(format!("{again:?}"), format!("{:?}", taken.file));
        assert_eq!(again.destination.password.unwrap().expose_secret(), "0123");
    }

    #[test]
    fn a_document_that_was_shown_keeps_its_secrets_where_they_are() {
        let first = apart(TEXT);
        let shown = first.document.to_yaml();
        let again = Document::parse(&shown, "clicks").unwrap();
        let second = again.take_apart("clicks", &Kept(first.secrets)).unwrap();
        assert!(second.secrets.is_empty());
        assert_eq!(second.kept.len(), 4);
        assert_eq!(second.document.to_yaml(), shown);
    }

    #[test]
    fn as_json_it_is_the_same_document() {
        let taken = apart(TEXT);
        let json = serde_json::to_string(&taken.document).unwrap();
        assert!(json.starts_with(r#"{"name":"clicks","source":{"type":"kafka","brokers":"#), "{json}");
        assert!(json.contains(r#""value":null"#) && json.contains(r#""max_rows":1000"#), "{json}");
        assert!(json.contains(r#""enabled":false"#) && json.contains(r#""stop_ratio":"0.25""#), "{json}");
        let back: Document = serde_json::from_str(&json).unwrap();
        assert_eq!(back.to_yaml(), taken.document.to_yaml());
    }

    #[test]
    fn a_reference_to_another_place_is_no_secret() {
        let text = TEXT.replace("hunter3", "'${env:PATH}'");
        let taken = apart(&text);
        assert_eq!(taken.secrets.len(), 3);
        assert!(taken.document.to_yaml().contains(r#"token: "${env:PATH}""#));
    }

    #[test]
    fn a_secret_with_a_reference_inside_would_change_its_meaning() {
        for mixed in ["'pre-${env:PATH}'", "'${env:PATH}${env:PATH}'"] {
            let document = Document::parse(&TEXT.replace("hunter3", mixed), "clicks").unwrap();
            let error = document.take_apart("clicks", &ThisMachine).unwrap_err().to_string();
            assert!(
                error.contains("`schema_registry.token`: a secret is either a text or one reference"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_certificate_that_comes_with_its_key_is_a_secret() {
        let both = "|\n      -----BEGIN CERTIFICATE-----\n      -----BEGIN PRIVATE KEY-----\n      hunter4";
        let taken = apart(&TEXT.replace("client.pem", both));
        assert!(taken.secrets.iter().any(|(path, _)| path == "source.tls.certificate"));
        assert!(!taken.document.to_yaml().contains("hunter"), "{}", taken.document.to_yaml());
    }

    #[test]
    fn whoever_sends_secrets_elsewhere_is_noticed() {
        let way = |text: &str, block: &str| apart(text).document.way(block);
        for (from, to, block) in [
            ("broker.example.com", "evil.example.com", "source"),
            ("SCRAM-SHA-512", "PLAIN", "source"),
            ("registry.example.com", "evil.example.com", "schema_registry"),
            ("localhost:8123", "evil.example.com:8123", "destination"),
        ] {
            for other in ["source", "schema_registry", "destination"] {
                let is_same = way(TEXT, other) == way(&TEXT.replace(from, to), other);
                assert_eq!(is_same, other != block, "{from} {other}");
            }
        }
        let harmless =
            TEXT.replace("topic: clicks", "topic: others").replace("table: clicks", "table: others");
        for block in ["source", "schema_registry", "destination"] {
            assert_eq!(way(TEXT, block), way(&harmless.replace("hunter1", "changed"), block), "{block}");
        }
    }

    #[test]
    fn whoever_has_another_user_do_other_things_is_noticed() {
        let lines = "username: own\n  setup: { username: admin, password: hunter4 }\n  access: only_destination\n  table: clicks";
        let text = TEXT.replace("table: clicks", lines);
        let way = |text: &str| apart(text).document.way("destination");
        for (from, to) in [
            ("table: clicks", "table: others"),
            ("access: only_destination", "access: full"),
            ("access: only_destination", "access: { role: admins }"),
            ("username: admin", "username: others"),
            ("username: own", "username: others"),
            ("table: clicks", "table: clicks\n  database: others"),
            ("table: clicks", "table: clicks\n  on_cluster: others"),
            ("table: clicks", "table: clicks\n  managed_table: { engine: Log }"),
            ("error_table: { enabled: false", "error_table: { suffix: _of_others"),
        ] {
            assert_ne!(way(&text), way(&text.replace(from, to)), "{to}");
        }
        assert_ne!(way(&text), way(TEXT));
        let harmless = text.replace("hunter4", "changed").replace("id, type: UInt64", "id, type: Int64");
        assert_eq!(way(&text), way(&harmless));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Document::parse(TEXT, "clicks").unwrap()), "Document(..)");
    }

    #[test]
    fn what_is_refused_shows_no_secret() {
        let document = Document::parse(&TEXT.replace("table: clicks", "tabel: clicks"), "clicks").unwrap();
        let json = serde_json::to_string(&document).unwrap();
        let of_json: Document = serde_json::from_str(&json).unwrap();
        for (document, at) in [(document, "clicks:18: "), (of_json, "clicks: ")] {
            let error = document.take_apart("clicks", &ThisMachine).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{at}`destination.tabel`: unknown key; did you mean `table`?")),
                "{error}"
            );
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn hostile_json_is_refused_with_a_reason() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        let twice = r#"{"name": "a", "name": "b"}"#;
        let many = (0..20_000).map(|number| format!("\"k{number}\":0")).collect::<Vec<_>>().join(",");
        let many = format!("{{{many}}}");
        for (text, said) in [
            (deep.as_str(), "nested deeper than 32 levels"),
            (twice, "the key `name` stands twice"),
            (&many, "more than 10000 keys"),
            ("{", "EOF"),
        ] {
            let outcome = serde_json::from_str::<Document>(text).map(|document| document.to_yaml());
            let told = outcome.unwrap_or_else(|error| error.to_string());
            assert!(told.contains(said), "{text}: {told}");
        }
    }
}
