//! Several at once: one wins, and events are seen in one order.

use std::sync::Arc;

use housepipe_service::{Edit, NewPipe, Secrets, StoreError};

use crate::places::{KEY, Place, each_place, open, postgres};
use crate::{at_brokers, edit, new_pipe};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_edits_that_race_one_wins() {
    each_place(async |place: &Place| {
        let store = Arc::new(open(place, KEY).await.unwrap());
        let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        for round in 1..=5 {
            let edits: Vec<_> = (0..8)
                .map(|_| {
                    let (store, pipe) = (Arc::clone(&store), pipe.clone());
                    tokio::spawn(async move { store.edit(&pipe.id, round, &edit(&[], &[]), "ann").await })
                })
                .collect();
            let mut won = 0;
            for edit in edits {
                match edit.await.unwrap() {
                    Ok(edited) => {
                        assert_eq!(edited.revision, round + 1);
                        won += 1;
                    }
                    Err(StoreError::Changed(at)) => assert_eq!(at, round + 1),
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(won, 1);
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_pipes_that_take_one_group_at_once_one_gets_it() {
    each_place(async |place: &Place| {
        let store = Arc::new(open(place, KEY).await.unwrap());
        for round in 0..20 {
            let group = format!("group-{round}");
            let mut taken = Vec::new();
            for side in ["left", "right"] {
                let name = format!("{side}-{round}");
                let pipe = store.create(&new_pipe(&name), None, "ann").await.unwrap();
                // One broker in common, so that the texts differ.
                let NewPipe { consumer, document, .. } =
                    at_brokers(&name, &format!("{side}:9092,both:9092"), &group);
                let edit = Edit { consumer, document, secrets: Secrets::new(), kept: Vec::new() };
                let store = Arc::clone(&store);
                taken.push(tokio::spawn(async move { store.edit(&pipe.id, 1, &edit, "ann").await }));
            }
            // And a pipe that is made with it.
            let (new, other) = (at_brokers(&format!("new-{round}"), "both:9092", &group), Arc::clone(&store));
            taken.push(tokio::spawn(async move { other.create(&new, None, "ann").await }));
            let mut won = 0;
            for taken in taken {
                match taken.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(StoreError::GroupTaken(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(won, 1);
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_reads_events_in_order_misses_none() {
    const WRITERS: i64 = 6;
    const EACH: i64 = 20;
    each_place(async |place: &Place| {
        let store = Arc::new(open(place, KEY).await.unwrap());
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        let id = format!("p{writer}");
                        let kind = housepipe_service::EventKind::Stage;
                        store.tell(&id, &id, 1, kind, Some("running")).await.unwrap();
                    }
                })
            })
            .collect();
        let mut seen = 0;
        loop {
            let all_wrote = writers.iter().all(tokio::task::JoinHandle::is_finished);
            let events = store.events(None, seen, 7).await.unwrap();
            if all_wrote && events.is_empty() {
                break;
            }
            for event in events {
                assert_eq!(event.number, seen + 1, "an event became visible behind a later one");
                seen = event.number;
            }
            tokio::task::yield_now().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(seen, WRITERS * EACH);
        assert_eq!(store.first_event().await.unwrap(), Some(1));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_together_make_the_tables_once() {
    let place = Arc::new(postgres());
    let replicas: Vec<_> = (0..4)
        .map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { open(&place, KEY).await })
        })
        .collect();
    let mut stores = Vec::new();
    for replica in replicas {
        stores.push(replica.await.unwrap().unwrap());
    }
    let pipe = stores[0].create(&new_pipe("clicks"), None, "ann").await.unwrap();
    for store in &stores {
        assert_eq!(store.revisions().await.unwrap().get(&pipe.id), Some(&1));
        assert_eq!(store.secrets(&pipe.id).await.unwrap().len(), 2);
        store.close().await;
    }
}
