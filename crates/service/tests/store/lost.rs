//! Connections that are lost without a word, and locks that somebody holds: each call of the store has an end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_service::{EventKind, Seal, Store, StoreAddress, StoreError};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AnyConnection, Connection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::new_pipe;
use crate::places::{KEY, Place, open, postgres};

/// Stands between a store and its PostgreSQL.
struct Between {
    url: SecretString,
    /// Connections of this number and earlier ones are lost.
    lost: watch::Sender<u64>,
}

impl Between {
    async fn new(place: &Place) -> Between {
        let StoreAddress::Postgres(url) = &place.address else { panic!("a place in a file") };
        let (head, rest) = url.expose_secret().rsplit_once('@').unwrap();
        let (host, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
        let (lost, host) = (watch::Sender::new(0), host.to_owned());
        let told = lost.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((near, _)) = listener.accept().await {
                number += 1;
                tokio::spawn(carry(near, host.clone(), number, told.subscribe()));
            }
        });
        Between { url: url.into(), lost }
    }

    async fn store(&self) -> Arc<Store> {
        let address = StoreAddress::Postgres(self.url.clone());
        Arc::new(Store::open(&address, Seal::new(&KEY.into()).unwrap()).await.unwrap())
    }

    /// Nothing comes through any more over the connections that there are, and neither end is told.
    fn lose(&self) {
        self.lost.send_replace(1_000);
    }
}

async fn carry(mut near: TcpStream, host: String, number: u64, mut lost: watch::Receiver<u64>) {
    let mut far = TcpStream::connect(host).await.unwrap();
    // Those that come later are well.
    let number = number + if *lost.borrow() > 0 { 1_000 } else { 0 };
    let is_lost = async { lost.wait_for(|lost| *lost >= number).await.is_ok() };
    let is_lost = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        is_lost = is_lost => is_lost,
    };
    if is_lost {
        // Neither end hears of it for as long as the test runs.
        std::future::pending().await
    }
}

/// Somebody who holds the row that every change needs.
async fn hold(place: &Place) -> AnyConnection {
    let StoreAddress::Postgres(url) = &place.address else { panic!("a place in a file") };
    let mut somebody = AnyConnection::connect(url.expose_secret()).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE housepipe_store SET version = version")
        .execute(&mut somebody)
        .await
        .unwrap();
    somebody
}

fn tell(store: &Arc<Store>) -> tokio::task::JoinHandle<Result<(), StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.tell("p1", "clicks", 1, EventKind::Stage, None).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_in_a_call_costs_ten_seconds_and_no_more() {
    let place = postgres();
    open(&place, KEY).await.unwrap().close().await;
    let between = Between::new(&place).await;
    let store = between.store().await;
    // More of them than there are connections, all in a call.
    let somebody = hold(&place).await;
    let (begun, told): (_, Vec<_>) = (Instant::now(), (0..12).map(|_| tell(&store)).collect());
    tokio::time::sleep(Duration::from_secs(1)).await;
    between.lose();
    for told in told {
        let error = told.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Late | StoreError::Database(_)), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    somebody.close().await.unwrap();
    // Those that were lost are replaced.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let begun = Instant::now();
    assert_eq!(store.last_event().await.unwrap(), 0);
    tell(&store).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let begun = Instant::now();
    store.close().await;
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_ends_while_a_lost_connection_is_in_a_call() {
    let place = postgres();
    open(&place, KEY).await.unwrap().close().await;
    let between = Between::new(&place).await;
    let store = between.store().await;
    let somebody = hold(&place).await;
    let told = tell(&store);
    tokio::time::sleep(Duration::from_secs(1)).await;
    between.lose();
    let begun = Instant::now();
    store.close().await;
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    told.await.unwrap().unwrap_err();
    somebody.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_holds_fails_a_change_and_holds_it_up_for_seconds() {
    let place = postgres();
    let store = Arc::new(open(&place, KEY).await.unwrap());
    let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    let mut somebody = hold(&place).await;
    let begun = Instant::now();
    let error = store.want(&pipe.id, None, false, "ann").await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(store.pipe(&pipe.id).await.unwrap().revision, 1, "it reads all the while");
    sqlx::raw_sql("ROLLBACK").execute(&mut somebody).await.unwrap();
    assert_eq!(store.want(&pipe.id, None, false, "ann").await.unwrap().revision, 2);
    store.close().await;
    somebody.close().await.unwrap();
}
