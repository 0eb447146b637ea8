//! `housepipe top` on a terminal, and without one.

use housepipe_tests::{Terminal, housepipe, produce, query_number, shared_stack, unique, wait_until};
use nix::sys::signal::Signal;

use crate::pipes::{Service, pipe};

/// What gives the terminal back.
const LEAVES: &str = "\u{1b}[?1049l";

#[test]
fn pipes_are_watched_opened_and_paused_on_a_terminal_that_is_given_back() {
    let stack = shared_stack();
    let topic = unique("watched");
    let name = topic.replace('_', "-");
    let service = Service::start();
    service.pipes(&["create", "pipe.yaml", "--wait"], Some(&pipe(stack, &topic))).expect_success();
    produce(stack, &topic, 2, (0..100).map(|id| format!("{{\"id\":{id}}}")));
    wait_until("the records", || query_number(stack, &format!("SELECT count() FROM {topic}")) == 100);

    let (token_file, url) = (service.token_file(), service.url.clone());
    let flags = ["--server", url.as_str(), "--token-file", &token_file];
    let mut top = Terminal::start(&[&["top"], &flags[..]].concat());
    top.wait_for("1 running");
    top.wait_for(&name);
    assert!(!top.shows_typing());
    top.type_keys("\r");
    top.wait_for("loaded 100");
    top.wait_for("PARTITION");
    top.wait_for("created");
    top.type_keys("p");
    top.wait_for(&format!("Pause {name}? y/n"));
    top.type_keys("y");
    top.wait_for("wanted paused");
    top.type_keys("\u{1b}");
    top.wait_for("1 paused");
    top.type_keys("/nothing\r");
    top.wait_for("lets no pipe through");
    top.type_keys("q");
    assert_eq!(top.wait(), Some(0), "{}", top.shown());
    assert!(top.shows_typing(), "the terminal is as it was");
    assert!(top.shown().trim_end().ends_with(LEAVES), "{}", top.shown());

    // Ctrl-C is as good as q, and so is a signal.
    let ends: [fn(&mut Terminal); 2] = [|top| top.type_keys("\u{3}"), |top| top.signal(Signal::SIGTERM)];
    for end in ends {
        let mut interrupted = Terminal::start(&[&["top"], &flags[..]].concat());
        interrupted.wait_for("1 paused");
        end(&mut interrupted);
        assert_eq!(interrupted.wait(), Some(0));
        assert!(interrupted.shows_typing() && interrupted.shown().contains(LEAVES));
    }
    // Without a terminal everything is told once.
    let once =
        housepipe(&[&["top", "--json"], &flags[..]].concat(), None, b"").wait().expect_success().json();
    assert_eq!(
        (&once["totals"]["pipes"], &once["pipes"][0]["stage"]),
        (&1.into(), &"paused".into()),
        "{once}"
    );
    assert_eq!(once["pipes"][0]["loaded"], 100, "{once}");
    let table = housepipe(&[&["top"], &flags[..]].concat(), None, b"").wait().expect_success();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.lines().count() == 2 && table.contains(&name) && !table.contains('\u{1b}'), "{table}");
}

#[test]
fn a_service_that_is_not_there_is_told_before_the_screen_is_taken() {
    let mut top = Terminal::start(&["top", "--metrics", "http://127.0.0.1:1"]);
    top.wait_for("no service answers at http://127.0.0.1:1");
    top.wait_for("say by --metrics");
    assert_eq!(top.wait(), Some(1));
    assert!(!top.shown().contains(LEAVES), "{}", top.shown());
}
