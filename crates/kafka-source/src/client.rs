//! librdkafka's settings for each kind of client.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::ExposeSecret;

use crate::{Pem, SecretPem, Security, SourceConfig, SourceError, Tls, id_news, pem_file};

/// Time for a connection to be set up, TLS and SASL included, in milliseconds.
pub(crate) const CONNECT_MS_MAX: u32 = 8_000;

/// Pause of a fetcher whose queue is full, in milliseconds; the default of a second starves a fast reader.
const FULL_QUEUE_BACKOFF_MS: u32 = 20;

/// How often the state of brokers and partitions is looked at, in milliseconds.
pub(crate) const STATISTICS_MS: u32 = 500;

/// How often the group asks for the topic's partitions, in milliseconds: a new one is read so much later, at most, and the time
/// in which the group is joined anew. The default is five minutes.
const TOPIC_REFRESH_MS: u32 = 5_000;

/// The least that librdkafka takes for an answer, in bytes: the largest message that it would send.
const FETCH_BYTES_MIN: usize = 1_000_000;

/// Records of one partition in one answer to a probe, in bytes on the wire; a batch of the log is never divided, so that it may
/// be more. A probe is after single records, beside a pipe that has a budget of memory for what it reads.
const PROBE_FETCH_BYTES_MAX: usize = 64 << 10;

/// Bytes that a record is taken to have where it is not known, when it is decided how many are fetched at once (16 KiB).
const RECORD_BYTES_EXPECTED: usize = 16 << 10;

/// Records of a partition that a probe holds before it asks for more, in units of 1,000 bytes.
const PROBE_QUEUE_KBYTES_MAX: usize = 256;

/// Pause of a probe's fetcher whose queue is full, in milliseconds: the queue is small, and emptied at once.
const PROBE_BACKOFF_MS: u32 = 1;

/// What every client needs: where the brokers are and who connects.
pub(crate) fn base(config: &SourceConfig) -> Result<ClientConfig, SourceError> {
    check_names(config)?;
    if let Some(tls) = config.security.tls() {
        pem_file::check(tls)?;
    }
    let mut client = ClientConfig::new();
    // librdkafka tells some causes only in its log, at this level.
    client.set_log_level(RDKafkaLogLevel::Info);
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", &config.client_id)
        .set("socket.connection.setup.timeout.ms", CONNECT_MS_MAX.to_string())
        // Names of brokers in clouds have several addresses, of which one may be away.
        .set("client.dns.lookup", "use_all_dns_ips")
        .set("reconnect.backoff.max.ms", "2000")
        // The wish to connect only to what is needed hides an unreachable broker; the probes are short-lived anyway.
        .set("allow.auto.create.topics", "false");
    config.raw.apply(&mut client);
    match &config.security {
        Security::Plaintext => {
            client.set("security.protocol", "PLAINTEXT");
        }
        Security::Tls(tls) => {
            client.set("security.protocol", "SSL");
            set_tls(&mut client, tls);
        }
        Security::Sasl { mechanism, username, password, tls } => {
            client
                .set("security.protocol", if tls.is_some() { "SASL_SSL" } else { "SASL_PLAINTEXT" })
                .set("sasl.mechanism", mechanism.as_str())
                .set("sasl.username", username)
                .set("sasl.password", password.expose_secret());
            if let Some(tls) = tls {
                set_tls(&mut client, tls);
            }
        }
        Security::Token { tls, .. } => {
            client
                .set("security.protocol", if tls.is_some() { "SASL_SSL" } else { "SASL_PLAINTEXT" })
                .set("sasl.mechanism", "OAUTHBEARER");
            if let Some(tls) = tls {
                set_tls(&mut client, tls);
            }
        }
    }
    Ok(client)
}

fn set_tls(client: &mut ClientConfig, tls: &Tls) {
    client
        .set("enable.ssl.certificate.verification", "true")
        .set("ssl.endpoint.identification.algorithm", "https");
    match &tls.ca {
        Some(Pem::Path(path)) => client.set("ssl.ca.location", path),
        Some(Pem::Inline(text)) => client.set("ssl.ca.pem", text),
        None => client,
    };
    if let Some((certificate, key)) = &tls.client {
        match certificate {
            Pem::Path(path) => client.set("ssl.certificate.location", path),
            Pem::Inline(text) => client.set("ssl.certificate.pem", text),
        };
        match key {
            SecretPem::Path(path) => client.set("ssl.key.location", path),
            SecretPem::Inline(text) => client.set("ssl.key.pem", text.expose_secret()),
        };
    }
}

/// A consumer without a group: for looking at a topic.
pub(crate) fn probe(config: &SourceConfig) -> Result<ClientConfig, SourceError> {
    let mut client = base(config)?;
    client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "50")
        .set("fetch.max.bytes", FETCH_BYTES_MIN.to_string())
        .set("max.partition.fetch.bytes", PROBE_FETCH_BYTES_MAX.to_string())
        .set("queued.max.messages.kbytes", PROBE_QUEUE_KBYTES_MAX.to_string())
        .set("fetch.queue.backoff.ms", PROBE_BACKOFF_MS.to_string());
    Ok(client)
}

