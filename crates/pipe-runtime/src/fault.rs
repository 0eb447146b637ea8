//! What is at fault where a look at a pipe's ends comes to nothing, as one of a closed set of words.

use housepipe_ch_sink::SinkError;
use housepipe_kafka_source::SourceError;
use housepipe_schema_registry::RegistryError;
use serde::Serialize;

use crate::error::PipeError;
use crate::errors::ErrorsError;
use crate::infer::InferError;
use crate::preview::PreviewError;

/// What is at fault. The error's own words say more, and how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No broker is reached, or what answers is none.
    SourceUnreachable,
    /// ClickHouse is not reached, or what answers is something else.
    DestinationUnreachable,
    /// The schema registry is not reached, or what answers is none.
    RegistryUnreachable,
    /// An end does not know who asks: credentials or a certificate are wrong.
    NotAuthenticatedThere,
    /// An end knows who asks, and does not allow it.
    NotAllowedThere,
    /// The brokers have no such topic.
    NoSuchTopic,
    /// ClickHouse has no such table.
    NoSuchTable,
    /// The brokers refuse something else.
    SourceRefused,
    /// ClickHouse refuses something else.
    DestinationRefused,
    /// The registry does not have a schema that can be used.
    SchemaUnusable,
    /// The columns do not fit the table, or cannot be filled.
    ColumnsUnusable,
    /// There are no samples of which columns could be made.
    NothingToInfer,
    /// The pipe has no error table, or it was not created yet.
    NoErrorTable,
    /// The condition is none.
    InvalidCondition,
    /// Another replay of the pipe is under way.
    ReplayUnderWay,
    /// A replay cannot go on without the risk of loading records twice or leaving them out.
    ReplayHeld,
    /// A defect of housepipe.
    Defect,
}

impl Fault {
    /// That of an error of the brokers, or of the way there.
    pub(crate) fn of_source(error: &SourceError) -> Fault {
        match error {
            SourceError::WrongCredentials { .. }
            | SourceError::TokenRefused { .. }
            | SourceError::IamRefused { .. }
            | SourceError::TokenRequestRefused { .. }
            | SourceError::MechanismRefused { .. }
            | SourceError::ClientCertificateRefused { .. }
            | SourceError::PlainToTlsPort { .. } => Fault::NotAuthenticatedThere,
            SourceError::TopicDenied { .. } | SourceError::GroupDenied { .. } => Fault::NotAllowedThere,
            SourceError::UnknownTopic { .. } => Fault::NoSuchTopic,
            SourceError::Unreachable { .. }
            | SourceError::AdvertisedUnreachable { .. }
            | SourceError::NameResolution { .. }
            | SourceError::CertificateUntrusted { .. }
            | SourceError::CertificateExpired { .. }
            | SourceError::CertificateOfOtherHost { .. }
            | SourceError::TlsFailed { .. }
            | SourceError::TlsToPlainPort { .. }
            | SourceError::TokenEndpointUnavailable { .. }
            | SourceError::TokenEndpointUntrusted { .. }
            | SourceError::TokenAnswerInvalid { .. }
            | SourceError::Request { .. } => Fault::SourceUnreachable,
            SourceError::Internal { .. } => Fault::Defect,
            _ => Fault::SourceRefused,
        }
    }

    /// That of an error of ClickHouse, or of the way there.
    pub(crate) fn of_sink(error: &SinkError) -> Fault {
        match (error, error.code()) {
            // Unknown user, wrong password, required password, address not allowed; authentication failed.
            (_, Some(192..=195 | 516)) => Fault::NotAuthenticatedThere,
            (_, Some(164 | 497)) => Fault::NotAllowedThere,
            (_, Some(60)) => Fault::NoSuchTable,
            (
                SinkError::Network { .. }
                | SinkError::TimedOut { .. }
                | SinkError::NotClickhouse { .. }
                | SinkError::TrustStore { .. },
                _,
            ) => Fault::DestinationUnreachable,
            (SinkError::Condition { .. }, _) => Fault::InvalidCondition,
            _ => Fault::DestinationRefused,
        }
    }

    /// That of an error of the schema registry, or of the way there.
    pub(crate) fn of_registry(error: &RegistryError) -> Fault {
        match error {
            RegistryError::Denied { status: 403, .. } => Fault::NotAllowedThere,
            RegistryError::Denied { .. } => Fault::NotAuthenticatedThere,
            RegistryError::Unreachable { .. }
            | RegistryError::TimedOut { .. }
            | RegistryError::Tls { .. }
            | RegistryError::Busy { .. }
            | RegistryError::Failed { .. }
            | RegistryError::NotARegistry { .. }
            | RegistryError::Redirected { .. } => Fault::RegistryUnreachable,
            RegistryError::Unconfirmed { source, .. } | RegistryError::Reference { source, .. } => {
                Fault::of_registry(source)
            }
            _ => Fault::SchemaUnusable,
        }
    }
}

impl PipeError {
    /// What is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            PipeError::Source(error) | PipeError::TopicMadeAnew { source: error, .. } => {
                Fault::of_source(error)
            }
            PipeError::Sink(error) => Fault::of_sink(error),
            PipeError::Insert(error)
            | PipeError::ErrorTable { source: error, .. }
            | PipeError::Destination { source: error, .. } => Fault::of_sink(error),
            PipeError::Registry(error) => Fault::of_registry(error),
            PipeError::RegistryUnreachable { .. } => Fault::RegistryUnreachable,
            PipeError::SourceUnreachable { .. } => Fault::SourceUnreachable,
            PipeError::NoTable { .. } => Fault::NoSuchTable,
            PipeError::Schema { .. } => Fault::SchemaUnusable,
            PipeError::File(_)
            | PipeError::TableMismatch { .. }
            | PipeError::Plan(_)
            | PipeError::TimeZone { .. } => Fault::ColumnsUnusable,
            PipeError::CannotDeduplicate { .. }
            | PipeError::TooManyRefused { .. }
            | PipeError::TooManyRejected { .. } => Fault::DestinationRefused,
            _ => Fault::Defect,
        }
    }
}

impl InferError {
    /// What is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            InferError::Pipe(error) => error.fault(),
            InferError::EmptyTopic { .. }
            | InferError::NoLines { .. }
            | InferError::Read { .. }
            | InferError::NoObjects { .. }
            | InferError::NoColumns { .. } => Fault::NothingToInfer,
        }
    }
}

impl PreviewError {
    /// What is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            PreviewError::Pipe(error) => error.fault(),
            PreviewError::Row { .. } => Fault::Defect,
        }
    }
}

impl ErrorsError {
    /// What is at fault.
    pub fn fault(&self) -> Fault {
        match self {
            ErrorsError::Pipe(error) => error.fault(),
            ErrorsError::Sink(error) => Fault::of_sink(error),
            ErrorsError::Insert(error) => Fault::of_sink(error),
            ErrorsError::Disabled | ErrorsError::NoTable { .. } => Fault::NoErrorTable,
            ErrorsError::Condition { .. } => Fault::InvalidCondition,
            ErrorsError::Conflict { .. } => Fault::ReplayUnderWay,
            ErrorsError::TooManyRefused { .. } => Fault::DestinationRefused,
            ErrorsError::NotRemembered { .. }
            | ErrorsError::Interrupted { .. }
            | ErrorsError::Unsure { .. }
            | ErrorsError::Untold { .. }
            | ErrorsError::Restarting { .. }
            | ErrorsError::Late { .. }
            | ErrorsError::NoSuchBatch { .. } => Fault::ReplayHeld,
        }
    }
}
