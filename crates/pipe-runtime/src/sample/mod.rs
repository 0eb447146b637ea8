//! Records of the topic, shown without joining the group or committing.

mod filter;

use std::time::Duration;

use housepipe_kafka_source::{OwnedRecord, Sampled};
use housepipe_schema_registry::{Framing, parse_framing};
use serde::Serialize;

use crate::error::{PipeError, explain};
use crate::pipe::{RunOptions, source_config};
use crate::pipe_file::PipeFile;

pub use filter::{FieldFilter, SampleFilter};

/// Time to fetch samples, at most, in milliseconds.
const SAMPLE_TIMEOUT_MS: u64 = 10_000;

/// One record of the topic, as text where it is text.
#[derive(Debug, Clone, Serialize)]
pub struct SampleRecord {
    /// The partition that it is in.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since 1970, where the record has a timestamp.
    pub timestamp_ms: Option<i64>,
    /// The key; bytes that are not UTF-8 are shown as U+FFFD.
    pub key: Option<String>,
    /// Header names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// Schema id of a record framed for a schema registry.
    pub schema_id: Option<u32>,
    /// Length of the value in bytes, framing included; absent for a tombstone.
    pub value_bytes: Option<usize>,
    /// The value without its framing; bytes that are not UTF-8 are shown as U+FFFD.
    pub value: Option<String>,
}

/// Records of a topic.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Those that were asked for, the newest first.
    pub records: Vec<SampleRecord>,
    /// How many of the newest records were looked at.
    pub looked_at: usize,
    /// Why some were not, where reading them ended early: also the newest may be among those.
    pub cut_short: Option<String>,
}

/// The newest `count` records over all partitions that are as `filter` says, the newest first. Where it says anything, they are
/// looked for among the newest `looked_at_max` records, at most 10,000.
///
/// # Errors
/// [`PipeError::Source`] where the topic cannot be reached.
pub async fn sample(
    file: &PipeFile,
    count: usize,
    filter: &SampleFilter,
    looked_at_max: usize,
) -> Result<Sample, PipeError> {
    let wanted = if filter.is_empty() { count } else { looked_at_max.max(count) };
    let sampled = newest(file, wanted, Duration::from_millis(SAMPLE_TIMEOUT_MS)).await?;
    let Sampled { records, cut_short } = sampled;
    let taken = records.iter().rev().filter(|record| filter.takes(record)).take(count);
    let cut_short = cut_short.map(|error| explain(&error));
    Ok(Sample { records: taken.map(show).collect(), looked_at: records.len(), cut_short })
}

/// The newest `count` records as they are, oldest first; a part of them where no more came in time.
pub(crate) async fn newest(file: &PipeFile, count: usize, timeout: Duration) -> Result<Sampled, PipeError> {
    let config = source_config(file, &RunOptions::default());
    let sampled =
        tokio::task::spawn_blocking(move || housepipe_kafka_source::sample(&config, count, timeout));
    Ok(sampled.await.map_err(|_| PipeError::WorkerPanicked)??)
}

fn show(record: &OwnedRecord) -> SampleRecord {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let view = record.as_record();
    let framing = view.payload.map(parse_framing);
    let (schema_id, body) = match framing {
        Some(Framing::Framed { schema_id, body }) => (Some(schema_id.0), Some(body)),
        Some(Framing::Unframed(body)) => (None, Some(body)),
        None => (None, None),
    };
    SampleRecord {
        partition: record.partition.0,
        offset: record.offset.0,
        timestamp_ms: record.timestamp_ms,
        key: view.key.map(text),
        headers: view
            .headers()
            .map(|(name, value)| (name.to_owned(), value.map(text).unwrap_or_default()))
            .collect(),
        schema_id,
        value_bytes: view.payload.map(<[u8]>::len),
        value: body.map(text),
    }
}
