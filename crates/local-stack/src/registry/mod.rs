//! A schema registry: Apicurio Registry, which serves the REST API of Confluent's.

mod files;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::error::{Result, StackError};
use crate::kafka::ServerCertificate;
use crate::keeper::{Keeper, Launch, Signal};
use crate::prepare::Parts;
use crate::run_folder::RunFolder;
use crate::{User, wait};
use files::PORTS;
pub(crate) use files::RegistryFiles;

const SERVER: &str = "Schema Registry";
/// Where the API begins.
const API: &str = "/apis/ccompat/v7";
/// Tells this registry from another one that took its port.
const TOKEN_HEADER: &str = "X-Housepipe-Run";
/// A start takes four seconds on an idle machine; one under load gets this long.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// Attempts with other ports, where somebody took one between the choice and the start.
const ATTEMPTS_MAX: usize = 3;

/// May do everything under [`RegistryOptions::basic`].
pub const USER_REGISTRY: User = User { name: "registrar", password: "registrar-secret" };

/// How a registry is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Ask for [`USER_REGISTRY`].
    pub basic: bool,
}

/// A schema to be registered.
#[derive(Debug, Clone, Copy)]
pub struct SchemaText<'a> {
    /// `JSON`, `AVRO` or `PROTOBUF`.
    pub kind: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What it refers to: name in the text, subject, version.
    pub references: &'a [(&'a str, &'a str, u32)],
}

/// A schema registry on loopback. Dropping it kills the process and removes its folder.
///
/// ```no_run
/// use housepipe_local_stack::{Registry, RegistryOptions, SchemaText, Silent, Wanted, prepare_wanted};
/// let parts = prepare_wanted(&Wanted::pinned().with_registry(), &mut Silent)?;
/// let registry = Registry::start(&parts, RegistryOptions::default())?;
/// let text = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#;
/// let id = registry.register("clicks-value", SchemaText { kind: "JSON", text, references: &[] })?;
/// println!("{}/schemas/ids/{id}", registry.url());
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct Registry {
    keeper: Mutex<Keeper>,
    launch: Launch,
    agent: ureq::Agent,
    http: u16,
    https: u16,
    token: String,
    certificates: Certificates,
    folder: PathBuf,
    options: RegistryOptions,
}

impl Registry {
    /// Starts a registry in a folder of its own and waits until it answers.
    ///
    /// # Errors
    /// [`StackError::Ended`] and [`StackError::NotReady`] quote its log; [`StackError::NotPrepared`] where `parts` were prepared
    /// without one.
    pub fn start(parts: &Parts, options: RegistryOptions) -> Result<Self> {
        let files = parts
            .registry
            .as_ref()
            .ok_or(StackError::NotPrepared { server: SERVER, with: "with_registry" })?;
        let mut attempt = 1;
        loop {
            let run = RunFolder::make(&parts.cache, "registry", PORTS)?;
            match Self::start_in(run, files, parts, options) {
                Err(StackError::PortTaken { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                result => return result,
            }
        }
    }

    fn start_in(
        run: RunFolder,
        files: &RegistryFiles,
        parts: &Parts,
        options: RegistryOptions,
    ) -> Result<Self> {
        let (folder, token) = (run.path.clone(), run.token.clone());
        // RunFolder gave as many ports as were asked for.
        let ports: [u16; PORTS] = std::array::from_fn(|at| run.ports[at]);
        let certificates = Certificates::make(&folder.join("certificates"), ServerCertificate::Valid)?;
        let launch = files.launch(&folder, ports, &token, &certificates, &options);
        let mut keeper = Keeper::new(SERVER, parts.python()?, run, &[])?;
        keeper.start(&launch)?;
        let registry = Self {
            keeper: Mutex::new(keeper),
            launch,
            agent: agent(),
            http: ports[0],
            https: ports[2],
            token,
            certificates,
            folder,
            options,
        };
        registry.wait_ready(Instant::now() + READY_MAX).map_err(|error| registry.keeper().explain(error))?;
        Ok(registry)
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where its API begins, without TLS: `http://127.0.0.1:PORT/apis/ccompat/v7`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.http)
    }

    /// The same with TLS, by a certificate that [`Registry::ca_pem`] has signed.
    #[must_use]
    pub fn url_tls(&self) -> String {
        format!("https://127.0.0.1:{}{API}", self.https)
    }

    /// Certificate of the CA that signed the registry's, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &Path {
        &self.certificates.ca
    }

