//! Drafts of pipes that somebody wants to look at before they are pipes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use housepipe_runtime::{
    Document, End, Key, Need, PipeFile, PipeFileError, Problem, Surroundings, TakenApart,
};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{SENT, Service, ServiceError, may_keep, own_user};
use crate::store::{Secrets, StoreError, StoredPipe};
use crate::within::{Within, is_of_the_machine_alone};

/// Time for the names of a draft to be looked up, in milliseconds. One that takes longer is refused: nobody knows where it leads.
const RESOLVE_MS_MAX: u64 = 2_000;
/// Names of one call that are looked up at once, at most.
const RESOLVED_AT_ONCE_MAX: usize = 16;
/// Names that are looked up at once in the whole process, at most. Each holds a thread until the resolver gives up, also where nobody waits any
/// more.
const LOOK_UPS_MAX: usize = 256;
/// Hosts of one pipe, at most: each of them is resolved, and more are of no pipe that means well.
const HOSTS_MAX: usize = 64;

/// Letters of a pipe's name, at most.
const NAME_LENGTH_MAX: usize = 63;

static LOOK_UPS: Semaphore = Semaphore::const_new(LOOK_UPS_MAX);

/// The blocks of a pipe file that are its ends.
const ENDS: [(End, &str); 3] =
    [(End::Source, "source"), (End::SchemaRegistry, "schema_registry"), (End::Destination, "destination")];

/// A draft that was understood.
#[derive(Debug)]
pub struct Drafted {
    /// The pipe, with placeholders for what was not needed.
    pub file: PipeFile,
    /// The ends that the draft names.
    pub ends: Vec<End>,
    /// Which pipe it is about.
    pub subject: Subject,
}

/// The pipe that somebody looks at: one that is, or is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its id, where it is.
    pub id: Option<String>,
    /// Its name, where it has one.
    pub name: Option<String>,
}

impl Subject {
    /// A pipe that is stored.
    pub fn stored(pipe: &StoredPipe) -> Subject {
        Subject { id: Some(pipe.id.clone()), name: Some(pipe.name.clone()) }
    }

    /// One that is to be. Its name is what the draft has for one, where it is no longer than one may be.
    fn of_draft(document: Option<&Document>) -> Subject {
        let name = document.and_then(|document| document.text_at("name"));
        Subject { id: None, name: name.filter(|name| name.len() <= NAME_LENGTH_MAX).map(str::to_owned) }
    }
}

impl Service {
    /// The pipe that a draft describes, as far as it is needed; the secrets of the pipe `of` stand for what it shows as `${secret:…}`, where they
    /// go to the same addresses and logins as in that pipe. Without a `document` it is that pipe's own.
    ///
    /// # Errors
    /// [`ServiceError`] where the draft is wrong, there is no such pipe, or the store does not answer.
    pub async fn draft(
        &self,
        document: Option<Document>,
        of: Option<&str>,
        need: Need,
    ) -> Result<Drafted, ServiceError> {
        let (before, secrets, subject) = match of {
            Some(id) => {
                let (pipe, secrets) = self.inner.store.pipe_with_secrets(id).await?;
                let subject = Subject::stored(&pipe);
                // Those that do not open have to be sent.
                (Some(pipe.document), secrets.unwrap_or_default(), subject)
            }
            None => (None, Secrets::new(), Subject::of_draft(document.as_ref())),
        };
        // Its own ways are those that its secrets were given for.
        let is_sent = document.is_some();
        let mut document = match (document, &before) {
            (Some(document), _) => document,
            (None, Some(Ok(before))) => before.clone(),
            (None, Some(Err(why))) => {
                return Err(wrong("", format!("the pipe file cannot be read as it is stored: {why}")).into());
            }
            (None, None) => return Err(wrong("", "there is none; send `pipe`, or `of`".to_owned()).into()),
        };
        let ends = ENDS.into_iter().filter(|(_, block)| document.has(block)).map(|(end, _)| end).collect();
        if is_sent {
            own_user::fill_in_draft(&mut document).map_err(StoreError::from)?;
        }
        let apart = self.part_of(document.clone(), need, &secrets).await?;
        if let Some(before) = before.filter(|_| is_sent) {
            // The whole, as it is stored of a pipe: the part leaves keys out that decide where a secret goes.
            for (path, _) in &apart.secrets {
                document.refer(path);
            }
            may_keep(&before, &document, &apart.kept)?;
        }
        // Its user is known by the id, as where it runs.
        let file = PipeFile { id: of.map(str::to_owned), ..apart.file };
        Ok(Drafted { file, ends, subject })
    }

