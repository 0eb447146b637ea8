//! The output, written by a thread of its own.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// Buffers that wait for the output, at most.
const BEHIND_MAX: usize = 4;

/// Bytes of rows that wait for the output before the next are encoded, at most (4 MiB).
const BYTES_BEHIND_MAX: usize = 4 << 20;

/// A buffer that a wide row made larger than this (4 MiB) is not used again.
const KEPT_BUFFER_BYTES_MAX: usize = 4 << 20;

/// Rows on their way to the output. They hold [`BYTES_BEHIND_MAX`] and the buffer that was sent last, however large it is.
pub(super) struct Rows {
    full: SyncSender<Vec<u8>>,
    written: Receiver<Vec<u8>>,
    /// Bytes that were sent, and of which it is not known that they were written.
    bytes_behind: usize,
    writer: JoinHandle<io::Result<()>>,
}

impl Rows {
    /// Starts to write what is sent.
    pub(super) fn write(mut output: impl Write + Send + 'static) -> io::Result<Rows> {
        let (full, full_receiver) = sync_channel::<Vec<u8>>(BEHIND_MAX);
        // A buffer is taken out before the next one is sent, so no more than those under way are ever in it.
        let (written_sender, written) = channel();
        let writer = thread::Builder::new().name("write".to_owned()).spawn(move || {
            for rows in full_receiver {
                output.write_all(&rows)?;
                // Nobody wants it at the end.
                let _ = written_sender.send(rows);
            }
            output.flush()
        })?;
        Ok(Rows { full, written, bytes_behind: 0, writer })
    }

    /// An empty buffer, once few enough bytes wait for the output.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = Vec::new();
        loop {
            let written = if self.bytes_behind > BYTES_BEHIND_MAX {
                // Where the output has failed there is none, and the next rows are not taken.
                self.written.recv().ok()
            } else if buffer.capacity() == 0 {
                self.written.try_recv().ok()
            } else {
                None
            };
            let Some(mut rows) = written else { return buffer };
            self.bytes_behind -= rows.len();
            rows.clear();
            if rows.capacity() <= KEPT_BUFFER_BYTES_MAX {
                buffer = rows;
            }
        }
    }

    /// Sends rows to the output; false where it takes no more, and [`finish`](Self::finish) says why.
    pub(super) fn send(&mut self, rows: Vec<u8>) -> bool {
        self.bytes_behind += rows.len();
        self.full.send(rows).is_ok()
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.full);
        self.writer.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes has panicked")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Counts what was written, and takes nothing while the lock is held.
    struct Slow(Arc<Mutex<()>>, Arc<AtomicUsize>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.lock().unwrap());
            self.1.fetch_add(bytes.len(), Ordering::SeqCst);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn large_buffers_wait_for_the_output_one_by_one() {
        const LARGE: usize = BYTES_BEHIND_MAX + 1;
        let (gate, written) = <(Arc<Mutex<()>>, Arc<AtomicUsize>)>::default();
        let mut rows = Rows::write(Slow(Arc::clone(&gate), Arc::clone(&written))).unwrap();
        let held = gate.lock().unwrap();
        assert!(rows.send(vec![7; LARGE]));
        assert_eq!(rows.bytes_behind, LARGE);
        drop(held);
        let buffer = rows.buffer();
        assert_eq!((written.load(Ordering::SeqCst), rows.bytes_behind), (LARGE, 0));
        assert_eq!(buffer.capacity(), 0, "it is too large to be kept");
        rows.finish().unwrap();
    }

    #[test]
    fn small_buffers_go_round() {
        let mut rows = Rows::write(io::sink()).unwrap();
        let mut buffer = Vec::with_capacity(1_000);
        buffer.push(1);
        let kept = buffer.as_ptr();
        assert!(rows.send(buffer));
        let again = (0..).map(|_| rows.buffer()).find(|buffer| buffer.capacity() > 0).unwrap();
        assert_eq!((again.as_ptr(), again.len(), rows.bytes_behind), (kept, 0, 0));
        rows.finish().unwrap();
    }

    #[test]
    fn an_output_that_fails_takes_no_more_and_blocks_nobody() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut rows = Rows::write(Full).unwrap();
        while rows.send(vec![1; BYTES_BEHIND_MAX + 1]) {
            rows.buffer();
        }
        assert_eq!(rows.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
