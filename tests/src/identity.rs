//! Scrapes of metrics, and the identity that holds in each of them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::served::ANSWER_MAX;

/// The pause between two scrapes.
const SCRAPE_PAUSE: Duration = Duration::from_millis(5);

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
    Ok(answer)
}

/// Does `work`, and scrapes the metrics at `urls` again and again meanwhile: a process that is away then is passed over. Fails the test unless the identity
/// holds for every pipe of every scrape, and each of the urls has told of one.
///
/// # Panics
/// With the line that breaks it; where the work panics.
pub fn while_identity_holds<T>(urls: &[&str], work: impl FnOnce() -> T) -> T {
    struct Ends<'a>(&'a AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let has_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where the work panics: the threads would go on for ever.
        let ends = Ends(&has_ended);
        #[expect(
            clippy::disallowed_methods,
            reason = "a process that is scraped without a pause does little else"
        )]
        let watch = |url: &str| {
            let mut pipes = 0;
            while !has_ended.load(Ordering::Relaxed) {
                pipes += try_scrape(url).map_or(0, |scraped| expect_identity_in(&scraped));
                std::thread::sleep(SCRAPE_PAUSE);
            }
            assert!(pipes > 0, "{url} has told of no pipe");
        };
        for url in urls {
            scope.spawn(move || watch(url));
        }
        let done = work();
        drop(ends);
        done
    })
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
