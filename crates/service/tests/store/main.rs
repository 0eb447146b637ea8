//! The store in SQLite and in PostgreSQL: the same cases on both.

#![expect(clippy::unwrap_used, reason = "a helper of a test that fails has failed the test")]

mod damaged;
mod files;
mod former;
mod forms;
mod groups;
mod killed;
mod locks;
mod lost;
mod lost_calls;
mod places;
mod refused;
mod rows;
mod together;

use expect_test::expect;
use housepipe_runtime::{Document, Generation, ThisMachine};
use housepipe_service::{
    Asked, CleanUp, Consumer, Edit, EventKind, IdempotencyKey, NewPipe, PAGE_BYTES_MAX, Role, Secrets, Store,
    StoreAddress, StoreError, Wanted,
};
use places::{KEY, Place, each_place, open};
use secrecy::ExposeSecret;
use sqlx::{AnyConnection, Connection};

const CANARY: &str = "canary-7f3a";

/// A pipe with a secret in two places.
fn new_pipe(name: &str) -> NewPipe {
    let text = format!(
        "name: {name}\n\
         source: {{ type: kafka, brokers: 'b.example.com:9093', topic: t, tls: {{}}, \
         auth: {{ mechanism: PLAIN, username: u, password: {CANARY}-source }} }}\n\
         destination: {{ url: 'http://localhost:8123', table: t, password: {CANARY}-destination }}\n"
    );
    let apart = Document::parse(&text, name).unwrap().take_apart(name, &ThisMachine).unwrap();
    NewPipe {
        name: name.to_owned(),
        consumer: Consumer::of(&apart.file),
        document: apart.document,
        secrets: apart.secrets.into_iter().collect(),
        runs: true,
    }
}

/// Enough pipes for several pages of a file.
async fn create_fifty(store: &Store) {
    for number in 0..50 {
        store.create(&new_pipe(&format!("pipe-{number}")), None, "ann").await.unwrap();
    }
}

/// One that reads with this group at these brokers.
fn at_brokers(name: &str, brokers: &str, group: &str) -> NewPipe {
    let text = format!(
        "name: {name}\n\
         source: {{ type: kafka, brokers: '{brokers}', topic: t, consumer_group: '{group}' }}\n\
         destination: {{ url: 'http://localhost:8123', table: t }}\n"
    );
    let apart = Document::parse(&text, name).unwrap().take_apart(name, &ThisMachine).unwrap();
    NewPipe {
        consumer: Consumer::of(&apart.file),
        document: apart.document,
        secrets: Secrets::new(),
        ..new_pipe(name)
    }
}

