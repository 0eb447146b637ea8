//! A cursor over encoded rows.

/// Values of no bytes that an array may have, at most: empty tuples.
const EMPTY_VALUES_MAX: usize = 1 << 16;

/// A cursor over encoded rows. Its errors are sentences; the caller knows the place.
#[derive(Debug)]
pub(super) struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
    /// Values of a Dynamic that are open, one inside of the other.
    pub(super) dynamics: usize,
}

impl<'r> Reader<'r> {
    pub(super) fn new(bytes: &'r [u8]) -> Self {
        Self { bytes, at: 0, dynamics: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn skip_all(&mut self) {
        self.at = self.bytes.len();
    }

    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'r [u8], String> {
        let taken = self.bytes[self.at..].get(..count).ok_or("the rows end inside a value")?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// The next bytes as an array: what a little-endian number is made of.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A length, seven bits a byte.
    pub(super) fn length(&mut self) -> Result<usize, String> {
        let mut length = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return usize::try_from(length).map_err(|_| "a length is too large".to_owned());
            }
        }
        Err("a length is too large".to_owned())
    }

    /// How many values follow: no more than bytes are left, unless they have none.
    pub(super) fn count(&mut self) -> Result<usize, String> {
        let count = self.length()?;
        if count > (self.bytes.len() - self.at).max(EMPTY_VALUES_MAX) {
            return Err("a length is larger than what follows".to_owned());
        }
        Ok(count)
    }

    /// A length and so many bytes.
    pub(super) fn text(&mut self) -> Result<&'r [u8], String> {
        let length = self.length()?;
        self.take(length)
    }
}
