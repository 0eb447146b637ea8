//! Drafts of pipes that somebody wants to look at before they are pipes.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use housepipe_runtime::{
    Document, End, Key, Need, PipeFile, PipeFileError, Problem, Surroundings, TakenApart,
};

use super::{SENT, Service, ServiceError, may_keep};
use crate::store::{Secrets, StoredPipe};
use crate::within::{Within, is_of_the_machine_alone};

/// Time for the names of a draft to be resolved, in milliseconds. One that takes longer is left to whoever connects.
const RESOLVE_MS_MAX: u64 = 500;
/// Names that are resolved, at most; more are of no draft that means well.
const HOSTS_MAX: usize = 64;

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
        let (before, secrets) = match of {
            Some(id) => {
                let (pipe, secrets) = self.inner.store.pipe_with_secrets(id).await?;
                // Those that do not open have to be sent.
                (Some(pipe.document), secrets.unwrap_or_default())
            }
            None => (None, Secrets::new()),
        };
        let document = match (document, &before) {
            (Some(document), _) => document,
            (None, Some(Ok(before))) => before.clone(),
            (None, Some(Err(why))) => {
                return Err(wrong("", format!("the pipe file cannot be read as it is stored: {why}")).into());
            }
            (None, None) => return Err(wrong("", "there is none; send `pipe`, or `of`".to_owned()).into()),
        };
        let ends = ENDS.into_iter().filter(|(_, block)| document.has(block)).map(|(end, _)| end).collect();
        let apart = self.part_of(document, need, &secrets).await?;
        match &before {
            Some(Ok(before)) => may_keep(before, &apart)?,
            // Where they were given for is not known.
            Some(Err(_)) if !apart.kept.is_empty() => {
                return Err(wrong(&apart.kept.join("`, `"), "send the secret itself".to_owned()).into());
            }
            _ => {}
        }
        // Its user is known by the id, as where it runs.
        let file = PipeFile { id: of.map(str::to_owned), ..apart.file };
        Ok(Drafted { file, ends })
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
    hosts: RefCell<Vec<String>>,
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
        self.hosts.borrow_mut().push(host.to_owned());
        Ok(())
    }
}

/// Refuses names that stand for an address of the machine alone by now. A name may stand for another one by the time that somebody connects, so
/// this keeps a plain trick out, and no resolver that is in on it.
async fn lead_elsewhere(mut hosts: Vec<String>) -> Result<(), PipeFileError> {
    hosts.sort_unstable();
    hosts.dedup();
    hosts.truncate(HOSTS_MAX);
    let resolve = |host: String| async move {
        let name = host.trim_matches(['[', ']']).to_owned();
        let resolved = tokio::net::lookup_host((name, 0_u16));
        let limit = Duration::from_millis(RESOLVE_MS_MAX);
        let addresses = tokio::time::timeout(limit, resolved).await.ok()?.ok()?;
        let is_refused =
            addresses.into_iter().any(|found| is_of_the_machine_alone(found.ip().to_canonical()));
        is_refused.then_some(host)
    };
    match join_all(hosts.into_iter().map(resolve)).await.into_iter().flatten().next() {
        None => Ok(()),
        Some(host) => {
            let why = format!(
                "`{host}` stands for a link-local or metadata address, and the service connects to none"
            );
            Err(wrong("", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_to_the_machine_alone_is_refused() {
        // Resolvers take numbers in these forms as addresses.
        for host in ["0xa9fea9fe", "2852039166", "169.254.43518"] {
            let told = lead_elsewhere(vec!["localhost".to_owned(), host.to_owned()]).await.unwrap_err();
            assert!(told.to_string().contains(host), "{told}");
        }
        assert!(lead_elsewhere(vec!["localhost".to_owned(), "[::1]".to_owned()]).await.is_ok());
        assert!(lead_elsewhere(vec!["nowhere.invalid".to_owned()]).await.is_ok(), "whoever connects tells");
    }
}
