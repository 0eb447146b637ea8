//! The listener over real connections.

use std::net::SocketAddr;

use housepipe_runtime::metrics::{Exposition, Family};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Has one metric, and is ready or not.
struct Thing {
    unready: Option<&'static str>,
}

impl Watched for Thing {
    async fn write(&self, exposition: &mut Exposition) {
        exposition.family(&Family::gauge("test_bytes", &[], "A test."), |samples| samples.value(&[], 7_u64));
    }

    async fn unready(&self) -> Option<String> {
        self.unready.map(str::to_owned)
    }
}

async fn listening(unready: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_metrics(listener, Arc::new(Thing { unready })));
    address
}

async fn sent(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    sent(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn the_format_is_the_one_that_the_reader_accepts() {
    let address = listening(None).await;
    let text = get(address, "/metrics", "").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    assert!(text.contains("connection: close\r\n"), "one request each: {text}");
    assert!(
        text.ends_with("\r\n\r\n# HELP test_bytes A test.\n# TYPE test_bytes gauge\ntest_bytes 7\n"),
        "{text}"
    );
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3\r\n";
    let open = get(address, "/metrics", accept).await;
    assert!(
        open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{open}"
    );
    assert!(open.ends_with("# UNIT test_bytes bytes\ntest_bytes 7\n# EOF\n"), "{open}");
}

#[tokio::test]
async fn health_and_readiness_are_two_things() {
    let address = listening(Some("the store does not answer")).await;
    assert!(get(address, "/healthz", "").await.ends_with("\r\n\r\nok\n"));
    let unready = get(address, "/readyz", "").await;
    assert!(
        unready.starts_with("HTTP/1.1 503 ") && unready.ends_with("the store does not answer\n"),
        "{unready}"
    );
    assert!(get(listening(None).await, "/readyz", "").await.starts_with("HTTP/1.1 200 "));
    for (request, status) in [
        ("GET /api/v1/pipes HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = sent(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
}
