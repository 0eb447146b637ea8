//! Log lines of a service: wide records, mostly text.

use super::random::{Random, text};
use super::{Corpus, columns, open};

/// 38 fields, about 1.3 KB: many texts, some with escapes, an array, few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    seed: u64,
    with_id: bool,
}

const WORDS: &[&str] = &[
    "alpha",
    "request",
    "completed",
    "in",
    "timeout",
    "while",
    "connecting",
    "to",
    "upstream",
    "user",
    "logged",
    "payment",
    "cart",
    "session",
    "cache",
    "miss",
    "for",
    "key",
    "retry",
    "after",
    "ms",
    "status",
    "ok",
    "failed",
    "with",
    "code",
];
const TAGS: &[&str] = &["audit", "system", "application", "unified", "security"];

impl Logs {
    /// The columns without the number.
    pub const COLUMNS: &'static str = "timestamp DateTime64(6, 'UTC'), version UInt32, account_id UInt64, \
         app_name String, app_version String, client_ip String, cluster_name String, component String, \
         component_type String, container_image String, env_name String, extension_id String, host String, \
         hostname String, k8s_container_id String, k8s_container_name String, k8s_namespace String, k8s_pod String, \
         location String, log_agent String, log_format String, log_level String, log_type String, \
         logger_name String, logger_type String, producer String, message String, modified Bool, port UInt16, \
         producer_time DateTime64(6, 'UTC'), request_id String, request_method String, request_uri String, \
         user_agent String, status_code UInt16, tags Array(String), thread String, type String";

    /// The log lines of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, with_id: false }
    }

    /// The same with a first field `id` that holds the record's number, so that lost and doubled rows can be told.
    #[must_use]
    pub const fn with_id(mut self) -> Self {
        self.with_id = true;
        self
    }
}

impl Corpus for Logs {
    fn name(&self) -> &'static str {
        "logs"
    }

    fn columns(&self) -> String {
        columns(Self::COLUMNS, self.with_id)
    }

    fn write(&self, index: u64, record: &mut Vec<u8>) {
        let random = &mut Random::new(self.seed, index);
        open(record, self.with_id.then_some(index));
        record.extend_from_slice(b"\"timestamp\":\"");
        random.time(record, 36_000);
        record.push(b'"');
        application(random, record);
        place(random, record);
        logger(random, record);
        message(random, record);
        request(random, record);
        record.push(b'}');
    }
}

fn application(random: &mut Random, record: &mut Vec<u8>) {
    text(
        record,
        format_args!(
            ",\"version\":{},\"account_id\":{},\"app_name\":\"{}\",\"app_version\":\"{}\",\"client_ip\":\"{}.{}.{}.{}\"",
            random.below(2000),
            random.next() >> 18,
            random.pick(&["ccc", "billing", "auth-service", "gateway"]),
            random.pick(&["staging", "production", "canary"]),
            random.below(256),
            random.below(256),
            random.below(256),
            random.below(256),
        ),
    );
    text(
        record,
        format_args!(
            ",\"cluster_name\":\"dns.name.here.com\",\"component\":\"\",\"component_type\":\"{}\",\
             \"container_image\":\"dns.name.here:443/aa/aaa:asd-0000-asd-{:08x}\",\"env_name\":\"{}\",\"extension_id\":\"",
            random.pick(&["scheduler", "worker", "api"]),
            random.next() >> 32,
            random.pick(&["test", "prod", "dev"]),
        ),
    );
    random.uuid(record);
}

fn place(random: &mut Random, record: &mut Vec<u8>) {
    let (replica, suffix) = (random.below(999), random.below(999_999));
    text(
        record,
        format_args!(
            "\",\"host\":\"ams02-c01-aaa{:02}.int.example.com\",\"hostname\":\"aaa-lkiwhri{replica}-{suffix}i\",\
             \"k8s_container_id\":\"",
            random.below(50),
        ),
    );
    random.uuid(record);
    text(
        record,
        format_args!(
            "\",\"k8s_container_name\":\"app\",\"k8s_namespace\":\"{}\",\"k8s_pod\":\"aaa-lkiwhri{replica}-{suffix}i\",\
             \"location\":\"{}\"",
            random.pick(&["development", "kube-system", "default"]),
            random.pick(&["nyc01", "ams02", "sfo03"]),
        ),
    );
}

fn logger(random: &mut Random, record: &mut Vec<u8>) {
    text(
        record,
        format_args!(
            ",\"log_agent\":\"logstash\",\"log_format\":\"json\",\"log_level\":\"{}\",\"log_type\":\"main\",\
             \"logger_name\":\"com.example.dynamic.datasource.{}\",\"logger_type\":\"appender\",\
             \"producer\":\"ams02-c01-lss{:02}\"",
            random.pick(&["INFO", "WARN", "ERROR", "DEBUG"]),
            random.pick(&["DynamicRoutingDataSource", "HikariPool", "JdbcTemplate"]),
            random.below(20),
        ),
    );
}

fn message(random: &mut Random, record: &mut Vec<u8>) {
    record.extend_from_slice(b",\"message\":\"");
    for word in 0..6 + random.below(30) {
        if word > 0 {
            record.push(b' ');
        }
        record.extend_from_slice(random.pick(WORDS).as_bytes());
    }
    // Escapes are rare, as in real logs, but they are there.
    if random.below(10) == 0 {
        record.extend_from_slice(br#" path=\"/a/b\"\n"#);
    }
    text(
        record,
        format_args!(
            "\",\"modified\":{},\"port\":{},\"producer_time\":\"",
            random.pick(&["true", "false"]),
            random.below(65_536),
        ),
    );
    random.time(record, 36_000);
}

fn request(random: &mut Random, record: &mut Vec<u8>) {
    record.extend_from_slice(b"\",\"request_id\":\"");
    random.uuid(record);
    text(
        record,
        format_args!(
            "\",\"request_method\":\"{}\",\"request_uri\":\"/api/v1/{}/{}\",\"user_agent\":\"PostmanRuntime/7.28.{}\",\
             \"status_code\":{},\"tags\":[",
            random.pick(&["GET", "POST", "PUT"]),
            random.pick(&["products", "users", "orders"]),
            random.below(1_000_000),
            random.below(30),
            200 + random.below(4) * 100,
        ),
    );
    for tag in 0..=random.below(5) {
        if tag > 0 {
            record.push(b',');
        }
        text(record, format_args!("\"{}\"", random.pick(TAGS)));
    }
    text(
        record,
        format_args!(
            "],\"thread\":\"{}\",\"type\":\"access\"",
            random.pick(&["health-checker-readOnlyDatabase", "main", "http-nio-8080-exec-7"]),
        ),
    );
}
