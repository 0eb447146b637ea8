//! A pipe file on its way to a service: what it takes from this machine is put into it.

use housepipe_runtime::{Document, Key, PipeFileError, Surroundings, ThisMachine};

use crate::args::SentFile;

/// This machine, as the pipe file of a service finds it.
struct Sender {
    /// `${file:NAME}` is left to the service.
    keeps_files: bool,
}

impl Surroundings for Sender {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        let stays = match kind {
            // What the service keeps already, as it has shown it.
            "secret" => true,
            "file" => self.keeps_files && !name.contains('/'),
            _ => false,
        };
        if stays { Ok(format!("${{{kind}:{name}}}")) } else { ThisMachine.reference(kind, name, key) }
    }

    fn variable(&self, _: &str) -> Option<String> {
        // The pipe runs on another machine, and nothing is sent there that the file does not name.
        None
    }

    fn names_own_user(&self) -> bool {
        // The service fills in what is left out.
        true
    }
}

/// What is sent.
pub(super) struct Sent {
    /// The pipe file, with secrets in it.
    pub(super) document: Document,
    /// The same, with references in place of its secrets.
    pub(super) shown: Document,
    /// The pipe's name.
    pub(super) name: String,
    /// The keys whose secrets are sent.
    pub(super) secrets: Vec<String>,
}

/// Reads and understands a pipe file, and puts into it what its references stand for.
pub(super) fn read(args: &SentFile) -> Result<Sent, PipeFileError> {
    let sender = Sender { keeps_files: args.keep_references };
    let name = args.file.display().to_string();
    let document = Document::load(&args.file)?.resolve(&name, &sender)?;
    let apart = document.clone().take_apart(&name, &sender)?;
    Ok(Sent {
        document,
        shown: apart.document,
        name: apart.file.name.to_string(),
        secrets: apart.secrets.into_iter().map(|(path, _)| path).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn sent(password: &str, keep_references: bool) -> Result<Sent, PipeFileError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(
            file,
            "name: clicks\nsource: {{ type: kafka, brokers: 'b:9092', topic: t }}\n\
             destination: {{ url: 'http://localhost:8123', table: t, password: '{password}' }}\n"
        )
        .unwrap();
        read(&SentFile { file: file.path().to_owned(), keep_references })
    }

    #[test]
    fn the_name_and_the_password_of_the_pipes_own_user_are_left_to_the_service() {
        let sent = |beside: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            write!(
                file,
                "name: clicks\nsource: {{ type: kafka, brokers: 'b:9092', topic: t }}\n\
                 destination: {{ url: 'http://localhost:8123', table: t, access: only_destination, {beside} }}\n"
            )
            .unwrap();
            read(&SentFile { file: file.path().to_owned(), keep_references: false })
        };
        let left = sent("setup: { username: admin, password: x }").unwrap();
        assert_eq!((left.name.as_str(), left.secrets.len()), ("clicks", 1));
        assert!(!left.document.has("destination.username") && !left.document.has("destination.password"));
        let nobody = sent("username: u, password: p").err().unwrap().to_string();
        assert!(nobody.contains("nothing says who makes the pipe's user"), "{nobody}");
    }

    fn json(sent: &Sent) -> String {
        serde_json::to_string(&sent.document).unwrap()
    }

    #[test]
    fn secrets_are_looked_up_here_and_shown_nowhere() {
        let home = std::env::var("HOME").unwrap();
        let sent = sent("${env:HOME}", false).unwrap();
        assert_eq!(
            (sent.name.as_str(), sent.secrets.as_slice()),
            ("clicks", &["destination.password".to_owned()][..])
        );
        assert!(json(&sent).contains(&format!("\"password\":\"{home}\"")));
        let shown = sent.shown.to_yaml();
        assert!(shown.contains("${secret:destination.password}") && !shown.contains(&home), "{shown}");
    }

    #[test]
    fn what_the_service_reads_itself_is_left_to_it() {
        let kept = sent("${secret:destination.password}", false).unwrap();
        assert!(kept.secrets.is_empty() && json(&kept).contains("${secret:destination.password}"));
        let left = sent("${file:kafka-password}", true).unwrap();
        assert!(left.secrets.is_empty() && json(&left).contains("${file:kafka-password}"));
        for (password, keep_references) in [
            ("${file:kafka-password}", false),
            ("${file:/no/such/file}", true),
            ("${env:HOUSEPIPE_NOT_SET}", true),
        ] {
            let told = sent(password, keep_references).err().unwrap().to_string();
            assert!(told.contains(":3: `destination.password`"), "{told}");
        }
    }
}
