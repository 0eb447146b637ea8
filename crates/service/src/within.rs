//! What a pipe of the service may take from outside of its pipe file: the secrets that are kept for it, and nothing else of this machine
//! unless whoever runs the service names a folder for it.
//!
//! Whoever may define pipes may point them at brokers of her own, and would read there whatever the machine has put into a password.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path};

use housepipe_runtime::{Key, Surroundings, ThisMachine};
use secrecy::ExposeSecret;

use crate::store::Secrets;

/// Names under which clouds give a machine its own credentials.
const METADATA_HOSTS: [&str; 3] = ["metadata", "metadata.google.internal", "instance-data"];

/// The surroundings of one pipe.
pub(crate) struct Within<'a> {
    pub(crate) secrets: &'a Secrets,
    /// Where `${file:NAME}` is looked for.
    pub(crate) folder: Option<&'a Path>,
}

impl Surroundings for Within<'_> {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        if !key.is_secret {
            // What is wrong with other values is told with what they hold.
            return Err("a reference may stand for a secret alone; write the value itself".to_owned());
        }
        match (kind, self.folder) {
            ("secret", _) if name != key.path => {
                Err(format!("a secret stands at its own key alone: write ${{secret:{}}}, or the secret itself", key.path))
            }
            ("secret", _) => match self.secrets.get(name) {
                Some(secret) => Ok(secret.expose_secret().to_owned()),
                None => Err("no secret is kept for it; send the secret itself".to_owned()),
            },
            ("file", Some(folder)) => {
                let mut parts = Path::new(name).components();
                let (Some(Component::Normal(file)), None) = (parts.next(), parts.next()) else {
                    return Err("a pipe of the service reads files of one folder alone, by their names".to_owned());
                };
                let path = folder.join(file);
                ThisMachine
                    .reference("file", &path.to_string_lossy(), key)
                    .map_err(|_| "there is no such file that can be read in the folder of secrets".to_owned())
            }
            ("file", None) => Err(
                "the service reads no files for pipes; send the secret itself, or start the service with a folder of secrets"
                    .to_owned(),
            ),
            ("env", _) => {
                Err("the service gives its environment to no pipe; send the secret itself".to_owned())
            }
            _ => Err("`${…}` is not a reference: write ${file:NAME}, or the secret itself".to_owned()),
        }
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn allows_paths(&self) -> Result<(), String> {
        Err("the service reads no files by their paths; send the PEM text itself, or `${file:NAME}` of its folder of secrets"
            .to_owned())
    }

    fn allows_raw_settings(&self) -> Result<(), String> {
        Err("the service takes no settings of librdkafka: some of them name files of its machine".to_owned())
    }

    fn allows_host(&self, host: &str) -> Result<(), String> {
        let name = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let is_metadata = METADATA_HOSTS.contains(&name.as_str())
            || name.parse::<IpAddr>().is_ok_and(|address| is_of_the_machine_alone(address.to_canonical()));
        match is_metadata {
            true => Err("the service connects to no link-local or metadata address".to_owned()),
            false => Ok(()),
        }
    }
}

/// The surroundings of a pipe file whose secrets nobody asks for: whatever stands for one, stands for nothing.
pub(crate) struct WithoutSecrets<'a>(pub(crate) Within<'a>);

/// In place of a secret. It reads as a text, and as PEM.
const NO_SECRET: &str = "-----BEGIN NOTHING-----";

impl Surroundings for WithoutSecrets<'_> {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        match key.is_secret {
            true => Ok(NO_SECRET.to_owned()),
            false => self.0.reference(kind, name, key),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn allows_paths(&self) -> Result<(), String> {
        self.0.allows_paths()
    }

    fn allows_raw_settings(&self) -> Result<(), String> {
        self.0.allows_raw_settings()
    }

    fn allows_host(&self, host: &str) -> Result<(), String> {
        self.0.allows_host(host)
    }
}

