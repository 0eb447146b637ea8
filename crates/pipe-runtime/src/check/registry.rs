//! Whether the schema registry answers, at each of its hosts, and the schema that the pipe file names can be used.

use housepipe_schema_registry::{ErrorClass, Registry, RegistryError, SchemaId, Target, Version};

use super::{Check, Verdict};
use crate::error::explain;
use crate::pipe_file::{DeliveryMode, RegistrySpec};
use crate::schemas::Schemas;

const NAME: &str = "schema registry";

/// A schema that a registry may have or not: either is an answer.
const ANY_SCHEMA: SchemaId = SchemaId(1);

/// Time for each of several hosts to answer, in milliseconds. They are asked side by side.
const HOST_MS: u64 = 9_000;

pub(super) async fn look(spec: &RegistrySpec, delivery: DeliveryMode) -> Check {
    let (verdict, detail) = match spec.config.roots.len() {
        // The only one has as much time as the pipe gives it.
        0 | 1 => look_at_registry(spec, delivery).await,
        _ => look_at_hosts(spec, delivery).await,
    };
    Check { name: NAME, verdict, detail }
}

async fn look_at_registry(spec: &RegistrySpec, delivery: DeliveryMode) -> (Verdict, String) {
    let schemas = match Schemas::open(spec).await {
        Ok(schemas) => schemas,
        Err(error) => return (Verdict::Failed, explain(&error)),
    };
    match schemas.configured() {
        Some(id) => words_of_schema(&spec.target, id, delivery),
        None => match any_answer(schemas.registry()).await {
            Ok(()) => (
                Verdict::Ok,
                "it answers; each record has to name its schema, since the url names none".to_owned(),
            ),
            Err(error) => (Verdict::Failed, explain(&error)),
        },
    }
}

/// Asks every host by itself. The pipe asks one after the other until one has an answer, and tells nobody of those that never have.
async fn look_at_hosts(spec: &RegistrySpec, delivery: DeliveryMode) -> (Verdict, String) {
    let mut asked = Vec::new();
    for root in &spec.config.roots {
        let mut alone = spec.clone();
        alone.config.roots = vec![root.clone()];
        alone.config.limits.attempts = 1;
        alone.config.limits.request_ms = alone.config.limits.request_ms.min(HOST_MS);
        asked.push((root, tokio::spawn(ask(alone))));
    }
    let mut answering = spec.clone();
    answering.config.roots.clear();
    let mut problems = Vec::new();
    for (root, answer) in asked {
        match answer.await {
            Ok(Ok(())) => answering.config.roots.push(root.clone()),
            Ok(Err(error)) => problems.push(explain(&error)),
            Err(panicked) => problems.push(panicked.to_string()),
        }
    }
    if answering.config.roots.is_empty() {
        return (Verdict::Failed, problems.join("; "));
    }
    let (verdict, detail) = look_at_registry(&answering, delivery).await;
    if problems.is_empty() {
        return (verdict, detail);
    }
    let (hosts, failing) = (spec.config.roots.len(), problems.len());
    let detail =
        format!("{detail}; but {failing} of its {hosts} hosts cannot be used: {}", problems.join("; "));
    (if verdict == Verdict::Ok { Verdict::Warning } else { verdict }, detail)
}

/// Asks a registry for the schema that the pipe file names, or, where that names none, for any.
pub(crate) async fn ask(spec: RegistrySpec) -> Result<(), RegistryError> {
    let registry = Registry::new(spec.config)?;
    match &spec.target {
        Target::Root => any_answer(&registry).await,
        target => registry.fetch(target).await.map(drop),
    }
}

async fn any_answer(registry: &Registry) -> Result<(), RegistryError> {
    match registry.schema(ANY_SCHEMA).await {
        // It speaks of the schema, and so it is a registry.
        Err(error) if error.class() == ErrorClass::Reject => Ok(()),
        answer => answer.map(drop),
    }
}

