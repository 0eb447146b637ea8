//! Every call of the store has an end where its connection is lost in it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use housepipe_service::{
    Asked, CleanUp, Edit, EventKind, IdempotencyKey, Role, Store, StoreError, StoredPipe,
};
use secrecy::ExposeSecret;
use sqlx::{AnyConnection, Connection};

use crate::lost::{Between, until_so_many_wait, url_of};
use crate::places::{KEY, Place, open, postgres};
use crate::{edit, new_pipe};

/// Longer than any call may take.
const LONG: Duration = Duration::from_secs(30);

/// Calls whose connections are lost together, at most: the server has no more connections than the tests need.
const AT_ONCE_MAX: usize = 16;

/// What a call came to, without what it found.
type Call = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

type Begin = fn(Arc<Store>, StoredPipe) -> Call;

/// A call by its name; `$store` and `$pipe` are what it may be asked of.
macro_rules! calls {
    ($($name:ident: |$store:ident, $pipe:ident| $call:expr;)*) => {
        [$((stringify!($name), (|$store, $pipe| Box::pin(async move { let _ = &$pipe; $call.await.map(drop) })) as Begin)),*]
    };
}

fn asked() -> Asked {
    let text = || "x".to_owned();
    Asked {
        actor: text(),
        role: Role::Admin,
        peer: None,
        method: text(),
        path: text(),
        status: 200,
        detail: None,
    }
}

fn same() -> Edit {
    edit(&[], &[])
}

fn key() -> IdempotencyKey {
    IdempotencyKey { key: "k".to_owned(), request: "r".to_owned() }
}

fn all() -> impl Iterator<Item = (&'static str, Begin)> {
    let calls = calls! {
        note: |store, pipe| store.note(&asked());
        audit: |store, pipe| store.audit(0, 9);
        audit_before: |store, pipe| store.audit_before(9, 9);
        events: |store, pipe| store.events(Some(&pipe.id), 0, 9);
        events_of_all: |store, pipe| store.events(None, 0, 9);
        events_before: |store, pipe| store.events_before(Some(&pipe.id), 9, 9);
        events_of_all_before: |store, pipe| store.events_before(None, 9, 9);
        last_event: |store, pipe| store.last_event();
        first_event: |store, pipe| store.first_event();
        tell: |store, pipe| store.tell(&pipe.id, "clicks", 1, EventKind::Stage, None);
        tell_by: |store, pipe| store.tell_by("ann", (&pipe.id, "clicks"), EventKind::Replayed, None);
        create: |store, pipe| store.create(&new_pipe("other"), None, "ann");
        create_with_a_key: |store, pipe| store.create(&new_pipe("another"), Some(&key()), "ann");
        pipes: |store, pipe| store.pipes("", 9);
        page: |store, pipe| store.page("", 9);
        revisions: |store, pipe| store.revisions();
        pipe: |store, pipe| store.pipe(&pipe.id);
        pipe_with_secrets: |store, pipe| store.pipe_with_secrets(&pipe.id);
        secrets: |store, pipe| store.secrets(&pipe.id);
        edit: |store, pipe| store.edit(&pipe.id, 1, &same(), "ann");
        want: |store, pipe| store.want(&pipe.id, None, false, "ann");
        remove: |store, pipe| store.remove(&pipe.id, None, CleanUp::default(), "ann");
        forget: |store, pipe| store.forget(&pipe);
        tell_alive: |store, pipe| store.tell_alive("here", 1);
        tell_gone: |store, pipe| store.tell_gone("here");
        is_ended_but_for: |store, pipe| store.is_ended_but_for("here", &pipe.id);
        new_token: |store, pipe| store.new_token("new", Role::Viewer);
        new_token_by: |store, pipe| store.new_token_by(&"hpt_x".into(), "new", Role::Viewer);
        first_token: |store, pipe| store.first_token();
        tokens: |store, pipe| store.tokens();
        forget_token: |store, pipe| store.forget_token("admin");
        forget_token_by: |store, pipe| store.forget_token_by(&"hpt_x".into(), "admin");
        token_owner: |store, pipe| store.token_owner("hpt_x");
    };
    calls.into_iter()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_has_an_end_where_its_connection_is_lost_in_it() {
    let place = postgres();
    let store = open(&place, KEY).await.unwrap();
    let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
    store.close().await;
    let calls: Vec<_> = all().collect();
    for calls in calls.chunks(AT_ONCE_MAX) {
        lose(&place, &pipe, calls).await;
    }
}

/// Loses the connections of these calls while all of them wait for a table.
async fn lose(place: &Place, pipe: &StoredPipe, calls: &[(&'static str, Begin)]) {
    let between = Between::new(place).await;
    // A store has less connections than there are calls.
    let mut begins = Vec::new();
    for (name, begin) in calls {
        begins.push((name, begin, between.store().await));
    }
    let mut somebody = AnyConnection::connect(url_of(place).expose_secret()).await.unwrap();
    let lock =
        "BEGIN; LOCK TABLE housepipe_store, pipes, secrets, events, audit, tokens, replicas, idempotency";
    sqlx::raw_sql(lock).execute(&mut somebody).await.unwrap();
    let mut begun = Vec::new();
    for (name, begin, store) in begins {
        let call = tokio::time::timeout(LONG, begin(store, pipe.clone()));
        begun.push((name, tokio::spawn(call)));
    }
    until_so_many_wait(&mut somebody, calls.len()).await;
    between.lose();
    for (name, call) in begun {
        let ended = call.await.unwrap();
        assert!(matches!(ended, Ok(Err(StoreError::Late))), "{name}: {ended:?}");
    }
    // The server does not know that they are lost.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(end).execute(&mut somebody).await.unwrap();
    somebody.close().await.unwrap();
}
