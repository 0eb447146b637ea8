//! The stored form of everything, which every later version has to read: it changes by a migration alone.

use std::collections::HashMap;
use std::fmt::Write;

use expect_test::expect;
use housepipe_service::{Asked, CleanUp, EventKind, IdempotencyKey, Role, Store};

use crate::places::{KEY, Place, each_place, open};
use crate::rows::rows;
use crate::{edit, new_pipe};

/// Has the store keep something of each kind.
async fn fill(store: &Store) {
    let key = IdempotencyKey { key: "k".to_owned(), request: store.fingerprint("a request") };
    let clicks = store.create(&new_pipe("clicks"), Some(&key), "ann").await.unwrap();
    let mut resting = new_pipe("views");
    resting.runs = false;
    let views = store.create(&resting, None, "ann").await.unwrap();
    let orders = store.create(&new_pipe("orders"), None, "bob").await.unwrap();
    store
        .edit(&clicks.id, 1, &edit(&[("destination.password", "new")], &["source.auth.password"]), "bob")
        .await
        .unwrap();
    store.want(&views.id, None, true, "ann").await.unwrap();
    store.want(&views.id, None, false, "ann").await.unwrap();
    let clean_up = CleanUp { consumer_group: true, user: false };
    store.remove(&orders.id, None, clean_up, "ann").await.unwrap();
    store.tell(&clicks.id, "clicks", 1, EventKind::Stage, Some("running")).await.unwrap();
    store.tell_by("ann", (&clicks.id, "clicks"), EventKind::Replaying, None).await.unwrap();
    store.tell_by("ann", (&clicks.id, "clicks"), EventKind::Replayed, Some("2 loaded")).await.unwrap();
    let bye = store.create(&new_pipe("bye"), None, "ann").await.unwrap();
    let bye =
        store.remove(&bye.id, None, CleanUp { consumer_group: false, user: true }, "ann").await.unwrap();
    assert!(store.forget(&bye).await.unwrap());
    store.first_token().await.unwrap().unwrap();
    store.new_token("dashboard", Role::Viewer).await.unwrap();
    store.new_token("deploy", Role::Operator).await.unwrap();
    let asked = Asked {
        actor: "ann".to_owned(),
        role: Role::Operator,
        peer: Some("127.0.0.1".to_owned()),
        method: "POST".to_owned(),
        path: "/api/v1/pipes".to_owned(),
        status: 201,
        detail: Some("the pipe clicks".to_owned()),
    };
    store.note(&asked).await.unwrap();
    let refused = Asked { peer: None, status: 403, detail: None, role: Role::Viewer, ..asked };
    store.note(&refused).await.unwrap();
    store.tell_alive("replica-1", 6).await.unwrap();
}

/// The rows as lines, with ids by the names of their pipes, and without what is random or the time.
async fn shown(place: &Place) -> String {
    let all = rows(place).await;
    let mut names: HashMap<String, String> = HashMap::new();
    let mut shown = String::new();
    let events = all.iter().filter(|(table, _)| table == "events").flat_map(|(_, rows)| rows);
    for row in events {
        let value = |name: &str| row.iter().find(|(column, _)| column == name).unwrap().1.clone();
        names.insert(value("pipe"), format!("<{}>", value("pipe_name")));
    }
    for (table, rows) in &all {
        let _ = writeln!(shown, "{table}");
        let mut lines: Vec<String> = Vec::new();
        for row in rows {
            let value = |(column, value): &(String, String)| {
                let value = match column.as_str() {
                    "id" | "pipe" => names.get(value).unwrap_or(value).clone(),
                    "sealed" | "key_check" => format!("{}… ({} letters)", &value[..3], value.len()),
                    "digest" => format!("({} letters)", value.len()),
                    time if time.ends_with("_ms") => {
                        let ms: i64 = value.parse().unwrap();
                        // One is given, the others are of now.
                        if ms == 1 { "1".to_owned() } else { format!("({} digits)", value.len()) }
                    }
                    _ => value.clone(),
                };
                format!("{column}={value}")
            };
            lines.push(row.iter().map(value).collect::<Vec<_>>().join(" "));
        }
        // Ids are random, and so is their order.
        if table != "events" && table != "audit" {
            lines.sort();
        }
        for line in lines {
            let _ = writeln!(shown, "  {line}");
        }
    }
    shown
}