fn words_of_schema(target: &Target, id: SchemaId, delivery: DeliveryMode) -> (Verdict, String) {
    let Target::Version(subject, version) = target else {
        return (Verdict::Ok, format!("records without a frame are checked against schema {id}"));
    };
    let words = format!(
        "records without a frame are checked against version {version} of `{subject}`, which is schema {id}"
    );
    match (version, delivery) {
        (Version::Latest, DeliveryMode::ExactlyOnce) => (
            Verdict::Warning,
            format!(
                "{words}; a partition stops that is taken over in the middle of a batch once another version is registered: name \
                 /schemas/ids/{id}, and change it while nothing is pending"
            ),
        ),
        _ => (Verdict::Ok, words),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use housepipe_schema_registry::{Address, RegistryConfig};

    use super::*;

    const ABSENT: &str = r#"404 X {"error_code":40403,"message":""}"#;
    const SCHEMA: &str = r#"200 X {"id":7,"schema":"true","schemaType":"JSON"}"#;
    /// Nobody listens there.
    const NOBODY: &str = "http://127.0.0.1:1";

    /// A host that has one answer to every question, a status and a body. It ends with the process.
    fn host(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| reply(stream, answer)));
        format!("http://127.0.0.1:{port}")
    }

    fn reply(mut stream: TcpStream, answer: &str) {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        let (status, body) = answer.split_once(" X ").unwrap();
        let length = body.len();
        let reply = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        // Who asked may have gone away.
        drop(stream.write_all(reply.as_bytes()));
    }

    async fn looked(urls: &[&str]) -> (Verdict, String) {
        let addresses: Vec<Address> = urls.iter().map(|url| url.parse().unwrap()).collect();
        let mut config = RegistryConfig::at(&addresses[0]);
        config.limits.request_ms = 3_000;
        let target = addresses[0].target.clone();
        config.roots = addresses.into_iter().map(|address| address.root).collect();
        let check = look(&RegistrySpec { config, target }, DeliveryMode::AtLeastOnce).await;
        (check.verdict, check.detail)
    }

    #[tokio::test]
    async fn every_host_is_asked_and_one_that_cannot_be_used_is_a_warning() {
        let (first, second) = (host(ABSENT), host(ABSENT));
        for urls in [&[first.as_str()][..], &[first.as_str(), second.as_str()][..]] {
            let (verdict, detail) = looked(urls).await;
            assert_eq!(verdict, Verdict::Ok, "{detail}");
            assert!(detail.ends_with("since the url names none"), "{detail}");
        }
        for urls in [[first.as_str(), NOBODY], [NOBODY, first.as_str()]] {
            let (verdict, detail) = looked(&urls).await;
            assert_eq!(verdict, Verdict::Warning, "{detail}");
            for part in [
                "since the url names none; but 1 of its 2 hosts cannot be used",
                NOBODY,
                "nothing listens there",
            ] {
                assert!(detail.contains(part), "no `{part}` in {detail}");
            }
        }
        let (verdict, detail) = looked(&[NOBODY, "http://127.0.0.1:2"]).await;
        assert_eq!(verdict, Verdict::Failed, "{detail}");
        assert_eq!(detail.matches("nothing listens there").count(), 2, "{detail}");
    }

    #[tokio::test]
    async fn every_host_has_to_have_the_schema_that_the_file_names() {
        let (first, second, lacking) = (host(SCHEMA), host(SCHEMA), host(ABSENT));
        let named = format!("{first}/subjects/s/versions/3");
        let (verdict, detail) = looked(&[&named, &second]).await;
        assert_eq!(
            (verdict, detail.as_str()),
            (Verdict::Ok, "records without a frame are checked against version 3 of `s`, which is schema 7")
        );
        let (verdict, detail) = looked(&[&named, &lacking]).await;
        assert_eq!(verdict, Verdict::Warning, "{detail}");
        assert!(
            detail.contains("which is schema 7; but 1 of its 2 hosts") && detail.contains(&lacking),
            "{detail}"
        );
        let (verdict, detail) = looked(&[&format!("{lacking}/subjects/s/versions/3"), NOBODY]).await;
        assert_eq!(verdict, Verdict::Failed, "{detail}");
        assert!(
            detail.contains("has no subject `s`") && detail.contains("nothing listens there"),
            "{detail}"
        );
    }

    #[tokio::test]
    async fn a_host_that_never_answers_is_one_of_them() {
        // It is connected to by its operating system, and nobody takes the connection.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = (format!("http://{}", silent.local_addr().unwrap()), silent);
        let there = host(ABSENT);
        let (verdict, detail) = looked(&[&silent.0, &there]).await;
        assert_eq!(verdict, Verdict::Warning, "{detail}");
        assert!(detail.contains("did not answer within 3000 ms"), "{detail}");
    }
}
