//! A PostgreSQL that has ended: calls are told in the time that a probe waits.

use std::net::SocketAddr;
use std::time::Duration;

use housepipe_service::{Seal, Store, StoreAddress, StoreError};
use secrecy::ExposeSecret as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::lost::url_of;
use crate::places::{KEY, postgres};

/// Time that a probe waits for its answer: less than a pool tries for.
const PROBE: Duration = Duration::from_secs(5);
/// Longer than anything that is waited for here takes.
const SOON: Duration = Duration::from_secs(30);

/// Carries connections at `near` to `far`, and refuses them once it is aborted.
async fn carry(near: SocketAddr, far: String) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(near).await.unwrap();
    let address = listener.local_addr().unwrap();
    let carries = tokio::spawn(async move {
        let mut all = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let far = far.clone();
            all.spawn(async move {
                let mut far = TcpStream::connect(far).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, carries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_a_server_that_refuses_connections_are_told_soon() {
    let place = postgres();
    let (head, rest) = url_of(&place).expose_secret().rsplit_once('@').unwrap();
    let (far, database) = rest.split_once('/').unwrap();
    let (near, carries) = carry(([127, 0, 0, 1], 0).into(), far.to_owned()).await;
    let address = StoreAddress::Postgres(format!("{head}@{near}/{database}").into());
    let store = Store::open(&address, Seal::new(&KEY.into()).unwrap()).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 0);
    carries.abort();
    let _ = carries.await;
    // The first one may have a connection still, which ends in it.
    let refused = async { while !matches!(store.last_event().await, Err(StoreError::Refused)) {} };
    tokio::time::timeout(PROBE, refused).await.unwrap();
    let error = tokio::time::timeout(PROBE, store.last_event()).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Refused) && !error.is_for_good(), "{error}");
    let (_, carries) = carry(near, far.to_owned()).await;
    let again = async {
        while store.last_event().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, again).await.unwrap();
    store.close().await;
    carries.abort();
}
