//! Everything that was answered, and the pipe file that it makes.

use std::fmt::Write as _;

use housepipe_kafka_source::{OidcClient, Security, TokenSource};
use housepipe_schema_registry::Credentials;
use secrecy::SecretString;

use crate::pipe_file::{ColumnLines, PipeFile, PipeFileError, TableLines, quoted};

/// A secret that the file names by an environment variable.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) variable: String,
    /// For this session alone.
    pub(super) value: SecretString,
}

/// `source.tls:`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsAnswers {
    pub(super) ca: Option<String>,
    /// Files with certificate and key.
    pub(super) client: Option<(String, String)>,
}

/// `source.auth:`
#[derive(Debug, Clone)]
pub(super) enum AuthAnswers {
    /// A user name and a password.
    Password { mechanism: String, username: String, password: Secret },
    /// Tokens of an issuer.
    Oidc(OidcAnswers),
    /// Tokens that are signed with the key of the environment.
    AwsMskIam { region: Option<String> },
}

/// Who asks an issuer for tokens.
#[derive(Debug, Clone)]
pub(super) struct OidcAnswers {
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) secret: Secret,
    pub(super) scope: Option<String>,
    /// Names and values, such as `logicalCluster` and the id of one.
    pub(super) extensions: Vec<(String, String)>,
}

/// `schema_registry:`
#[derive(Debug, Clone, Default)]
pub(super) struct RegistryAnswers {
    pub(super) url: String,
    pub(super) auth: Option<RegistryAuth>,
    pub(super) tls: Option<TlsAnswers>,
    pub(super) allow_without_tls: bool,
}

/// How a registry knows who asks.
#[derive(Debug, Clone)]
pub(super) enum RegistryAuth {
    /// A user name and a password.
    Password { username: String, password: Secret },
    /// A bearer token.
    Token(Secret),
}

impl RegistryAnswers {
    fn secret(&self) -> Option<&Secret> {
        match self.auth.as_ref()? {
            RegistryAuth::Password { password: secret, .. } | RegistryAuth::Token(secret) => Some(secret),
        }
    }
}

impl TlsAnswers {
    /// As the file has it.
    fn braces(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.ca.iter().map(|ca| format!("ca: {}", scalar(ca))));
        if let Some((certificate, key)) = &self.client {
            parts.push(format!("certificate: {}, key: {}", scalar(certificate), scalar(key)));
        }
        if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
    }
}

/// Mechanisms whose credentials are tokens.
pub(super) const OAUTHBEARER: &str = "OAUTHBEARER";
pub(super) const AWS_MSK_IAM: &str = "AWS_MSK_IAM";

impl AuthAnswers {
    pub(super) fn mechanism(&self) -> &str {
        match self {
            AuthAnswers::Password { mechanism, .. } => mechanism,
            AuthAnswers::Oidc(_) => OAUTHBEARER,
            AuthAnswers::AwsMskIam { .. } => AWS_MSK_IAM,
        }
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            AuthAnswers::Password { password: secret, .. }
            | AuthAnswers::Oidc(OidcAnswers { secret, .. }) => Some(secret),
            AuthAnswers::AwsMskIam { .. } => None,
        }
    }

    /// What stands between the braces, without `mechanism`.
    fn fields(&self, secret: &impl Fn(&Secret) -> String) -> String {
        match self {
            AuthAnswers::Password { username, password, .. } => {
                format!(", username: {}, password: \"{}\"", scalar(username), secret(password))
            }
            AuthAnswers::Oidc(OidcAnswers { token_url, client_id, secret: of, scope, extensions }) => {
                let mut text = format!(
                    ", token_url: {}, client_id: {}, client_secret: \"{}\"",
                    scalar(token_url),
                    scalar(client_id),
                    secret(of)
                );
                text.extend(scope.iter().map(|scope| format!(", scope: {}", scalar(scope))));
                if !extensions.is_empty() {
                    let named =
                        |(name, value): &(String, String)| format!("{}: {}", scalar(name), scalar(value));
                    let extensions: Vec<String> = extensions.iter().map(named).collect();
                    text.push_str(&format!(", extensions: {{ {} }}", extensions.join(", ")));
                }
                text
            }
            AuthAnswers::AwsMskIam { region } => {
                region.iter().map(|region| format!(", region: {}", scalar(region))).collect()
            }
        }
    }
}

