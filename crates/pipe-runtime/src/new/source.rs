//! The questions about Kafka.

use std::path::Path;

use housepipe_kafka_source::ListedTopic;

use super::answers::{AWS_MSK_IAM, Answers, AuthAnswers, OAUTHBEARER, OidcAnswers, Secret, TlsAnswers};
use super::ask::{self, NONE, REASON_WIDTH};
use super::interview::NoAnswer;
use super::session::Session;
use super::words::{is_variable, pipe_name, table_name};
use crate::error::explain;
use crate::pipe_file::unwritable;
use crate::shown::shown;

/// Sources that somebody may look for, and what they are.
const PRESETS: [(&str, &str); 3] = [
    ("kafka", "Apache Kafka, and whatever speaks its protocol"),
    ("confluent_cloud", "Confluent Cloud"),
    ("aws_msk", "Amazon MSK"),
];

/// How a client says who it is.
const MECHANISMS: [(&str, &str); 5] = [
    ("PLAIN", "user name and password, as Confluent Cloud has it"),
    ("SCRAM-SHA-256", "user name and password, which is never sent"),
    ("SCRAM-SHA-512", "the same, as Amazon MSK has it"),
    (OAUTHBEARER, "a token of an issuer (OpenID Connect), by client id and secret"),
    (AWS_MSK_IAM, "a token for Amazon MSK, signed with the access key of the environment"),
];

/// Topics that are listed, at most; others are given by name.
const TOPICS_SHOWN_MAX: usize = 50;

/// Characters of a sample that are shown, at most.
const SAMPLE_WIDTH: usize = 2_000;

/// Samples that columns are inferred from, at most.
const SAMPLES_MAX: usize = 1_000;

