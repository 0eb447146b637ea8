//! Scrapes of metrics, and the identity that holds in each of them.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::served::ANSWER_MAX;

/// The pause between two scrapes.
const SCRAPE_PAUSE: Duration = Duration::from_millis(5);

/// Where the metrics of a service are. Each start of it has them elsewhere, and whoever has a copy of this is told.
#[derive(Debug, Clone, Default)]
pub struct MetricsUrls(Arc<Mutex<Vec<String>>>);

impl MetricsUrls {
    /// It was started, and has its metrics here from now on.
    pub(crate) fn push(&self, url: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(url.to_owned());
    }

    /// Where they are now; empty before the first start.
    pub(crate) fn now(&self) -> String {
        self.of_starts().pop().unwrap_or_default()
    }

    /// Where they were and are, start by start.
    fn of_starts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The metrics at `url`, scraped now.
///
/// # Panics
/// Where they are not answered.
pub fn scrape(url: &str) -> String {
    try_scrape(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn try_scrape(url: &str) -> std::io::Result<String> {
    let (_, rest) = url.split_once("://").unwrap_or_else(|| panic!("no metrics: `{url}`"));
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.write_all(
        format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    // It may have ended in the middle of a line.
    if answer.ends_with('\n') { Ok(answer) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Does `work`, and scrapes the metrics of `services` again and again meanwhile, wherever they are after a start: a process that is away is passed over.
/// Fails the test unless the identity holds for every pipe of every scrape, and each process that ran meanwhile has told of a pipe.
///
/// # Panics
/// With the line that breaks it; where the work panics.
pub fn while_identity_holds<T>(services: &[MetricsUrls], work: impl FnOnce() -> T) -> T {
    watched(services, &try_scrape, work)
}

/// The same by this way to scrape.
fn watched<T>(
    services: &[MetricsUrls],
    scrape: &(impl Fn(&str) -> Result<String, Error> + Sync),
    work: impl FnOnce() -> T,
) -> T {
    struct Ends<'a>(&'a AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let has_ended = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where the work panics: the threads would go on for ever.
        let ends = Ends(has_ended);
        for service in services {
            // Processes of before have ended.
            let first = service.of_starts().len().saturating_sub(1);
            scope.spawn(move || watch(service, first, scrape, has_ended));
        }
        let done = work();
        drop(ends);
        done
    })
}

/// Scrapes until the work has ended. `first` is the place among the starts of the process that runs when the work begins.
#[expect(clippy::disallowed_methods, reason = "a process that is scraped without a pause does little else")]
fn watch(
    service: &MetricsUrls,
    first: usize,
    scrape: &impl Fn(&str) -> Result<String, Error>,
    has_ended: &AtomicBool,
) {
    // The pipes that each process has told of, by its place among the starts.
    let mut told = BTreeMap::<usize, usize>::new();
    while !has_ended.load(Ordering::Relaxed) {
        if let Some((start, url)) = service.of_starts().iter().enumerate().next_back() {
            *told.entry(start).or_default() += scrape(url).map_or(0, |scraped| expect_identity_in(&scraped));
        }
        std::thread::sleep(SCRAPE_PAUSE);
    }
    for (start, url) in service.of_starts().iter().enumerate().skip(first) {
        assert!(told.get(&start).is_some_and(|pipes| *pipes > 0), "{url} has told of no pipe");
    }
}

/// Fails the test unless the identity holds for every pipe of this scrape. Returns the number of pipes.
///
/// # Panics
/// With the line that breaks it.
pub fn expect_identity_in(scraped: &str) -> usize {
    let lines = scraped.lines().filter(|line| line.starts_with("housepipe_identity_difference{"));
    let mut pipes = 0;
    for line in lines {
        pipes += 1;
        assert!(line.ends_with(" 0"), "{line}");
    }
    pipes
}

/// Fails the test unless `read = loaded + rejected + in flight + given back`, with counters as a pipe shows them.
///
/// # Panics
/// With the counters.
pub fn expect_identity(counters: &Value) {
    let number = |key: &str| counters[key].as_u64().unwrap_or_else(|| panic!("no `{key}`: {counters}"));
    let parts = number("loaded") + number("rejected") + number("in_flight") + number("given_back");
    assert_eq!(number("read"), parts, "{counters}");
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::wait_until;

    /// Whether the identity holds over a restart behind which scrapes answer this.
    fn holds_over_a_restart(behind: Option<&str>) -> bool {
        let service = MetricsUrls::default();
        let (scrapes, scrapes_behind) = (AtomicUsize::new(0), AtomicUsize::new(0));
        service.push("first");
        let scrape = |url: &str| {
            if url == "first" {
                scrapes.fetch_add(1, Ordering::Relaxed);
                return Ok("housepipe_identity_difference{pipe=\"p\"} 0\n".to_owned());
            }
            scrapes_behind.fetch_add(1, Ordering::Relaxed);
            behind.map(str::to_owned).ok_or_else(|| ErrorKind::ConnectionRefused.into())
        };
        let watched = catch_unwind(AssertUnwindSafe(|| {
            watched(std::slice::from_ref(&service), &scrape, || {
                wait_until("a scrape", || scrapes.load(Ordering::Relaxed) > 0);
                service.push("second");
                wait_until("a scrape behind the restart", || scrapes_behind.load(Ordering::Relaxed) > 0);
            });
        }));
        watched.is_ok()
    }

    #[test]
    fn a_process_that_was_started_again_is_looked_at() {
        assert!(holds_over_a_restart(Some("housepipe_identity_difference{pipe=\"p\"} 0\n")));
        assert!(!holds_over_a_restart(Some("housepipe_identity_difference{pipe=\"p\"} 1\n")));
        assert!(!holds_over_a_restart(Some("housepipe_pipes 0\n")), "it tells of no pipe");
        assert!(!holds_over_a_restart(None), "it does not answer");
    }
}
