//! The address of a service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Url;

/// Where a service is: scheme, host and port, and the path below which a proxy has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl(Url);

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerUrl, String> {
        if text.contains('@') {
            // What stands before it would be shown with every error.
            return Err(
                "credentials do not belong into the address; a token comes by HOUSEPIPE_TOKEN".to_owned()
            );
        }
        let mut url = Url::parse(text)
            .map_err(|error| format!("not an address ({error}); write it as http://127.0.0.1:8080"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("a service is called over http:// or https://".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the address ends before `?` and `#`".to_owned());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(ServerUrl(url))
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl ServerUrl {
    /// Whether it is called over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Its host, as it stands in the address.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether what is sent there can be read on the way.
    pub(crate) fn is_open(&self) -> bool {
        let ip = self.host().trim_matches(['[', ']']).parse::<IpAddr>();
        let is_here = self.host() == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        !self.is_https() && !is_here
    }

    /// Whether it names more than a host.
    pub(super) fn has_path(&self) -> bool {
        !matches!(self.0.path(), "" | "/")
    }

    /// The address of a call: these segments below the root, percent-encoded, and the query.
    pub(super) fn call(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn calls_are_made_below_the_address() {
        let call =
            |server: &str| url(server).call(&["api", "v1", "pipes", "a/b?"], &[("after", "x&y")]).to_string();
        assert_eq!(call("http://localhost:8080"), "http://localhost:8080/api/v1/pipes/a%2Fb%3F?after=x%26y");
        assert_eq!(
            call("https://h.example/housepipe/"),
            "https://h.example/housepipe/api/v1/pipes/a%2Fb%3F?after=x%26y"
        );
        assert_eq!(url("http://[::1]:8080/").to_string(), "http://[::1]:8080");
        assert_eq!(url("http://h").call(&["metrics"], &[]).to_string(), "http://h/metrics");
    }

    #[test]
    fn what_is_no_address_of_a_service_is_refused_without_its_secrets() {
        for (text, says) in [
            ("127.0.0.1:8080", "write it as http://"),
            ("ftp://host", "http:// or https://"),
            ("http://app:hunter2@host", "HOUSEPIPE_TOKEN"),
            ("http://host?token=x", "before `?`"),
            ("", "not an address"),
        ] {
            let told = text.parse::<ServerUrl>().unwrap_err();
            assert!(told.contains(says) && !told.contains("hunter2"), "{text}: {told}");
        }
    }

    #[test]
    fn a_token_is_read_on_the_way_to_other_machines() {
        for (text, is_open) in [
            ("http://localhost:8080", false),
            ("http://127.0.0.1", false),
            ("http://[::1]:8080", false),
            ("https://pipes.example.com", false),
            ("http://pipes.example.com", true),
            ("http://10.0.0.7:8080", true),
            ("http://localhost.example.com", true),
        ] {
            assert_eq!(url(text).is_open(), is_open, "{text}");
        }
    }
}
