//! What a caller may choose.

/// How Kafka is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Refuse what no ACL allows; [`USER_ADMIN`](super::USER_ADMIN) and the plain listener may do everything.
    pub acl: bool,
    /// For benchmarks: the full compiler and a larger heap, at the price of a slower start.
    pub throughput: bool,
    /// The port of a proxy on loopback: clients of [`Kafka::bootstrap_behind`](super::Kafka::bootstrap_behind) are told to come by it.
    pub behind: Option<u16>,
    /// Further settings of the broker, one a line; the last one of a name counts.
    pub settings: &'static str,
}

impl KafkaOptions {
    /// The same with ACLs.
    #[must_use]
    pub const fn with_acl(mut self) -> Self {
        self.acl = true;
        self
    }

    /// The same with further settings of the broker, one a line.
    #[must_use]
    pub const fn with_settings(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }

    /// The same for benchmarks.
    #[must_use]
    pub const fn with_throughput(mut self) -> Self {
        self.throughput = true;
        self
    }

    /// The same with a listener behind a proxy.
    #[must_use]
    pub const fn behind(mut self, port: u16) -> Self {
        self.behind = Some(port);
        self
    }
}
