//! Kafka: Apache Kafka as one KRaft node or as a cluster of them, or brokers of the user's own.

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
pub use broker::Broker;
use broker::{READY_MAX, STOP_MAX};
pub(crate) use files::JAVA_VARIABLES;
pub(crate) use files::KafkaFiles;
use files::{PORTS, Place, launch, write_files};
pub use options::{KafkaOptions, ServerCertificate};

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

/// Brokers of [`Kafka::start_cluster`]: as many as it takes so that one may be away.
const CLUSTER_BROKERS: usize = 3;

/// A broker on loopback, or a cluster of them. Dropping it kills them and removes their folders.
///
/// What is done to it is done to all of its brokers; [`Kafka::brokers`] has them one by one.
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
    /// None where they are the user's own.
    brokers: Vec<Broker>,
}

impl Kafka {
    /// Starts a broker in a folder of its own and waits until it answers, or takes those that `KAFKA_BROKERS`
    /// named when `parts` were prepared.
    ///
    /// # Errors
    /// [`StackError::Ended`] and [`StackError::NotReady`] quote the broker's log.
    pub fn start(parts: &Parts, options: &KafkaOptions) -> Result<Self> {
        Self::start_brokers(parts, 1, options)
    }

    /// Starts three brokers, each with a controller, and waits until all of them are there; or takes those that
    /// `KAFKA_BROKERS` named when `parts` were prepared.
    ///
    /// Every broker has each partition, that of all groups' offsets as well, and two of the three have what is
    /// acknowledged: where one is away, the others take over what it led and coordinated, and nothing is lost. Each has less
    /// memory than one that is alone.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    ///
    /// ```no_run
    /// use housepipe_local_stack::{Kafka, Silent, prepare};
    /// let kafka = Kafka::start_cluster(&prepare(&mut Silent)?)?;
    /// if let Some(broker) = kafka.coordinator("a-group") {
    ///     broker.kill()?; // another broker coordinates the group, after some seconds
    ///     broker.restart()?; // and this one again, soon after it is back
    /// }
    /// # Ok::<(), housepipe_local_stack::StackError>(())
    /// ```
    pub fn start_cluster(parts: &Parts) -> Result<Self> {
        Self::start_brokers(parts, CLUSTER_BROKERS, &KafkaOptions::default())
    }

    fn start_brokers(parts: &Parts, brokers: usize, options: &KafkaOptions) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::attempt(parts, brokers, options, &[]) {
                Err(StackError::PortTaken { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
                result => return result,
            }
        }
    }

    /// As [`Kafka::start`], with further arguments for Java, in one attempt.
    fn attempt(parts: &Parts, brokers: usize, options: &KafkaOptions, java: &[String]) -> Result<Self> {
        let files = match &parts.kafka {
            KafkaPart::Local(files) => files,
            KafkaPart::External { brokers } => return Ok(Self::external(brokers)),
        };
        let first = RunFolder::make(&parts.cache, "kafka", PORTS)?;
        let others = (1..brokers).map(|_| RunFolder::make(&parts.cache, "kafka", PORTS));
        Self::start_in(first, others.collect::<Result<_>>()?, files, parts, options, java)
    }

    /// Starts a broker in each of the folders, on its ports.
    fn start_in(
        first: RunFolder,
        others: Vec<RunFolder>,
        files: &KafkaFiles,
        parts: &Parts,
        options: &KafkaOptions,
        java: &[String],
    ) -> Result<Self> {
        let (folder, cluster_id) = (first.path.clone(), first.token.clone());
        let certificates_folder = folder.join("certificates");
        let certificates = Certificates::make(&certificates_folder, options.certificate)?;
        let runs: Vec<RunFolder> = std::iter::once(first).chain(others).collect();
        let controllers: Vec<u16> = runs.iter().map(|run| run.ports[0]).collect();
        let addresses = |listener: usize| {
            let address = |run: &RunFolder| format!("127.0.0.1:{}", run.ports[listener]);
            runs.iter().map(address).collect::<Vec<_>>().join(",")
        };
        let mut kafka = Self {
            bootstrap: addresses(1),
            bootstrap_sasl_ssl: addresses(2),
            bootstrap_mtls: addresses(3),
            bootstrap_behind: addresses(4),
            folder,
            certificates,
            brokers: Vec::new(),
        };
        for (id, run) in (1..).zip(runs) {
            let folder = run.path.clone();
            // RunFolder gave as many ports as were asked for.
            let ports = std::array::from_fn(|at| run.ports[at]);
            let (certificates, controllers) = (&*certificates_folder, &*controllers);
            let place = Place { id, folder: &folder, ports, certificates, controllers };
            write_files(files, &place, options)?;
            template::name_broker(&folder, id, &cluster_id)?;
            let launch = launch(files, &place, options, java)?;
            kafka.brokers.push(Broker::start(
                id,
                run,
                parts.python()?,
                launch,
                ports[1],
                cluster_id.clone(),
            )?);
        }
        let deadline = Instant::now() + READY_MAX;
        for broker in &kafka.brokers {
            broker.wait_ready(deadline).map_err(|error| broker.explain(error))?;
        }
        Ok(kafka)
    }

    fn external(brokers: &str) -> Self {
        Self {
            bootstrap: brokers.to_owned(),
            bootstrap_sasl_ssl: String::new(),
            bootstrap_mtls: String::new(),
            bootstrap_behind: String::new(),
            folder: PathBuf::new(),
            certificates: Certificates::none(),
            brokers: Vec::new(),
        }
    }

