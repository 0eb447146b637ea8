//! The input, read ahead by a thread of its own and cut behind the last newline of each chunk.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes that are read at once: small enough for the second level of a core's cache.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that are read ahead, at most.
const AHEAD_MAX: usize = 4;

/// A line may have this many bytes, at most: the cap of a record and some white space around it. The rest of a longer one
/// is passed over; what is kept is still too large for a record and is refused as one.
const LINE_BYTES_MAX: usize = 17 << 20;

/// Whole lines; the last one may lack its newline.
pub(super) struct Chunk {
    pub(super) lines: Vec<u8>,
    /// Bytes of the input that it stands for.
    pub(super) taken: usize,
    /// The bytes of its line, where it is one line that was cut.
    pub(super) cut_line_bytes: Option<usize>,
}

/// The chunks of an input.
pub(super) struct Chunks {
    full: Receiver<io::Result<Chunk>>,
    empty: SyncSender<Vec<u8>>,
}

impl Chunks {
    /// Starts to read.
    pub(super) fn read(input: impl Read + Send + 'static) -> io::Result<Chunks> {
        let (full_sender, full) = sync_channel(AHEAD_MAX);
        let (empty, empty_receiver) = sync_channel(AHEAD_MAX + 2);
        let mut cutter = Cutter { input, left: Vec::new(), failed: None, empty: empty_receiver };
        thread::Builder::new().name("read".to_owned()).spawn(move || {
            loop {
                let chunk = cutter.next().transpose();
                let Some(chunk) = chunk else { return };
                let is_last = chunk.is_err();
                // Nobody wants more once the receiver is gone.
                if full_sender.send(chunk).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(Chunks { full, empty })
    }

    /// The next chunk; none at the end of the input.
    pub(super) fn next(&self) -> io::Result<Option<Chunk>> {
        self.full.recv().ok().transpose()
    }

    /// Gives the buffer back.
    pub(super) fn give_back(&self, chunk: Chunk) {
        // Where the reader is done, or has buffers enough, the buffer goes its way.
        let _ = self.empty.try_send(chunk.lines);
    }
}

struct Cutter<R> {
    input: R,
    /// The beginning of a line whose end was not read yet.
    left: Vec<u8>,
    /// The input failed: said once the lines before it are through.
    failed: Option<io::Error>,
    empty: Receiver<Vec<u8>>,
}

impl<R: Read> Cutter<R> {
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut lines = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(2 * CHUNK_BYTES));
        lines.clear();
        let before = self.left.len();
        lines.append(&mut self.left);
        let mut taken = 0;
        let mut cut_line_bytes = None;
        loop {
            let from = lines.len();
            let read = (&mut self.input).take(CHUNK_BYTES as u64).read_to_end(&mut lines);
            self.failed = read.err();
            let read = lines.len() - from;
            taken += read;
            if let Some(newline) = memchr::memrchr(b'\n', &lines[from..]) {
                self.left.extend_from_slice(&lines[from + newline + 1..]);
                lines.truncate(from + newline + 1);
                break;
            }
            if let Some(error) = self.failed.take() {
                // The line was not read to its end.
                return Err(error);
            }
            if read == 0 {
                break;
            }
            if lines.len() > LINE_BYTES_MAX {
                let kept = lines.len();
                lines.truncate(LINE_BYTES_MAX);
                let passed = self.pass_over_line()?;
                taken += passed.read;
                cut_line_bytes = Some(kept + passed.of_line);
                break;
            }
        }
        // What was read for the next chunk counts there.
        let chunk = Chunk { taken: taken + before - self.left.len(), lines, cut_line_bytes };
        Ok((!chunk.lines.is_empty()).then_some(chunk))
    }

    /// Reads up to the next newline, and keeps what stands behind it.
    fn pass_over_line(&mut self) -> io::Result<Passed> {
        let mut passed = Passed { read: 0, of_line: 0 };
        let mut bytes = Vec::with_capacity(CHUNK_BYTES);
        loop {
            bytes.clear();
            let read = (&mut self.input).take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
            passed.read += read;
            let newline = memchr::memchr(b'\n', &bytes);
            passed.of_line += newline.unwrap_or(read);
            if let Some(newline) = newline {
                self.left.extend_from_slice(&bytes[newline + 1..]);
                return Ok(passed);
            }
            if read == 0 {
                return Ok(passed);
            }
        }
    }
}

/// Bytes that were passed over.
struct Passed {
    /// All that were read.
    read: usize,
    /// Those of the line.
    of_line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(input: Vec<u8>) -> Vec<Chunk> {
        let chunks = Chunks::read(io::Cursor::new(input)).unwrap();
        std::iter::from_fn(|| chunks.next().unwrap()).collect()
    }

    #[test]
    fn chunks_end_with_lines_and_lose_nothing() {
        let mut input = Vec::new();
        for number in 0..120_000 {
            input.extend_from_slice(format!("line {number}\n").as_bytes());
        }
        input.extend_from_slice(b"the last one");
        let chunks = chunks(input.clone());
        assert!(chunks.len() > 3);
        let (last, others) = chunks.split_last().unwrap();
        assert!(others.iter().all(|chunk| chunk.lines.ends_with(b"\n")));
        assert_eq!(last.lines, b"the last one");
        assert_eq!(chunks.iter().map(|chunk| chunk.taken).sum::<usize>(), input.len());
        let together: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.lines).collect();
        assert_eq!(together, input);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut input = vec![b'x'; LINE_BYTES_MAX + 3 * CHUNK_BYTES + 7];
        input.extend_from_slice(b"\nnext\n");
        let bytes = input.len();
        let chunks = chunks(input);
        assert_eq!(chunks[0].lines.len(), LINE_BYTES_MAX);
        assert_eq!(chunks[0].cut_line_bytes, Some(bytes - "\nnext\n".len()));
        assert_eq!(chunks[1].cut_line_bytes, None);
        assert_eq!(chunks[1].lines, b"next\n");
        assert_eq!(chunks.iter().map(|chunk| chunk.taken).sum::<usize>(), bytes);
    }

    #[test]
    fn an_empty_input_has_no_chunk() {
        assert!(chunks(Vec::new()).is_empty());
    }

    #[test]
    fn an_input_that_fails_says_so_behind_what_it_gave() {
        struct Failing(bool);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("gone"));
                }
                buffer[..4].copy_from_slice(b"a\nb\n");
                Ok(4)
            }
        }
        let chunks = Chunks::read(Failing(false)).unwrap();
        assert_eq!(chunks.next().unwrap().unwrap().lines, b"a\nb\n");
        assert!(chunks.next().is_err());
        assert!(chunks.next().unwrap().is_none());
    }
}