impl OidcAnswers {
    /// With the secret of this session.
    fn client(&self, allow_without_tls: bool) -> OidcClient {
        let mut client =
            OidcClient::new(self.token_url.as_str(), self.client_id.as_str(), self.secret.value.clone());
        client.scope.clone_from(&self.scope);
        client.extensions = self.extensions.iter().cloned().collect();
        client.allow_without_tls = allow_without_tls;
        client
    }
}

/// What was answered so far; what was not yet has the default that is proposed.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) preset: String,
    pub(super) brokers: String,
    pub(super) tls: Option<TlsAnswers>,
    pub(super) auth: Option<AuthAnswers>,
    pub(super) allow_without_tls: bool,
    pub(super) topic: String,
    pub(super) name: String,
    pub(super) offset: String,
    pub(super) registry: Option<RegistryAnswers>,
    pub(super) url: String,
    pub(super) username: String,
    pub(super) password: Option<Secret>,
    pub(super) database: String,
    pub(super) table: String,
    /// How to create the table; none where it exists.
    pub(super) managed: Option<TableLines>,
    /// Empty where the columns are those of the existing table.
    pub(super) columns: Vec<ColumnLines>,
    pub(super) delivery: String,
    pub(super) stop_ratio: String,
    pub(super) ttl_days: String,
}

impl Default for Answers {
    fn default() -> Self {
        let text = str::to_owned;
        Answers {
            preset: text("kafka"),
            brokers: text("localhost:9092"),
            tls: None,
            auth: None,
            allow_without_tls: false,
            topic: text("events"),
            name: text("events"),
            offset: text("earliest"),
            registry: None,
            url: text("http://localhost:8123"),
            username: text("default"),
            password: None,
            database: text("default"),
            table: text("events"),
            managed: None,
            columns: Vec::new(),
            delivery: text("at_least_once"),
            stop_ratio: text("0.5"),
            ttl_days: text("7"),
        }
    }
}

/// What stands for secrets while the file is read in this session.
const SESSION: &str = "session";

impl Answers {
    /// The file as it is written.
    pub(super) fn text(&self) -> String {
        self.print(|secret| format!("${{env:{}}}", secret.variable))
    }

    /// The pipe, with the secrets of this session.
    pub(super) fn file(&self) -> Result<PipeFile, PipeFileError> {
        let mut file = PipeFile::parse(&self.print(|_| SESSION.to_owned()), "the answers")?;
        match (&mut file.source.security, &self.auth) {
            (Security::Sasl { password, .. }, Some(AuthAnswers::Password { password: answer, .. })) => {
                password.clone_from(&answer.value);
            }
            (Security::Token { source, tls }, Some(AuthAnswers::Oidc(answers))) => {
                // What is refused was refused before, with another secret.
                if let Ok(with_secret) =
                    TokenSource::oidc(answers.client(tls.is_none() && self.allow_without_tls))
                {
                    *source = with_secret;
                }
            }
            _ => {}
        }
        if let (Some(spec), Some(registry)) = (&mut file.schema_registry, &self.registry)
            && let Some(secret) = registry.secret()
        {
            match &mut spec.config.credentials {
                Credentials::Basic { password, .. } => password.clone_from(&secret.value),
                Credentials::Bearer(token) => token.clone_from(&secret.value),
                Credentials::None => {}
            }
        }
        if let Some(password) = &self.password {
            file.destination.password = Some(password.value.clone());
        }
        Ok(file)
    }

    /// What the reader of pipe files says of the answer at `key`, such as `source.brokers`.
    pub(super) fn check(&self, key: &str) -> Result<(), String> {
        let Err(error) = self.file() else { return Ok(()) };
        let of_key = |problem: &&crate::Problem| {
            problem.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        match error.problems.iter().find(of_key) {
            None => Ok(()),
            Some(problem) => Err(match &problem.mend {
                Some(mend) => format!("{}; {mend}", problem.message),
                None => problem.message.clone(),
            }),
        }
    }

    /// Secrets that the file names.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let registry = self.registry.iter().filter_map(RegistryAnswers::secret);
        self.auth.iter().filter_map(AuthAnswers::secret).chain(registry).chain(&self.password)
    }

