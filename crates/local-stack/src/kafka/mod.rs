//! A Kafka broker: Apache Kafka as one KRaft node, or brokers of the user's own.

pub(crate) mod template;
mod wire;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::certificates::Certificates;
use crate::error::{Result, StackError};
use crate::keeper::{Keeper, Launch, Signal};
use crate::prepare::{KafkaPart, Parts};
use crate::run_folder::RunFolder;
use crate::{User, wait};

const SERVER_PROPERTIES: &str = include_str!("server.properties");
const ACL_PROPERTIES: &str = include_str!("acl.properties");
const LOG_PROPERTIES: &str = include_str!("log4j2.properties");

const SERVER: &str = "Kafka";
/// A start takes about a second, one after a kill five; a machine under load gets this long.
const READY_MAX: Duration = Duration::from_secs(90);
/// A stop in order takes about a second; then the broker is killed, which it survives without loss.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Attempts with other ports, where somebody took one between the choice and the start.
const ATTEMPTS_MAX: usize = 3;

/// Variables from which every Java takes further options. Those of the user are for other programs: an agent or a
/// collector in them breaks the broker or makes its cache of classes useless.
const JAVA_VARIABLES: [&str; 4] =
    ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_AOT_VM_OPTIONS"];

/// SASL/PLAIN. Under [`KafkaOptions::acl`] it has no rights until a test grants them.
pub const USER_PLAIN: User = User { name: "alice", password: "alice-secret" };
/// SCRAM-SHA-256 and SCRAM-SHA-512. Under [`KafkaOptions::acl`] it has no rights until a test grants them.
pub const USER_SCRAM: User = User { name: "bob", password: "bob-secret" };
/// SASL/PLAIN, may do everything, whatever the ACLs are.
pub const USER_ADMIN: User = User { name: "admin", password: "admin-secret" };
/// The principal of the client certificate, for ACLs on the mTLS listener: `User:alice-mtls`.
pub const MTLS_PRINCIPAL: &str = "alice-mtls";

/// How Kafka is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Refuse what no ACL allows; [`USER_ADMIN`] and the plain listener may do everything.
    pub acl: bool,
    /// For benchmarks: the full compiler and a larger heap, at the price of a slower start.
    pub throughput: bool,
    /// The port of a proxy on loopback: clients of [`Kafka::bootstrap_behind`] are told to come by it.
    pub behind: Option<u16>,
}

impl KafkaOptions {
    /// The same with ACLs.
    #[must_use]
    pub const fn with_acl(mut self) -> Self {
        self.acl = true;
        self
    }

    /// The same for benchmarks.
    #[must_use]
    pub const fn with_throughput(mut self) -> Self {
        self.throughput = true;
        self
    }

    /// The same with a listener behind a proxy.
    #[must_use]
    pub const fn behind(mut self, port: u16) -> Self {
        self.behind = Some(port);
        self
    }
}

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
    own: Option<Own>,
}

/// What there is besides where the broker is ours.
#[derive(Debug)]
struct Own {
    keeper: Mutex<Keeper>,
    launch: Launch,
    port: u16,
    /// The id of the cluster, which the broker tells everyone who asks for metadata.
    cluster_id: String,
}

impl Own {
    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A panic elsewhere leaves the keeper as usable as before.
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a broker is started from; all of it in the cache.
#[derive(Debug, Clone)]
pub(crate) struct KafkaFiles {
    java: PathBuf,
    jars: PathBuf,
    template: PathBuf,
    classes: Option<PathBuf>,
}

impl KafkaFiles {
    /// All jars by name, in order: the cache of classes is valid for exactly one order.
    fn class_path(&self) -> Result<OsString> {
        let mut jars: Vec<PathBuf> = fs::read_dir(&self.jars)
            .map_err(StackError::file("read", &self.jars))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        jars.sort();
        std::env::join_paths(&jars).map_err(|error| StackError::File {
            what: "put into a class path",
            path: self.jars.clone(),
            source: std::io::Error::other(error),
        })
    }
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
        let mut keeper = Keeper::new(SERVER, parts.python()?, run, &[])?;
        keeper.start(&launch)?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let kafka = Self {
            bootstrap: at(ports[1]),
            bootstrap_sasl_ssl: at(ports[2]),
            bootstrap_mtls: at(ports[3]),
            bootstrap_behind: at(ports[4]),
            folder,
            certificates,
            own: Some(Own { keeper: Mutex::new(keeper), launch, port: ports[1], cluster_id }),
        };
        match kafka.wait_ready(Instant::now() + READY_MAX) {
            Ok(()) => Ok(kafka),
            Err(error) => Err(kafka.own("start")?.keeper().explain(error)),
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
        self.own.as_ref().and_then(|own| own.keeper().pid())
    }

    /// The last lines of the broker's log, for error messages; empty where the brokers are the user's own.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.own.as_ref().map(|own| own.keeper().log_tail()).unwrap_or_default()
    }

