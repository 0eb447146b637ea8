//! Requests and answers of ClickHouse's HTTP interface, as far as somebody in between looks at them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::directory::Refusal;

/// Bytes of the head of a request, at most.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The head of a request with all its lines ended, and what has come behind it; none where the client has hung up.
pub(super) fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            bytes.truncate(end + 2);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), body)));
        }
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            _ if bytes.len() > HEAD_BYTES_MAX => return Ok(None),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// The value of a header.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let of_line = |line: &'a str| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().find_map(of_line).map(|(_, value)| value.trim())
}

/// The head without that header.
pub(super) fn without_header(head: &str, name: &str) -> String {
    let is_it = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\r\n")).collect()
}

/// Answers as ClickHouse does.
pub(super) fn answer(client: &mut TcpStream, refusal: Option<Refusal>) -> std::io::Result<()> {
    let (status, code, body) = match refusal {
        None => ("200 OK", String::new(), String::new()),
        Some((code, words)) => (
            "500 Internal Server Error",
            format!("X-ClickHouse-Exception-Code: {code}\r\n"),
            format!("Code: {code}. DB::Exception: {words} (version 26.9.2.1)\n"),
        ),
    };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\n{code}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    client.write_all(answer.as_bytes())?;
    client.shutdown(Shutdown::Both)
}
