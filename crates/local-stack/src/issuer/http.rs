//! As much of HTTP/1.1 as a client of tokens needs: one request a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// The largest request, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// How long a connection is kept, also one that is not answered.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    pub(super) body: String,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string() }
    }
}

/// Reads a request and answers it; where `reply` has nothing to say, waits until the other side gives up.
pub(super) fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    reply: impl Fn(&Request) -> Option<Reply>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match tls {
        None => exchange(stream, reply),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            exchange(StreamOwned::new(connection, stream), reply)
        }
    }
}

fn exchange(mut stream: impl Read + Write, reply: impl Fn(&Request) -> Option<Reply>) -> io::Result<()> {
    let request = read(&mut stream)?;
    let Some(Reply { status, body }) = reply(&request) else {
        return stream.read(&mut [0]).map(drop);
    };
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

fn read(stream: &mut impl Read) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 || bytes.len() + length > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
        };
        let wanted: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() < wanted {
            continue;
        }
        let mut first = head.split_whitespace();
        let mut word = || first.next().unwrap_or_default().to_owned();
        return Ok(Request {
            method: word(),
            path: word(),
            authorization: header("authorization"),
            body: body.to_owned(),
        });
    }
}

/// A value of a form as it was.
pub(super) fn form_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code =
            tail.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
