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
    /// The port of an [`Issuer`](crate::Issuer) over HTTP: OAUTHBEARER takes its tokens, checked by its key, in place of unsecured
    /// ones.
    pub issuer: Option<u16>,
    /// What the brokers show to clients over TLS.
    pub certificate: ServerCertificate,
    /// Further settings of the broker, one a line; the last one of a name counts.
    pub settings: &'static str,
}

/// The certificate of a broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerCertificate {
    /// For loopback, and valid.
    #[default]
    Valid,
    /// For loopback, and not valid any more since 2021.
    Expired,
    /// For `kafka.example.com`.
    OtherHost,
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

    /// The same with the tokens of an issuer.
    #[must_use]
    pub const fn with_issuer(mut self, port: u16) -> Self {
        self.issuer = Some(port);
        self
    }

    /// The same with another certificate.
    #[must_use]
    pub const fn with_certificate(mut self, certificate: ServerCertificate) -> Self {
        self.certificate = certificate;
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
