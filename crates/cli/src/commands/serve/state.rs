//! Where the state is: a file, or a PostgreSQL whose connection says how far it is trusted.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use housepipe_service::StoreAddress;
use url::Url;

use crate::exit::Exit;

/// Variables by which PostgreSQL's clients find a server that no URL names, the first one that is set.
const HOST_VARIABLES: [&str; 2] = ["PGHOSTADDR", "PGHOST"];
/// The variable that says how far a connection is trusted where the URL does not.
const TRUST_VARIABLE: &str = "PGSSLMODE";

/// The address that `--state` gives.
pub(super) fn address(state: &str) -> Result<StoreAddress, Exit> {
    address_beside(state, |name| std::env::var(name).ok())
}

fn address_beside(state: &str, variable: impl Fn(&str) -> Option<String>) -> Result<StoreAddress, Exit> {
    match state.split_once("://") {
        None if Path::new(state).is_dir() => {
            return Err(Exit::usage(anyhow!(
                "the state `{state}` is a folder; name a file in it, such as `{}`",
                Path::new(state).join("housepipe.db").display()
            )));
        }
        None => return Ok(StoreAddress::Sqlite(PathBuf::from(state))),
        Some(("postgres" | "postgresql", _)) => {}
        Some((scheme, _)) => {
            return Err(Exit::usage(anyhow!(
                "a state of the kind `{scheme}` is not known; give a file, or postgres://user:password@host/database"
            )));
        }
    }
    let url = Url::parse(state).map_err(|error| {
        Exit::usage(anyhow!(
            "the state's URL cannot be read: {error}; write postgres://user:password@host/database, with %40 for an `@` in the password"
        ))
    })?;
    let mut hosts: Vec<String> =
        url.host_str().filter(|host| !host.is_empty()).map(str::to_owned).into_iter().collect();
    let mut is_trust_told = false;
    for (key, value) in url.query_pairs() {
        match &*key {
            "host" | "hostaddr" => hosts.push(value.into_owned()),
            "sslmode" | "ssl-mode" => is_trust_told = true,
            _ => {}
        }
    }
    if hosts.is_empty() {
        hosts.extend(HOST_VARIABLES.into_iter().find_map(&variable));
    }
    let is_trust_told = is_trust_told || variable(TRUST_VARIABLE).is_some();
    if !is_trust_told && !hosts.iter().all(|host| is_here(host)) {
        // Otherwise it is encrypted where the server likes, and nobody looks whose server it is.
        return Err(Exit::usage(anyhow!(
            "the state's URL does not say how far the connection is trusted; add `?sslmode=verify-full`, or another `sslmode` where the \
             network is"
        )));
    }
    Ok(StoreAddress::Postgres(state.to_owned().into()))
}

/// Whether a host is this machine: its name, an address of its own, or the folder of a socket.
fn is_here(host: &str) -> bool {
    let name = host.trim_matches(['[', ']']);
    let is_socket = name.starts_with('/') || name.to_ascii_lowercase().starts_with("%2f");
    is_socket
        || name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(state: &str, variables: &[(&str, &str)]) -> bool {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        address_beside(state, variable).is_ok()
    }

    #[test]
    fn a_folder_is_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        assert!(!is_taken(&path, &[]));
        assert!(is_taken(&format!("{path}/state.db"), &[]));
    }

    #[test]
    fn a_server_elsewhere_is_reached_as_far_as_its_url_says_that_it_is_trusted() {
        for state in [
            "state.db",
            "postgres:///d",
            "postgres://localhost/d",
            "postgresql://u:p@LOCALHOST:5433/d",
            "postgres://127.0.0.1/d",
            "postgres://[::1]:5432/d",
            "postgres://%2Fvar%2Frun%2Fpostgresql/d",
            "postgres:///d?host=/var/run/postgresql",
            "postgres:///d?host=localhost&hostaddr=127.0.0.1",
            "postgres://db.invalid/d?sslmode=verify-full",
            "postgres://db.invalid/d?x=1&ssl-mode=require",
        ] {
            assert!(is_taken(state, &[]), "{state}");
        }
        for state in [
            "postgres://db.invalid/d",
            "postgres://localhost.invalid/d",
            "postgres://127.0.0.1.invalid/d",
            "postgres://10.0.0.1/d",
            "postgres://localhost@db.invalid/d",
            "postgres:///d?host=db.invalid",
            "postgres://localhost/d?hostaddr=10.0.0.1",
            "postgres://u:sslmode=require@db.invalid/d",
            "postgres://db.invalid/d?application_name=sslmode=require",
            "postgres://[::2]/d",
            "mysql://localhost/d",
            "postgres://a b/d",
        ] {
            assert!(!is_taken(state, &[]), "{state}");
        }
        assert!(!is_taken("postgres:///d", &[("PGHOST", "db.invalid")]));
        assert!(!is_taken("postgres:///d", &[("PGHOSTADDR", "10.0.0.1"), ("PGHOST", "localhost")]));
        assert!(is_taken("postgres://localhost/d", &[("PGHOST", "db.invalid")]), "the URL has the last word");
        assert!(is_taken("postgres://db.invalid/d", &[("PGSSLMODE", "verify-full")]));
    }
}
