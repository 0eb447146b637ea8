//! A registry on loopback that answers with the bytes of a test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use housepipe_schema_registry::{Address, Limits, Registry, RegistryConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// What goes back for a request: bytes, after a pause; the connection is closed then.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pause: Duration,
    /// Whether the last bytes are sent again and again until nobody reads them.
    pub(crate) endless: bool,
}

impl Reply {
    /// A whole answer of plain JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "Content-Type: application/json", body)
    }

    /// A whole answer with a line of its own in its head.
    pub(crate) fn with(status: u16, line: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(&format!("HTTP/1.1 {status} X\r\n{line}\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    pub(crate) fn raw(text: &str) -> Self {
        Reply { bytes: text.as_bytes().to_vec(), ..Reply::default() }
    }
}

type Answer = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// Listens until it is dropped.
pub(crate) struct Fake {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

impl Fake {
    /// `answer` gets the path of a request and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(answer), None).await
    }

    pub(crate) async fn start_tls(server: rustls::ServerConfig) -> Self {
        let answer = |_: &str, _| Reply::json(200, r#"{"schema":"{}","schemaType":"JSON"}"#);
        Self::listen(Arc::new(answer), Some(TlsAcceptor::from(Arc::new(server)))).await
    }

    async fn listen(answer: Arc<Answer>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen, tls) = (Arc::clone(&answer), Arc::clone(&seen), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        // A client that does not like the certificate goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &*answer, &seen).await;
                            }
                        }
                        None => serve(stream, &*answer, &seen).await,
                    }
                });
            }
        });
        Fake { port, requests, accepting: accepting.abort_handle() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// The heads of all requests, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Answer, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(head);
        seen.len() - 1
    };
    let reply = answer(&path, before);
    tokio::time::sleep(reply.pause).await;
    let mut sent = stream.write_all(&reply.bytes).await;
    while reply.endless && sent.is_ok() {
        sent = stream.write_all(&[b' '; 65_536]).await;
    }
    // Who asked may have gone away; that is what some tests are about.
    drop(stream.shutdown().await);
}

/// A client of `roots` without pauses between its attempts that a test would notice.
pub(crate) fn client(roots: &[String], limits: Limits) -> Registry {
    let address = |root: &String| root.parse::<Address>().unwrap();
    let mut config = RegistryConfig::at(&address(&roots[0]));
    config.roots = roots.iter().map(|root| address(root).root).collect();
    config.limits = limits;
    Registry::new(config).unwrap()
}