impl Session<'_> {
    /// Everything up to a topic that can be read.
    pub(super) fn source(&mut self) -> Result<(), NoAnswer> {
        self.preset()?;
        let topics = loop {
            self.connection()?;
            self.talk.say("\nAsking the broker for its topics …")?;
            let file = self.answers.file().map_err(|error| error.to_string());
            match file.and_then(|file| self.world.topics(&file)) {
                Ok(topics) => break topics,
                Err(reason) => self.talk.say(&format!(
                    "  {}\nSo the questions about the broker once more; an empty answer keeps what you gave.",
                    shown(&reason, REASON_WIDTH)
                ))?,
            }
        };
        self.topic(&topics)
    }

    /// Those presets that a pipe file takes today.
    fn preset(&mut self) -> Result<(), NoAnswer> {
        let takes = |preset: &str| {
            let answers = Answers { preset: preset.to_owned(), ..Answers::default() };
            answers.check("source.type").is_ok()
        };
        let options: Vec<(&str, String)> = PRESETS
            .into_iter()
            .filter(|(preset, _)| takes(preset))
            .map(|(preset, meaning)| (preset, meaning.to_owned()))
            .collect();
        let at = ask::choice(self.talk, "Source", "Where the records are.", &options, "kafka")?;
        if let Some((preset, _)) = options.get(at) {
            self.answers.preset = (*preset).to_owned();
        }
        Ok(())
    }

    /// Brokers, encryption and credentials.
    fn connection(&mut self) -> Result<(), NoAnswer> {
        let Session { talk, answers, .. } = self;
        let default = answers.brokers.clone();
        ask::value(
            *talk,
            "Brokers",
            "One broker or several as host:port, separated by commas.",
            &default,
            |text| {
                answers.brokers = text.to_owned();
                answers.check("source.brokers")
            },
        )?;
        let is_near = answers.brokers.split(',').all(|broker| is_loopback(broker.trim()));
        let default = answers.tls.is_some() || (!is_near && !answers.allow_without_tls);
        if ask::yes(
            *talk,
            "TLS",
            "Whether the connection is encrypted; beyond a trusted network it should be.",
            default,
        )? {
            self.tls()?;
        } else {
            self.answers.tls = None;
        }
        self.auth()
    }

    fn tls(&mut self) -> Result<(), NoAnswer> {
        let before = self.answers.tls.take().unwrap_or_default();
        self.answers.tls = Some(self.tls_files("broker", before)?);
        Ok(())
    }

    /// Files with whom to trust and what to show to `peer`.
    pub(super) fn tls_files(&mut self, peer: &str, before: TlsAnswers) -> Result<TlsAnswers, NoAnswer> {
        let world = self.world;
        let file = |talk: &mut dyn super::Interview, text: &str, explanation: &str, default: Option<&str>| {
            ask::value(talk, text, explanation, default.unwrap_or(NONE), |answer| match answer {
                NONE => Ok(None),
                path if !world.has_file(Path::new(path)) => {
                    Err(format!("there is no file `{}`", shown(path, 200)))
                }
                path => writable(path).map(|()| Some(path.to_owned())),
            })
        };
        let ca = file(
            self.talk,
            "CA file",
            &format!(
                "A PEM file with the authority that signed the {peer}'s certificate; `-` trusts what this system trusts."
            ),
            before.ca.as_deref(),
        )?;
        let (certificate_before, key_before) = before.client.unzip();
        let certificate = file(
            self.talk,
            "Client certificate",
            &format!("A PEM file, where the {peer} asks for a certificate of yours; `-` where it does not."),
            certificate_before.as_deref(),
        )?;
        let client = match certificate {
            None => None,
            Some(certificate) => loop {
                let key = file(self.talk, "Client key", "The PEM file with its key.", key_before.as_deref())?;
                match key {
                    Some(key) => break Some((certificate, key)),
                    None => self.talk.say("  a client certificate needs its key")?,
                }
            },
        };
        Ok(TlsAnswers { ca, client })
    }

    fn auth(&mut self) -> Result<(), NoAnswer> {
        let before = self.answers.auth.take();
        let mut options = vec![("none", "no credentials, or a client certificate alone".to_owned())];
        options.extend(MECHANISMS.map(|(word, meaning)| (word, meaning.to_owned())));
        let default = before.as_ref().map_or("none", AuthAnswers::mechanism).to_owned();
        let at =
            ask::choice(self.talk, "Credentials", "How the broker knows who connects.", &options, &default)?;
        let mechanism = match options.get(at) {
            None | Some(("none", _)) => return Ok(()),
            Some((mechanism, _)) => (*mechanism).to_owned(),
        };
        if self.answers.tls.is_none() {
            let explanation = "Without TLS the password crosses the network in the clear. No goes back to the question on TLS.";
            self.answers.allow_without_tls =
                ask::yes(self.talk, "Send it without TLS", explanation, self.answers.allow_without_tls)?;
            if !self.answers.allow_without_tls {
                self.answers.auth = before;
                self.answers.tls = Some(TlsAnswers::default());
                return self.connection();
            }
        }
        self.answers.auth = Some(match mechanism.as_str() {
            OAUTHBEARER => AuthAnswers::Oidc(self.oidc(before)?),
            AWS_MSK_IAM => AuthAnswers::AwsMskIam { region: self.region(before)? },
            _ => self.password(mechanism, before)?,
        });
        match self.answers.check("source.auth") {
            Ok(()) => Ok(()),
            Err(reason) => {
                self.talk.say(&format!("  {}", shown(&reason, REASON_WIDTH)))?;
                // It may be TLS that is missing.
                if self.answers.tls.is_none() { self.connection() } else { self.auth() }
            }
        }
    }

    fn password(&mut self, mechanism: String, before: Option<AuthAnswers>) -> Result<AuthAnswers, NoAnswer> {
        let (user_before, password_before) = match before {
            Some(AuthAnswers::Password { username, password, .. }) => (username, Some(password)),
            _ => ("app".to_owned(), None),
        };
        let username = ask::value(
            self.talk,
            "User name",
            "As the broker knows it; an API key counts as one.",
            &user_before,
            |text| writable(text).map(|()| text.to_owned()),
        )?;
        let password = self.secret("password", "KAFKA_PASSWORD", password_before.as_ref())?;
        Ok(AuthAnswers::Password { mechanism, username, password })
    }

    fn oidc(&mut self, before: Option<AuthAnswers>) -> Result<OidcAnswers, NoAnswer> {
        let before = match before {
            Some(AuthAnswers::Oidc(before)) => Some(before),
            _ => None,
        };
        let text = |talk: &mut dyn super::Interview, question: &str, explanation: &str, default: &str| {
            ask::value(talk, question, explanation, default, |text| writable(text).map(|()| text.to_owned()))
        };
        let of =
            |part: fn(&OidcAnswers) -> &str, default: &str| before.as_ref().map_or(default, part).to_owned();
        let token_url = text(
            self.talk,
            "Token URL",
            "The issuer's token endpoint.",
            &of(|it| &it.token_url, "https://login.example.com/oauth2/token"),
        )?;
        let client_id = text(
            self.talk,
            "Client id",
            "As the issuer knows the client.",
            &of(|it| &it.client_id, "loader"),
        )?;
        let secret =
            self.secret("client secret", "KAFKA_CLIENT_SECRET", before.as_ref().map(|it| &it.secret))?;
        let scope = text(
            self.talk,
            "Scope",
            "What the token is to allow, where the issuer wants that named; `-` where it does not.",
            &of(|it| it.scope.as_deref().unwrap_or(NONE), NONE),
        )?;
        let mut extensions = Vec::new();
        if self.answers.preset == "confluent_cloud" {
            for (name, question, explanation) in [
                (
                    "logicalCluster",
                    "Logical cluster",
                    "The id of the cluster, such as lkc-abc123; `-` over AWS PrivateLink.",
                ),
                (
                    "identityPoolId",
                    "Identity pool",
                    "The pool that the token is mapped to, such as pool-x1; `-` where there is none.",
                ),
            ] {
                let known = before.iter().flat_map(|it| &it.extensions).find(|(known, _)| known == name);
                let default = known.map_or(NONE, |(_, value)| value.as_str()).to_owned();
                let value = text(self.talk, question, explanation, &default)?;
                extensions.extend((value != NONE).then(|| (name.to_owned(), value)));
            }
        }
        let scope = (scope != NONE).then_some(scope);
        Ok(OidcAnswers { token_url, client_id, secret, scope, extensions })
    }

    fn region(&mut self, before: Option<AuthAnswers>) -> Result<Option<String>, NoAnswer> {
        let default = match before {
            Some(AuthAnswers::AwsMskIam { region: Some(region) }) => region,
            _ => NONE.to_owned(),
        };
        let region = ask::value(
            self.talk,
            "Region",
            "The cluster's region, such as eu-central-1; `-` where the brokers' names or AWS_REGION tell it.",
            &default,
            |text| writable(text).map(|()| text.to_owned()),
        )?;
        Ok((region != NONE).then_some(region))
    }

    /// A secret: the variable that the file names, and its value for this session.
    pub(super) fn secret(
        &mut self,
        what: &str,
        variable: &str,
        before: Option<&Secret>,
    ) -> Result<Secret, NoAnswer> {
        let default = before.map_or(variable, |secret| secret.variable.as_str()).to_owned();
        let variable = ask::value(
            self.talk,
            &format!("Variable of the {what}"),
            &format!("The file does not hold the {what} but the name of an environment variable that does."),
            &default,
            |text| match is_variable(text) {
                true => Ok(text.to_owned()),
                false => {
                    Err(format!("`{}` is no name of a variable: letters, digits and `_`", shown(text, 100)))
                }
            },
        )?;
        if let Some(value) = self.world.variable(&variable).filter(|value| !value.is_empty()) {
            self.talk.say(&format!("  {variable} is set, and its value is taken."))?;
            return Ok(Secret { variable, value: value.into() });
        }
        let explanation =
            format!("{variable} is not set. The {what} is not shown, and kept for these questions only.");
        let mut question = what.to_owned();
        question[..1].make_ascii_uppercase();
        let value = ask::secret(self.talk, &question, &explanation)?;
        Ok(Secret { variable, value })
    }

    /// A topic that can be read, its samples, and the pipe's name.
    fn topic(&mut self, topics: &[ListedTopic]) -> Result<(), NoAnswer> {
        let mut list = match topics.len() {
            0 => "The broker lists no topic for this user; give the name of one.".to_owned(),
            _ => "The topic, by its number or its name:".to_owned(),
        };
        let (shown_topics, others) = topics.split_at(topics.len().min(TOPICS_SHOWN_MAX));
        for (number, topic) in (1..).zip(shown_topics) {
            list.push_str(&format!(
                "\n  {number:>2}  {}  {} partition(s)",
                shown(&topic.name, 249),
                topic.partitions
            ));
        }
        if !others.is_empty() {
            list.push_str(&format!("\n  and {} more, by name", others.len()));
        }
        let mut default = topics.first().map_or(self.answers.topic.clone(), |topic| topic.name.clone());
        loop {
            let Session { talk, answers, .. } = self;
            ask::value(*talk, "Topic", &list, &default, |text| {
                let is_name = topics.iter().any(|topic| topic.name == text);
                let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let by_number = number.filter(|_| !is_name).and_then(|at| shown_topics.get(at));
                let name = by_number.map_or(text, |topic| &topic.name);
                writable(name)?;
                answers.topic = name.to_owned();
                answers.check("source.topic")
            })?;
            default.clone_from(&self.answers.topic);
            self.talk.say(&format!("\nReading samples of `{}` …", shown(&default, 249)))?;
            let file = self.answers.file().map_err(|error| error.to_string());
            match file.and_then(|file| self.world.samples(&file, SAMPLES_MAX)) {
                Ok(sampled) => {
                    if let Some(error) = &sampled.cut_short {
                        let why = shown(&explain(error), REASON_WIDTH);
                        self.talk
                            .say(&format!("  Not all of them came, and the newest may be missing: {why}"))?;
                    }
                    self.samples = sampled.records;
                    break;
                }
                Err(reason) => self.talk.say(&format!("  {}", shown(&reason, REASON_WIDTH)))?,
            }
        }
        self.show_sample()?;
        self.registry()?;
        self.answers.table = table_name(&self.answers.topic);
        let default = pipe_name(&self.answers.topic);
        let Session { talk, answers, .. } = self;
        let explanation = "The pipe's name, in logs and of its consumer group: a-z, 0-9, `_` and `-`.";
        ask::value(*talk, "Name of the pipe", explanation, &default, |text| {
            answers.name = text.to_owned();
            answers.check("name")
        })
    }

    fn show_sample(&mut self) -> Result<(), NoAnswer> {
        let newest = self.samples.iter().rev().find_map(|record| Some((record, record.payload.as_deref()?)));
        let Some((record, payload)) = newest else {
            self.talk.say("  It has no records with a value yet.")?;
            return Ok(());
        };
        let text = String::from_utf8_lossy(housepipe_schema_registry::parse_framing(payload).body());
        self.talk.say(&format!(
            "  {} sample(s); the newest (partition {}, offset {}):\n  {}",
            self.samples.len(),
            record.partition,
            record.offset,
            shown(&text, SAMPLE_WIDTH)
        ))
    }
}

/// Whether a pipe file can hold the answer.
pub(super) fn writable(text: &str) -> Result<(), String> {
    unwritable(text).map_or(Ok(()), |why| Err(format!("that cannot be written into a pipe file: {why}")))
}

fn is_loopback(broker: &str) -> bool {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}