    /// The folder with its data and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Registers a schema and returns its id. The same text again has the same id.
    ///
    /// # Errors
    /// [`StackError::Refused`] in the registry's own words, [`StackError::Http`] where there is no answer.
    pub fn register(&self, subject: &str, schema: SchemaText<'_>) -> Result<u32> {
        let references: Vec<_> = schema
            .references
            .iter()
            .map(|(name, subject, version)| serde_json::json!({ "name": name, "subject": subject, "version": version }))
            .collect();
        let body =
            serde_json::json!({ "schemaType": schema.kind, "schema": schema.text, "references": references });
        let url = format!("{}/subjects/{}/versions", self.url(), escape(subject));
        let request = self.with_user(self.agent.post(&url)).header("Content-Type", "application/json");
        let answer = self.answer(&url, request.send(body.to_string()))?;
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or(StackError::Refused { server: SERVER, status: 200, text: answer.to_string() })
    }

    /// Deletes a version of a subject, which the registry refuses while another schema refers to it.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn delete(&self, subject: &str, version: u32) -> Result<()> {
        let url = format!("{}/subjects/{}/versions/{version}", self.url(), escape(subject));
        self.answer(&url, self.with_user(self.agent.delete(&url)).call()).map(drop)
    }

    fn with_user<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        if self.options.basic { request.header("Authorization", AUTHORIZATION) } else { request }
    }

    fn answer(
        &self,
        url: &str,
        answer: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<serde_json::Value> {
        let no_answer =
            |source: ureq::Error| StackError::Http { url: url.to_owned(), source: Box::new(source) };
        let mut answer = answer.map_err(no_answer)?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(no_answer)?;
        match serde_json::from_str(&text) {
            Ok(value) if status.is_success() => Ok(value),
            _ => Err(StackError::Refused { server: SERVER, status: status.as_u16(), text }),
        }
    }

    /// Waits until it answers, and not another one that took its port.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let (began, url) = (Instant::now(), format!("{}/subjects", self.url()));
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match self.with_user(self.agent.get(&url)).call() {
                Ok(answer)
                    if answer.headers().get(TOKEN_HEADER).is_none_or(|token| *token != *self.token) =>
                {
                    last = format!("another server answers at {url}");
                }
                Ok(answer) if answer.status().is_success() => return Some(Ok(())),
                Ok(answer) => last = format!("HTTP {}", answer.status()),
                Err(error) => last = error.to_string(),
            }
            self.keeper().check_alive().err().map(Err)
        });
        ready.unwrap_or_else(|| {
            let tail = self.keeper().log_tail();
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail })
        })
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it cannot be ended.
    pub fn kill(&self) -> Result<()> {
        self.keeper().kill()
    }

    /// Kills it where it runs, starts it again with the same schemas on the same ports, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub fn restart(&self) -> Result<()> {
        {
            let mut keeper = self.keeper();
            keeper.kill()?;
            keeper.start(&self.launch)?;
        }
        self.wait_ready(Instant::now() + READY_MAX)
    }

    /// SIGSTOP: it keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.keeper().signal(Signal::Stop)
    }

    /// SIGCONT: undoes [`Registry::freeze`].
    ///
    /// # Errors
    /// As [`Registry::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.keeper().signal(Signal::Continue)
    }
}

/// [`USER_REGISTRY`] as HTTP's basic authentication writes it; a test compares them.
const AUTHORIZATION: &str = "Basic cmVnaXN0cmFyOnJlZ2lzdHJhci1zZWNyZXQ=";

/// An agent that keeps no connection: a kept one would fail once after each restart.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(REQUEST_MAX))
        .proxy(None)
        .build()
        .new_agent()
}

/// A segment of a URL's path.
fn escape(segment: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    segment
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped() {
        assert_eq!(escape("a-b_c.d~9"), "a-b_c.d~9");
        assert_eq!(escape("a/b ü:"), "a%2Fb%20%C3%BC%3A");
    }
}
