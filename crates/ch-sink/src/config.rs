//! Where the server is and how long it may take.

use secrecy::SecretString;
use url::Url;

use crate::error::SinkError;

/// Compression of inserts on the wire. Answers are never compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// None: the cheapest way in one data centre.
    #[default]
    None,
    /// LZ4, block by block.
    Lz4,
}

/// How a [`Sink`](crate::Sink) reaches ClickHouse.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SinkConfig {
    /// The HTTP interface, such as `https://host:8443`; see [`check_url`].
    pub url: String,
    /// The user.
    pub username: String,
    /// The user's password; sent in a header, never in a URL.
    pub password: Option<SecretString>,
    /// The database of every table.
    pub database: String,
    /// Compression of inserts.
    pub compression: Compression,
    /// Time to connect to one address, at most, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Time for anything but an insert, at most, in milliseconds.
    pub request_timeout_ms: u64,
    /// Time for one insert from the first byte to the acknowledgement, at most, in milliseconds.
    pub insert_timeout_ms: u64,
}

impl SinkConfig {
    /// The user `default` without a password, no compression, 5 s to connect, 30 s for a request, 120 s for an insert.
    pub fn new(url: impl Into<String>, database: impl Into<String>) -> Self {
        SinkConfig {
            url: url.into(),
            username: "default".to_owned(),
            password: None,
            database: database.into(),
            compression: Compression::None,
            connect_timeout_ms: 5_000,
            request_timeout_ms: 30_000,
            insert_timeout_ms: 120_000,
        }
    }
}

/// Checks that `url` names an HTTP interface and nothing else.
///
/// # Errors
/// [`SinkError::Url`] where the scheme is not http or https, or the URL carries credentials, a path, a query or a
/// fragment. The message says how to mend it and never repeats credentials.
///
/// ```
/// assert!(housepipe_ch_sink::check_url("https://clickhouse.example:8443").is_ok());
/// assert!(housepipe_ch_sink::check_url("https://user:secret@clickhouse.example").is_err());
/// ```
pub fn check_url(url: &str) -> Result<(), SinkError> {
    parse_url(url).map(drop)
}

/// As [`check_url`], parsed.
pub(crate) fn parse_url(text: &str) -> Result<Url, SinkError> {
    let refuse = |problem: String| Err(SinkError::Url { problem });
    let url = match Url::parse(text) {
        Ok(url) => url,
        // The text is not quoted: whatever it is, it may hold a password.
        Err(error) => return refuse(format!("it cannot be read ({error}); write it as http://host:8123")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        return refuse(format!(
            "its scheme is `{scheme}`; use the HTTP interface: http://host:8123 or https://host:8443"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "it carries credentials; remove them and set the user name and the password apart".to_owned(),
        );
    }
    if !matches!(url.path(), "" | "/") {
        return refuse("it has a path; give scheme, host and port only".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("it has a query or a fragment; give scheme, host and port only".to_owned());
    }
    if matches!(url.port(), Some(9000 | 9440)) {
        return refuse(
            "its port belongs to the native protocol; use the HTTP interface (8123, or 8443 with TLS)"
                .to_owned(),
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_pass() {
        for url in ["http://localhost:8123", "https://h.example", "http://127.0.0.1:1/", "http://[::1]:8123"]
        {
            assert!(check_url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused_and_no_secret_repeated() {
        for (url, part) in [
            ("localhost", "cannot be read"),
            ("localhost:8123", "scheme"),
            ("clickhouse://h:9000", "scheme"),
            ("http://u:hunter2@h:8123", "credentials"),
            ("http://u@h:8123", "credentials"),
            ("http://h:8123/?password=hunter2", "query"),
            ("http://h:8123/path", "path"),
            ("http://h:8123/#x", "fragment"),
            ("http://h:9000", "native"),
            ("http://u:hunter2@h:port", "cannot be read"),
        ] {
            let message = check_url(url).unwrap_err().to_string();
            assert!(message.contains(part), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
