//! The topics of a pipe's brokers, with how much is in them and how fast they grow.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use housepipe_kafka_source::{Cluster, ListedTopic, SourceConfig, SourceError, TopicActivity};
use serde::{Deserialize, Serialize};

use crate::error::PipeError;
use crate::pipe::{RunOptions, source_config};
use crate::pipe_file::PipeFile;

/// Time for the list, in milliseconds.
const LIST_MS_MAX: u64 = 8_000;
/// Time for how much is in them, in milliseconds.
const MEASURE_MS_MAX: u64 = 8_000;

/// Partitions that are measured for one page, at most.
const PARTITIONS_MEASURED_MAX: usize = 20_000;

/// Time over which rates are measured, in seconds.
const RATE_S: u32 = 60;

/// What topics are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TopicOrder {
    /// By name.
    #[default]
    Name,
    /// Those with the most partitions first.
    Partitions,
    /// Those with the most records first.
    Records,
    /// Those that grow fastest first.
    Rate,
}

/// Which topics.
#[derive(Debug, Clone, Default)]
pub struct TopicQuery {
    /// A part of the name; small and capital letters are the same.
    pub name_contains: Option<String>,
    /// Also those that Kafka keeps for itself.
    pub with_internal: bool,
    /// What they are sorted by.
    pub order: TopicOrder,
    /// How many of them to leave out before the page.
    pub skip: usize,
    /// Topics of the page, at most.
    pub limit: usize,
}

/// A topic, and how much is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopicReport {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: usize,
    /// Records from the first to the last offset of each partition; those that were compacted away, and the marks of transactions, count as well.
    /// Absent where it is not known.
    pub records: Option<u64>,
    /// Records a second over `rate_over_seconds`, by the records' own timestamps; absent where it is not known.
    pub records_per_second: Option<f64>,
    /// Why these are not known.
    pub problem: Option<String>,
}

/// A page of topics.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopicPage {
    /// Brokers of the cluster.
    pub brokers: usize,
    /// Topics that are as the query says, over all pages.
    pub total: usize,
    /// Those of this page.
    pub topics: Vec<TopicReport>,
    /// Time over which rates were measured, in seconds: up to the moment of the call.
    pub rate_over_seconds: u32,
}

/// The topics that the user of the pipe may see. Nothing is joined or read. Sorted by records or rate all of them are measured, and else those of
/// the page; up to 20,000 partitions.
///
/// # Errors
/// [`PipeError::Source`] where the brokers do not answer.
pub async fn topics(file: &PipeFile, query: &TopicQuery) -> Result<TopicPage, PipeError> {
    let (config, query) = (source_config(file, &RunOptions::default()), query.clone());
    let asked = tokio::task::spawn_blocking(move || ask(&config, &query));
    Ok(asked.await.map_err(|_| PipeError::WorkerPanicked)??)
}

fn ask(config: &SourceConfig, query: &TopicQuery) -> Result<TopicPage, SourceError> {
    let cluster = Cluster::ask(config, Duration::from_millis(LIST_MS_MAX))?;
    let part = query.name_contains.as_ref().map(|part| part.to_lowercase());
    let is_wanted = |topic: &&ListedTopic| {
        (query.with_internal || !topic.is_internal())
            && part.as_ref().is_none_or(|part| topic.name.to_lowercase().contains(part))
    };
    let mut topics: Vec<&ListedTopic> = cluster.topics().iter().filter(is_wanted).collect();
    let total = topics.len();
    // A clock before 1970 is as good as one at 1970.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let since_ms = i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_sub(i64::from(RATE_S) * 1_000);
    let measure = |topics: &[&ListedTopic]| measure(&cluster, topics, since_ms);
    let page = match query.order {
        TopicOrder::Name | TopicOrder::Partitions => {
            if query.order == TopicOrder::Partitions {
                topics.sort_by_key(|topic| Reverse(topic.partitions));
            }
            let page: Vec<&ListedTopic> = topics.into_iter().skip(query.skip).take(query.limit).collect();
            measure(&page)
        }
        order => {
            let mut all = measure(&topics);
            sort(&mut all, order);
            all.into_iter().skip(query.skip).take(query.limit).collect()
        }
    };
    Ok(TopicPage { brokers: cluster.brokers(), total, topics: page, rate_over_seconds: RATE_S })
}

/// The largest first, and those of which nothing is known last.
fn sort(topics: &mut [TopicReport], order: TopicOrder) {
    match order {
        TopicOrder::Rate => topics.sort_by(|a, b| {
            let rate = |topic: &TopicReport| topic.records_per_second.unwrap_or(-1.0);
            rate(b).total_cmp(&rate(a))
        }),
        _ => topics.sort_by_key(|topic| Reverse(topic.records)),
    }
}

fn measure(cluster: &Cluster<'_>, topics: &[&ListedTopic], since_ms: i64) -> Vec<TopicReport> {
    let mut partitions = 0;
    let is_measured = |topic: &&&ListedTopic| {
        partitions += topic.partitions;
        partitions <= PARTITIONS_MEASURED_MAX
    };
    let measured = topics.iter().take_while(is_measured).count();
    let (within, beyond) = topics.split_at(measured);
    let timeout = Duration::from_millis(MEASURE_MS_MAX);
    let told = cluster.activities(within.iter().copied(), since_ms, timeout);
    let told =
        told.into_iter().map(|(topic, activity)| report(topic, activity.map_err(|error| error.to_string())));
    let beyond = beyond.iter().map(|topic| {
        let why = format!(
            "no more than {PARTITIONS_MEASURED_MAX} partitions are measured at once; name a part of the topic"
        );
        report(topic, Err(why))
    });
    told.chain(beyond).collect()
}

fn report(topic: &ListedTopic, activity: Result<TopicActivity, String>) -> TopicReport {
    let (activity, problem) = match activity {
        Ok(activity) => (Some(activity), None),
        Err(problem) => (None, Some(problem)),
    };
    TopicReport {
        name: topic.name.clone(),
        partitions: topic.partitions,
        records: activity.map(|activity| activity.records),
        records_per_second: activity.map(|activity| rate(activity.recent)),
        problem,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(records: u64) -> f64 {
    records as f64 / f64::from(RATE_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, activity: Option<(u64, u64)>) -> TopicReport {
        let activity = activity.map(|(records, recent)| TopicActivity { records, recent });
        report(
            &ListedTopic { name: name.to_owned(), partitions: 1 },
            activity.ok_or_else(|| "not known".to_owned()),
        )
    }

    #[test]
    fn the_largest_come_first_and_those_without_a_figure_last() {
        let mut topics = vec![topic("a", None), topic("b", Some((100, 0))), topic("c", Some((5, 120)))];
        let names =
            |topics: &[TopicReport]| topics.iter().map(|topic| topic.name.clone()).collect::<Vec<_>>();
        sort(&mut topics, TopicOrder::Records);
        assert_eq!(names(&topics), ["b", "c", "a"]);
        sort(&mut topics, TopicOrder::Rate);
        assert_eq!(names(&topics), ["c", "b", "a"]);
        assert_eq!((topics[0].records_per_second, topics[1].records_per_second), (Some(2.0), Some(0.0)));
        assert_eq!(topics[2].problem.as_deref(), Some("not known"));
    }
}
