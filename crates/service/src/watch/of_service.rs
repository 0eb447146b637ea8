//! A service as it is watched.

use std::time::Duration;

use housepipe_runtime::metrics::{self, Exposition, Family, ProcessMetrics};

use super::Watched;
use crate::service::Service;

/// Time for the store to answer, in milliseconds, so that a scrape tells of the rest in time.
const STORE_MS_MAX: u64 = 2_000;

static STORE_UP: Family = Family::gauge(
    "housepipe_store_up",
    &[],
    "1 where the store of pipes has answered this scrape within 2 s, and could be written of late, and 0 otherwise.",
);

static EVENTS: Family = Family::counter(
    "housepipe_events_stored_total",
    &[],
    "Events that were stored of pipes since the store was made, by all processes that share it; absent while the store does not answer.",
);

pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&STORE_UP, &EVENTS].into_iter()
}

impl Watched for Service {
    async fn write(&self, exposition: &mut Exposition) {
        let events = stored_events(self).await;
        let mut process = ProcessMetrics::now();
        process.memory_bytes = Some(self.memory_bytes_max() as u64);
        metrics::write(&self.metrics(), &process, exposition);
        exposition.family(&STORE_UP, |samples| {
            samples.value(&[], events.is_some() && self.store().trouble().is_none());
        });
        exposition.family(&EVENTS, |samples| {
            events.into_iter().for_each(|number| samples.value(&[], i128::from(number)));
        });
        self.calls().write(exposition);
    }

    async fn unready(&self) -> Option<String> {
        let events = stored_events(self).await;
        if let Some(trouble) = self.store().trouble() {
            return Some(trouble.words().to_owned());
        }
        if events.is_none() {
            return Some("the store does not answer".to_owned());
        }
        let why = "what is wanted of the pipes cannot be followed at the moment";
        (!self.follows()).then(|| why.to_owned())
    }
}

/// Events so far; none where the store does not answer.
async fn stored_events(service: &Service) -> Option<i64> {
    let asked = tokio::time::timeout(Duration::from_millis(STORE_MS_MAX), service.store().last_event());
    match asked.await {
        Ok(Ok(number)) => Some(number),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer");
            None
        }
        Err(_) => {
            tracing::warn!("the store does not answer within {STORE_MS_MAX} ms");
            None
        }
    }
}
