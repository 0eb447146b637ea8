//! What gives a user of Kafka the right that it lacks.

use housepipe_kafka_source::{Security, SourceError};

use crate::pipe_file::{SourceSpec, Vendor};

/// The command that gives the right which `error` finds missing, or what a policy has to allow; none where it is about something else.
pub(super) fn grant(source: &SourceSpec, error: &SourceError) -> Option<String> {
    let (resource, name, actions) = match error {
        SourceError::TopicDenied { topic, .. } => {
            ("topic", topic, "kafka-cluster:DescribeTopic and kafka-cluster:ReadData")
        }
        SourceError::GroupDenied { group, .. } => {
            ("group", group, "kafka-cluster:DescribeGroup and kafka-cluster:AlterGroup")
        }
        _ => return None,
    };
    let name = quoted(name);
    if let Security::Token { source: tokens, .. } = &source.security
        && tokens.is_msk_iam()
    {
        return Some(format!("in its IAM policy, {actions} on {name}"));
    }
    if source.preset.vendor == Vendor::ConfluentCloud {
        let resource = if resource == "group" { "consumer-group" } else { resource };
        return Some(format!(
            "confluent kafka acl create --allow --service-account ACCOUNT --operations read,describe --{resource} {name}"
        ));
    }
    let login = if matches!(source.security, Security::Plaintext) {
        ""
    } else {
        " --command-config admin.properties"
    };
    // To read implies to describe.
    Some(format!(
        "kafka-acls.sh --bootstrap-server {}{login} --add --allow-principal {} --operation Read --{resource} {name}",
        source.brokers,
        quoted(&principal(&source.security))
    ))
}

/// Who the user is to the broker, as far as it can be known here: names of certificates and of tokens are mapped by the broker.
fn principal(security: &Security) -> String {
    match security {
        Security::Sasl { username, .. } => format!("User:{username}"),
        Security::Tls(tls) if tls.client.is_some() => "User:PRINCIPAL".to_owned(),
        Security::Token { .. } => "User:PRINCIPAL".to_owned(),
        Security::Plaintext | Security::Tls(_) => "User:ANONYMOUS".to_owned(),
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':');
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe_file::PipeFile;

    fn granted(vendor: &str, lines: &str, error: &SourceError) -> Option<String> {
        let text = format!(
            "name: clicks\nsource:\n  type: {vendor}\n  brokers: kafka:9092\n  topic: clicks\n{lines}destination:\n  url: http://localhost:8123\n  table: clicks\n"
        );
        grant(&PipeFile::parse(&text, "p.yaml").unwrap().source, error)
    }

    fn topic() -> SourceError {
        SourceError::TopicDenied { brokers: "kafka:9092".to_owned(), topic: "clicks".to_owned() }
    }

    fn group(name: &str) -> SourceError {
        SourceError::GroupDenied { brokers: "kafka:9092".to_owned(), group: name.to_owned() }
    }

    #[test]
    fn each_kind_of_brokers_has_its_own_way() {
        let scram = "  tls: {}\n  auth: { mechanism: SCRAM-SHA-512, username: app, password: p }\n";
        let key = "  auth: { username: k, password: p }\n";
        let iam =
            "  auth: { mechanism: AWS_MSK_IAM, region: eu-west-1, access_key_id: a, secret_access_key: s }\n";
        for (vendor, lines, error, expected) in [
            (
                "kafka",
                "",
                topic(),
                "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal User:ANONYMOUS --operation Read --topic clicks",
            ),
            (
                "kafka",
                scram,
                group("it's"),
                r"kafka-acls.sh --bootstrap-server kafka:9092 --command-config admin.properties --add --allow-principal User:app --operation Read --group 'it'\''s'",
            ),
            (
                "confluent_cloud",
                key,
                group("g"),
                "confluent kafka acl create --allow --service-account ACCOUNT --operations read,describe --consumer-group g",
            ),
            (
                "aws_msk",
                iam,
                topic(),
                "in its IAM policy, kafka-cluster:DescribeTopic and kafka-cluster:ReadData on clicks",
            ),
        ] {
            assert_eq!(granted(vendor, lines, &error).as_deref(), Some(expected));
        }
        let other =
            SourceError::UnknownTopic { brokers: "kafka:9092".to_owned(), topic: "clicks".to_owned() };
        assert_eq!(granted("kafka", "", &other), None);
    }
}
