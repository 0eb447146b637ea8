//! A Kafka broker: Apache Kafka as one KRaft node, or brokers of the user's own.

mod broker;
mod files;
mod options;
pub(crate) mod template;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::User;
use crate::certificates::Certificates;
use crate::error::{Result, StackError};
use crate::prepare::{KafkaPart, Parts};
use crate::run_folder::RunFolder;
use broker::{Broker, READY_MAX};
pub(crate) use files::KafkaFiles;
use files::{PORTS, launch, write_files};
pub use options::KafkaOptions;

const SERVER: &str = "Kafka";
/// Attempts with other ports, where somebody took one between the choice and the start.
const ATTEMPTS_MAX: usize = 3;

/// SASL/PLAIN. Under [`KafkaOptions::acl`] it has no rights until a test grants them.
pub const USER_PLAIN: User = User { name: "alice", password: "alice-secret" };
/// SCRAM-SHA-256 and SCRAM-SHA-512. Under [`KafkaOptions::acl`] it has no rights until a test grants them.
pub const USER_SCRAM: User = User { name: "bob", password: "bob-secret" };
/// SASL/PLAIN, may do everything, whatever the ACLs are.
pub const USER_ADMIN: User = User { name: "admin", password: "admin-secret" };
/// The principal of the client certificate, for ACLs on the mTLS listener: `User:alice-mtls`.
pub const MTLS_PRINCIPAL: &str = "alice-mtls";

/// A broker on loopback. Dropping it kills the broker and removes its folder.
///
/// ```no_run
/// use housepipe_local_stack::{Kafka, KafkaOptions, Silent, prepare};
/// let kafka = Kafka::start(&prepare(&mut Silent)?, &KafkaOptions::default())?;
/// println!("bootstrap.servers={}", kafka.bootstrap());
/// # Ok::<(), housepipe_local_stack::StackError>(())
/// ```
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    bootstrap_sasl_ssl: String,
    bootstrap_mtls: String,
    bootstrap_behind: String,
    folder: PathBuf,
    certificates: Certificates,
    own: Option<Broker>,
}

impl Kafka {
    /// Starts a broker in a folder of its own and waits until it answers, or takes those that `KAFKA_BROKERS`
    /// named when `parts` were prepared.
    ///
    /// # Errors
    /// [`StackError::Ended`] and [`StackError::NotReady`] quote the broker's log.
    pub fn start(parts: &Parts, options: &KafkaOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::attempt(parts, options, &[]) {
                Err(StackError::PortTaken { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                result => return result,
            }
        }
    }

    /// As [`Kafka::start`], with further arguments for Java, in one attempt.
    fn attempt(parts: &Parts, options: &KafkaOptions, java: &[String]) -> Result<Self> {
        let files = match &parts.kafka {
            KafkaPart::Local(files) => files,
            KafkaPart::External { brokers } => return Ok(Self::external(brokers)),
        };
        Self::start_in(RunFolder::make(&parts.cache, "kafka", PORTS)?, files, parts, options, java)
    }

    /// Starts a broker in `run`, on its ports.
    fn start_in(
        run: RunFolder,
        files: &KafkaFiles,
        parts: &Parts,
        options: &KafkaOptions,
        java: &[String],
    ) -> Result<Self> {
        let (folder, cluster_id) = (run.path.clone(), run.token.clone());
        // RunFolder gave as many ports as were asked for.
        let ports = std::array::from_fn(|at| run.ports[at]);
        let certificates = Certificates::make(&folder.join("certificates"))?;
        write_files(files, &folder, ports, options)?;
        template::name_cluster(&folder, &cluster_id)?;
        let launch = launch(files, &folder, options, java)?;
        let broker = Broker::start(run, parts.python()?, launch, ports[1], cluster_id)?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let kafka = Self {
            bootstrap: at(ports[1]),
            bootstrap_sasl_ssl: at(ports[2]),
            bootstrap_mtls: at(ports[3]),
            bootstrap_behind: at(ports[4]),
            folder,
            certificates,
            own: Some(broker),
        };
        match kafka.wait_ready(Instant::now() + READY_MAX) {
            Ok(()) => Ok(kafka),
            Err(error) => Err(kafka.own("start")?.explain(error)),
        }
    }

    fn external(brokers: &str) -> Self {
        Self {
            bootstrap: brokers.to_owned(),
            bootstrap_sasl_ssl: String::new(),
            bootstrap_mtls: String::new(),
            bootstrap_behind: String::new(),
            folder: PathBuf::new(),
            certificates: Certificates::none(),
            own: None,
        }
    }

    /// The plain listener, `127.0.0.1:PORT`, or what `KAFKA_BROKERS` says.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The listener with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER with unsecured tokens);
    /// empty where the brokers are the user's own.
    #[must_use]
    pub fn bootstrap_sasl_ssl(&self) -> &str {
        &self.bootstrap_sasl_ssl
    }

    /// The listener that asks for a client certificate; empty where the brokers are the user's own.
    #[must_use]
    pub fn bootstrap_mtls(&self) -> &str {
        &self.bootstrap_mtls
    }

    /// The plain listener whose clients are told to come by the port of [`KafkaOptions::behind`]: where the proxy leads to.
    /// Nobody listens there without that option; empty where the brokers are the user's own.
    #[must_use]
    pub fn bootstrap_behind(&self) -> &str {
        &self.bootstrap_behind
    }

    /// Certificate of the CA that signed the broker's and the client's, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &Path {
        &self.certificates.ca
    }

