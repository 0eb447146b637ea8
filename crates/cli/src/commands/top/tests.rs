//! The screen, key by key.

use chrono::{DateTime, Utc};
use expect_test::{Expect, expect};

use super::app::{Act, App, View, Wish};
use super::draw::draw;
use super::history::Row;
use crate::remote::{EventView, PipeView};
use crate::ui::{Key, Look};

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-01-01T00:01:00Z").unwrap().into()
}

fn row(name: &str, stage: &str, lag: u64, rate: f64) -> Row {
    let pipe = serde_json::json!({
        "id": format!("p-{name}"), "name": name, "stage": stage, "since": "2026-01-01T00:00:00Z",
        "wanted": if stage == "paused" { "paused" } else { "running" },
        "reason": (stage == "failed").then_some("clickhouse\u{1b}[2J is away"),
        "counters": { "read": 5_000, "loaded": 4_000, "rejected": lag / 10, "in_flight": 7 },
        "run": (stage == "running").then_some(serde_json::json!({
            "seconds": 60.0, "rejected_by_code": { "invalid_number": 3, "missing_field": 30 },
            "partitions": [
                { "partition": 0, "position": 10, "end": 10, "lag_records": 0, "lag_seconds": 0.0 },
                { "partition": 1, "position": 4, "end": 4 + lag, "lag_records": lag, "lag_seconds": 3.5 },
            ],
        })),
    });
    let pipe: PipeView = serde_json::from_value(pipe).unwrap();
    Row { pipe, read_per_second: Some(rate), past: vec![0, 10, 20, 40, 20] }
}

fn app() -> App {
    let rows = vec![
        row("audit", "paused", 0, 0.0),
        row("clicks", "running", 1_200, 2_500.4),
        row("orders", "running", 30, 90_000.0),
        row("views", "failed", 0, 0.0),
    ];
    App::new("http://127.0.0.1:8080".to_owned(), true, rows)
}

fn press(app: &mut App, keys: &[Key]) -> Option<Act> {
    keys.iter().map(|key| app.press(*key)).last().flatten()
}

fn type_in(app: &mut App, text: &str) {
    text.chars().for_each(|character| assert_eq!(app.press(Key::Char(character)), None));
}

