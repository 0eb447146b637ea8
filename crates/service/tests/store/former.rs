//! States of former versions: today's code opens them, and reads what was kept in them.

use housepipe_runtime::Generation;
use housepipe_service::{Asked, CleanUp, EventKind, IdempotencyKey, Role, Store, Wanted};

use crate::places::{KEY, Place, each_place, open, postgres, sqlite};
use crate::rows::{columns, rows, run};
use crate::{new_pipe, shown};

/// States as they were written by version 1 and each one behind it.
const STATES: [&str; 4] = [
    include_str!("states/1.sql"),
    include_str!("states/2.sql"),
    include_str!("states/3.sql"),
    include_str!("states/4.sql"),
];
/// The first version that has an audit, and the first that says there what a call was about.
const WITH_AUDIT: usize = 2;
const WITH_DETAIL: usize = 3;

const CLICKS: &str = "p111111111111111111111111";
const VIEWS: &str = "p222222222222222222222222";
const ORDERS: &str = "p333333333333333333333333";

#[tokio::test]
async fn states_of_former_versions_are_read() {
    for (at, state) in STATES.iter().enumerate() {
        each_place(async |place: &Place| {
            run(place, state).await;
            // Twice: as it is brought up to date, and as it was left then.
            for _ in 0..2 {
                let store = open(place, KEY).await.unwrap();
                expect_all(&store, at + 1).await;
                store.close().await;
            }
            let store = open(place, KEY).await.unwrap();
            expect_that_it_goes_on(&store, at + 1).await;
            store.close().await;
        })
        .await;
    }
}

/// What the state of this version holds is there.
async fn expect_all(store: &Store, version: usize) {
    let pipes = store.pipes("", 10).await.unwrap();
    let told: Vec<_> = pipes
        .iter()
        .map(|pipe| (&*pipe.id, &*pipe.name, pipe.wanted, pipe.revision, pipe.created_ms, pipe.changed_ms))
        .collect();
    assert_eq!(
        told,
        [
            (CLICKS, "clicks", Wanted::Running, 4, 1_700_000_000_000, 1_700_000_300_000),
            (ORDERS, "orders", Wanted::Removed, 2, 1_700_000_200_000, 1_700_000_500_000),
            (VIEWS, "views", Wanted::Paused, 2, 1_700_000_100_000, 1_700_000_400_000),
        ]
    );
    assert_eq!(pipes[0].generation, Generation { definition: 2, attempt: 1 });
    assert_eq!(pipes[1].clean_up, CleanUp { consumer_group: true, user: false });
    assert_eq!(pipes[0].clean_up, CleanUp::default());
    for pipe in &pipes {
        let document = pipe.document.as_ref().unwrap();
        assert_eq!(document.to_yaml(), new_pipe(&pipe.name).document.to_yaml());
    }
    let of_clicks = shown(&store.secrets(CLICKS).await.unwrap());
    assert_eq!(
        of_clicks,
        [
            "destination.password=secret of clicks at clickhouse",
            "source.auth.password=secret of clicks at kafka"
        ]
    );
    assert_eq!(shown(&store.secrets(VIEWS).await.unwrap()), ["destination.password="]);

    let events = store.events(None, 0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| &*event.kind).collect();
    assert_eq!(kinds, ["created", "created", "created", "edited", "stage", "paused", "removed"]);
    assert_eq!(events[4].reason.as_deref(), Some("failed: the topic is gone"));
    assert_eq!((events[4].number, events[4].at_ms, &*events[4].actor), (5, 1_700_000_300_000, "housepipe"));
    assert_eq!(events.iter().filter(|event| event.reason.is_some()).count(), 2);

    let tokens = store.tokens().await.unwrap();
    let tokens: Vec<_> = tokens.iter().map(|token| (&*token.name, token.role, token.created_ms)).collect();
    assert_eq!(
        tokens,
        [("admin", Role::Admin, 1_700_000_000_000), ("dashboard", Role::Viewer, 1_700_000_010_000)]
    );
    for (token, name, role) in
        [("hpt_an-admins-token", "admin", Role::Admin), ("hpt_a-viewers-token", "dashboard", Role::Viewer)]
    {
        let owner = store.token_owner(token).await.unwrap().unwrap();
        assert_eq!((&*owner.name, owner.role), (name, role));
    }
    // The call that made the pipe is repeated.
    let key = IdempotencyKey { key: "k".to_owned(), request: store.fingerprint("a request") };
    assert_eq!(store.create(&new_pipe("clicks"), Some(&key), "ann").await.unwrap().id, CLICKS);

    let audit = store.audit(0, 100).await.unwrap();
    if version < WITH_AUDIT {
        assert!(audit.is_empty(), "{audit:?}");
        return;
    }
    let of_removal = Asked {
        actor: "ann".to_owned(),
        role: Role::Operator,
        peer: None,
        method: "DELETE".to_owned(),
        path: format!("/api/v1/pipes/{ORDERS}"),
        status: 202,
        detail: (version >= WITH_DETAIL).then(|| "with its consumer group".to_owned()),
    };
    assert_eq!(audit.len(), 2);
    assert_eq!((audit[1].number, audit[1].at_ms, &audit[1].asked), (2, 1_700_000_500_000, &of_removal));
    assert_eq!(audit[0].asked.peer.as_deref(), Some("127.0.0.1"));
}

/// Numbers go on, and what is there can be changed.
async fn expect_that_it_goes_on(store: &Store, version: usize) {
    let leaving = store.pipe(ORDERS).await.unwrap();
    assert!(store.forget(&leaving).await.unwrap());
    store.want(VIEWS, Some(2), true, "ann").await.unwrap();
    store.tell(CLICKS, "clicks", 1, EventKind::Stage, None).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 10);
    let asked = Asked {
        actor: "ann".to_owned(),
        role: Role::Admin,
        peer: None,
        method: "PUT".to_owned(),
        path: "/".to_owned(),
        status: 200,
        detail: Some("more".to_owned()),
    };
    store.note(&asked).await.unwrap();
    let audit = store.audit(0, 100).await.unwrap();
    let before = if version < WITH_AUDIT { 0 } else { 2 };
    assert_eq!(audit.last().map(|entry| (entry.number, &entry.asked)), Some((before + 1, &asked)));
}

#[tokio::test]
async fn former_states_become_what_is_made_today() {
    for place in [sqlite, postgres] {
        let fresh = place();
        open(&fresh, KEY).await.unwrap().close().await;
        let wanted = columns(&fresh).await;
        for state in STATES {
            let former = place();
            run(&former, state).await;
            open(&former, KEY).await.unwrap().close().await;
            assert_eq!(columns(&former).await, wanted);
        }
    }
}

/// A version that is published and has no state here is not looked at: whoever adds one adds its state.
#[tokio::test]
async fn each_version_has_a_state_here() {
    let place = sqlite();
    open(&place, KEY).await.unwrap().close().await;
    let all = rows(&place).await;
    let (_, store) = all.iter().find(|(table, _)| table == "housepipe_store").unwrap();
    assert_eq!(store[0][0], ("version".to_owned(), STATES.len().to_string()));
}