/// The same for the newest `records` of a topic, of which up to `bytes_max` are held.
pub(crate) fn probe_of_newest(
    config: &SourceConfig,
    records: usize,
    bytes_max: usize,
) -> Result<ClientConfig, SourceError> {
    let fetch = NewestFetch::new(records, bytes_max);
    let mut client = probe(config)?;
    client
        .set("fetch.max.bytes", fetch.answer_bytes_max.to_string())
        .set("max.partition.fetch.bytes", fetch.partition_bytes_max.to_string());
    Ok(client)
}

/// How much of the newest records one answer of a broker has, on the wire.
///
/// Reading begins a few records before the end of each partition, so that a large answer has what is wanted and little more; it is
/// memory alone that bounds it. In small ones, each of which takes a round trip, many records would not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NewestFetch {
    answer_bytes_max: usize,
    /// A quarter, so that a partition of large records leaves room for others.
    partition_bytes_max: usize,
}

impl NewestFetch {
    fn new(records: usize, bytes_max: usize) -> NewestFetch {
        // An eighth, since brokers answer at the same time, and compressed records grow.
        let most = (bytes_max / 8).max(FETCH_BYTES_MIN);
        let least = most.min(4 << 20);
        let answer_bytes_max = records.saturating_mul(RECORD_BYTES_EXPECTED).clamp(least, most);
        NewestFetch { answer_bytes_max, partition_bytes_max: answer_bytes_max / 4 }
    }
}

/// The member of the group, for a topic of `partitions` partitions.
pub(crate) fn member(config: &SourceConfig, partitions: usize) -> Result<ClientConfig, SourceError> {
    let mut client = base(config)?;
    // One line of them tells at once that the topic was made anew.
    client.set_log_level(RDKafkaLogLevel::Debug).set("debug", id_news::DEBUG_CONTEXT);
    let budget = FetchBudget::new(config.prefetch_bytes_max, partitions);
    client
        .set("group.id", &config.group)
        // The classic protocol: every broker has it. The newer one (KIP-848) is fatal against a broker without it
        // and does not notice an unknown topic, so it needs a fallback and checks of its own before it can be the
        // default. Cooperative: a rebalance takes away only what moves.
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", config.session_timeout_ms.to_string())
        .set("heartbeat.interval.ms", (config.session_timeout_ms / 10).clamp(1, 3_000).to_string())
        .set("max.poll.interval.ms", config.poll_interval_max_ms.max(config.session_timeout_ms).to_string())
        // Offsets are committed by whoever stored the records, never by the client on its own.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is gone must not pass in silence; see `start.rs`.
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("topic.metadata.refresh.interval.ms", TOPIC_REFRESH_MS.to_string())
        // The news of an end would move librdkafka's position by one; see `queue`.
        .set("enable.partition.eof", "false")
        .set("statistics.interval.ms", STATISTICS_MS.to_string())
        .set("fetch.queue.backoff.ms", FULL_QUEUE_BACKOFF_MS.to_string())
        .set("fetch.wait.max.ms", config.fetch_wait_max_ms.to_string())
        .set("fetch.min.bytes", budget.fetch_min_bytes.to_string())
        .set("fetch.max.bytes", budget.fetch_bytes_max.to_string())
        .set("max.partition.fetch.bytes", budget.partition_fetch_bytes_max.to_string())
        .set("queued.max.messages.kbytes", budget.queue_kbytes_max.to_string())
        .set("queued.min.messages", budget.queue_messages_max.to_string());
    Ok(client)
}

/// Bytes that librdkafka adds to a queued message for itself, about.
const MESSAGE_OVERHEAD_BYTES: usize = 320;

/// How one budget of bytes is split into librdkafka's limits.
///
/// librdkafka counts each partition's queue by itself, stops fetching a partition once its queue is over the limit,
/// and by then may have one more fetch under way. So a partition holds its queue's limit and one fetch at most.
///
/// A fetch is limited by its size on the wire, and becomes as many times as large as the topic's compression has made its
/// records smaller. The queues count records as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FetchBudget {
    queue_kbytes_max: usize,
    queue_messages_max: usize,
    partition_fetch_bytes_max: usize,
    fetch_bytes_max: usize,
    fetch_min_bytes: usize,
}

