//! What can go wrong between this program and Kafka, with the mend.

use crate::{Offset, PartitionId};

/// Why Kafka could not be read.
///
/// `Display` names the brokers or the topic, the cause in Kafka's words, and what mends it. No variant carries a
/// password or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A setting cannot be used.
    #[error("the kafka setting `{key}` cannot be used: {reason}")]
    Config {
        /// librdkafka's name of the setting, or that of the option.
        key: String,
        /// Why not; never the value.
        reason: String,
    },
    /// User name or password are wrong.
    #[error(
        "kafka at {brokers} refused the user name or password; check `username` and `password` ({reason})"
    )]
    WrongCredentials {
        /// The bootstrap brokers.
        brokers: String,
        /// Kafka's words.
        reason: String,
    },
    /// The broker takes no token of this issuer, or not this one.
    #[error(
        "kafka at {brokers} refused the token; check that it trusts the issuer, `scope`, `audience` and `extensions`, and compare \
         the clocks ({reason})"
    )]
    TokenRefused {
        /// The bootstrap brokers.
        brokers: String,
        /// Kafka's words.
        reason: String,
    },
    /// The broker does not let this identity of AWS in.
    #[error(
        "kafka at {brokers} refused this identity of AWS; check the access key (of temporary ones the session token, and whether \
         they have ended), `region`, that its policy allows kafka-cluster:Connect, and this machine's clock ({reason})"
    )]
    IamRefused {
        /// The bootstrap brokers.
        brokers: String,
        /// Kafka's words.
        reason: String,
    },
    /// The issuer gives this client no token.
    #[error(
        "the token endpoint {url} refused this client; check `client_id`, `client_secret`, `scope` and `audience` ({reason})"
    )]
    TokenRequestRefused {
        /// The token endpoint.
        url: String,
        /// Its words.
        reason: String,
    },
    /// The issuer cannot be asked at the moment.
    #[error(
        "the token endpoint {url} gives no answer; check the address, the network and the issuer ({reason})"
    )]
    TokenEndpointUnavailable {
        /// The token endpoint.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// The certificate of the token endpoint is not trusted, or there is no TLS.
    #[error(
        "no trusted connection to the token endpoint {url}; give the authority that signed its certificate as `auth.ca`, and use \
         the name in the certificate ({reason})"
    )]
    TokenEndpointUntrusted {
        /// The token endpoint.
        url: String,
        /// The words of TLS.
        reason: String,
    },
    /// What the issuer answered is no token.
    #[error("the answer of {url} is no token; is it the issuer's token endpoint? ({reason})")]
    TokenAnswerInvalid {
        /// The token endpoint.
        url: String,
        /// Why not; nothing of a token.
        reason: String,
    },
    /// The listener does not offer the mechanism.
    #[error(
        "kafka at {brokers} does not offer this SASL mechanism; choose one that the listener has enabled ({reason})"
    )]
    MechanismRefused {
        /// The bootstrap brokers.
        brokers: String,
        /// Kafka's words, with the mechanisms that the listener has where it tells them.
        reason: String,
    },
    /// The topic does not exist.
    #[error("the topic `{topic}` does not exist on {brokers}; create it, or correct the name")]
    UnknownTopic {
        /// The bootstrap brokers.
        brokers: String,
        /// The topic.
        topic: String,
    },
    /// No broker can be reached.
    #[error("no kafka broker answers at {brokers}; check the address, the port and the network ({reason})")]
    Unreachable {
        /// The bootstrap brokers.
        brokers: String,
        /// The last reason that was seen.
        reason: String,
    },
    /// The brokers name an address for something that a pipe needs, and it is not reached.
    #[error(
        "kafka at {brokers} answers, and names {address} as {role}, which is not reached from here; correct that broker's \
         `advertised.listeners`, or let this machine reach the address ({reason})"
    )]
    AdvertisedUnreachable {
        /// The bootstrap brokers.
        brokers: String,
        /// The address that they name.
        address: String,
        /// What is there, in words.
        role: String,
        /// The last reason that was seen.
        reason: String,
    },
    /// A broker's host name has no address.
    #[error(
        "the host of a kafka broker cannot be resolved ({brokers}); check the name and the DNS ({reason})"
    )]
    NameResolution {
        /// The bootstrap brokers.
        brokers: String,
        /// The resolver's words.
        reason: String,
    },
    /// The broker's certificate is not signed by a trusted authority.
    #[error(
        "the certificate of kafka at {brokers} is not trusted; give the authority that signed it as `tls.ca` ({reason})"
    )]
    CertificateUntrusted {
        /// The bootstrap brokers.
        brokers: String,
        /// OpenSSL's words.
        reason: String,
    },
    /// The broker's certificate is not valid any more, or not yet.
    #[error(
        "the certificate of kafka at {brokers} has expired, or is not valid yet; have it renewed, or correct this machine's clock \
         ({reason})"
    )]
    CertificateExpired {
        /// The bootstrap brokers.
        brokers: String,
        /// From when until when it is valid, in the words of TLS.
        reason: String,
    },
    /// The broker's certificate is for another host.
    #[error(
        "the certificate of kafka at {brokers} is for another host; write a name of the certificate in `brokers`, or have one made \
         for this name ({reason})"
    )]
    CertificateOfOtherHost {
        /// The bootstrap brokers.
        brokers: String,
        /// The names in it, in the words of TLS.
        reason: String,
    },
    /// The broker wants a client certificate, or another one.
    #[error(
        "kafka at {brokers} refused the client certificate, or asks for one; \
         check `tls.certificate` and `tls.key` ({reason})"
    )]
    ClientCertificateRefused {
        /// The bootstrap brokers.
        brokers: String,
        /// OpenSSL's words.
        reason: String,
    },
    /// The broker answers, and refuses TLS, or is refused.
    #[error(
        "kafka at {brokers} answers, and no TLS connection comes about; check that both ends have a version and a cipher of TLS in \
         common, and whether the broker asks for a client certificate ({reason})"
    )]
    TlsFailed {
        /// The bootstrap brokers.
        brokers: String,
        /// OpenSSL's words.
        reason: String,
    },
    /// TLS to a listener without TLS.
    #[error(
        "kafka at {brokers} does not speak TLS on this port; leave `tls` out, or use the TLS port ({reason})"
    )]
    TlsToPlainPort {
        /// The bootstrap brokers.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// No TLS, or no credentials, to a listener that wants them. Recognised by how the broker hangs up.
    #[error(
        "kafka at {brokers} hung up on a connection without TLS or without credentials; \
         add `tls` or `auth` as the listener asks, or use another port ({reason})"
    )]
    PlainToTlsPort {
        /// The bootstrap brokers.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// The user may not use the consumer group.
    #[error("kafka at {brokers} does not let this user read as the group `{group}`; allow READ on the group")]
    GroupDenied {
        /// The bootstrap brokers.
        brokers: String,
        /// The group.
        group: String,
    },
    /// The user may not read the topic.
    #[error(
        "kafka at {brokers} does not let this user read the topic `{topic}`; allow READ and DESCRIBE on the topic"
    )]
    TopicDenied {
        /// The bootstrap brokers.
        brokers: String,
        /// The topic.
        topic: String,
    },
    /// The broker takes no member with this session timeout.
    #[error(
        "kafka at {brokers} takes no member of the group `{group}` with a session of {session_timeout_ms} ms; choose one between \
         the broker's `group.min.session.timeout.ms` (6 s by default) and `group.max.session.timeout.ms` (30 min) with \
         `--session-timeout`, or change those"
    )]
    SessionTimeoutRefused {
        /// The bootstrap brokers.
        brokers: String,
        /// The group.
        group: String,
        /// What was asked for, in milliseconds.
        session_timeout_ms: u32,
    },
    /// The other members of the group share partitions out in a way that this one does not know.
    #[error(
        "the members of the group `{group}` on {brokers} share partitions out in a way that this one does not know; give the \
         pipe a `consumer_group` of its own, or stop the other program, or set its assignment strategy to cooperative-sticky"
    )]
    GroupOfOthers {
        /// The bootstrap brokers.
        brokers: String,
        /// The group.
        group: String,
    },
    /// The group has as many members as the broker allows.
    #[error(
        "the group `{group}` has as many members as kafka at {brokers} allows; stop one of them (a killed one counts until \
         its session is over), or raise the broker's `group.max.size`"
    )]
    GroupFull {
        /// The bootstrap brokers.
        brokers: String,
        /// The group.
        group: String,
    },
    /// The log does not have the position any more, and the reader may not choose another one by itself.
    #[error(
        "the log of partition {partition} of `{topic}` has no offset {position} any more: retention passed it, \
         or the topic was made anew; set the group's offset to where it should go on"
    )]
    PositionGone {
        /// The topic.
        topic: String,
        /// The partition.
        partition: PartitionId,
        /// The position of the group.
        position: Offset,
    },
    /// The log was truncated below the position, and the reader may not choose another one by itself.
    #[error(
        "the log of partition {partition} of `{topic}` ends before offset {position}, up to which it was read: a broker has lost \
         the end of the log (such as by an unclean leader election), and other records may take those offsets; what was loaded \
         of them stays loaded, so set the group's offset to where it should go on"
    )]
    LogTruncated {
        /// The topic.
        topic: String,
        /// The partition.
        partition: PartitionId,
        /// The position of the reader.
        position: Offset,
    },
    /// The topic is another one than the group's offsets are of, and the reader may not choose other ones by itself.
    #[error(
        "the topic `{topic}` was deleted and created anew, and the offsets of the group `{group}` are of the former one; set \
         them to where the new topic is to be read from (where the broker has deleted them, a new start is enough)"
    )]
    TopicMadeAnew {
        /// The topic.
        topic: String,
        /// The group.
        group: String,
    },
    /// A start was given for a partition that the topic does not have.
    #[error(
        "the topic `{topic}` has no partition {partition}, for which a start is given: it has {partitions}, numbered from \
         0; correct `source.offset.partitions`"
    )]
    StartOfUnknownPartition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: PartitionId,
        /// How many the topic has.
        partitions: usize,
    },
    /// A start was given that the log does not have.
    #[error(
        "partition {partition} of `{topic}` cannot start at offset {start}: its log begins at offset {log_start} and ends \
         before offset {log_end}; give one from {log_start} to {log_end}, or `earliest` or `latest`, in \
         `source.offset.partitions`"
    )]
    StartOutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: PartitionId,
        /// What was asked for.
        start: Offset,
        /// The first offset that the log has.
        log_start: Offset,
        /// The end of the log.
        log_end: Offset,
    },
    /// The group has members, so that its offsets are theirs to commit.
    #[error(
        "the group `{group}` has {who}, and its offsets cannot be set meanwhile; stop the pipe everywhere first (a process \
         that was killed counts until its session is over)"
    )]
    GroupActive {
        /// The group.
        group: String,
        /// How many members, and who they are.
        who: String,
    },
    /// What was committed is not what the group has.
    #[error(
        "offset {wanted} was committed for partition {partition} in the group `{group}`, which has {found} there; somebody \
         else has set it at the same time: look again"
    )]
    OffsetNotKept {
        /// The group.
        group: String,
        /// The partition.
        partition: PartitionId,
        /// What was committed.
        wanted: Offset,
        /// What is there, in words.
        found: String,
    },
    /// Records that cannot be read because their bytes are damaged.
    #[error(
        "records of partition {partition} at offset {offset} are damaged ({reason}); \
         repair the broker's log, or move the group past them"
    )]
    DamagedRecords {
        /// The partition.
        partition: PartitionId,
        /// The offset of the first damaged batch.
        offset: Offset,
        /// librdkafka's words.
        reason: String,
    },
    /// Offsets could not be committed, or the outcome is unknown.
    #[error("offsets of the group `{group}` could not be committed ({reason})")]
    Commit {
        /// The group.
        group: String,
        /// Kafka's words.
        reason: String,
    },
    /// The group takes no commit until somebody has mended something.
    #[error(
        "the group `{group}` takes no commit ({reason}); allow this user READ of the group and the topic, or raise the \
         broker's limit, such as `offset.metadata.max.bytes`"
    )]
    CommitNotAllowed {
        /// The group.
        group: String,
        /// Kafka's words.
        reason: String,
    },
    /// A request was not answered in time, or was refused for a passing reason.
    #[error("kafka at {brokers} did not answer {request} ({reason})")]
    Request {
        /// The bootstrap brokers.
        brokers: String,
        /// What was asked for.
        request: &'static str,
        /// Kafka's words.
        reason: String,
    },
    /// Another member of the group claims the same identity, or the broker fenced this client.
    #[error("kafka at {brokers} ended this client for good ({reason})")]
    Fatal {
        /// The bootstrap brokers.
        brokers: String,
        /// librdkafka's words.
        reason: String,
    },
    /// A state that should not come about.
    #[error("internal error of the kafka source: {reason}; please report it")]
    Internal {
        /// What was seen.
        reason: String,
    },
}

