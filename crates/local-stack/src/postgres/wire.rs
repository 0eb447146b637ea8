//! One statement in a session of its own, in PostgreSQL's protocol; see
//! <https://www.postgresql.org/docs/18/protocol-message-formats.html>.
//!
//! A message is a letter, its length with the length itself, and the body, all big-endian; the very first has no letter.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::scram;
use crate::User;

/// How long the server may be silent.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// What a message may hold, and what all rows together may.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Protocol 3.0.
const VERSION: [u8; 4] = [0, 3, 0, 0];

/// Why there are no rows.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no answer, or none that makes sense.
    Io(io::Error),
    /// The server's own words.
    Refused { sqlstate: String, text: String },
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs `sql` and returns its rows: columns are parted by tabs, each row ends with a line feed, null is `\N`.
pub(super) fn query(address: SocketAddr, user: User, database: &str, sql: &str) -> Result<String, Failure> {
    let mut session = Session::open(address, user, database)?;
    session.send(Some(b'Q'), &c_string(sql)?)?;
    let mut rows = String::new();
    loop {
        match session.receive()? {
            (b'D', body) => append_row(&body, &mut rows)?,
            (b'Z', _) => return Ok(rows),
            // How the columns are called, and how many rows there were.
            _ => {}
        }
        if rows.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long").into());
        }
    }
}

/// A connection that the server has let in.
struct Session(TcpStream);

impl Session {
    fn open(address: SocketAddr, user: User, database: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        let mut session = Self(stream);
        let mut start = VERSION.to_vec();
        for text in ["user", user.name, "database", database, ""] {
            start.extend(c_string(text)?);
        }
        session.send(None, &start)?;
        loop {
            match session.receive()? {
                (b'R', body) => session.authenticate(&body, user.password)?,
                (b'Z', _) => return Ok(session),
                // Settings, and the key to cancel with.
                _ => {}
            }
        }
    }

    /// Answers one message about who we are.
    fn authenticate(&mut self, body: &[u8], password: &str) -> io::Result<()> {
        let (kind, rest) = body.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        match u32::from_be_bytes(*kind) {
            // We are let in, or the server has shown that it knows the password as well.
            0 | 12 => Ok(()),
            // Begin with one of these mechanisms. There is one only without TLS.
            10 => {
                let first = scram::first();
                let mut answer = c_string(scram::MECHANISM)?;
                answer.extend(u32::try_from(first.len()).map_err(io::Error::other)?.to_be_bytes());
                answer.extend(first.into_bytes());
                self.send(Some(b'p'), &answer)
            }
            11 => {
                let answer = scram::last(password, &String::from_utf8_lossy(rest))?;
                self.send(Some(b'p'), answer.as_bytes())
            }
            other => Err(io::Error::other(format!("the server wants authentication {other}"))),
        }
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(size_of::<u32>() + body.len()).map_err(io::Error::other)?;
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend(length.to_be_bytes());
        message.extend(body);
        self.0.write_all(&message)
    }

    /// The next message; an error where it is one.
    fn receive(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let bytes = (u32::from_be_bytes(length) as usize).saturating_sub(length.len());
        if bytes > ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is too long").into());
        }
        let mut body = Vec::new();
        (&mut self.0).take(bytes as u64).read_to_end(&mut body)?;
        match kind {
            _ if body.len() < bytes => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            b'E' => Err(refusal(&body)),
            _ => Ok((kind, body)),
        }
    }
}

/// The text and the zero that ends it.
fn c_string(text: &str) -> io::Result<Vec<u8>> {
    if text.contains('\0') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a zero within a text"));
    }
    Ok([text.as_bytes(), b"\0"].concat())
}

/// Reads the number of columns and each with its length, which is -1 for null.
fn append_row(mut body: &[u8], rows: &mut String) -> io::Result<()> {
    let mut take = |bytes: usize| -> io::Result<&[u8]> {
        let (taken, rest) = body.split_at_checked(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
        body = rest;
        Ok(taken)
    };
    let columns = number(take(2)?);
    for column in 0..columns {
        if column > 0 {
            rows.push('\t');
        }
        match number(take(4)?) {
            u32::MAX => rows.push_str("\\N"),
            length => rows.push_str(&String::from_utf8_lossy(take(length as usize)?)),
        }
    }
    rows.push('\n');
    Ok(())
}

/// The number that these bytes are, four at most.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// Reads the fields of an error: a letter and a text each.
fn refusal(body: &[u8]) -> Failure {
    let field = |letter: u8| {
        let mut fields = body.split(|byte| *byte == 0);
        let field = fields.find_map(|field| field.strip_prefix(&[letter]));
        String::from_utf8_lossy(field.unwrap_or_default()).into_owned()
    };
    Failure::Refused { sqlstate: field(b'C'), text: field(b'M') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line() {
        let mut rows = String::new();
        append_row(b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0", &mut rows).unwrap();
        assert_eq!(rows, "ab\t\\N\t\n");
        assert!(append_row(b"\0\x01\0\0\0\x02a", &mut rows).is_err(), "a column is cut off");
    }

    #[test]
    fn a_refusal_has_its_code_and_its_words() {
        let Failure::Refused { sqlstate, text } = refusal(b"SFATAL\0C57P03\0Mstarting up\0\0") else {
            panic!("an error of another kind");
        };
        assert_eq!((&*sqlstate, &*text), ("57P03", "starting up"));
    }

    #[test]
    fn a_text_with_a_zero_is_not_sent() {
        assert!(c_string("a\0b").is_err());
    }
}
