//! `source.type:` — what a vendor's brokers need and what they do not have, as the vendors document it.
//!
//! Confluent Cloud: <https://docs.confluent.io/cloud/current/client-apps/config-client.html> (API keys over SASL_SSL with PLAIN)
//! and <https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/identity-providers/oauth/overview.html>.
//! AWS MSK: <https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-limitations.html> (SCRAM-SHA-512 alone),
//! <https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html> and
//! <https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html>.

use housepipe_kafka_source::{Security, Tls};

/// A preset, and what it did for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Whose brokers they are.
    pub vendor: Vendor,
    /// What it set because the file does not say it, in words.
    pub sets: Vec<&'static str>,
    /// What looks wrong for this vendor and need not be, with its mend.
    pub doubts: Vec<String>,
}

/// Whose brokers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Any that speak the protocol; nothing is set.
    Kafka,
    /// Confluent Cloud.
    ConfluentCloud,
    /// Amazon Managed Streaming for Apache Kafka.
    AwsMsk,
}

/// A mechanism of SASL as the file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
    OAuthBearer,
    AwsMskIam,
}

impl Mechanism {
    pub(super) const CHOICES: [(&'static str, Mechanism); 5] = [
        ("PLAIN", Mechanism::Plain),
        ("SCRAM-SHA-256", Mechanism::ScramSha256),
        ("SCRAM-SHA-512", Mechanism::ScramSha512),
        ("OAUTHBEARER", Mechanism::OAuthBearer),
        ("AWS_MSK_IAM", Mechanism::AwsMskIam),
    ];

    fn is_token(self) -> bool {
        matches!(self, Mechanism::OAuthBearer | Mechanism::AwsMskIam)
    }
}

/// Ports of MSK's brokers (in the VPC, public, IPv6), and what each of them speaks.
const MSK_PORTS: [(&[&str], &str); 4] = [
    (&["9092", "20092"], "connections without TLS"),
    (&["9094", "9194", "20094"], "TLS without SASL"),
    (&["9096", "9196", "20096"], "SCRAM-SHA-512"),
    (&["9098", "9198", "20098"], "AWS_MSK_IAM"),
];

impl Vendor {
    pub(super) const CHOICES: [(&'static str, Vendor); 3] =
        [("kafka", Vendor::Kafka), ("confluent_cloud", Vendor::ConfluentCloud), ("aws_msk", Vendor::AwsMsk)];

    /// As the file names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Vendor::Kafka => "kafka",
            Vendor::ConfluentCloud => "confluent_cloud",
            Vendor::AwsMsk => "aws_msk",
        }
    }

    /// Time after which a member that is silent is taken for dead, in milliseconds.
    pub(crate) fn session_timeout_ms(self) -> u32 {
        match self {
            // What Confluent asks of clients that reach it over the internet.
            Vendor::ConfluentCloud => 45_000,
            Vendor::Kafka | Vendor::AwsMsk => 10_000,
        }
    }

    /// The mechanism of a file that names none.
    pub(super) fn default_mechanism(self) -> Option<(Mechanism, &'static str)> {
        match self {
            Vendor::Kafka => None,
            Vendor::ConfluentCloud => {
                Some((Mechanism::Plain, "the mechanism PLAIN, for an API key and its secret"))
            }
            Vendor::AwsMsk => Some((Mechanism::ScramSha512, "the mechanism SCRAM-SHA-512")),
        }
    }

    /// Why this mechanism cannot work with the vendor, and what can.
    pub(super) fn refusal(self, mechanism: Mechanism) -> Option<(&'static str, &'static str)> {
        match (self, mechanism) {
            (Vendor::Kafka, _)
            | (Vendor::ConfluentCloud, Mechanism::Plain | Mechanism::OAuthBearer)
            | (Vendor::AwsMsk, Mechanism::ScramSha512 | Mechanism::AwsMskIam) => None,
            (Vendor::ConfluentCloud, _) => Some((
                "confluent cloud does not have this mechanism",
                "use PLAIN with an API key and its secret, or OAUTHBEARER",
            )),
            (Vendor::AwsMsk, Mechanism::OAuthBearer) => Some((
                "MSK takes no tokens of other issuers",
                "use AWS_MSK_IAM, whose tokens are signed here, or SCRAM-SHA-512",
            )),
            (Vendor::AwsMsk, _) => {
                Some(("MSK does not have this mechanism", "use SCRAM-SHA-512 or AWS_MSK_IAM"))
            }
        }
    }
}

impl Preset {
    pub(super) fn new(vendor: Vendor) -> Preset {
        let sets = match vendor {
            Vendor::ConfluentCloud => vec!["a session of 45 s, unless `--session-timeout` says otherwise"],
            Vendor::Kafka | Vendor::AwsMsk => Vec::new(),
        };
        Preset { vendor, sets, doubts: Vec::new() }
    }

    /// TLS as the file has it (absent, broken or there), and as it is: none where it is broken.
    pub(super) fn tls(&mut self, given: Option<Option<Tls>>) -> Option<Option<Tls>> {
        match given {
            Some(tls) => tls.map(Some),
            None if self.vendor == Vendor::Kafka => Some(None),
            None => {
                self.sets.push("TLS with the certificate authorities of the system");
                Some(Some(Tls::default()))
            }
        }
    }

    /// Doubts a port of MSK that is another mechanism's. Behind a proxy or PrivateLink ports may be any.
    pub(super) fn look_at_ports(&mut self, brokers: &str, security: &Security) {
        if self.vendor != Vendor::AwsMsk {
            return;
        }
        let wanted = match security {
            Security::Plaintext => "connections without TLS",
            Security::Tls(_) => "TLS without SASL",
            Security::Sasl { .. } => "SCRAM-SHA-512",
            Security::Token { .. } => "AWS_MSK_IAM",
        };
        for broker in brokers.split(',') {
            let port = broker.rsplit_once(':').map_or("", |(_, port)| port);
            let speaks = MSK_PORTS.iter().find(|(ports, _)| ports.contains(&port)).map(|(_, what)| *what);
            if let Some(speaks) = speaks.filter(|speaks| *speaks != wanted) {
                let right =
                    MSK_PORTS.iter().find(|(_, what)| *what == wanted).map_or("", |(ports, _)| ports[0]);
                self.doubts.push(format!(
                    "port {port} of MSK is for {speaks}, and this file says {wanted}, whose port is {right}"
                ));
                return;
            }
        }
    }
}

/// What crosses the network where there is no TLS.
pub(super) fn what_is_sent(mechanism: Mechanism) -> &'static str {
    if mechanism.is_token() { "a token" } else { "a password" }
}
