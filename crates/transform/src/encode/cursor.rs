//! A cursor over the record's bytes.

use super::fault::Fault;

/// A cursor over the record's bytes.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte; 0 at the end, which no caller takes for anything but a stranger.
    #[inline]
    pub(crate) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes the byte if it comes next.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte && !self.is_at_end();
        self.at += usize::from(found);
        found
    }

    /// Takes the text if it comes next.
    #[inline]
    pub(crate) fn eat_text(&mut self, text: &[u8]) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Skips white space; ClickHouse also takes vertical tab and form feed for it.
    #[inline]
    pub(crate) fn blank(&mut self, lenient: bool) {
        if self.peek() <= b' ' {
            self.blank_run(lenient);
        }
    }

    fn blank_run(&mut self, lenient: bool) {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                0x0b | 0x0c if lenient => self.at += 1,
                _ => break,
            }
        }
    }

    /// Takes a literal or reports what stands in its place.
    pub(crate) fn literal(&mut self, text: &'static str) -> Result<(), Fault> {
        if self.eat_text(text.as_bytes()) {
            return Ok(());
        }
        Err(Fault::json(self.at, format!("expected `{text}`")))
    }

    /// A fault of syntax at the cursor.
    #[cold]
    pub(crate) fn unexpected(&self, expected: &str) -> Fault {
        if self.is_at_end() {
            Fault::json(self.bytes.len(), format!("the record ends where {expected} should follow"))
        } else {
            Fault::json(self.at, format!("expected {expected}"))
        }
    }
}
