//! The network between a pipe and Kafka: a proxy that cuts connections, stalls, and loses the answers to commits.
//!
//! A broker tells its clients where to come, so it has a listener that names the proxy (`KafkaOptions::behind`).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes that are passed on at a time, at most.
const CHUNK_BYTES: usize = 64 * 1024;

/// The number of OffsetCommit in Kafka's protocol.
const OFFSET_COMMIT: [u8; 2] = [0, 8];

/// A proxy before a broker.
#[derive(Debug)]
pub struct Network {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: Mutex<Lines>,
    flows: Condvar,
    commit_answers_to_lose: AtomicUsize,
}

#[derive(Debug, Default)]
struct Lines {
    /// Where it leads.
    server: Option<String>,
    /// Nothing is passed on, in neither direction.
    is_stalled: bool,
    /// Both ends of every connection so far.
    open: Vec<TcpStream>,
}

impl Network {
    /// A port of the loopback that leads nowhere yet. It works until the test binary ends.
    ///
    /// # Panics
    /// Where no port can be had.
    #[expect(clippy::expect_used, reason = "a helper of tests")]
    pub fn new() -> Network {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let state = Arc::new(State::default());
        let of_listener = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = of_listener.lock().server.clone();
                // A broker that is away hangs up on its clients.
                if let Some(server) = server.and_then(|server| TcpStream::connect(server).ok()) {
                    connect(client, server, &of_listener);
                }
            }
        });
        Network { port, state }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads to `server`, such as `127.0.0.1:9092`.
    pub fn lead_to(&self, server: &str) {
        self.state.lock().server = Some(server.to_owned());
    }

    /// Cuts every connection that there is.
    pub fn cut(&self) {
        for end in self.state.lock().open.drain(..) {
            // One that has ended already is what is wanted.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Passes nothing on until [`flow`](Self::flow). What clients send meanwhile is kept and passed on then, also of those
    /// that have hung up: as a packet that comes late.
    pub fn stall(&self) {
        self.state.lock().is_stalled = true;
    }

    /// Passes everything on again.
    pub fn flow(&self) {
        self.state.lock().is_stalled = false;
        self.state.flows.notify_all();
    }

    /// Cuts the connection instead of passing on the answer to the next `count` commits of offsets.
    pub fn lose_commit_answers(&self, count: usize) {
        self.state.commit_answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Answers to commits that are still to be lost.
    pub fn left_to_lose(&self) -> usize {
        self.state.commit_answers_to_lose.load(Ordering::SeqCst)
    }
}

impl Default for Network {
    fn default() -> Self {
        Network::new()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is not stalled.
    fn wait(&self) {
        let flows = self.flows.wait_while(self.lock(), |lines| lines.is_stalled);
        drop(flows);
    }

    fn loses_commit_answer(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.commit_answers_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
    }
}

/// Both ways of a connection, each on its own thread.
fn connect(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let clones = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
    let (Some((up_from, up_to)), Some(ends)) = (clones(), clones()) else { return };
    state.lock().open.extend([ends.0, ends.1]);
    // Commits whose answers are to be lost, of this connection.
    let doomed = Arc::new(AtomicUsize::new(0));
    let (of_up, of_down, dooms) = (Arc::clone(state), Arc::clone(state), Arc::clone(&doomed));
    thread::spawn(move || {
        pass_on(up_from, up_to, &of_up, |chunk| {
            // A request: four bytes of length, then two that say what it is.
            if chunk.get(4..6) == Some(&OFFSET_COMMIT) && of_up.loses_commit_answer() {
                dooms.fetch_add(1, Ordering::SeqCst);
            }
            true
        });
    });
    thread::spawn(move || {
        pass_on(server, client, &of_down, |_| doomed.load(Ordering::SeqCst) == 0);
    });
}

/// Copies until one side ends or `passes` says no; then both are cut.
fn pass_on(mut from: TcpStream, mut to: TcpStream, state: &State, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        state.wait();
        if !passes(&chunk[..read]) || to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    // Not before what was kept is passed on.
    state.wait();
    // Ended already, from the other side: that is what is wanted.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
