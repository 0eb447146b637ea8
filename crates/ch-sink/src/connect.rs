//! The client over HTTP: TLS verified against the system's authorities, a bound on the time to connect.

use std::time::Duration;

use clickhouse::Client;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::ExposeSecret;

use crate::config::{Compression, SinkConfig, parse_url};
use crate::error::SinkError;

/// Time that an unused connection is kept, in milliseconds: below the 3 s after which old servers close it.
const POOL_IDLE_MS: u64 = 2_000;
/// Interval of TCP keep-alives, in seconds.
const TCP_KEEPALIVE_S: u64 = 60;

/// A client for `config`; no IO.
pub(crate) fn client(config: &SinkConfig) -> Result<Client, SinkError> {
    let url = parse_url(&config.url)?;
    let mut connector = HttpConnector::new();
    connector.set_keepalive(Some(Duration::from_secs(TCP_KEEPALIVE_S)));
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(config.connect_timeout_ms)));
    let mut pool = HyperClient::builder(TokioExecutor::new());
    pool.pool_idle_timeout(Duration::from_millis(POOL_IDLE_MS));
    let client = if url.scheme() == "https" {
        connector.enforce_http(false);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|source| SinkError::TrustStore { source })?
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Client::with_http_client(pool.build(tls))
    } else {
        Client::with_http_client(pool.build(connector))
    };
    let client = client
        .with_url(url.as_str())
        .with_user(&config.username)
        .with_database(&config.database)
        // Compression of queries would ask for compressed answers; inserts switch it on for themselves.
        .with_compression(clickhouse::Compression::None)
        .with_product_info("housepipe", env!("CARGO_PKG_VERSION"))
        // The status line comes when the outcome is known, so that no error hides behind a 200.
        .with_setting("wait_end_of_query", "1");
    Ok(match &config.password {
        Some(password) => client.with_password(password.expose_secret()),
        None => client,
    })
}

/// The client of inserts.
pub(crate) fn insert_client(client: &Client, compression: Compression) -> Client {
    client.clone().with_compression(match compression {
        Compression::None => clickhouse::Compression::None,
        Compression::Lz4 => clickhouse::Compression::Lz4,
    })
}