/// The lines, with a mark for how they look.
fn check(app: &App, (width, height): (usize, usize), expected: &Expect) {
    let lines = draw(app, width, height, now());
    assert_eq!(lines.len(), height);
    let text: String = lines
        .iter()
        .map(|line| {
            let mark = match line.look {
                Look::Plain => ' ',
                Look::Head => '#',
                Look::Dim => '.',
                Look::Alarm => '!',
                Look::Selected => '>',
            };
            format!("{}\n", format!("{mark} {}", line.text).trim_end())
        })
        .collect();
    assert!(!text.contains('\u{1b}'), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn the_list_is_sorted_and_its_worst_is_selected() {
    check(
        &app(),
        (120, 10),
        &expect![[r#"
            # http://127.0.0.1:8080  1 failed, 1 paused, 2 running  92,500 records/s  lag 1,230 + ? of 2 pipes  rejected 123

            # NAME    STAGE    RECORDS/S    LAG  LAG AGE  LOADED  REJECTED   SINCE  LAST MINUTE           REASON
            > views   failed           0      -        -   4,000         0  60.0 s                 ▁▃▅█▅  clickhouse\u{1b}[2J is away
              clicks  running      2,500  1,200   3.50 s   4,000       120  60.0 s                 ▁▃▅█▅
              orders  running     90,000     30   3.50 s   4,000         3  60.0 s                 ▁▃▅█▅
            . audit   paused           0      -        -   4,000         0  60.0 s                 ▁▃▅█▅


            . ↑↓ select   enter open   p pause or resume   s sort (by lag)   / filter   q quit
        "#]],
    );
}

#[test]
fn who_needs_somebody_comes_first_and_what_rests_last() {
    let unknown = |name: &str, stage: &str| {
        let mut row = row(name, stage, 0, 0.0);
        row.pipe.run = None;
        row
    };
    let rows = vec![
        row("behind", "running", 9, 0.0),
        unknown("stopped", "paused"),
        row("far-behind", "running", 900, 0.0),
        unknown("starting", "provisioning"),
        unknown("wrong", "misconfigured"),
        unknown("broken", "failed"),
    ];
    let app = App::new("s".to_owned(), true, rows);
    let names: Vec<&str> = app.shown().iter().map(|row| row.pipe.name.as_str()).collect();
    assert_eq!(names, ["broken", "wrong", "starting", "far-behind", "behind", "stopped"]);
    assert!(draw(&app, 80, 10, now())[0].text.contains("lag 909 + ? of 4 pipes"));
}

#[test]
fn keys_move_the_selection_and_it_stays_with_its_pipe() {
    let mut app = app();
    press(&mut app, &[Key::Down, Key::Char('j'), Key::Down, Key::Down, Key::Down, Key::Up]);
    assert_eq!(app.meant().unwrap().pipe.name, "orders", "after the last there is none");
    press(&mut app, &[Key::Char('s')]);
    assert_eq!(app.shown()[0].pipe.name, "orders", "by rate");
    press(&mut app, &[Key::Down]);
    assert_eq!(app.meant().unwrap().pipe.name, "clicks");
    press(&mut app, &[Key::Char('s'), Key::Char('s')]);
    let names: Vec<&str> = app.shown().iter().map(|row| row.pipe.name.as_str()).collect();
    assert_eq!(names, ["audit", "clicks", "orders", "views"]);
    press(&mut app, &[Key::End]);
    app.look(Ok(vec![row("clicks", "running", 5, 1.0)]));
    assert_eq!(app.meant().unwrap().pipe.name, "clicks", "what was selected is gone");
}

#[test]
fn a_long_list_scrolls_with_the_selection() {
    let rows = (0..50).map(|number| row(&format!("pipe-{number:02}"), "running", 0, 0.0)).collect();
    let mut app = App::new("s".to_owned(), true, rows);
    for keys in [&[Key::PageDown, Key::PageDown][..], &[Key::End], &[Key::Home]] {
        press(&mut app, keys);
        let lines = draw(&app, 100, 12, now());
        let selected: Vec<&str> =
            lines.iter().filter(|line| line.look == Look::Selected).map(|line| line.text.as_str()).collect();
        assert!(
            matches!(selected[..], [line] if line.starts_with(&app.meant().unwrap().pipe.name)),
            "{selected:?}"
        );
    }
    for height in 0..12 {
        assert_eq!(draw(&app, 3, height, now()).len(), height.max(1), "any size is drawn");
    }
}

#[test]
fn a_filter_is_typed_and_taken_away() {
    let mut app = app();
    type_in(&mut app, "/Oqd");
    app.press(Key::Backspace);
    app.press(Key::Backspace);
    type_in(&mut app, "r");
    check(
        &app,
        (100, 6),
        &expect![[r#"
            # http://127.0.0.1:8080  1 failed, 1 paused, 2 running  92,500 records/s  lag 1,230 + ? of 2 pipes  rejected 123

            # NAME    STAGE    RECORDS/S  LAG  LAG AGE  LOADED  REJECTED   SINCE  LAST MINUTE           REASON
            > orders  running     90,000   30   3.50 s   4,000         3  60.0 s                 ▁▃▅█▅

            # /Or  (enter: keep, esc: all)
        "#]],
    );
    app.press(Key::Enter);
    assert_eq!((app.shown().len(), &app.view), (1, &View::List));
    type_in(&mut app, "/nothing");
    assert!(app.shown().is_empty() && app.meant().is_none());
    app.press(Key::Escape);
    assert_eq!(app.shown().len(), 4);
}

#[test]
fn one_pipe_is_opened_with_its_partitions_rejects_and_events() {
    let mut app = app();
    press(&mut app, &[Key::Down, Key::Enter]);
    let event = |number: i64, kind: &str| EventView {
        number,
        at: "2026-01-01T00:00:00.000Z".to_owned(),
        pipe_name: "clicks".to_owned(),
        actor: "ops".to_owned(),
        kind: kind.to_owned(),
        reason: None,
    };
    app.tell("p-clicks", vec![event(1, "created"), event(2, "paused"), event(9, "resumed")]);
    app.tell("p-orders", vec![event(3, "created")]);
    app.look(Err("no service answers".to_owned()));
    check(
        &app,
        (100, 20),
        &expect![[r#"
            # http://127.0.0.1:8080  1 failed, 1 paused, 2 running  92,500 records/s  lag 1,230 + ? of 2 pipes  rejected 123
            ! as it was; no service answers
            # clicks  running for 60.0 s
              last minute ▁▃▅█▅
              rate        2,500 records/s   lag 1,200 records, 3.50 s
              records     read 5,000   loaded 4,000   rejected 120   in flight 7
              inserts     0   tried again 0   0 B of JSON
              rejected    30 × missing_field in this run
              rejected    3 × invalid_number in this run

            # PARTITION  POSITION   END    LAG  LAG AGE
                      1         4  1204  1,200   3.50 s
                      0        10    10      0   0.00 s
            # EVENTS
              1  2026-01-01T00:00:00.000Z  clicks  created  by ops
              2  2026-01-01T00:00:00.000Z  clicks  paused  by ops
              9  2026-01-01T00:00:00.000Z  clicks  resumed  by ops


            . p pause or resume   esc back   q quit
        "#]],
    );
    press(&mut app, &[Key::Escape]);
    assert!(app.opened().is_none() && app.events.is_empty());
}

#[test]
fn nothing_is_told_to_a_pipe_before_somebody_says_yes() {
    let mut app = app();
    app.selected = Some("p-clicks".to_owned());
    assert_eq!(press(&mut app, &[Key::Char('p')]), None);
    assert!(draw(&app, 80, 5, now()).last().unwrap().text.contains("Pause clicks? y/n"));
    assert_eq!(press(&mut app, &[Key::Char('n')]), None);
    assert!(app.asks.is_none());
    let wish =
        |name: &str, pause| Some(Act::Tell(Wish { id: format!("p-{name}"), name: name.to_owned(), pause }));
    assert_eq!(press(&mut app, &[Key::Char('p'), Key::Char('y')]), wish("clicks", true));
    // What has failed is resumed, and what rests.
    for name in ["views", "audit"] {
        app.selected = Some(format!("p-{name}"));
        assert_eq!(press(&mut app, &[Key::Char('p'), Key::Char('y')]), wish(name, false));
    }
    app.is_service = false;
    press(&mut app, &[Key::Escape]);
    for keys in [&[][..], &[Key::Enter]] {
        press(&mut app, keys);
        assert!(
            !draw(&app, 80, 5, now()).last().unwrap().text.contains("pause"),
            "nothing is offered in vain"
        );
    }
    assert_eq!(press(&mut app, &[Key::Char('p'), Key::Char('y')]), None, "metrics cannot be told anything");
    for quits in [Key::Char('q'), Key::Interrupt] {
        assert_eq!(app.press(quits), Some(Act::Quit));
    }
}
