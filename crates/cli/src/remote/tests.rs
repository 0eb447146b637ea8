//! A client against what may answer in place of a service.

use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Remote, RemoteError};

const PIPE: &str = r#"{"id":"p1","name":"clicks","wanted":"running","stage":"running","revision":7,"pipe":{"name":"clicks"}}"#;

/// Answers each connection with the next of `answers`, closes those for which there is none, and notes what was asked.
struct Answers {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    async fn start(answers: Vec<String>, tls: Option<TlsAcceptor>) -> Answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.next().unwrap_or_default();
                match &tls {
                    // A caller that does not trust it goes away, and asks nothing.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, &answer, &notes).await,
                        Err(_) => continue,
                    },
                    None => serve(stream, &answer, &notes).await,
                }
            }
        });
        Answers { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn remote(&self) -> Remote {
        Remote::new(&self.url.parse().unwrap(), None, Some(&"hpt_1".into())).unwrap()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str, asked: &Mutex<Vec<String>>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !ends(&request) {
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) => request.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
    asked.lock().unwrap().push(String::from_utf8(request).unwrap());
    // Whoever has heard enough may be gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Whether a request has come to its end.
fn ends(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    body.len() >= length
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_made_again_under_the_same_key() {
    let unavailable =
        r#"{"code":"store_unavailable","title":"the store does not answer","status":503,"detail":"again"}"#;
    let answers = vec![
        String::new(),
        answer("503 Service Unavailable", "", unavailable),
        answer("201 Created", "ETag: \"7\"\r\n", PIPE),
    ];
    let service = Answers::start(answers, None).await;
    let document = housepipe_runtime::Document::parse("name: clicks", "pipe.yaml").unwrap();
    let created = service.remote().create(&document, true, "key-1").await.unwrap();
    assert_eq!((created.view.id.as_str(), created.etag.as_str()), ("p1", "\"7\""));
    assert_eq!(created.pipe_file().unwrap().unwrap().to_yaml(), "name: clicks\n");
    let asked = service.asked();
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert!(request.starts_with("POST /api/v1/pipes HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("idempotency-key: key-1\r\n")
                && request.contains("authorization: Bearer hpt_1\r\n")
        );
        assert!(request.ends_with(r#"{"pipe":{"name":"clicks"},"run":true}"#), "{request}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_made_twice_is_made_once() {
    let service = Answers::start(Vec::new(), None).await;
    let document = housepipe_runtime::Document::parse("name: clicks", "pipe.yaml").unwrap();
    for lost in
        [service.remote().remove("p1", &[]).await, service.remote().edit("p1", "\"1\"", &document).await]
    {
        assert!(matches!(lost, Err(RemoteError::Lost { .. })), "{lost:?}");
    }
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn whatever_answers_instead_is_told_from_a_service() {
    let endless = "x".repeat(2 << 20);
    for (answer, says) in [
        (
            answer("302 Found", "Location: http://evil.example/\r\n", ""),
            "redirect to http://evil.example/, which is not followed",
        ),
        (answer("502 Bad Gateway", "", "<html>nginx"), "502 Bad Gateway and no problem details: <html>nginx"),
        (answer("500 Internal Server Error", "", &endless), "more than 1048576 bytes"),
        (answer("200 OK", "", "<html>hello"), "is no service of housepipe"),
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "speaks no HTTP"),
    ] {
        let service = Answers::start(vec![answer], None).await;
        let told = service.remote().pipe("p1").await.unwrap_err().to_string();
        assert!(told.contains(says), "{says}: {told}");
        assert_eq!(service.asked().len(), 1, "{says}");
    }
}

#[tokio::test]
async fn a_service_is_trusted_by_its_authority_and_its_name() {
    let key = || KeyPair::generate().unwrap();
    let (ca_key, server_key) = (key(), key());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::from_params(&params, &ca_key);
    let server = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&server_key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::Pkcs8(server_key.serialize_der().into()))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ours, others) = (file("ca.pem", &ca.pem()), file("server.pem", "no certificate"));
    let answers = vec![String::new(), String::new(), answer("200 OK", "", PIPE)];
    let service = Answers::start(answers, Some(TlsAcceptor::from(Arc::new(config)))).await;
    let call = async |url: String, ca: Option<&std::path::Path>| {
        Remote::new(&url.parse().unwrap(), ca, None)?.pipe("p1").await.map(|pipe| pipe.view.id)
    };
    let untrusted = call(service.url.clone(), None).await.unwrap_err();
    let told = untrusted.to_string();
    assert!(
        matches!(untrusted, RemoteError::Tls { .. } | RemoteError::Setting(_)) && told.contains("--ca"),
        "{told}"
    );
    let other_name =
        call(service.url.replace("localhost", "127.0.0.1"), Some(&ours)).await.unwrap_err().to_string();
    assert!(other_name.contains("for another host name"), "{other_name}");
    assert_eq!(call(service.url.clone(), Some(&ours)).await.unwrap(), "p1");
    let no_tls = call(service.url.replace("https", "http"), None).await.unwrap_err();
    assert!(matches!(no_tls, RemoteError::NoHttp(_) | RemoteError::Lost { .. }), "{no_tls}");
    for (ca, says) in
        [(others, "holds no certificate"), (folder.path().join("absent"), "cannot be read as PEM")]
    {
        let told = call(service.url.clone(), Some(&ca)).await.unwrap_err();
        assert!(told.is_usage() && told.to_string().contains(says), "{told}");
    }
}
