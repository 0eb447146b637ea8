//! The questions about the schema registry, where records name schemas of one.

use super::answers::{RegistryAnswers, RegistryAuth};
use super::ask::{self, NONE};
use super::interview::NoAnswer;
use super::session::Session;
use super::source::writable;
use crate::infer::newest_schema;
use crate::shown::shown;

impl Session<'_> {
    /// A registry that has the schema of the newest record, or none. Records that name no schema ask for nothing.
    pub(super) fn registry(&mut self) -> Result<(), NoAnswer> {
        self.declared = None;
        let Some(id) = newest_schema(&self.samples) else {
            self.answers.registry = None;
            return Ok(());
        };
        let explanation = format!(
            "The records name schemas of a registry, the newest one {id}. Its URL, such as https://registry:8081: its JSON Schemas \
             propose the columns and check every record; `-` loads records unchecked."
        );
        let mut default = NONE.to_owned();
        loop {
            let before = self.answers.registry.take();
            if let Some(before) = &before {
                default.clone_from(&before.url);
            }
            if !self.registry_url(&explanation, &default, before)? {
                return Ok(());
            }
            self.talk.say(&format!("\nAsking the registry for schema {id} …"))?;
            let file = self.answers.file().map_err(|error| error.to_string());
            match file.and_then(|file| self.world.schema(&file, &self.samples)) {
                Ok(Some(declared)) => {
                    self.talk.say(&format!("  Schema {} is a JSON Schema.", declared.id))?;
                    self.declared = Some(declared);
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                Err(reason) => self.talk.say(&format!(
                    "  {}\nSo the questions about the registry once more; an empty answer keeps what you gave.",
                    shown(&reason, 400)
                ))?,
            }
        }
    }

    /// Where it is, and who asks. False where there is to be none.
    fn registry_url(
        &mut self,
        explanation: &str,
        default: &str,
        before: Option<RegistryAnswers>,
    ) -> Result<bool, NoAnswer> {
        let before = before.unwrap_or_default();
        let Session { talk, answers, .. } = self;
        let url = ask::value(*talk, "Schema registry", explanation, default, |text| {
            if text == NONE {
                return Ok(None);
            }
            writable(text)?;
            // Credentials come behind it, and were agreed upon there.
            answers.registry = Some(RegistryAnswers { url: text.to_owned(), ..RegistryAnswers::default() });
            let fits = answers.check("schema_registry");
            answers.registry = None;
            fits.map(|()| Some(text.to_owned()))
        })?;
        let Some(url) = url else { return Ok(false) };
        let is_encrypted =
            url.to_ascii_lowercase().split(',').all(|part| part.trim().starts_with("https://"));
        let tls = match is_encrypted {
            true => {
                let wanted = ask::yes(
                    self.talk,
                    "Registry with its own CA",
                    "Whether a CA file is needed to trust the registry, or a certificate of yours to be let in.",
                    before.tls.is_some(),
                )?;
                if wanted { Some(self.tls_files("registry", before.tls.unwrap_or_default())?) } else { None }
            }
            false => None,
        };
        let auth = self.registry_auth(before.auth)?;
        let mut registry = RegistryAnswers { url: url.clone(), auth, tls, allow_without_tls: false };
        self.answers.registry = Some(registry.clone());
        if registry.auth.is_some() && !is_encrypted && self.answers.check("schema_registry").is_err() {
            let why = "Without https the credentials cross the network in the clear. No goes back to the registry's URL.";
            registry.allow_without_tls =
                ask::yes(self.talk, "Send them without TLS", why, before.allow_without_tls)?;
            if !registry.allow_without_tls {
                return self.registry_url(explanation, &url, Some(registry));
            }
            self.answers.registry = Some(registry.clone());
        }
        if let Err(reason) = self.answers.check("schema_registry") {
            self.talk.say(&format!("  {reason}"))?;
            return self.registry_url(explanation, &url, Some(registry));
        }
        Ok(true)
    }

    fn registry_auth(&mut self, before: Option<RegistryAuth>) -> Result<Option<RegistryAuth>, NoAnswer> {
        let options = [
            ("none", "no credentials, or a client certificate alone".to_owned()),
            ("password", "user name and password, or an API key and its secret".to_owned()),
            ("token", "a bearer token".to_owned()),
        ];
        let default = match &before {
            None => "none",
            Some(RegistryAuth::Password { .. }) => "password",
            Some(RegistryAuth::Token(_)) => "token",
        };
        let at = ask::choice(
            self.talk,
            "Registry credentials",
            "How the registry knows who asks.",
            &options,
            default,
        )?;
        Ok(match at {
            1 => {
                let (user_before, password_before) = match before {
                    Some(RegistryAuth::Password { username, password }) => (username, Some(password)),
                    _ => ("app".to_owned(), None),
                };
                let explanation = "As the registry knows it; an API key counts as one.";
                let username = ask::value(self.talk, "Registry user", explanation, &user_before, |text| {
                    writable(text).map(|()| text.to_owned())
                })?;
                let password = self.secret("password", "REGISTRY_PASSWORD", password_before.as_ref())?;
                Some(RegistryAuth::Password { username, password })
            }
            2 => {
                let before = match before {
                    Some(RegistryAuth::Token(token)) => Some(token),
                    _ => None,
                };
                Some(RegistryAuth::Token(self.secret("token", "REGISTRY_TOKEN", before.as_ref())?))
            }
            _ => None,
        })
    }
}
