//! Topics, how much is in them, how fast they grow, and their newest records page by page.

use std::collections::BTreeMap;

use housepipe_kafka_source::{
    Cluster, ListedTopic, Offset, PartitionId, SampleRequest, SourceError, TopicActivity, sample_of,
};

use crate::harness::{PATIENCE, fill, timestamp_ms, topic};

#[test]
fn topics_tell_how_much_is_in_them_and_how_much_is_recent() {
    let config = topic(3);
    fill(&config, 3, 0..10);
    let empty = topic(2);
    let cluster = Cluster::ask(&config, PATIENCE).expect("a list");
    assert_eq!(cluster.brokers(), 1);
    let find = |name: &str| cluster.topics().iter().find(|topic| topic.name == name).expect("a topic");
    let gone = ListedTopic { name: "gone-by-now".to_owned(), partitions: 4 };
    let topics = [find(&config.topic), &gone, find(&empty.topic)];
    let told = cluster.activities(topics, timestamp_ms(6), PATIENCE);
    let names: Vec<&str> = told.iter().map(|(topic, _)| topic.name.as_str()).collect();
    assert_eq!(names, [config.topic.as_str(), "gone-by-now", empty.topic.as_str()]);
    let activities: Vec<_> = told.into_iter().map(|(_, activity)| activity).collect();
    assert_eq!(activities[0], Ok(TopicActivity { records: 30, recent: 12 }));
    assert!(matches!(&activities[1], Err(SourceError::UnknownTopic { topic, .. }) if topic == "gone-by-now"));
    assert_eq!(activities[2], Ok(TopicActivity::default()));
    let later = cluster.activities([find(&config.topic)], timestamp_ms(10), PATIENCE);
    assert_eq!(later[0].1, Ok(TopicActivity { records: 30, recent: 0 }));
}

#[test]
fn what_came_before_a_page_is_the_next_one() {
    let config = topic(2);
    fill(&config, 2, 0..10);
    let page = |before: &[(i32, i64)]| -> Vec<(i32, i64)> {
        let mut request = SampleRequest::newest(4);
        request.before = before
            .iter()
            .map(|(partition, offset)| (PartitionId(*partition), Offset(*offset)))
            .collect::<BTreeMap<_, _>>();
        let sampled = sample_of(&config, &request, PATIENCE).expect("samples");
        sampled.records.iter().map(|record| (record.partition.0, record.offset.0)).collect()
    };
    assert_eq!(page(&[]), [(0, 8), (1, 8), (0, 9), (1, 9)]);
    assert_eq!(page(&[(0, 8), (1, 8)]), [(0, 6), (1, 6), (0, 7), (1, 7)]);
    assert_eq!(page(&[(0, 1)]), [(1, 6), (1, 7), (1, 8), (1, 9)]);
    assert_eq!(page(&[(0, 1), (1, 0)]), [(0, 0)]);
    assert_eq!(page(&[(0, 0), (1, 0)]), []);
    // Where the log does not reach that far, its end counts.
    assert_eq!(page(&[(0, 99), (1, 99)]), [(0, 8), (1, 8), (0, 9), (1, 9)]);
    let mut small = SampleRequest::newest(4);
    small.bytes_max = 5;
    assert_eq!(sample_of(&config, &small, PATIENCE).expect("samples").records.len(), 1);
}
