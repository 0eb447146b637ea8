//! Limits over real connections.

use std::future::pending;
use std::io::ErrorKind;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Long enough for a test never to come to it, in milliseconds.
const NEVER_MS: u64 = 600_000;
/// Short enough to be waited for, in milliseconds.
const SOON_MS: u64 = 250;

/// More than the buffers of both ends take at once (32 MiB).
const LARGE_BYTES: usize = 32 << 20;

/// Several times what is held of an answer where the system holds as much as it is told to (1 MiB).
const SMALL_BYTES: usize = 1 << 20;

/// More than the system and hyper hold of an answer where it holds what it likes (6 MiB).
const MEDIUM_BYTES: usize = 6 << 20;

/// Bytes of an answer that a peer has to take in a second so that she is seen to take some within the 30 s of the API: docs/security.md tells it.
/// The system takes more once 44 kB of what it holds are gone, and the peer's tells what was taken in steps of its own, of up to 130 kB where both
/// are on one machine, where a packet has 64 KiB. Of several answers at once over one connection it is this for each.
const TAKEN_BYTES_PER_S_MIN: u64 = 6_000;

const LIMITS: Limits = Limits { connections: 2, idle_ms: NEVER_MS, connection_ms: None, ..API };

/// Something now and then, for ever.
fn open() -> impl futures_util::Stream<Item = Result<&'static str, Infallible>> {
    futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(SOON_MS / 5)).await;
        Some((Ok("x"), ()))
    })
}

async fn listening(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // The body of `/slow` takes longer than a connection may be idle.
    let slow = || async {
        let parts = futures_util::stream::unfold(0, |sent| async move {
            tokio::time::sleep(Duration::from_millis(SOON_MS)).await;
            (sent < 6).then(|| (Ok::<_, Infallible>("x"), sent + 1))
        });
        Body::from_stream(parts)
    };
    let router = Router::new()
        .route("/", get(|| async { "ok\n" }))
        .route("/slow", get(slow))
        .route("/open", get(|| async { Body::from_stream(open()) }))
        .route("/small", get(|| async { vec![b'x'; SMALL_BYTES] }))
        .route("/medium", get(|| async { vec![b'x'; MEDIUM_BYTES] }))
        .route("/large", get(|| async { vec![b'x'; LARGE_BYTES] }));
    tokio::spawn(serve_within(limits, listener, router, None, pending()));
    address
}