/// Addresses outside of the link-local ranges at which clouds answer a machine about itself.
const METADATA_V4: [Ipv4Addr; 3] = [
    // Alibaba Cloud.
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure, the agent of its machines.
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle Cloud.
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same in IPv6, as the beginning of addresses and how many bits of it.
const METADATA_V6: [(Ipv6Addr, u32); 2] = [
    // AWS: metadata at `::254`, DNS and time beside it, and the credentials of pods at `::23`.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    // Google Cloud.
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
];

/// Beginnings of IPv6 addresses that lead to an IPv4 address in them, how many bits of it, and the bytes where that address is.
const WITH_V4: [((Ipv6Addr, u32), [usize; 4]); 5] = [
    // NAT64 (RFC 6052).
    ((Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), [12, 13, 14, 15]),
    // NAT64 of a network's own (RFC 8215), as the last 32 bits, or around byte 8, as RFC 6052 has it behind 48 bits.
    ((Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48), [12, 13, 14, 15]),
    ((Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48), [6, 7, 9, 10]),
    // 6to4 (RFC 3056).
    ((Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), [2, 3, 4, 5]),
    // What was meant for machines that speak both (RFC 4291, 2.5.5.1).
    ((Ipv6Addr::UNSPECIFIED, 96), [12, 13, 14, 15]),
];

/// The IPv4 addresses to which an IPv6 address may lead.
fn within_v6(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let octets = address.octets();
    let leads = WITH_V4.into_iter().filter(move |(range, _)| begins_with(address, *range));
    // Bytes that are not used are zero.
    leads
        .map(move |(_, at)| Ipv4Addr::from(at.map(|at| octets[at])))
        .filter(|address| !address.is_unspecified())
}

/// Whether an address means something else on each machine, and so is nobody's server: where clouds keep a machine's credentials.
pub(crate) fn is_of_the_machine_alone(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address == Ipv4Addr::BROADCAST
                || METADATA_V4.contains(&address)
        }
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || METADATA_V6.into_iter().any(|range| begins_with(address, range))
                || within_v6(address).any(|address| is_of_the_machine_alone(address.into()))
        }
    }
}

fn begins_with(address: Ipv6Addr, (start, bits): (Ipv6Addr, u32)) -> bool {
    let differ = address.to_bits() ^ start.to_bits();
    differ.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: Key<'_> = Key { path: "destination.password", is_secret: true };

    #[test]
    fn a_pipe_reads_its_secrets_and_the_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("password"), "hunter2\n").unwrap();
        std::fs::write(folder.path().join("outside"), "hunter3").unwrap();
        let secrets = Secrets::from([
            ("destination.password".to_owned(), "hunter1".into()),
            ("source.auth.password".to_owned(), "hunter4".into()),
        ]);
        let within = Within { secrets: &secrets, folder: Some(&inner) };
        assert_eq!(within.reference("secret", "destination.password", PASSWORD).unwrap(), "hunter1");
        assert_eq!(within.reference("file", "password", PASSWORD).unwrap(), "hunter2");
        for (kind, name) in [
            ("secret", "source.auth.password"),
            ("secret", ""),
            ("file", "../outside"),
            ("file", "/etc/hostname"),
            ("file", "."),
            ("file", ".."),
            ("file", ""),
            ("file", "nothing"),
            ("env", "PATH"),
            ("vault", "x"),
        ] {
            let told = within.reference(kind, name, PASSWORD).unwrap_err();
            assert!(!told.contains("hunter") && !told.contains("inner"), "{told}");
        }
        let topic = Key { path: "source.topic", is_secret: false };
        assert!(within.reference("secret", "source.topic", topic).unwrap_err().contains("a secret alone"));
        assert!(within.reference("file", "password", topic).is_err());
        assert!(within.variable("PATH").is_none());
        assert!(within.allows_paths().is_err() && within.allows_raw_settings().is_err());
        let without = Within { secrets: &secrets, folder: None };
        assert!(without.reference("file", "password", PASSWORD).unwrap_err().contains("folder of secrets"));
    }

    #[test]
    fn no_pipe_asks_a_cloud_for_the_machines_credentials() {
        let secrets = Secrets::new();
        let within = Within { secrets: &secrets, folder: None };
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fd00:ec2:ffff::1]",
            "[fd20:ce::254]",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b::a83f:8110]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[64:ff9b:1:a9fe:a9:fe00::]",
            "[2002:a9fe:a9fe::]",
            "[2002:a9fe:a9fe::1]",
            "[::a9fe:a9fe]",
            "[::]",
            "0.0.0.0",
            "metadata.google.internal",
            "METADATA.google.internal.",
        ] {
            assert!(within.allows_host(host).is_err(), "{host}");
        }
        for host in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "10.1.2.3",
            "broker.example.com",
            "[fd00::7]",
            "[fd00:ec3::23]",
            "[fd20:ce::255]",
            "[64:ff9b::10.1.2.3]",
            "[64:ff9b:1::10.1.2.3]",
            "[2002:a01:203::1]",
            "[::10.1.2.3]",
            "[2001:db8::a9fe:a9fe]",
        ] {
            assert!(within.allows_host(host).is_ok(), "{host}");
        }
    }
}