    fn print(&self, secret: impl Fn(&Secret) -> String) -> String {
        let mut text = String::new();
        self.print_source(&mut text, &secret);
        self.print_registry(&mut text, &secret);
        self.print_destination(&mut text, &secret);
        let errors = quoted(&format!("{}_clickpipes_error", self.table));
        let _ = write!(
            text,
            "# Records that cannot be loaded go to {errors}, where ClickHouse deletes them after\n\
             # so many days. Where more than this share of the last 1,000 records or more is rejected, the pipe stops;\n\
             # `off` turns that off.\n\
             error_table: {{ stop_ratio: {}, ttl_days: {} }}\n\
             # at_least_once: a crash may load a batch twice, and loses nothing. exactly_once: each record once, while the\n\
             # table remembers the tokens of inserts; `housepipe check` says for how long.\n\
             delivery: {}\n",
            scalar(&self.stop_ratio),
            scalar(&self.ttl_days),
            scalar(&self.delivery),
        );
        text
    }

    fn print_source(&self, text: &mut String, secret: &impl Fn(&Secret) -> String) {
        let _ = write!(
            text,
            "# From a Kafka topic into a ClickHouse table. README describes every key; `housepipe check` looks at both ends.\n\
             name: {}\n\
             source:\n  type: {}\n  brokers: {}\n  topic: {}\n",
            scalar(&self.name),
            scalar(&self.preset),
            scalar(&self.brokers),
            scalar(&self.topic),
        );
        let _ =
            writeln!(text, "  # consumer_group: housepipe-{}   # the default", self.name.escape_default());
        let offset = match self.offset.as_str() {
            word @ ("earliest" | "latest") => word.to_owned(),
            time => format!("{{ timestamp: {} }}", scalar(time)),
        };
        let _ = write!(
            text,
            "  # Where a new group starts: earliest, latest, or {{ timestamp: 2026-01-01T00:00:00Z }}.\n  offset: {offset}\n"
        );
        if let Some(tls) = &self.tls {
            let _ = writeln!(text, "  tls: {}", tls.braces());
        }
        if let Some(auth) = &self.auth {
            let without_tls =
                if self.tls.is_none() && self.allow_without_tls { ", allow_without_tls: true" } else { "" };
            let what = match auth {
                AuthAnswers::Password { .. } => "password",
                AuthAnswers::Oidc(_) => "client's secret",
                AuthAnswers::AwsMskIam { .. } => "access key of AWS",
            };
            let _ = write!(
                text,
                "  # The {what} is in the environment when a command starts, and never in this file.\n  \
                 auth: {{ mechanism: {}{}{without_tls} }}\n",
                scalar(auth.mechanism()),
                auth.fields(secret),
            );
        }
    }

    fn print_registry(&self, text: &mut String, secret: &impl Fn(&Secret) -> String) {
        let Some(registry) = &self.registry else { return };
        let _ = write!(
            text,
            "# Every record is checked against its JSON Schema, and one that violates it goes to the error table.\n\
             schema_registry:\n  url: {}\n",
            scalar(&registry.url)
        );
        match &registry.auth {
            None => {}
            Some(RegistryAuth::Password { username, password }) => {
                let _ =
                    write!(text, "  username: {}\n  password: \"{}\"\n", scalar(username), secret(password));
            }
            Some(RegistryAuth::Token(token)) => {
                let _ = writeln!(text, "  token: \"{}\"", secret(token));
            }
        }
        if registry.allow_without_tls {
            text.push_str("  allow_without_tls: true\n");
        }
        if let Some(tls) = &registry.tls {
            let _ = writeln!(text, "  tls: {}", tls.braces());
        }
    }

    fn print_destination(&self, text: &mut String, secret: &impl Fn(&Secret) -> String) {
        let _ = write!(
            text,
            "format: json\ndestination:\n  url: {}\n  username: {}\n",
            scalar(&self.url),
            scalar(&self.username)
        );
        if let Some(password) = &self.password {
            let _ = writeln!(text, "  password: \"{}\"", secret(password));
        }
        let _ = write!(text, "  database: {}\n  table: {}\n", scalar(&self.database), scalar(&self.table));
        if let Some(managed) = &self.managed {
            text.push_str("  # The table is created with this where it is missing.\n");
            text.push_str(&managed.block());
        } else {
            text.push_str(
                "  # The table exists: every column that takes values is filled from the key of its name.\n",
            );
        }
        if !self.columns.is_empty() {
            text.push_str(&ColumnLines::block(&self.columns));
        }
    }
}

/// A value as YAML. Commas and colons, which are usual in a list of brokers, put it into quotes.
fn scalar(text: &str) -> String {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number { text.to_owned() } else { quoted(text) }
}