impl FetchBudget {
    fn new(prefetch_bytes_max: usize, partitions: usize) -> FetchBudget {
        let share = prefetch_bytes_max / partitions.max(1);
        let queue_bytes = share / 2;
        let partition_fetch_bytes_max = (share / 8).clamp(64 << 10, 4 << 20);
        FetchBudget {
            queue_kbytes_max: (queue_bytes / 1_000).clamp(1, 2_097_151),
            // Small messages cost more than their bytes.
            queue_messages_max: (queue_bytes / MESSAGE_OVERHEAD_BYTES).clamp(1_000, 100_000),
            partition_fetch_bytes_max,
            fetch_bytes_max: (prefetch_bytes_max / 4).clamp(1 << 20, 50 << 20),
            // A broker waits for the minimum even where no partition may return as much: keep it below a
            // partition's maximum, or a full topic is read at one fetch per wait.
            fetch_min_bytes: (partition_fetch_bytes_max / 2).min(256 << 10),
        }
    }
}

/// Longest name that Kafka takes for a topic, in bytes.
const TOPIC_NAME_BYTES_MAX: usize = 249;

fn check_names(config: &SourceConfig) -> Result<(), SourceError> {
    let refuse =
        |key: &str, reason: &str| Err(SourceError::Config { key: key.to_owned(), reason: reason.to_owned() });
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let topic = config.topic.as_str();
    // librdkafka takes a name that begins with `^` for a pattern, so this is more than politeness.
    if topic.is_empty()
        || topic.len() > TOPIC_NAME_BYTES_MAX
        || !topic.bytes().all(legal)
        || matches!(topic, "." | "..")
    {
        return refuse("topic", "a topic's name has 1 to 249 letters, digits, `.`, `_` or `-`");
    }
    if config.brokers.trim().is_empty() {
        return refuse("bootstrap.servers", "no broker is given; write `host:port`, separated by commas");
    }
    if config.group.is_empty() {
        return refuse("group.id", "the consumer group has no name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_bounds_all_partitions_together() {
        for partitions in [1, 4, 32, 200] {
            for budget_bytes in [16 << 20, 64 << 20, 512 << 20] {
                let budget = FetchBudget::new(budget_bytes, partitions);
                let held = partitions * (budget.queue_kbytes_max * 1_000 + budget.partition_fetch_bytes_max);
                // Very many partitions keep a fetch of 64 KiB each, which may exceed a small budget.
                assert!(
                    held <= budget_bytes.max(partitions * (128 << 10)),
                    "{partitions} {budget_bytes}: {held}"
                );
                assert!(budget.fetch_min_bytes < budget.partition_fetch_bytes_max);
            }
        }
    }

    #[test]
    fn answers_with_the_newest_records_fit_what_is_wanted_and_the_memory() {
        let bytes_max = 128 << 20;
        for (records, answer_bytes_max) in
            [(1, 4 << 20), (256, 4 << 20), (512, 8 << 20), (10_000, 16 << 20), (usize::MAX, 16 << 20)]
        {
            let fetch = NewestFetch::new(records, bytes_max);
            assert_eq!(fetch, NewestFetch { answer_bytes_max, partition_bytes_max: answer_bytes_max / 4 });
            assert!(fetch.partition_bytes_max > PROBE_FETCH_BYTES_MAX);
        }
        assert_eq!(NewestFetch::new(10_000, 1_000).answer_bytes_max, FETCH_BYTES_MIN);
    }

    #[test]
    fn a_pattern_is_no_topic() {
        for topic in ["^orders.*", "", "..", "a b", "naïve"] {
            let refused = base(&SourceConfig::new("localhost:9092", topic, "g"));
            assert!(matches!(refused, Err(SourceError::Config { ref key, .. }) if key == "topic"), "{topic}");
        }
    }

    #[test]
    fn a_refused_setting_never_shows_its_value() {
        let mut config = SourceConfig::new("localhost:9092", "orders", "g");
        config.security = Security::Sasl {
            mechanism: crate::SaslMechanism::Plain,
            username: "u".to_owned(),
            password: "pass\0word".into(),
            tls: None,
        };
        let error = crate::describe_topic(&config, std::time::Duration::from_secs(1)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("word"), "{error:?}");
    }

    #[test]
    fn what_is_no_pem_and_no_file_never_reaches_librdkafka() {
        let mut config = SourceConfig::new("localhost:9092", "orders", "g");
        let key = SecretPem::from_path_or_inline("MC4CAQAwBQYDK2VwBCIEIhunter2");
        let certificate = Pem::from_path_or_inline("-----BEGIN CERTIFICATE-----\n");
        let tls = Tls { ca: None, client: Some((certificate, key)) };
        config.security = Security::Tls(tls.clone());
        let refused = base(&config);
        assert!(matches!(refused, Err(SourceError::Config { ref key, .. }) if key == "tls.key"));
        config.security = Security::Sasl {
            mechanism: crate::SaslMechanism::Plain,
            username: "u".to_owned(),
            password: "p".into(),
            tls: Some(tls),
        };
        let error = crate::describe_topic(&config, std::time::Duration::from_secs(1)).unwrap_err();
        let shown = format!("{error} {error:?} {config:?}");
        assert!(shown.contains("tls.key") && !shown.contains("hunter"), "{shown}");
    }
}
