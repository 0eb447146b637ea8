//! A PostgreSQL that has ended: calls are told in the time that a probe waits.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use housepipe_service::{Seal, Store, StoreAddress, StoreError};
use secrecy::ExposeSecret as _;
use sqlx::{AnyConnection, Connection};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::lost::{until_so_many_wait, url_of};
use crate::new_pipe;
use crate::places::{KEY, Place, postgres};

/// Time that a probe waits for its answer: less than a pool tries for.
const PROBE: Duration = Duration::from_secs(5);
/// Longer than calls believe what one of them has found.
const BELIEVED: Duration = Duration::from_millis(1_200);
/// Longer than anything that is waited for here takes.
const SOON: Duration = Duration::from_secs(30);

/// Carries connections at an address to another one.
struct Carrier {
    near: SocketAddr,
    far: String,
    listens: JoinHandle<()>,
    carries: Arc<Mutex<JoinSet<()>>>,
}

impl Carrier {
    async fn to(far: &str) -> Carrier {
        Carrier::between(([127, 0, 0, 1], 0).into(), far).await
    }

    async fn between(near: SocketAddr, far: &str) -> Carrier {
        let listener = TcpListener::bind(near).await.unwrap();
        let (near, carries) = (listener.local_addr().unwrap(), Arc::<Mutex<JoinSet<()>>>::default());
        let (to, all) = (far.to_owned(), Arc::clone(&carries));
        let listens = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let to = to.clone();
                all.lock().unwrap().spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Carrier { near, far: far.to_owned(), listens, carries }
    }

    /// Refuses connections; those that there are go on.
    async fn shut(&mut self) {
        self.listens.abort();
        let _ = (&mut self.listens).await;
    }

    /// Ends all connections as well.
    async fn end(&mut self) {
        if !self.listens.is_finished() {
            self.shut().await;
        }
        let mut carries = std::mem::take(&mut *self.carries.lock().unwrap());
        carries.shutdown().await;
    }

    /// Takes connections again.
    async fn open(&mut self) {
        *self = Carrier::between(self.near, &self.far).await;
    }
}

/// The store of a place as it is reached over a carrier.
async fn carried(place: &Place) -> (Store, Carrier) {
    let (head, rest) = url_of(place).expose_secret().rsplit_once('@').unwrap();
    let (far, database) = rest.split_once('/').unwrap();
    let carrier = Carrier::to(far).await;
    let address = StoreAddress::Postgres(format!("{head}@{}/{database}", carrier.near).into());
    (Store::open(&address, Seal::new(&KEY.into()).unwrap()).await.unwrap(), carrier)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_a_server_that_refuses_connections_are_told_soon() {
    let place = postgres();
    let (store, mut carrier) = carried(&place).await;
    assert_eq!(store.last_event().await.unwrap(), 0);
    carrier.end().await;
    // The first one may have a connection still, which ends in it.
    let refused = async { while !matches!(store.last_event().await, Err(StoreError::Refused)) {} };
    tokio::time::timeout(PROBE, refused).await.unwrap();
    let error = tokio::time::timeout(PROBE, store.last_event()).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Refused) && !error.is_for_good(), "{error}");
    carrier.open().await;
    let again = async {
        while store.last_event().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, again).await.unwrap();
    store.close().await;
    carrier.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_has_a_connection_goes_on_while_others_are_refused() {
    let place = postgres();
    let (store, mut carrier) = carried(&place).await;
    let store = Arc::new(store);
    let mut somebody = AnyConnection::connect(url_of(&place).expose_secret()).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE housepipe_store SET version = version")
        .execute(&mut somebody)
        .await
        .unwrap();
    let create = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.create(&new_pipe("clicks"), None, "ann").await }
    });
    until_so_many_wait(&mut somebody, 1).await;
    carrier.shut().await;
    // The connection that there is has been given to it, and the others are told of by more than one look.
    let shut = tokio::time::Instant::now();
    while shut.elapsed() < BELIEVED * 2 {
        let refused = tokio::time::timeout(PROBE, store.last_event()).await.unwrap().unwrap_err();
        assert!(matches!(refused, StoreError::Refused), "{refused}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!create.is_finished(), "it waits for the row");
    sqlx::raw_sql("COMMIT").execute(&mut somebody).await.unwrap();
    assert_eq!(create.await.unwrap().unwrap().name, "clicks");
    somebody.close().await.unwrap();
    store.close().await;
    carrier.end().await;
}
