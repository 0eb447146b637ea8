//! ClickHouse's own verdict, over HTTP on a connection that is kept.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};

/// The settings under which ClickHouse is the reference, and those that let it take every type.
const SETTINGS: &str = "date_time_input_format=best_effort&input_format_null_as_default=1\
&input_format_skip_unknown_fields=1&session_timezone=UTC&input_format_parallel_parsing=0\
&http_write_exception_in_output_format=0&wait_end_of_query=1&allow_suspicious_low_cardinality_types=1\
&allow_experimental_object_type=1&allow_experimental_json_type=1&allow_experimental_variant_type=1\
&allow_experimental_dynamic_type=1&allow_suspicious_variant_types=1&enable_time_time64_type=1\
&allow_suspicious_fixed_string_types=1&max_query_size=200000000&max_threads=1&log_queries=0";

/// What judges records and reads rows.
pub(crate) trait Reference {
    /// The rows of the lines as RowBinary, or the text of the refusal.
    fn rows(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>>;

    /// The same with JSON columns as their text, in ClickHouse's spelling.
    fn texts(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>>;

    /// The rows as it writes them again after it has read ours, in which JSON columns are texts; as [`rows`](Self::rows)
    /// has them, or as [`texts`](Self::texts) has.
    fn read_back(
        &mut self,
        columns: &str,
        rows: &[u8],
        as_texts: bool,
    ) -> anyhow::Result<Result<Vec<u8>, String>>;
}

/// A connection to a ClickHouse server.
#[derive(Debug)]
pub(crate) struct Clickhouse {
    host: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Clickhouse {
    /// The server at `http://host:port`.
    pub(crate) fn new(url: &str) -> Clickhouse {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Clickhouse { host, stream: None }
    }

    /// The body of the answer, or the text of the error.
    pub(crate) fn query(&mut self, sql: &str) -> anyhow::Result<Result<Vec<u8>, String>> {
        // A connection that the server has closed meanwhile is opened anew, once.
        let answer = self.exchange(sql).or_else(|_| {
            self.stream = None;
            self.exchange(sql)
        });
        let answer = answer.with_context(|| format!("ClickHouse at {} does not answer", self.host))?;
        if let Err(text) = &answer
            && OVERLOADED.contains(&code_of(text))
        {
            bail!("ClickHouse at {} could not judge: {text}", self.host);
        }
        Ok(answer)
    }

    fn exchange(&mut self, sql: &str) -> std::io::Result<Result<Vec<u8>, String>> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.host)?;
            stream.set_nodelay(true)?;
            self.stream = Some(BufReader::new(stream));
        }
        let Some(stream) = self.stream.as_mut() else { return Err(std::io::ErrorKind::NotConnected.into()) };
        let (host, length) = (&self.host, sql.len());
        let head = format!("POST /?{SETTINGS} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
        stream.get_mut().write_all(&[head.as_bytes(), sql.as_bytes()].concat())?;
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let ok = line.contains(" 200 ");
        let body = body(stream)?;
        Ok(if ok { Ok(body) } else { Err(String::from_utf8_lossy(&body).into_owned()) })
    }
}

/// Errors that say nothing about the record: no memory, too many queries, a time limit.
const OVERLOADED: [u32; 3] = [241, 202, 159];

/// The number of the error in ClickHouse's text, 0 where there is none.
pub(crate) fn code_of(text: &str) -> u32 {
    let digits = text.strip_prefix("Code: ").unwrap_or_default();
    digits.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Reads headers and body of an answer.
fn body(stream: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut line = String::new();
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let mut body = Vec::new();
    if let Some(length) = length {
        stream.take(length).read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        stream.take(size).read_to_end(&mut body)?;
        stream.read_line(&mut line)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

impl Reference for Clickhouse {
    fn rows(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
        let (columns, lines) = (quoted(columns), hex(lines));
        self.query(&format!(
            "SELECT * FROM format(JSONEachRow, {columns}, unhex('{lines}')) FORMAT RowBinary"
        ))
    }

    fn texts(&mut self, columns: &str, lines: &[u8]) -> anyhow::Result<Result<Vec<u8>, String>> {
        let (columns, lines) = (quoted(columns), hex(lines));
        self.query(&format!(
            "SELECT * FROM format(JSONEachRow, {columns}, unhex('{lines}')) \
             SETTINGS output_format_binary_write_json_as_string=1 FORMAT RowBinary"
        ))
    }

    fn read_back(
        &mut self,
        columns: &str,
        rows: &[u8],
        as_texts: bool,
    ) -> anyhow::Result<Result<Vec<u8>, String>> {
        let (columns, rows, as_texts) = (quoted(columns), hex(rows), u8::from(as_texts));
        self.query(&format!(
            "SELECT * FROM format(RowBinary, {columns}, unhex('{rows}')) \
             SETTINGS input_format_binary_read_json_as_string=1, \
             output_format_binary_write_json_as_string={as_texts} FORMAT RowBinary"
        ))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_error_is_found() {
        assert_eq!(code_of("Code: 117. DB::Exception: x"), 117);
        assert_eq!(code_of("something else"), 0);
    }

    #[test]
    fn texts_are_quoted_for_sql() {
        assert_eq!(quoted("`q'` Enum8('\\'' = 1)"), "'`q\\'` Enum8(\\'\\\\\\'\\' = 1)'");
        assert_eq!(hex(b"\x00\xff"), "00ff");
    }
}