    /// The whole of a pipe file that somebody has sent.
    pub(super) async fn take_apart(
        &self,
        document: Document,
        secrets: &Secrets,
    ) -> Result<TakenApart, ServiceError> {
        self.part_of(document, Need::Whole, secrets).await
    }

    /// A part of it, none of whose hosts is refused.
    async fn part_of(
        &self,
        document: Document,
        need: Need,
        secrets: &Secrets,
    ) -> Result<TakenApart, ServiceError> {
        let (apart, hosts) = {
            let noting = Noting { within: self.inner.within(secrets), hosts: RefCell::default() };
            let apart = document.take_part(SENT, need, &noting)?;
            (apart, noting.hosts.into_inner())
        };
        lead_elsewhere(hosts).await?;
        Ok(apart)
    }

    /// A stored pipe, with its secrets in place.
    ///
    /// # Errors
    /// As [`Service::draft`].
    pub async fn whole(&self, id: &str) -> Result<(StoredPipe, PipeFile), ServiceError> {
        let stored = self.inner.store.pipe(id).await?;
        let drafted = self.draft(None, Some(id), Need::Whole).await?;
        Ok((stored, drafted.file))
    }
}

fn wrong(key: &str, message: String) -> PipeFileError {
    let problem = Problem { line: 0, key: key.to_owned(), message, mend: None };
    PipeFileError { file: SENT.to_owned(), problems: vec![problem] }
}

/// What is within, and which hosts are asked for.
struct Noting<'a> {
    within: Within<'a>,
    hosts: RefCell<BTreeSet<String>>,
}

impl Surroundings for Noting<'_> {
    fn reference(&self, kind: &str, name: &str, key: Key<'_>) -> Result<String, String> {
        self.within.reference(kind, name, key)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.within.variable(name)
    }

    fn allows_paths(&self) -> Result<(), String> {
        self.within.allows_paths()
    }

    fn allows_raw_settings(&self) -> Result<(), String> {
        self.within.allows_raw_settings()
    }

    fn allows_host(&self, host: &str) -> Result<(), String> {
        self.within.allows_host(host)?;
        let mut hosts = self.hosts.borrow_mut();
        if hosts.len() == HOSTS_MAX && !hosts.contains(host) {
            return Err(format!(
                "a pipe of the service names {HOSTS_MAX} hosts at most; a few of them find the others"
            ));
        }
        hosts.insert(host.to_owned());
        Ok(())
    }
}

/// Refuses names that stand for an address of the machine alone by now, and those of which that is not known in time. A name may stand for another
/// one by the time that somebody connects, so this keeps a plain trick out, and no resolver that is in on it. One that stands for nothing leads
/// nowhere, which whoever connects tells.
async fn lead_elsewhere(hosts: BTreeSet<String>) -> Result<(), ServiceError> {
    lead_elsewhere_by(hosts, async |name: String| {
        if let Ok(address) = name.parse() {
            return vec![address];
        }
        // It is never closed.
        let place = LOOK_UPS.acquire().await.ok();
        // A task of its own, which goes on with its place where the call does not wait any more.
        let found = tokio::spawn(async move {
            let _until_it_ends = place;
            let found = tokio::net::lookup_host((name, 0_u16)).await;
            found.map(|found| found.map(|found| found.ip()).collect()).unwrap_or_default()
        });
        found.await.unwrap_or_default()
    })
    .await
}