#[tokio::test]
async fn the_stored_form_of_everything_stays_as_it_is() {
    each_place(async |place: &Place| {
        let store = open(place, KEY).await.unwrap();
        fill(&store).await;
        store.close().await;
        drop(store);
        expect![[r#"
            audit
              number=1 at_ms=(13 digits) actor=ann role=operator peer=127.0.0.1 method=POST path=/api/v1/pipes status=201 detail=the pipe clicks
              number=2 at_ms=(13 digits) actor=ann role=viewer peer=NULL method=POST path=/api/v1/pipes status=403 detail=NULL
            events
              number=1 at_ms=(13 digits) pipe=<clicks> pipe_name=clicks actor=ann kind=created reason=NULL
              number=2 at_ms=(13 digits) pipe=<views> pipe_name=views actor=ann kind=created reason=NULL
              number=3 at_ms=(13 digits) pipe=<orders> pipe_name=orders actor=bob kind=created reason=NULL
              number=4 at_ms=(13 digits) pipe=<clicks> pipe_name=clicks actor=bob kind=edited reason=NULL
              number=5 at_ms=(13 digits) pipe=<views> pipe_name=views actor=ann kind=resumed reason=NULL
              number=6 at_ms=(13 digits) pipe=<views> pipe_name=views actor=ann kind=paused reason=NULL
              number=7 at_ms=(13 digits) pipe=<orders> pipe_name=orders actor=ann kind=removed reason=with its consumer group
              number=8 at_ms=1 pipe=<clicks> pipe_name=clicks actor=housepipe kind=stage reason=running
              number=9 at_ms=(13 digits) pipe=<clicks> pipe_name=clicks actor=ann kind=replaying reason=NULL
              number=10 at_ms=(13 digits) pipe=<clicks> pipe_name=clicks actor=ann kind=replayed reason=2 loaded
              number=11 at_ms=(13 digits) pipe=<bye> pipe_name=bye actor=ann kind=created reason=NULL
              number=12 at_ms=(13 digits) pipe=<bye> pipe_name=bye actor=ann kind=removed reason=with its ClickHouse user
              number=13 at_ms=(13 digits) pipe=<bye> pipe_name=bye actor=housepipe kind=gone reason=NULL
            housepipe_store
              version=4 last_event=13 key_check=v1.… (50 letters) last_audit=2
            idempotency
              actor=ann key_text=k request=kLzC9ksDZcTS7TiVBH3M3ePxokSh/Az4nOLAAmVu9Cs pipe=<clicks> at_ms=(13 digits)
            pipes
              id=<clicks> name=clicks consumer=b.example.com:9093 housepipe-clicks document={"name":"clicks","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}} wanted=running clean_up= definition=2 attempt=0 revision=2 created_ms=(13 digits) changed_ms=(13 digits)
              id=<orders> name=orders consumer=b.example.com:9093 housepipe-orders document={"name":"orders","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}} wanted=removed clean_up={"consumer_group":true,"user":false} definition=1 attempt=0 revision=2 created_ms=(13 digits) changed_ms=(13 digits)
              id=<views> name=views consumer=b.example.com:9093 housepipe-views document={"name":"views","source":{"type":"kafka","brokers":"b.example.com:9093","topic":"t","tls":{},"auth":{"mechanism":"PLAIN","username":"u","password":"${secret:source.auth.password}"}},"destination":{"url":"http://localhost:8123","table":"t","password":"${secret:destination.password}"}} wanted=paused clean_up= definition=1 attempt=1 revision=3 created_ms=(13 digits) changed_ms=(13 digits)
            replicas
              id=replica-1 seen_ms=(13 digits) ended_to=6
            secrets
              pipe=<clicks> path=destination.password sealed=v1.… (45 letters)
              pipe=<clicks> path=source.auth.password sealed=v1.… (65 letters)
              pipe=<orders> path=destination.password sealed=v1.… (71 letters)
              pipe=<orders> path=source.auth.password sealed=v1.… (65 letters)
              pipe=<views> path=destination.password sealed=v1.… (71 letters)
              pipe=<views> path=source.auth.password sealed=v1.… (65 letters)
            tokens
              name=admin role=admin digest=(43 letters) created_ms=(13 digits)
              name=dashboard role=viewer digest=(43 letters) created_ms=(13 digits)
              name=deploy role=operator digest=(43 letters) created_ms=(13 digits)
        "#]].assert_eq(&shown(place).await);
    })
    .await;
}
