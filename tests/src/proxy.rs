//! A proxy before ClickHouse that loses answers and holds inserts up: the insert is done, or not, and the pipe does not
//! hear of it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// Bytes that are passed on at a time, at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where an insert is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The server has not heard of it.
    Before,
    /// The server has done it, and its answer is not passed on.
    After,
    /// The server has not heard of it; when it is let go it comes to whoever listens then, also where its client is gone.
    Astray,
}

/// Passes connections on, and loses or holds up what it was told to.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: Arc<Orders>,
}

/// What the proxy was told, shared with its connections.
#[derive(Debug, Default)]
struct Orders {
    answers_to_lose: AtomicUsize,
    /// What inserts are answered with instead of being passed on.
    refusal: Mutex<Option<Vec<u8>>>,
    hold: Mutex<Hold>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Hold {
    /// Inserts until the one that is held up, itself included, and where.
    next: Option<(usize, Held)>,
    /// Connections that are held up now.
    holding: usize,
    /// How often everything was let go.
    releases: usize,
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
        let orders = Arc::new(Orders::default());
        let (server, of_listener) = (server.to_owned(), Arc::clone(&orders));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A server that is away hangs up on its clients.
                if let Ok(stream) = TcpStream::connect(&server) {
                    pass_on(&client, &stream, &server, &of_listener);
                }
            }
        });
        Proxy { address, orders }
    }

    /// Where clients connect to: `127.0.0.1:12345`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the connection instead of passing on the answers to the next `count` inserts.
    pub fn lose_answers(&self, count: usize) {
        self.orders.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Answers that are still to be lost.
    pub fn left_to_lose(&self) -> usize {
        self.orders.answers_to_lose.load(Ordering::SeqCst)
    }

    /// Holds up the insert number `number` from now on, counted from 1, until [`release`](Self::release).
    pub fn hold(&self, number: usize, held: Held) {
        self.orders.lock().next = Some((number, held));
    }

    /// Answers inserts with an error of ClickHouse's kind from now on, until [`pass_on_again`](Self::pass_on_again). The server
    /// does not hear of them.
    pub fn refuse(&self, code: i32, text: &str) {
        let body = format!("Code: {code}. DB::Exception: {text}\n");
        let answer = format!(
            "HTTP/1.1 500 Internal Server Error\r\nX-ClickHouse-Exception-Code: {code}\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        *self.orders.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.into_bytes());
    }

    /// Refuses no more.
    pub fn pass_on_again(&self) {
        *self.orders.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether an insert is held up.
    pub fn is_holding(&self) -> bool {
        self.orders.lock().holding > 0
    }

    /// Passes on what is held up, and holds up nothing more.
    pub fn release(&self) {
        let mut hold = self.orders.lock();
        hold.next = None;
        hold.releases += 1;
        self.orders.released.notify_all();
    }
}

impl Orders {
    fn lock(&self) -> std::sync::MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an insert; says where it is to be held up, if at all.
    fn count(&self) -> Option<Held> {
        let mut hold = self.lock();
        let (number, held) = hold.next?;
        hold.next = (number > 1).then_some((number - 1, held));
        (number == 1).then_some(held)
    }

    /// Waits until everything is let go.
    fn wait(&self) {
        let mut hold = self.lock();
        let before = hold.releases;
        hold.holding += 1;
        let held = self.released.wait_while(hold, |hold| hold.releases == before);
        held.unwrap_or_else(PoisonError::into_inner).holding -= 1;
    }

    fn refusal(&self) -> Option<Vec<u8>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_answer_to_lose(&self) -> bool {
        let loses = |left: usize| left.checked_sub(1);
        self.answers_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, loses).is_ok()
    }
}

/// Both ways of a connection, each on its own thread.
fn pass_on(client: &TcpStream, server: &TcpStream, address: &str, orders: &Arc<Orders>) {
    let (is_insert, is_held) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let pair = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
    let (Some((up_from, up_to)), Some((down_to, down_from))) = (pair(), pair()) else { return };
    let Ok(mut answer_to) = client.try_clone() else { return };
    let mut refusal = None;
    let (asks, holds, of_up) = (Arc::clone(&is_insert), Arc::clone(&is_held), Arc::clone(orders));
    let address = address.to_owned();
    thread::spawn(move || {
        copy(up_from, up_to, |chunk, to| {
            // One request at a time: its first line says what it is.
            if chunk.starts_with(b"POST ") {
                let line = chunk.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let inserts = line.windows(11).any(|word| word == b"INSERT+INTO");
                asks.store(inserts, Ordering::SeqCst);
                refusal = inserts.then(|| of_up.refusal()).flatten();
                match inserts.then(|| of_up.count()).flatten() {
                    Some(Held::Before) => of_up.wait(),
                    Some(Held::Astray) => {
                        of_up.wait();
                        match TcpStream::connect(&address) {
                            Ok(another) => *to = another,
                            Err(_) => return Passes::End,
                        }
                    }
                    Some(Held::After) => holds.store(true, Ordering::SeqCst),
                    None => {}
                }
            }
            match &refusal {
                None => Passes::On,
                // The end of the body: a client that is answered before may take it for a lost connection.
                Some(answer) if chunk.ends_with(b"0\r\n\r\n") => {
                    // A client that is gone hears nothing.
                    let _ = answer_to.write_all(answer);
                    Passes::End
                }
                Some(_) => Passes::Nothing,
            }
        });
    });
    let of_down = Arc::clone(orders);
    thread::spawn(move || {
        copy(down_from, down_to, |_, _| {
            if is_held.swap(false, Ordering::SeqCst) {
                of_down.wait();
            }
            let loses = is_insert.load(Ordering::SeqCst) && of_down.is_answer_to_lose();
            if loses { Passes::End } else { Passes::On }
        });
    });
}

/// What becomes of bytes that came.
enum Passes {
    /// They are passed on.
    On,
    /// They are dropped.
    Nothing,
    /// They are dropped, and the connection is cut.
    End,
}

/// Copies until one side ends, or `passes` says so; then both connections are cut.
fn copy(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8], &mut TcpStream) -> Passes) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        match passes(&chunk[..read], &mut to) {
            Passes::On if to.write_all(&chunk[..read]).is_ok() => {}
            Passes::Nothing => {}
            Passes::On | Passes::End => break,
        }
    }
    // Ended already, from the other side: that is what is wanted.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
