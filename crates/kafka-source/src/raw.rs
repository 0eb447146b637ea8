//! Settings of librdkafka by name, for what has no typed option; and which of them nobody may give.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::SourceError;

/// Settings that one client may be given by name, at most.
const SETTINGS_MAX: usize = 64;

/// Names, or beginnings of names where they end in a dot or an underscore, that are refused, and why.
const REFUSED: [(&[&str], &str); 5] = [
    (
        &[
            "bootstrap.servers",
            "metadata.broker.list",
            "group.id",
            "client.id",
            "security.protocol",
            "session.timeout.ms",
            "sasl.username",
            "sasl.password",
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.oauthbearer.",
            "ssl.ca.",
            "ssl.certificate.",
            "ssl.key.location",
            "ssl.key.pem",
        ],
        "it has an option of its own",
    ),
    (
        &[
            "enable.auto.commit",
            "auto.commit.",
            "enable.auto.offset.store",
            "auto.offset.reset",
            "offset.store.",
            "isolation.level",
            "enable.partition.eof",
            "partition.assignment.strategy",
            "group.protocol",
            "group.protocol.type",
            "group.remote.assignor",
            "group.instance.id",
            "heartbeat.interval.ms",
            "max.poll.interval.ms",
            "check.crcs",
            "allow.auto.create.topics",
            "transactional.id",
            "consume.",
        ],
        "records could be lost or read by two members",
    ),
    (
        &[
            "fetch.message.max.bytes",
            "fetch.min.bytes",
            "fetch.max.bytes",
            "fetch.wait.max.ms",
            "fetch.queue.backoff.ms",
            "max.partition.fetch.bytes",
            "queued.",
            "receive.message.max.bytes",
            "message.max.bytes",
        ],
        "memory is divided by it",
    ),
    (
        &["enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"],
        "the broker could be anybody",
    ),
    (
        &[
            "plugin.",
            "ssl.engine.",
            "ssl.providers",
            "ssl_",
            "sasl.kerberos.",
            "enable.sasl.oauthbearer.unsecure.jwt",
            "oauthbearer_",
            "default_",
            "enabled_events",
            "opaque",
            "interceptors",
            "log.",
            "log_level",
            "debug",
            "statistics.interval.ms",
            "internal.",
            "test.",
        ],
        "it loads or runs other code, or changes what librdkafka tells of itself",
    ),
];

/// Settings of librdkafka by name. They hold for every client of a [`SourceConfig`](crate::SourceConfig).
///
/// For whoever may change this program's files, and nobody else: some of what librdkafka can be told changes more than a connection.
/// What would lose records, take checks off, load code or pass the bound on memory is refused; the rest is taken as it is.
///
/// ```
/// use housepipe_kafka_source::RawSettings;
/// let mut settings = RawSettings::default();
/// settings.insert("client.rack", "euc1-az1")?;
/// assert!(settings.insert("enable.auto.commit", "true").is_err());
/// # Ok::<(), housepipe_kafka_source::SourceError>(())
/// ```
#[derive(Clone, Default)]
pub struct RawSettings(BTreeMap<String, SecretString>);

impl PartialEq for RawSettings {
    fn eq(&self, other: &RawSettings) -> bool {
        self.exposed().eq(other.exposed())
    }
}

impl RawSettings {
    /// Adds a setting, or replaces it.
    ///
    /// # Errors
    /// [`SourceError::Config`] where it is one that nobody may give, or there are too many. Whether librdkafka knows the name, and
    /// takes the value, is found when a client is made.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        value: impl Into<SecretString>,
    ) -> Result<(), SourceError> {
        let name = name.into();
        if let Some(reason) = refusal(&name) {
            return Err(SourceError::Config {
                key: name,
                reason: format!("{reason}; it cannot be set by name"),
            });
        }
        if self.0.len() >= SETTINGS_MAX && !self.0.contains_key(&name) {
            return Err(SourceError::Config {
                key: name,
                reason: format!("more than {SETTINGS_MAX} settings are given by name"),
            });
        }
        self.0.insert(name, value.into());
        Ok(())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn apply(&self, client: &mut rdkafka::ClientConfig) {
        for (name, value) in self.exposed() {
            client.set(name, value);
        }
    }

    fn exposed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }
}

impl fmt::Debug for RawSettings {
    /// Names alone: a value may be a passphrase.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Why nobody may give this setting.
fn refusal(name: &str) -> Option<&'static str> {
    if name.ends_with("_cb") {
        return Some("it is no setting but a function");
    }
    let is_one =
        |refused: &&str| name == *refused || (refused.ends_with(['.', '_']) && name.starts_with(*refused));
    REFUSED.iter().find(|(names, _)| names.iter().any(is_one)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_delivery_or_safety_depends_on_is_refused() {
        let mut settings = RawSettings::default();
        for name in [
            "enable.auto.commit",
            "auto.commit.interval.ms",
            "auto.offset.reset",
            "isolation.level",
            "group.instance.id",
            "bootstrap.servers",
            "metadata.broker.list",
            "sasl.password",
            "sasl.oauthbearer.client.secret",
            "ssl.ca.pem",
            "enable.ssl.certificate.verification",
            "plugin.library.paths",
            "sasl.kerberos.kinit.cmd",
            "ssl.engine.location",
            "queued.max.messages.kbytes",
            "test.mock.num.brokers",
            "rebalance_cb",
            "debug",
        ] {
            let error = settings.insert(name, "hush").unwrap_err();
            assert!(matches!(&error, SourceError::Config { key, .. } if key == name), "{error:?}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        assert!(settings.is_empty());
        for name in ["client.rack", "socket.keepalive.enable", "ssl.key.password", "connections.max.idle.ms"]
        {
            settings.insert(name, "hush").unwrap();
        }
        assert_eq!(settings.names().count(), 4);
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn there_is_a_bound_on_how_many() {
        let mut settings = RawSettings::default();
        for number in 0..SETTINGS_MAX {
            settings.insert(format!("x{number}"), "v").unwrap();
        }
        settings.insert("x0", "another").unwrap();
        assert!(settings.insert("one.more", "v").is_err());
    }

    #[test]
    fn a_setting_that_librdkafka_does_not_know_is_named_without_its_value() {
        let mut config = crate::SourceConfig::new("localhost:1", "clicks", "g");
        config.raw.insert("client.rakc", "hush").unwrap();
        let error = crate::describe_topic(&config, std::time::Duration::from_secs(1)).unwrap_err();
        assert!(matches!(&error, SourceError::Config { key, .. } if key == "client.rakc"), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        config.raw = RawSettings::default();
        config.raw.insert("socket.keepalive.enable", "hush").unwrap();
        let error = crate::describe_topic(&config, std::time::Duration::from_secs(1)).unwrap_err();
        assert!(
            matches!(error, SourceError::Config { .. }) && !error.to_string().contains("hush"),
            "{error:?}"
        );
    }
}
