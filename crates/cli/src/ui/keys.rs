//! Keys of a terminal out of the bytes that it sends (ECMA-48, and what xterm and VT220 send).

/// A key that something listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C, which raises no signal where every byte is a key.
    Interrupt,
    Char(char),
}

/// Bytes of a key that may come in pieces, at most; more are none.
const SEQUENCE_BYTES_MAX: usize = 16;

/// Reads keys out of what a terminal sends, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The beginning of a key whose end has not come.
    begun: Vec<u8>,
}

/// What the bytes at the front of some are.
enum Front {
    /// A key, or one that nothing listens to, of so many bytes.
    Whole(usize, Option<Key>),
    /// The beginning of one.
    Part,
}

impl Keys {
    /// The keys that `bytes` end. An escape that ends them is the key of that name: the others of its sequence would have come along.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.begun.extend_from_slice(bytes);
        let (mut keys, mut at) = (Vec::new(), 0);
        while at < self.begun.len() {
            match front(&self.begun[at..]) {
                Front::Whole(length, key) => {
                    keys.extend(key);
                    at += length;
                }
                Front::Part if self.begun.len() - at > SEQUENCE_BYTES_MAX => at = self.begun.len(),
                Front::Part => break,
            }
        }
        self.begun.drain(..at);
        keys
    }
}

fn front(bytes: &[u8]) -> Front {
    match bytes {
        [0x1b] => Front::Whole(1, Some(Key::Escape)),
        [0x1b, b'[' | b'O', rest @ ..] => {
            // A sequence ends with its first letter or tilde.
            let Some(end) = rest.iter().position(|byte| matches!(byte, 0x40..=0x7e)) else {
                return Front::Part;
            };
            let key = match (rest[end], &rest[..end]) {
                (b'A', _) => Some(Key::Up),
                (b'B', _) => Some(Key::Down),
                (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
                (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
                (b'~', b"5") => Some(Key::PageUp),
                (b'~', b"6") => Some(Key::PageDown),
                _ => None,
            };
            Front::Whole(end + 3, key)
        }
        [0x1b, ..] => Front::Whole(1, Some(Key::Escape)),
        [b'\r' | b'\n', ..] => Front::Whole(1, Some(Key::Enter)),
        [0x7f | 0x08, ..] => Front::Whole(1, Some(Key::Backspace)),
        [0x03, ..] => Front::Whole(1, Some(Key::Interrupt)),
        [0x00..=0x1f, ..] => Front::Whole(1, None),
        _ => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Front {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(error) => {
            return match error.error_len() {
                Some(wrong) => Front::Whole(wrong, None),
                None => Front::Part,
            };
        }
    };
    match text.chars().next() {
        Some(character) => Front::Whole(character.len_utf8(), Some(Key::Char(character))),
        None => Front::Part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_bytes() {
        let all = b"jK/\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[1;5C\r\x7f\x03\xc3\xa9\x01q";
        let expected = [
            Key::Char('j'),
            Key::Char('K'),
            Key::Char('/'),
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
            Key::Enter,
            Key::Backspace,
            Key::Interrupt,
            Key::Char('é'),
            Key::Char('q'),
        ];
        assert_eq!(Keys::default().push(all), expected);
    }

    #[test]
    fn keys_in_pieces_are_put_together() {
        let mut keys = Keys::default();
        assert_eq!(keys.push(b"\x1b["), []);
        assert_eq!(keys.push(b"B\xc3"), [Key::Down]);
        assert_eq!(keys.push(b"\xa9\x1b"), [Key::Char('é'), Key::Escape]);
        assert_eq!(keys.push(b"\x1b[1111111111111111111"), []);
        assert_eq!(keys.push(b"q"), [Key::Char('q')], "what has no end is no key");
        assert_eq!(keys.push(b"\xff\xfex"), [Key::Char('x')]);
    }
}