    /// Waits until the broker answers, and not another one that took its port, and every partition has a leader.
    ///
    /// # Errors
    /// [`StackError::Ended`] where it has ended, [`StackError::NotReady`] at the deadline,
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let own = self.own("wait for")?;
        let began = Instant::now();
        let mut last = String::new();
        let ready = wait::until(deadline, || {
            match wire::ask(own.port, &own.cluster_id) {
                Ok(()) => return Some(Ok(())),
                Err(reason) => last = reason.to_string(),
            }
            own.keeper().check_alive().err().map(Err)
        });
        ready.unwrap_or_else(|| {
            Err(StackError::NotReady { server: SERVER, waited: began.elapsed(), last, tail: self.log_tail() })
        })
    }

    /// Ends the broker in order and keeps its folder until this value is dropped; [`Kafka::restart`] brings it back.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_until(Instant::now() + STOP_MAX).map(drop)
    }

    /// Whether the broker ended by itself, and had not to be killed.
    fn stop_until(&mut self, deadline: Instant) -> Result<bool> {
        let mut keeper = self.own("stop")?.keeper();
        if keeper.pid().is_none() {
            return Ok(true);
        }
        if keeper.signal(Signal::Terminate).is_err() || !keeper.wait_exit(deadline) {
            keeper.kill()?;
            return Ok(false);
        }
        Ok(true)
    }

    /// SIGKILL, and wait until the process is gone. Its folder stays.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own.
    pub fn kill(&mut self) -> Result<()> {
        self.own("kill")?.keeper().kill()
    }

    /// Kills the broker where it runs, starts it again on the same data and ports, and waits until it is ready:
    /// four to five seconds, since its old session has to end first.
    ///
    /// # Errors
    /// As [`Kafka::start`]; [`StackError::External`] where the brokers are the user's own.
    pub fn restart(&mut self) -> Result<()> {
        let own = self.own("restart")?;
        {
            let mut keeper = own.keeper();
            keeper.kill()?;
            keeper.start(&own.launch)?;
        }
        self.wait_ready(Instant::now() + READY_MAX)
    }

    /// SIGSTOP: the broker keeps its ports and answers nothing.
    ///
    /// # Errors
    /// [`StackError::External`] where the brokers are the user's own; [`StackError::Keeper`] where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.own("freeze")?.keeper().signal(Signal::Stop)
    }

    /// SIGCONT: undoes [`Kafka::freeze`].
    ///
    /// # Errors
    /// As [`Kafka::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.own("thaw")?.keeper().signal(Signal::Continue)
    }

    fn own(&self, operation: &'static str) -> Result<&Own> {
        self.own.as_ref().ok_or(StackError::External { operation, server: SERVER, variable: "KAFKA_BROKERS" })
    }
}

/// Ports of the controller, of the plain, the SASL and the mTLS listener, and of the one behind a proxy.
const PORTS: usize = 5;

/// The broker's settings.
fn settings(folder: &Path, ports: [u16; PORTS], options: &KafkaOptions) -> String {
    let [controller, plaintext, sasl_ssl, mtls, behind] = ports.map(|port| port.to_string());
    let mut text = SERVER_PROPERTIES
        // A backslash starts an escape in a file of properties.
        .replace("@FOLDER@", &folder.to_string_lossy().replace('\\', r"\\"))
        .replace("@CONTROLLER@", &controller)
        .replace("@PLAINTEXT@", &plaintext)
        .replace("@SASL_SSL@", &sasl_ssl)
        .replace("@MTLS@", &mtls)
        .replace("@ADMIN_PASSWORD@", USER_ADMIN.password)
        .replace("@ALICE_PASSWORD@", USER_PLAIN.password);
    if options.acl {
        text.push_str(ACL_PROPERTIES);
    }
    if let Some(proxy) = options.behind {
        let own = "127.0.0.1";
        text = text
            .replace("listeners=PLAINTEXT:", &format!("listeners=BEHIND://{own}:{behind},PLAINTEXT:"))
            .replace("protocol.map=PLAINTEXT:", "protocol.map=BEHIND:PLAINTEXT,PLAINTEXT:");
        text.push_str(&format!(
            "\nadvertised.listeners=BEHIND://{own}:{proxy},PLAINTEXT://{own}:{plaintext},\
             SASL_SSL://{own}:{sasl_ssl},MTLS://{own}:{mtls}\n"
        ));
    }
    text
}

fn write_files(files: &KafkaFiles, folder: &Path, ports: [u16; PORTS], options: &KafkaOptions) -> Result<()> {
    for (name, text) in [
        ("server.properties", settings(folder, ports, options)),
        ("log4j2.properties", LOG_PROPERTIES.to_owned()),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(StackError::file("write", &path))?;
    }
    copy_folder(&files.template.join("data"), &folder.join("data"))
}

/// Copies a small folder with what is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(StackError::file("create", to))?;
    for entry in fs::read_dir(from).map_err(StackError::file("read", from))? {
        let entry = entry.map_err(StackError::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(StackError::file("copy", &source))?;
        }
    }
    Ok(())
}

fn launch(files: &KafkaFiles, folder: &Path, options: &KafkaOptions, java: &[String]) -> Result<Launch> {
    let mut argv = vec![files.java.to_string_lossy().into_owned(), "-XX:+UseSerialGC".to_owned()];
    if options.throughput {
        argv.push("-Xmx1g".to_owned());
    } else {
        argv.extend(["-Xmx160m".to_owned(), "-XX:TieredStopAtLevel=1".to_owned()]);
    }
    if let Some(classes) = &files.classes {
        argv.push(format!("-XX:AOTCache={}", classes.display()));
    }
    // Java warns about each class that it cannot take from its cache, which would hide the broker's own words.
    argv.extend(["-Xlog:disable".to_owned(), "-Xlog:all=error:stdout".to_owned()]);
    argv.extend_from_slice(java);
    argv.extend([
        format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display()),
        "-cp".to_owned(),
        files.class_path()?.to_string_lossy().into_owned(),
        "kafka.Kafka".to_owned(),
        folder.join("server.properties").to_string_lossy().into_owned(),
    ]);
    Ok(Launch { argv, env: JAVA_VARIABLES.iter().map(|name| ((*name).to_owned(), None)).collect() })
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
        run.ports[1] = stranger.own.as_ref().unwrap().port;
        let error = Kafka::start_in(run, files, &parts, &options, &[]).unwrap_err();
        assert!(matches!(error, StackError::PortTaken { .. }), "{error}");
    }
}
