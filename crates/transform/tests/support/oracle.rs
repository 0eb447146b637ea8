//! ClickHouse's own verdict on a record, over HTTP.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The settings under which ClickHouse is the reference.
const SETTINGS: &str = "date_time_input_format=best_effort&input_format_null_as_default=1\
&input_format_skip_unknown_fields=1&session_timezone=UTC&input_format_parallel_parsing=0\
&http_write_exception_in_output_format=0&wait_end_of_query=1&allow_suspicious_low_cardinality_types=1\
&allow_suspicious_variant_types=1&allow_experimental_object_type=1&allow_experimental_json_type=1";

/// A connection to ClickHouse.
pub struct Oracle {
    host: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Oracle {
    /// The server that `CLICKHOUSE_URL` names (`http://host:port`), if it does.
    ///
    /// # Panics
    /// Where it does not, but `HOUSEPIPE_NEEDS_CLICKHOUSE` says that a comparison without a server proves nothing.
    pub fn from_environment() -> Option<Oracle> {
        let Ok(url) = std::env::var("CLICKHOUSE_URL") else {
            let needed = std::env::var_os("HOUSEPIPE_NEEDS_CLICKHOUSE").is_some();
            assert!(!needed, "HOUSEPIPE_NEEDS_CLICKHOUSE is set and CLICKHOUSE_URL is not");
            return None;
        };
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Some(Oracle { host, stream: None })
    }

    /// The bytes of the row, or the error's text.
    pub fn row(&mut self, columns: &str, record: &[u8]) -> Result<Vec<u8>, String> {
        let mut hex = String::new();
        for byte in record.iter().chain(b"\n") {
            write!(hex, "{byte:02x}").unwrap();
        }
        let columns = columns.replace('\\', "\\\\").replace('\'', "\\'");
        self.query(&format!(
            "SELECT * FROM format(JSONEachRow, '{columns}', unhex('{hex}')) FORMAT RowBinary"
        ))
    }

    /// The row as ClickHouse writes it again after it has read our bytes, JSON columns as their text.
    pub fn read_back(&mut self, columns: &str, row: &[u8]) -> Result<Vec<u8>, String> {
        let columns = columns.replace('\\', "\\\\").replace('\'', "\\'");
        let hex = super::cases::hex(row);
        self.query(&format!(
            "SELECT * FROM format(RowBinary, '{columns}', unhex('{hex}')) \
             SETTINGS input_format_binary_read_json_as_string=1 FORMAT RowBinary"
        ))
    }

    /// The rows as ClickHouse prints them, a JSON object a line.
    pub fn print(&mut self, columns: &str, rows: &[u8]) -> Result<Vec<u8>, String> {
        let columns = columns.replace('\\', "\\\\").replace('\'', "\\'");
        let hex = super::cases::hex(rows);
        self.query(&format!(
            "SELECT * FROM format(RowBinary, '{columns}', unhex('{hex}')) SETTINGS \
             output_format_json_quote_64bit_integers=0, output_format_json_validate_utf8=1 FORMAT JSONEachRow"
        ))
    }

    /// The body of the answer, or the error's text.
    pub fn query(&mut self, sql: &str) -> Result<Vec<u8>, String> {
        // A connection that the server has closed meanwhile is opened anew, once.
        match self.exchange(sql) {
            Ok(answer) => answer,
            Err(_) => {
                self.stream = None;
                self.exchange(sql).expect("ClickHouse answers")
            }
        }
    }

    fn exchange(&mut self, sql: &str) -> std::io::Result<Result<Vec<u8>, String>> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.host)?;
            stream.set_nodelay(true)?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().expect("just connected");
        let head = format!(
            "POST /?{SETTINGS} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            self.host,
            sql.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), sql.as_bytes()].concat())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let ok = line.contains(" 200 ");
        if line.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let mut length = None;
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => {
                body.resize(length, 0);
                stream.read_exact(&mut body)?;
            }
            None => loop {
                line.clear();
                stream.read_line(&mut line)?;
                let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
                let start = body.len();
                body.resize(start + size, 0);
                stream.read_exact(&mut body[start..])?;
                let mut end = [0; 2];
                stream.read_exact(&mut end)?;
                if size == 0 {
                    break;
                }
            },
        }
        Ok(if ok { Ok(body) } else { Err(String::from_utf8_lossy(&body).into_owned()) })
    }
}
