//! A proxy before ClickHouse that loses answers: the insert is done, and the pipe does not hear of it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Bytes that are passed on at a time, at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// Passes connections on, and loses what it was told to.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    answers_to_lose: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy before `server`, such as `127.0.0.1:8123`. It works until the test binary ends.
    ///
    /// # Panics
    /// Where no port of the loopback can be had.
    #[expect(clippy::expect_used, reason = "a helper of tests")]
    pub fn before(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let answers_to_lose = Arc::new(AtomicUsize::new(0));
        let (server, left) = (server.to_owned(), Arc::clone(&answers_to_lose));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that is away hangs up on its clients.
                if let Ok(server) = TcpStream::connect(&server) {
                    pass_on(&client, &server, &left);
                }
            }
        });
        Proxy { address, answers_to_lose }
    }

    /// Where clients connect to: `127.0.0.1:12345`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the connection instead of passing on the answers to the next `count` inserts.
    pub fn lose_answers(&self, count: usize) {
        self.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Answers that are still to be lost.
    pub fn left_to_lose(&self) -> usize {
        self.answers_to_lose.load(Ordering::SeqCst)
    }
}

/// Both ways of a connection, each on its own thread.
fn pass_on(client: &TcpStream, server: &TcpStream, left: &Arc<AtomicUsize>) {
    let is_insert = Arc::new(AtomicBool::new(false));
    let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
    let (Some((up_from, up_to)), Some((down_to, down_from))) = (pair(), pair()) else { return };
    let asks = Arc::clone(&is_insert);
    thread::spawn(move || {
        copy(up_from, up_to, |chunk| {
            // One request at a time: its first line says what it is.
            if chunk.starts_with(b"POST ") {
                let line = chunk.split(|byte| *byte == b'\r').next().unwrap_or_default();
                asks.store(line.windows(11).any(|word| word == b"INSERT+INTO"), Ordering::SeqCst);
            }
            true
        });
    });
    let left = Arc::clone(left);
    thread::spawn(move || {
        copy(down_from, down_to, |_| {
            let loses = |left: usize| left.checked_sub(1);
            !is_insert.load(Ordering::SeqCst)
                || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, loses).is_err()
        });
    });
}

/// Copies until one side ends, or `passes` says no; then both connections are cut.
fn copy(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        if !passes(&chunk[..read]) || to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    // Ended already, from the other side: that is what is wanted.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