/// The same, as `resolve` finds the addresses of a name.
async fn lead_elsewhere_by(
    hosts: BTreeSet<String>,
    resolve: impl AsyncFn(String) -> Vec<IpAddr>,
) -> Result<(), ServiceError> {
    let until = Instant::now() + Duration::from_millis(RESOLVE_MS_MAX);
    let judge = async |host: String| {
        let name = host.trim_matches(['[', ']']).to_owned();
        match tokio::time::timeout_at(until, resolve(name)).await {
            Ok(found) if found.iter().any(|found| is_of_the_machine_alone(found.to_canonical())) => {
                Err(wrong(
                    "",
                    format!(
                        "`{host}` stands for a link-local or metadata address, and the service connects to none"
                    ),
                )
                .into())
            }
            Ok(_) => Ok(()),
            Err(_) => Err(ServiceError::NotLookedUp { host }),
        }
    };
    let mut judged = stream::iter(hosts.into_iter().map(judge)).buffered(RESOLVED_AT_ONCE_MAX);
    while let Some(judged) = judged.next().await {
        judged?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_the_machine_alone_is_refused() {
        // Resolvers take numbers in these forms as addresses.
        let hosts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        for host in ["0xa9fea9fe", "2852039166", "169.254.43518"] {
            let told = lead_elsewhere(hosts(&["localhost", host])).await.unwrap_err();
            assert!(told.to_string().contains(host), "{told}");
        }
        assert!(lead_elsewhere(hosts(&["localhost", "[::1]"])).await.is_ok());
        assert!(lead_elsewhere(hosts(&["nowhere.invalid"])).await.is_ok(), "whoever connects tells");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_not_looked_up_in_time_is_refused() {
        let hosts = || ["quick.invalid", "slow.invalid"].map(str::to_owned).into();
        let after = |time_ms: u64| {
            async move |name: String| {
                if name == "slow.invalid" {
                    tokio::time::sleep(Duration::from_millis(time_ms)).await;
                }
                vec![IpAddr::from([10, 0, 0, 1])]
            }
        };
        lead_elsewhere_by(hosts(), after(RESOLVE_MS_MAX - 1)).await.unwrap();
        let refused = lead_elsewhere_by(hosts(), after(RESOLVE_MS_MAX + 1)).await.unwrap_err();
        assert!(
            matches!(&refused, ServiceError::NotLookedUp { host } if host == "slow.invalid"),
            "{refused}"
        );
    }

    #[test]
    fn a_name_does_not_hide_behind_many_others() {
        let brokers =
            |count: usize| (0..count).map(|number| format!("b{number}.invalid:9092")).collect::<Vec<_>>();
        let take = |brokers: &[String], url: &str| {
            let text = format!(
                "name: clicks\nsource: {{ type: kafka, brokers: '{}', topic: t }}\ndestination: {{ url: '{url}', table: t }}\n",
                brokers.join(",")
            );
            let none = Secrets::new();
            let noting =
                Noting { within: Within { secrets: &none, folder: None }, hosts: RefCell::default() };
            let document = Document::parse(&text, "clicks").unwrap();
            document.take_part("clicks", Need::Whole, &noting).map(|_| noting.hosts.into_inner().len())
        };
        assert_eq!(take(&brokers(HOSTS_MAX), "http://b0.invalid:8123").unwrap(), HOSTS_MAX);
        let told = take(&brokers(HOSTS_MAX), "http://0xa9fea9fe:8123").unwrap_err();
        assert_eq!(told.problems[0].key, "destination.url", "{told}");
        let told = take(&brokers(HOSTS_MAX + 1), "http://b0.invalid:8123").unwrap_err();
        assert_eq!((told.problems.len(), told.problems[0].key.as_str()), (1, "source.brokers"), "{told}");
    }
}