    /// Certificate of a CA that signed nothing here, PEM: who trusts only this one must refuse the broker.
    #[must_use]
    pub fn other_ca_pem(&self) -> &Path {
        &self.certificates.other_ca
    }

    /// The client's certificate for [`Kafka::bootstrap_mtls`], PEM.
    #[must_use]
    pub fn client_pem(&self) -> &Path {
        &self.certificates.client
    }

    /// The client's key for [`Kafka::bootstrap_mtls`], PEM, PKCS#8, no passphrase.
    #[must_use]
    pub fn client_key(&self) -> &Path {
        &self.certificates.client_key
    }

    /// The broker's folder with its data, settings, certificates and log; empty where the brokers are the user's own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the brokers are the user's own, so that they can be neither stopped nor frozen.
    #[must_use]
    pub const fn is_external(&self) -> bool {
        self.own.is_none()
    }

    /// Process id of the broker; `None` where it does not run or is the user's own.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.own.as_ref().and_then(Broker::pid)
    }

    /// The last lines of the broker's log, for error messages; empty where the brokers are the user's own.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.own.as_ref().map(Broker::log_tail).unwrap_or_default()
    }

    /// Waits until the broker answers, and not another one that took its port, and every partition has a leader.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline,
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        self.own("wait for")?.wait_ready(deadline)
    }

    /// Ends the broker in order and keeps its folder until this value is dropped; [`Kafka::restart`] brings it back.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn stop(&mut self) -> Result<()> {
        self.own("stop")?.stop()
    }

    /// Whether the broker ended by itself, and had not to be killed.
    fn stop_until(&mut self, deadline: Instant) -> Result<bool> {
        self.own("stop")?.stop_until(deadline)
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn kill(&mut self) -> Result<()> {
        self.own("kill")?.kill()
    }

    /// Kills the broker where it runs, starts it again on the same data and ports, and waits until it is ready:
    /// four to five seconds, since its old session has to end first.
    ///
    /// # Errors
    /// As [`Kafka::start`]; [`StackError::External`] where the brokers are the user's own.
    pub fn restart(&mut self) -> Result<()> {
        let broker = self.own("restart")?;
        broker.start_again()?;
        broker.wait_ready(Instant::now() + READY_MAX)
    }

    /// SIGSTOP: the broker keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own; [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.own("freeze")?.freeze()
    }

    /// SIGCONT: undoes [`Kafka::freeze`].
    ///
    /// # Errors
    /// As [`Kafka::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.own("thaw")?.thaw()
    }

    fn own(&self, operation: &'static str) -> Result<&Broker> {
        self.own.as_ref().ok_or(StackError::External { operation, server: SERVER, variable: "KAFKA_BROKERS" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Silent, Wanted, prepare_wanted};

    #[test]
    fn a_broker_that_holds_the_port_is_not_taken_for_ours() {
        let parts = prepare_wanted(&Wanted::pinned(), &mut Silent).unwrap();
        let KafkaPart::Local(files) = &parts.kafka else { panic!("pinned parts are local") };
        let options = KafkaOptions::default();
        let stranger = Kafka::start(&parts, &options).unwrap();
        let mut run = RunFolder::make(&parts.cache, "kafka", PORTS).unwrap();
        run.ports[1] = stranger.own.as_ref().unwrap().port();
        let error = Kafka::start_in(run, files, &parts, &options, &[]).unwrap_err();
        assert!(matches!(error, StackError::PortTaken { .. }), "{error}");
    }
}