    /// The plain listener, `127.0.0.1:PORT` (of several brokers with commas between), or what `KAFKA_BROKERS` says.
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

    /// The folder of the first broker, with its data, settings and log, and the certificates of all; empty where the brokers
    /// are the user's own.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the brokers are the user's own, so that they can be neither stopped nor frozen.
    #[must_use]
    pub const fn is_external(&self) -> bool {
        self.brokers.is_empty()
    }

    /// The brokers, in the order of their ids; none where they are the user's own.
    #[must_use]
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// The broker that coordinates `group`, as one that runs tells it; `None` where none knows one at the moment, or the
    /// brokers are the user's own. After a kill, those that are left need some seconds to find out.
    #[must_use]
    pub fn coordinator(&self, group: &str) -> Option<&Broker> {
        let running = self.brokers.iter().filter(|broker| broker.pid().is_some());
        // One that does not answer yet is passed over for the others.
        let id =
            running.map(Broker::port).find_map(|port| wire::find_coordinator(port, group).ok().flatten())?;
        self.brokers.iter().find(|broker| broker.id() == id)
    }

    /// Lets `user` read the topic, where the brokers have ACLs ([`KafkaOptions::acl`]).
    ///
    /// # Errors
    /// [`StackError::Acl`] where the broker refuses, [`StackError::External`] where the brokers are the user's own.
    pub fn allow_topic(&self, user: &str, topic: &str) -> Result<()> {
        self.allow(user, wire::Operation::Read, wire::Resource::Topic, topic)
    }

    /// Lets `user` use the consumer group, likewise.
    ///
    /// # Errors
    /// As [`Kafka::allow_topic`].
    pub fn allow_group(&self, user: &str, group: &str) -> Result<()> {
        self.allow(user, wire::Operation::Read, wire::Resource::Group, group)
    }

    /// Lets `user` look at the topic, and no more, likewise.
    ///
    /// # Errors
    /// As [`Kafka::allow_topic`].
    pub fn allow_describe_topic(&self, user: &str, topic: &str) -> Result<()> {
        self.allow(user, wire::Operation::Describe, wire::Resource::Topic, topic)
    }

    /// Lets `user` look at the consumer group, and no more, likewise.
    ///
    /// # Errors
    /// As [`Kafka::allow_topic`].
    pub fn allow_describe_group(&self, user: &str, group: &str) -> Result<()> {
        self.allow(user, wire::Operation::Describe, wire::Resource::Group, group)
    }

    fn allow(
        &self,
        user: &str,
        operation: wire::Operation,
        resource: wire::Resource,
        name: &str,
    ) -> Result<()> {
        let [broker, ..] = self.own("give rights on")? else { return Ok(()) };
        wire::allow(broker.port(), user, operation, resource, name).map_err(|source| StackError::Acl {
            user: user.to_owned(),
            name: name.to_owned(),
            source,
        })
    }

    /// Process id of the broker, the first of several; `None` where it does not run or is the user's own.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.brokers.first().and_then(Broker::pid)
    }

    /// The last lines of the brokers' logs, for error messages; empty where the brokers are the user's own.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.brokers.iter().map(Broker::log_tail).collect::<Vec<_>>().join("\n")
    }

    /// Waits until each broker answers, and not another one that took its port, and every partition has a leader.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline,
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        self.own("wait for")?.iter().try_for_each(|broker| broker.wait_ready(deadline))
    }

    /// Ends the brokers in order and keeps their folders until this value is dropped; [`Kafka::restart`] brings it back.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_until(Instant::now() + STOP_MAX).map(drop)
    }

    /// Whether the brokers ended by themselves, and had not to be killed.
    fn stop_until(&mut self, deadline: Instant) -> Result<bool> {
        let brokers = self.own("stop")?;
        brokers.iter().for_each(Broker::terminate);
        brokers.iter().try_fold(true, |all, broker| Ok(broker.wait_end(deadline)? && all))
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn kill(&mut self) -> Result<()> {
        self.own("kill")?.iter().try_for_each(Broker::kill)
    }

    /// Kills the brokers where they run, starts them again on the same data and ports, and waits until they are ready:
    /// four to five seconds, since its old session has to end first.
    ///
    /// # Errors
    /// As [`Kafka::start`]; [`StackError::External`] where the brokers are the user's own.
    pub fn restart(&mut self) -> Result<()> {
        self.own("restart")?.iter().try_for_each(Broker::start_again)?;
        self.wait_ready(Instant::now() + READY_MAX)
    }

    /// SIGSTOP: the broker keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own; [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.own("freeze")?.iter().try_for_each(Broker::freeze)
    }

    /// SIGCONT: undoes [`Kafka::freeze`].
    ///
    /// # Errors
    /// As [`Kafka::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.own("thaw")?.iter().try_for_each(Broker::thaw)
    }

    fn own(&self, operation: &'static str) -> Result<&[Broker]> {
        let external = StackError::External { operation, server: SERVER, variable: "KAFKA_BROKERS" };
        if self.is_external() { Err(external) } else { Ok(&self.brokers) }
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
        run.ports[1] = stranger.brokers[0].port();
        let error = Kafka::start_in(run, Vec::new(), files, &parts, &options, &[]).unwrap_err();
        assert!(matches!(error, StackError::PortTaken { .. }), "{error}");
    }
}
