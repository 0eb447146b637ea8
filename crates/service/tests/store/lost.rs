//! Connections that are lost without a word, and locks that somebody holds: each call of the store has an end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use housepipe_service::{
    EventKind, NewPipe, Seal, Service, ServiceOptions, Store, StoreAddress, StoreError, router, serve,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AnyConnection, Connection, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::new_pipe;
use crate::places::{KEY, Place, open, postgres};

pub(crate) fn url_of(place: &Place) -> &SecretString {
    let StoreAddress::Postgres(url) = &place.address else { unreachable!("a place in a file") };
    url
}

/// Stands between a store and its PostgreSQL.
pub(crate) struct Between {
    url: SecretString,
    /// How often all connections were lost.
    lost: watch::Sender<u64>,
}

impl Between {
    pub(crate) async fn new(place: &Place) -> Between {
        let url = url_of(place);
        let (head, rest) = url.expose_secret().rsplit_once('@').unwrap();
        let (host, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{head}@{}/{database}", listener.local_addr().unwrap());
        let (lost, host) = (watch::Sender::new(0), host.to_owned());
        let told = lost.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, host.clone(), told.subscribe()));
            }
        });
        Between { url: url.into(), lost }
    }

    pub(crate) async fn store(&self) -> Arc<Store> {
        let address = StoreAddress::Postgres(self.url.clone());
        Arc::new(Store::open(&address, Seal::new(&KEY.into()).unwrap()).await.unwrap())
    }

    /// Nothing comes through any more over the connections that there are, and neither end is told. Later ones are well.
    pub(crate) fn lose(&self) {
        self.lost.send_modify(|lost| *lost += 1);
    }
}

async fn carry(mut near: TcpStream, host: String, mut lost: watch::Receiver<u64>) {
    let mut far = TcpStream::connect(host).await.unwrap();
    let is_lost = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        is_lost = lost.changed() => is_lost.is_ok(),
    };
    if is_lost {
        // Neither end hears of it for as long as the test runs.
        std::future::pending::<()>().await;
    }
}

/// Somebody who holds the row that every change needs.
async fn hold(place: &Place) -> AnyConnection {
    let mut somebody = AnyConnection::connect(url_of(place).expose_secret()).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE housepipe_store SET version = version")
        .execute(&mut somebody)
        .await
        .unwrap();
    somebody
}

/// Waits until so many connections to the database wait for a lock.
pub(crate) async fn until_so_many_wait(somebody: &mut AnyConnection, count: usize) {
    let waiting = "SELECT COUNT(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN \
                   (SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let all_wait = async {
        loop {
            let row = sqlx::query(waiting).fetch_one(&mut *somebody).await.unwrap();
            if usize::try_from(row.get::<i64, _>(0)) == Ok(count) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_wait).await.unwrap();
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
    // So are those that nobody used.
    between.lose();
    let begun = Instant::now();
    assert_eq!(store.last_event().await.unwrap(), 1);
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
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

/// What a service at `address` answers to a call without a body.
async fn call(address: SocketAddr, token: &SecretString, call: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{call} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        token.expose_secret()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_the_api_is_answered_while_somebody_holds_the_row_of_all_changes() {
    let place = postgres();
    let store = open(&place, KEY).await.unwrap();
    let token = store.first_token().await.unwrap().unwrap();
    let pipe = store.create(&NewPipe { runs: false, ..new_pipe("clicks") }, None, "ann").await.unwrap();
    let service = Arc::new(Service::start(store, ServiceOptions::default()).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(
        listener,
        router(Arc::clone(&service), Vec::new()),
        None,
        std::future::pending::<()>(),
    ));
    let somebody = hold(&place).await;
    let begun = Instant::now();
    // The change waits for the row, and so does its line of the audit.
    let answer = call(address, &token, &format!("POST /api/v1/pipes/{}/resume", pipe.id)).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("store_unavailable"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    somebody.close().await.unwrap();
    server.abort();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_follows_again_and_ends_after_it_has_lost_a_connection_in_its_look() {
    let place = postgres();
    let other = open(&place, KEY).await.unwrap();
    let between = Between::new(&place).await;
    let store = Arc::into_inner(between.store().await).unwrap();
    let service = Service::start(store, ServiceOptions::default()).await.unwrap();
    let mut somebody = AnyConnection::connect(url_of(&place).expose_secret()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE replicas").execute(&mut somebody).await.unwrap();
    // It looks each second, and waits for the table.
    tokio::time::sleep(Duration::from_secs(2)).await;
    between.lose();
    somebody.close().await.unwrap();
    let pipe = other.create(&NewPipe { runs: false, ..new_pipe("clicks") }, None, "ann").await.unwrap();
    let begun = Instant::now();
    while !service.pipe(&pipe.id).await.is_ok_and(|pipe| pipe.status.is_some()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it follows no more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    between.lose();
    let begun = Instant::now();
    service.end().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    other.close().await;
}