/// An edit of it with these secrets, beside those that stay.
fn edit(secrets: &[(&str, &str)], kept: &[&str]) -> Edit {
    let new = new_pipe("clicks");
    Edit {
        consumer: new.consumer,
        document: new.document,
        secrets: secrets.iter().map(|(path, secret)| ((*path).to_owned(), (*secret).into())).collect(),
        kept: kept.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn shown(secrets: &Secrets) -> Vec<String> {
    secrets.iter().map(|(path, secret)| format!("{path}={}", secret.expose_secret())).collect()
}

#[tokio::test]
async fn a_pipe_goes_through_its_life() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        assert_eq!((pipe.revision, pipe.generation, pipe.wanted), (1, Generation::of(1), Wanted::Running));
        let kept = shown(&store.secrets(&pipe.id).await.unwrap());
        assert_eq!(
            kept,
            [
                format!("destination.password={CANARY}-destination"),
                format!("source.auth.password={CANARY}-source")
            ]
        );

        let new = edit(&[("destination.password", "new")], &["source.auth.password"]);
        let edited = store.edit(&pipe.id, 1, &new, "bob").await.unwrap();
        assert_eq!((edited.revision, edited.generation), (2, Generation::of(2)));
        let kept = shown(&store.secrets(&pipe.id).await.unwrap());
        assert_eq!(
            kept,
            ["destination.password=new".to_owned(), format!("source.auth.password={CANARY}-source")]
        );
        store.edit(&pipe.id, 2, &edit(&[], &[]), "bob").await.unwrap();
        assert!(store.secrets(&pipe.id).await.unwrap().is_empty(), "what is not kept goes");

        let paused = store.want(&pipe.id, None, false, "ann").await.unwrap();
        assert_eq!(
            (paused.wanted, paused.generation, paused.revision),
            (Wanted::Paused, Generation::of(3), 4)
        );
        let again = store.want(&pipe.id, None, false, "ann").await.unwrap();
        assert_eq!(again.revision, 4, "it rests already");
        let resumed = store.want(&pipe.id, Some(4), true, "ann").await.unwrap();
        assert_eq!(
            (resumed.wanted, resumed.generation),
            (Wanted::Running, Generation { definition: 3, attempt: 1 })
        );
        assert!(matches!(store.want(&pipe.id, Some(4), false, "ann").await, Err(StoreError::Changed(5))));

        let clean_up = CleanUp { consumer_group: true, user: true };
        let leaving = store.remove(&pipe.id, Some(5), clean_up, "ann").await.unwrap();
        assert_eq!((leaving.wanted, leaving.clean_up), (Wanted::Removed, clean_up));
        let less = store.remove(&pipe.id, None, CleanUp::default(), "ann").await.unwrap();
        assert_eq!(less.clean_up, CleanUp::default(), "whoever asks again may ask for less");
        assert!(matches!(store.want(&pipe.id, None, true, "ann").await, Err(StoreError::Leaving)));
        assert!(matches!(store.edit(&pipe.id, 7, &edit(&[], &[]), "ann").await, Err(StoreError::Leaving)));
        assert!(matches!(
            store.remove(&pipe.id, Some(6), CleanUp::default(), "ann").await,
            Err(StoreError::Changed(7))
        ));
        assert!(!store.forget(&leaving).await.unwrap(), "something else was asked for since");
        assert!(store.forget(&less).await.unwrap());
        assert!(!store.forget(&less).await.unwrap(), "it is forgotten once");
        assert!(matches!(store.pipe(&pipe.id).await, Err(StoreError::NoPipe(_))));
        assert!(store.revisions().await.unwrap().is_empty());

        let events = store.events(Some(&pipe.id), 0, 100).await.unwrap();
        let told: Vec<String> = events
            .iter()
            .map(|event| {
                let reason = event.reason.as_deref().unwrap_or("");
                format!("{} {} {} {} {reason}", event.number, event.pipe_name, event.actor, event.kind)
            })
            .map(|line| line.trim_end().to_owned())
            .collect();
        expect![[r#"
            1 clicks ann created
            2 clicks bob edited
            3 clicks bob edited
            4 clicks ann paused
            5 clicks ann resumed
            6 clicks ann removed with its consumer group and its ClickHouse user
            7 clicks ann removed
            8 clicks housepipe gone"#]]
        .assert_eq(&told.join("\n"));
        let again = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        assert_ne!(again.id, pipe.id, "a name may be taken again, an id never is");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        for name in ["b", "c", "a"] {
            store.create(&new_pipe(name), None, "ann").await.unwrap();
        }
        store.close().await;
        drop(store);
        let store = open(place, KEY).await.unwrap();
        let names = |pipes: Vec<housepipe_service::StoredPipe>| -> Vec<String> {
            pipes.into_iter().map(|pipe| pipe.name).collect()
        };
        assert_eq!(names(store.pipes("", 2).await.unwrap()), ["a", "b"]);
        assert_eq!(names(store.pipes("b", 2).await.unwrap()), ["c"]);
        let first = store.pipes("", 1).await.unwrap().remove(0);
        assert_eq!(store.secrets(&first.id).await.unwrap().len(), 2);
        assert!(first.document.unwrap().to_yaml().contains("password: \"${secret:source.auth.password}\""));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn another_key_is_refused() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        store.close().await;
        drop(store);
        let refused = open(place, "another key that is long enough for it").await.unwrap_err();
        assert!(matches!(refused, StoreError::AnotherKey), "{refused}");
        let store = open(place, KEY).await.unwrap();
        assert_eq!(store.pipes("", 10).await.unwrap().len(), 1);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn names_are_taken_once() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        let refused = store.create(&new_pipe("clicks"), None, "ann").await.unwrap_err();
        assert!(matches!(&refused, StoreError::NameTaken(name) if name == "clicks"), "{refused}");
        assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 1, "nothing is left of it");
        for id in ["p0", "", "p\0", "p' OR '1'='1"] {
            assert!(matches!(store.pipe(id).await, Err(StoreError::NoPipe(_))), "{id:?}");
            assert!(matches!(store.want(id, None, true, "ann").await, Err(StoreError::NoPipe(_))), "{id:?}");
            assert!(store.events(Some(id), 0, 10).await.unwrap().is_empty(), "{id:?}");
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeated_call_makes_no_second_pipe() {
    each_place(async |place: &Place| {
        let store = std::sync::Arc::new(open(place, KEY).await.unwrap());
        let key = |request: &str| IdempotencyKey { key: "k".to_owned(), request: store.fingerprint(request) };
        let calls: Vec<_> = (0..6)
            .map(|_| {
                let (store, key) = (std::sync::Arc::clone(&store), key("a request"));
                tokio::spawn(async move { store.create(&new_pipe("clicks"), Some(&key), "ann").await })
            })
            .collect();
        let mut ids = std::collections::BTreeSet::new();
        for call in calls {
            ids.insert(call.await.unwrap().unwrap().id);
        }
        assert_eq!(ids.len(), 1);
        let other = store.create(&new_pipe("other"), Some(&key("another request")), "ann").await.unwrap_err();
        assert!(matches!(other, StoreError::KeyReused), "{other}");
        let bobs = store.create(&new_pipe("other"), Some(&key("another request")), "bob").await.unwrap();
        assert_eq!(bobs.name, "other", "a key is its actor's");
        assert_eq!(store.events(None, 0, 100).await.unwrap().len(), 2);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_repeated_once_its_pipe_is_gone_makes_none_and_says_so() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let key = |key: &str| IdempotencyKey { key: key.to_owned(), request: store.fingerprint("a request") };
        let first = store.create(&new_pipe("clicks"), Some(&key("k")), "ann").await.unwrap();
        let leaving = store.remove(&first.id, None, CleanUp::default(), "ann").await.unwrap();
        let again = store.create(&new_pipe("clicks"), Some(&key("k")), "ann").await.unwrap();
        assert_eq!((&again.id, again.wanted), (&first.id, Wanted::Removed), "it is there still");
        assert!(store.forget(&leaving).await.unwrap());
        for _ in 0..2 {
            let gone = store.create(&new_pipe("clicks"), Some(&key("k")), "ann").await.unwrap_err();
            assert!(matches!(&gone, StoreError::Gone(id) if *id == first.id), "{gone}");
            assert!(gone.is_for_good() && gone.to_string().contains("take a new idempotency key"), "{gone}");
        }
        assert!(store.pipes("", 10).await.unwrap().is_empty());
        let anew = store.create(&new_pipe("clicks"), Some(&key("another")), "ann").await.unwrap();
        assert_ne!(anew.id, first.id);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn tokens_are_known_by_their_digest_alone() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let first = store.first_token().await.unwrap().unwrap();
        assert!(store.first_token().await.unwrap().is_none(), "there is a first one once");
        let owner = store.token_owner(first.expose_secret()).await.unwrap().unwrap();
        assert_eq!((owner.name.as_str(), owner.role), ("admin", Role::Admin));
        let viewer = store.new_token("dashboard", Role::Viewer).await.unwrap();
        assert_eq!(store.token_owner(viewer.expose_secret()).await.unwrap().unwrap().role, Role::Viewer);
        assert!(matches!(store.new_token("dashboard", Role::Admin).await, Err(StoreError::NameTaken(_))));
        assert!(matches!(store.forget_token("admin").await, Err(StoreError::LastAdmin)));
        assert!(matches!(store.forget_token("nobody").await, Err(StoreError::NoToken(_))));
        let second = store.new_token("second", Role::Admin).await.unwrap();
        store.forget_token("second").await.unwrap();
        assert_eq!(store.token_owner(second.expose_secret()).await.unwrap(), None);
        let heir = store.new_token_by(&second, "heir", Role::Admin).await;
        assert!(matches!(heir, Err(StoreError::Forgotten)), "{heir:?}");
        let revenge = store.forget_token_by(&second, "dashboard").await;
        assert!(matches!(revenge, Err(StoreError::Forgotten)), "{revenge:?}");
        let third = store.new_token_by(&first, "third", Role::Admin).await.unwrap();
        store.forget_token_by(&third, "third").await.unwrap();
        let names: Vec<String> = store.tokens().await.unwrap().into_iter().map(|token| token.name).collect();
        assert_eq!(names, ["admin", "dashboard"]);
        for wrong in
            ["", "hpt_", "admin", &first.expose_secret()[1..], &format!("{}A", first.expose_secret())]
        {
            assert_eq!(store.token_owner(wrong).await.unwrap(), None, "{wrong}");
        }
        store.close().await;
        if let Some(file) = &place.file {
            let bytes = std::fs::read(file).unwrap();
            let token = first.expose_secret().as_bytes();
            assert!(!bytes.windows(token.len()).any(|part| part == token));
        }
    })
    .await;
}

#[tokio::test]
async fn a_consumer_group_is_one_pipes() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let first = new_pipe("clicks");
        let id = store.create(&first, None, "ann").await.unwrap().id;
        let mut second = new_pipe("views");
        second.consumer = first.consumer.clone();
        let refused = store.create(&second, None, "ann").await.unwrap_err();
        assert!(matches!(&refused, StoreError::GroupTaken(name) if name == "clicks"), "{refused}");
        let views = store.create(&new_pipe("views"), None, "ann").await.unwrap();
        let refused = store.edit(&views.id, 1, &edit(&[], &[]), "ann").await.unwrap_err();
        assert!(matches!(&refused, StoreError::GroupTaken(name) if name == "clicks"), "{refused}");
        store.edit(&id, 1, &edit(&[], &[]), "ann").await.unwrap();
        // The same group at one of its brokers, beside another one.
        let mut third = at_brokers("third", "other.example.com:9093, B.example.com:9093", "clicks_group");
        store.create(&at_brokers("fourth", "b.example.com:9093", "clicks_group"), None, "ann").await.unwrap();
        let refused = store.create(&third, None, "ann").await.unwrap_err();
        assert!(matches!(&refused, StoreError::GroupTaken(name) if name == "fourth"), "{refused}");
        third.consumer = at_brokers("third", "other.example.com:9093", "clicks_group").consumer;
        store.create(&third, None, "ann").await.unwrap();
        store.create(&at_brokers("fifth", "b.example.com:9093", "clicks%group"), None, "ann").await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_removed_pipe_is_waited_for_wherever_it_runs() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let pipe = store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        for replica in ["one", "two"] {
            store.tell_alive(replica, store.last_event().await.unwrap()).await.unwrap();
        }
        store.remove(&pipe.id, None, CleanUp::default(), "ann").await.unwrap();
        let removed = store.last_event().await.unwrap();
        assert!(!store.is_ended_but_for("one", &pipe.id).await.unwrap());
        assert!(!store.is_ended_but_for("none", &pipe.id).await.unwrap());
        store.tell_alive("one", removed).await.unwrap();
        assert!(!store.is_ended_but_for("none", &pipe.id).await.unwrap(), "two runs it still");
        assert!(store.is_ended_but_for("two", &pipe.id).await.unwrap(), "two knows for itself");
        store.tell_alive("two", removed - 1).await.unwrap();
        assert!(!store.is_ended_but_for("one", &pipe.id).await.unwrap());
        store.tell_gone("two").await.unwrap();
        assert!(store.is_ended_but_for("one", &pipe.id).await.unwrap());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn both_databases_make_the_same_of_a_zero_in_a_text() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        assert!(matches!(store.forget_token("\0").await, Err(StoreError::NoToken(_))));
        store.tell("p1", "clicks", 1, EventKind::Stage, Some("failed: a\0b")).await.unwrap();
        store.tell_by("a\0n", ("p1", "c\0s"), EventKind::Replayed, None).await.unwrap();
        let events = store.events(None, 0, 10).await.unwrap();
        assert_eq!(events[0].reason.as_deref(), Some("failed: a\u{fffd}b"));
        assert_eq!((&*events[1].actor, &*events[1].pipe_name), ("a\u{fffd}n", "c\u{fffd}s"));
        let asked = Asked {
            actor: "ann".to_owned(),
            role: Role::Admin,
            peer: None,
            method: "POST".to_owned(),
            path: "/api/v1/\0".to_owned(),
            status: 201,
            detail: Some("\0".to_owned()),
        };
        store.note(&asked).await.unwrap();
        let noted = store.audit(0, 10).await.unwrap().remove(0).asked;
        assert_eq!((&*noted.path, noted.detail.as_deref()), ("/api/v1/\u{fffd}", Some("\u{fffd}")));
        // One that was stored before such names were refused.
        let of_user = |username: &str| {
            let text = format!(
                "{{ name: c, destination: {{ access: full, url: 'http://h:1', username: {username} }} }}"
            );
            Document::parse(&text, "c").unwrap()
        };
        let new = NewPipe { document: of_user("\"a\\u0000b\""), ..new_pipe("c") };
        let pipe = store.create(&new, None, "ann").await.unwrap();
        let edit = Edit { document: of_user("other"), ..edit(&[], &[]) };
        store.edit(&pipe.id, 1, &edit, "ann").await.unwrap();
        let told = store.events(Some(&pipe.id), 0, 10).await.unwrap().remove(1).reason.unwrap();
        assert!(told.contains("`a\u{fffd}b`"), "{told}");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_known_as_such() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let refuse = match place.address {
            StoreAddress::Sqlite(_) => {
                "CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END"
            }
            StoreAddress::Postgres(_) => "ALTER TABLE events ADD CHECK (pipe_name <> 'clicks')",
        };
        let mut somebody = AnyConnection::connect(&place.url()).await.unwrap();
        sqlx::raw_sql(refuse).execute(&mut somebody).await.unwrap();
        let error = store.tell("p1", "clicks", 1, EventKind::Stage, None).await.unwrap_err();
        assert!(error.is_for_good(), "{error:?}");
        somebody.close().await.unwrap();
        store.close().await;
        let error = store.tell("p1", "clicks", 1, EventKind::Stage, None).await.unwrap_err();
        assert!(!error.is_for_good(), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_page_has_as_many_pipes_as_fit_and_one_in_any_case() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        let large = usize::try_from(PAGE_BYTES_MAX / 5 * 2).unwrap();
        for (name, bytes) in [("a", large), ("b", large), ("c", large), ("d", large * 3), ("e", 1)] {
            let mut new = new_pipe(name);
            let text = format!("{{ name: {name}, note: '{}' }}", "x".repeat(bytes));
            new.document = Document::parse(&text, name).unwrap();
            store.create(&new, None, "ann").await.unwrap();
        }
        for (after, limit, page) in [
            ("", 1, (1, true)),
            ("", 2, (2, true)),
            ("", 1_000, (2, true)),
            ("b", 1_000, (1, true)),
            ("c", 1_000, (1, true)),
            ("d", 1_000, (1, false)),
            ("e", 1_000, (0, false)),
        ] {
            assert_eq!(store.page(after, limit).await.unwrap(), page, "behind `{after}`");
        }
        store.close().await;
    })
    .await;
}