/// What is answered to `said` until the server ends the connection.
async fn answer(address: SocketAddr, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(said).await.unwrap();
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        Ok(_) => {}
        // What was sent and not read makes the end a reset.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// They send nothing, half a head, or the beginning of HTTP/2, and are all that may be taken at once.
#[tokio::test]
async fn silent_connections_keep_nobody_out() {
    for limits in [Limits { idle_ms: SOON_MS, ..LIMITS }, Limits { connection_ms: Some(SOON_MS), ..LIMITS }] {
        for has_one_call in [false, true] {
            let limits = Limits { has_one_call, ..limits };
            for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
                let address = listening(limits).await;
                let mut silent = Vec::new();
                for _ in 0..limits.connections {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(said).await.unwrap();
                    silent.push(stream);
                }
                let heard = answer(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
                assert!(heard.ends_with("ok\n"), "{limits:?}: {heard}");
                for mut stream in silent {
                    assert!(!read(&mut stream).await.starts_with("HTTP/1.1 200"), "{limits:?}");
                }
            }
        }
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The peer says that it has no room for a single byte of a body, and answers every ping.
#[tokio::test]
async fn an_answer_that_nobody_takes_keeps_no_connection() {
    let address = listening(Limits { connections: 1, idle_ms: SOON_MS, ..LIMITS }).await;
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    // `GET / HTTP/2` with `:authority: x` (RFC 7541), its headers and its end.
    let headers = frame(1, 5, 1, &[0x82, 0x86, 0x84, 0x41, 1, b'x']);
    let mut greedy = TcpStream::connect(address).await.unwrap();
    let said = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), settings, headers].concat();
    greedy.write_all(&said).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_millis(20 * SOON_MS), read(&mut greedy));
    let heard = ended.await.expect("the connection is kept for as long as the peer likes");
    assert!(!heard.contains("ok\n"), "{heard:?}");
    let heard = answer(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(heard.ends_with("ok\n"), "{heard}");
}

/// `METHOD path` of HTTP/2 on `stream`, its headers and its end (RFC 7541).
fn call(method: &str, path: &str, stream: u8) -> Vec<u8> {
    let text =
        |index: u8, text: &str| [&[index, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    frame(1, 5, stream, &[text(2, method), vec![0x86], text(4, path), text(1, "x")].concat())
}

/// The peer takes nothing of `/large`, or one byte of it, and goes on to call and to take other answers.
#[tokio::test]
async fn an_answer_that_nobody_takes_is_kept_by_no_other_call() {
    for (room, other) in [(0, "HEAD /"), (1, "HEAD /"), (0, "GET /open"), (1, "GET /open")] {
        let address = listening(Limits { idle_ms: 2 * SOON_MS, ..LIMITS }).await;
        let mut greedy = TcpStream::connect(address).await.unwrap();
        // Room for a body is given to each stream when it is opened.
        let rooms = |room| frame(4, 0, 0, &[0, 4, 0, 0, 0, room]);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        greedy.write_all(&[preface, rooms(room), call("GET", "/large", 1)].concat()).await.unwrap();
        let (mut reads, mut writes) = greedy.into_split();
        let ended = async {
            let mut answers = Vec::new();
            let _ = reads.read_to_end(&mut answers).await;
        };
        let goes_on = async {
            let (method, path) = other.split_once(' ').unwrap();
            for stream in (3..=255).step_by(2) {
                if method == "HEAD" || stream == 3 {
                    let _ = writes.write_all(&call(method, path, stream)).await;
                }
                if method == "GET" {
                    // Room for 100 bytes more of it, and of the connection.
                    let more = |stream| frame(8, 0, stream, &[0, 0, 0, 100]);
                    let _ = writes.write_all(&[more(3), more(0)].concat()).await;
                }
                tokio::time::sleep(Duration::from_millis(SOON_MS / 2)).await;
            }
        };
        tokio::select! {
            () = ended => {}
            () = goes_on => panic!("room for {room}, and {other}: the connection is kept for as long as the peer likes"),
        }
    }
}

/// As 30 kB/s are to 30 s, on a scale of 1 to 30: less than what the system holds of an answer where it may hold what it likes.
#[tokio::test]
async fn a_slow_taker_is_seen_to_take_an_answer() {
    let address = listening(Limits { idle_ms: 4 * SOON_MS, ..LIMITS }).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(b"GET /medium HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut taken, mut piece) = (0, vec![0; 45 << 10]);
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            length => taken += length,
        }
        tokio::time::sleep(Duration::from_millis(SOON_MS / 5)).await;
    }
    assert!(taken > MEDIUM_BYTES, "{taken} bytes with the head");
}

/// As the least rate is to 30 s, on a scale of 1 to 15.
#[tokio::test]
async fn a_taker_of_the_least_rate_comes_to_the_end() {
    let idle_ms = 8 * SOON_MS;
    let bytes_per_s = TAKEN_BYTES_PER_S_MIN * API.idle_ms / idle_ms;
    let address = listening(Limits { idle_ms, ..LIMITS }).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(b"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut taken, mut piece, begun) = (0, vec![0; 3_600], tokio::time::Instant::now());
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            length => taken += length,
        }
        let due_ms = u64::try_from(taken).unwrap() * 1_000 / bytes_per_s;
        tokio::time::sleep_until(begun + Duration::from_millis(due_ms)).await;
    }
    assert!(taken > SMALL_BYTES, "{taken} bytes with the head");
}

#[tokio::test]
async fn a_large_answer_may_be_taken_slowly() {
    let address = listening(Limits { idle_ms: 4 * SOON_MS, ..LIMITS }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut taken, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            length => taken += length,
        }
        tokio::time::sleep(Duration::from_millis(SOON_MS / 2)).await;
    }
    assert!(taken > LARGE_BYTES, "{taken} bytes with the head");
}

#[tokio::test]
async fn one_address_does_not_have_all_connections() {
    let address = listening(Limits { connections_of_peer: 1, ..LIMITS }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    assert_eq!(answer(address, b"").await, "", "it is ended at once");
    drop(first);
    loop {
        let heard = answer(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        if heard.ends_with("ok\n") {
            break;
        }
    }
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_connection_may_be_idle() {
    let address = listening(Limits { idle_ms: 2 * SOON_MS, ..LIMITS }).await;
    let heard = answer(address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(heard.matches("\r\nx\r\n").count(), 6, "{heard}");
}

#[tokio::test]
async fn a_connection_is_for_several_calls_or_for_one() {
    let twice = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (has_one_call, answers) in [(false, 2), (true, 1)] {
        let limits = Limits { idle_ms: 2 * SOON_MS, has_one_call, ..LIMITS };
        let heard = answer(listening(limits).await, twice).await;
        assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), answers, "{heard}");
    }
}

#[tokio::test]
async fn a_large_head_is_refused() {
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(2 * API.head_bytes));
    let heard = answer(listening(LIMITS).await, long.as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
}
