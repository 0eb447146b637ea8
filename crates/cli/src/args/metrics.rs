//! Where metrics are served.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Where `housepipe serve` serves metrics unless it is told otherwise.
pub(crate) const METRICS_OF_SERVE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Where metrics are served, if anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsListen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromStr for MetricsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<MetricsListen, String> {
        match text {
            "off" => Ok(MetricsListen::Off),
            address => address
                .parse()
                .map(MetricsListen::At)
                .map_err(|_| "neither `off` nor an address with a port, such as 127.0.0.1:9464".to_owned()),
        }
    }
}