/// Whose matter an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// What the user wrote: settings, names, credentials, rights.
    User,
    /// Brokers and networks.
    External,
    /// This program.
    Internal,
}

impl SourceError {
    /// Whose matter it is.
    pub fn domain(&self) -> Domain {
        match self {
            SourceError::Config { .. }
            | SourceError::WrongCredentials { .. }
            | SourceError::MechanismRefused { .. }
            | SourceError::TokenRefused { .. }
            | SourceError::IamRefused { .. }
            | SourceError::TokenRequestRefused { .. }
            | SourceError::TokenEndpointUntrusted { .. }
            | SourceError::TokenAnswerInvalid { .. }
            | SourceError::UnknownTopic { .. }
            | SourceError::NameResolution { .. }
            | SourceError::CertificateUntrusted { .. }
            | SourceError::CertificateExpired { .. }
            | SourceError::CertificateOfOtherHost { .. }
            | SourceError::ClientCertificateRefused { .. }
            | SourceError::TlsFailed { .. }
            | SourceError::TlsToPlainPort { .. }
            | SourceError::PlainToTlsPort { .. }
            | SourceError::GroupDenied { .. }
            | SourceError::TopicDenied { .. }
            | SourceError::SessionTimeoutRefused { .. }
            | SourceError::GroupOfOthers { .. }
            | SourceError::GroupFull { .. }
            | SourceError::CommitNotAllowed { .. }
            | SourceError::StartOfUnknownPartition { .. }
            | SourceError::StartOutOfRange { .. }
            | SourceError::GroupActive { .. } => Domain::User,
            SourceError::Unreachable { .. }
            | SourceError::AdvertisedUnreachable { .. }
            | SourceError::TokenEndpointUnavailable { .. }
            | SourceError::PositionGone { .. }
            | SourceError::LogTruncated { .. }
            | SourceError::TopicMadeAnew { .. }
            | SourceError::OffsetNotKept { .. }
            | SourceError::DamagedRecords { .. }
            | SourceError::Commit { .. }
            | SourceError::Request { .. }
            | SourceError::Fatal { .. } => Domain::External,
            SourceError::Internal { .. } => Domain::Internal,
        }
    }

    /// Whether the same call may succeed later without a person's help. librdkafka itself keeps trying meanwhile.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            SourceError::Unreachable { .. }
                | SourceError::AdvertisedUnreachable { .. }
                | SourceError::TokenEndpointUnavailable { .. }
                | SourceError::NameResolution { .. }
                | SourceError::Commit { .. }
                | SourceError::Request { .. }
        )
    }
}
