//! A document that is sent to another machine: what it takes from this one, put into it.

use housepipe_kafka_source::Pem;

use super::Document;
use crate::pipe_file::surroundings::{Key, Outside, Surroundings, read};
use crate::pipe_file::yaml::{Node, Value};
use crate::pipe_file::{PipeFileError, Problem, parse};

impl Document {
    /// The document as it may be read elsewhere: what its references stand for in `surroundings` in place of them, and the text of PEM files in
    /// place of their paths. A reference that `surroundings` give as what it stands for, as it is written, stays. Secrets may stand in the
    /// document afterwards.
    ///
    /// ```
    /// use housepipe_runtime::{Document, ThisMachine};
    ///
    /// let text = "name: clicks\n\
    ///             source: { type: kafka, brokers: 'localhost:9092', topic: '${env:HOME}' }\n\
    ///             destination: { url: 'http://localhost:8123', table: clicks }\n";
    /// let sent = Document::parse(text, "pipe.yaml")?.resolve("pipe.yaml", &ThisMachine)?;
    /// assert!(!sent.to_yaml().contains("${env:HOME}"));
    /// # Ok::<(), housepipe_runtime::PipeFileError>(())
    /// ```
    ///
    /// # Errors
    /// [`PipeFileError`] with every problem that was found, also of what would be read as another reference where it is sent.
    pub fn resolve(mut self, file: &str, surroundings: &dyn Surroundings) -> Result<Document, PipeFileError> {
        let literal = Literal(surroundings);
        // Every problem is found here, with its line.
        let (_, noted) = self.understand(file, parse::destination, &literal)?;
        let mut problems = Vec::new();
        put(&mut self.root, "", &Outside::new(&literal), &noted.secrets, &mut problems);
        for path in &noted.pems {
            put_pem(&mut self.root, path, &mut problems);
        }
        if problems.is_empty() { Ok(self) } else { Err(PipeFileError::of(file, problems)) }
    }
}

/// Puts what references stand for in their place, in the value at `path` and in those below it.
fn put(node: &mut Node, path: &str, outside: &Outside<'_>, secrets: &[String], problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Null => {}
        Value::Text(text) | Value::Plain(text) => {
            if !text.contains("${") {
                return;
            }
            let is_secret = secrets.iter().any(|secret| secret == path);
            match outside.resolve(text, Key { path, is_secret }) {
                Ok(resolved) => node.value = Value::Text(resolved),
                Err(message) => problems.push(Problem::at(node.line, path, message)),
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                put(item, &format!("{path}[{index}]"), outside, secrets, problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                put(&mut entry.node, &path, outside, secrets, problems);
            }
        }
    }
}

/// Puts the text of a PEM file in place of its path.
fn put_pem(root: &mut Node, path: &str, problems: &mut Vec<Problem>) {
    let Some(value) = root.value_at(path) else { return };
    let (Value::Text(text) | Value::Plain(text)) = &*value else { return };
    // What stands for itself is read elsewhere.
    if text.contains("${") {
        return;
    }
    let Pem::Path(file) = Pem::from_path_or_inline(text.as_str()) else { return };
    match read(&file) {
        Ok(pem) if matches!(Pem::from_path_or_inline(pem.as_str()), Pem::Inline(_)) => {
            *value = Value::Text(pem);
        }
        Ok(_) => problems.push(
            Problem::at(0, path, format!("the file `{file}` holds no PEM"))
                .mend("it begins with `-----BEGIN`"),
        ),
        Err(message) => problems.push(Problem::at(0, path, message)),
    }
}

/// Surroundings whose values are texts and no references of their own.
struct Literal<'a>(&'a dyn Surroundings);

impl Surroundings for Literal<'_> {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        let value = self.0.reference(kind, name, key)?;
        let stays = value == format!("${{{kind}:{name}}}");
        if value.contains("${") && !stays {
            return Err(format!(
                "what `${{{kind}:{name}}}` stands for holds `${{`, which would be taken for a reference where it is sent"
            ));
        }
        Ok(value)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn allows_paths(&self) -> Result<(), String> {
        self.0.allows_paths()
    }

    fn allows_raw_settings(&self) -> Result<(), String> {
        self.0.allows_raw_settings()
    }

    fn allows_host(&self, host: &str) -> Result<(), String> {
        self.0.allows_host(host)
    }

    fn names_own_user(&self) -> bool {
        self.0.names_own_user()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables of their own, and files of this machine; what is of kind `secret` stays.
    struct Here;

    impl Surroundings for Here {
        fn reference(&self, kind: &str, name: &str, _: Key<'_>) -> Result<String, String> {
            match (kind, name) {
                ("env", "PASSWORD") => Ok("hunter1".to_owned()),
                ("env", "TOPIC") => Ok("clicks".to_owned()),
                ("env", "TRICK") => Ok("${file:other}".to_owned()),
                ("secret", _) => Ok(format!("${{secret:{name}}}")),
                _ => Err("nothing".to_owned()),
            }
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }
    }

    const TEXT: &str = "name: clicks\n\
        source:\n  type: kafka\n  brokers: 'b:9093'\n  topic: 'eu-${env:TOPIC}'\n\
        \x20 auth: { mechanism: PLAIN, username: app, password: '${env:PASSWORD}' }\n\
        \x20 tls: { ca: 'CA' }\n\
        destination: { url: 'http://localhost:8123', table: clicks, password: '${secret:destination.password}' }\n";

    fn resolve(text: &str) -> Result<String, String> {
        let document = Document::parse(text, "pipe.yaml").unwrap();
        document.resolve("pipe.yaml", &Here).map(|sent| sent.to_yaml()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_taken_from_this_machine_stands_in_the_document() {
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let sent = resolve(&TEXT.replace("'CA'", &ca.path().display().to_string())).unwrap();
        assert!(sent.contains("topic: eu-clicks") && sent.contains("password: hunter1"), "{sent}");
        assert!(
            sent.contains("-----BEGIN CERTIFICATE-----") && !sent.contains(ca.path().to_str().unwrap()),
            "{sent}"
        );
        assert!(sent.contains(r#"password: "${secret:destination.password}""#), "{sent}");
    }

    #[test]
    fn what_cannot_be_sent_is_told_with_its_key() {
        let no_pem = tempfile::NamedTempFile::new().unwrap();
        let no_pem = TEXT.replace("'CA'", &no_pem.path().display().to_string());
        let inline = TEXT.replace("{ ca: 'CA' }", "{}");
        for (text, says) in [
            (TEXT.to_owned(), "`source.tls.ca`: cannot read the file `CA`"),
            (no_pem, "holds no PEM"),
            (
                inline.replace("env:PASSWORD", "env:TRICK"),
                "pipe.yaml:6: `source.auth.password`: what `${env:TRICK}` stands for holds",
            ),
            (inline.replace("env:PASSWORD", "env:ABSENT"), "pipe.yaml:6: `source.auth.password`: nothing"),
            (inline.replace("table:", "tabel:"), "did you mean `table`?"),
        ] {
            let told = resolve(&text).unwrap_err();
            assert!(told.contains(says) && !told.contains("other"), "{says}: {told}");
        }
    }
}
