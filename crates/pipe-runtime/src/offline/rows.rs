//! The output, written by a thread of its own.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Buffers that wait for the output, at most.
const BEHIND_MAX: usize = 4;

/// Rows on their way to the output.
pub(super) struct Rows {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

impl Rows {
    /// Starts to write what is sent.
    pub(super) fn write(mut output: impl Write + Send + 'static) -> io::Result<Rows> {
        let (full, full_receiver) = sync_channel::<Vec<u8>>(BEHIND_MAX);
        let (empty_sender, empty) = sync_channel(BEHIND_MAX + 2);
        let writer = thread::Builder::new().name("write".to_owned()).spawn(move || {
            for mut rows in full_receiver {
                output.write_all(&rows)?;
                rows.clear();
                // Where buffers enough wait, this one goes its way.
                let _ = empty_sender.try_send(rows);
            }
            output.flush()
        })?;
        Ok(Rows { full, empty, writer })
    }

    /// An empty buffer.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.empty.try_recv().unwrap_or_default()
    }

    /// Sends rows to the output; false where it takes no more, and [`finish`](Self::finish) says why.
    pub(super) fn send(&self, rows: Vec<u8>) -> bool {
        self.full.send(rows).is_ok()
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.full);
        self.writer.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes has panicked")))
    }
}
