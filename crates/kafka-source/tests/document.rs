//! docs/connecting.md says what this crate says.
#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use housepipe_kafka_source::SourceError;

#[test]
fn every_cause_of_the_document_has_the_words_of_its_error() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connecting.md")).unwrap();
    let table = text.split("\n## ").find(|part| part.starts_with("What is said")).unwrap();
    let mut rows: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .map(|(_, said)| said)
        .filter(|said| *said != "what Housepipe says")
        .collect();
    let brokers = || "BROKERS".to_owned();
    let url = || "URL".to_owned();
    let reason = || "REASON".to_owned();
    for error in [
        SourceError::WrongCredentials { brokers: brokers(), reason: reason() },
        SourceError::MechanismRefused { brokers: brokers(), reason: reason() },
        SourceError::TlsToPlainPort { brokers: brokers(), reason: reason() },
        SourceError::PlainToTlsPort { brokers: brokers(), reason: reason() },
        SourceError::CertificateUntrusted { brokers: brokers(), reason: reason() },
        SourceError::CertificateExpired { brokers: brokers(), reason: reason() },
        SourceError::CertificateOfOtherHost { brokers: brokers(), reason: reason() },
        SourceError::ClientCertificateRefused { brokers: brokers(), reason: reason() },
        SourceError::TlsFailed { brokers: brokers(), reason: reason() },
        SourceError::Unreachable { brokers: brokers(), reason: reason() },
        SourceError::NameResolution { brokers: brokers(), reason: reason() },
        SourceError::AdvertisedUnreachable {
            brokers: brokers(),
            address: "ADDRESS".to_owned(),
            role: "ROLE".to_owned(),
            reason: reason(),
        },
        SourceError::UnknownTopic { brokers: brokers(), topic: "TOPIC".to_owned() },
        SourceError::TopicDenied { brokers: brokers(), topic: "TOPIC".to_owned() },
        SourceError::GroupDenied { brokers: brokers(), group: "GROUP".to_owned() },
        SourceError::TokenRequestRefused { url: url(), reason: reason() },
        SourceError::TokenEndpointUnavailable { url: url(), reason: reason() },
        SourceError::TokenEndpointUntrusted { url: url(), reason: reason() },
        SourceError::TokenAnswerInvalid { url: url(), reason: reason() },
        SourceError::TokenRefused { brokers: brokers(), reason: reason() },
        SourceError::IamRefused { brokers: brokers(), reason: reason() },
    ] {
        let said = error.to_string();
        let said = said.strip_suffix(" (REASON)").unwrap_or(&said);
        let at = rows.iter().position(|row| *row == said);
        rows.remove(at.unwrap_or_else(|| panic!("no row says: {said}")));
    }
    assert!(rows.is_empty(), "nothing says this: {rows:?}");
}
