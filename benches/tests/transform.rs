//! The harness of the transform without its clock: every reader gives the same bytes on every corpus.

use std::time::Duration;

use housepipe_benches::transform::cases::{Engines, cases, check_equal_bytes};
use housepipe_benches::transform::corpora::{KINDS, Kind, SEED};
use housepipe_benches::transform::machine::Machine;
use housepipe_benches::transform::measure::Effort;
use housepipe_benches::transform::peers::Peer;
use housepipe_benches::transform::run::{Size, Wanted, run};
use housepipe_benches::transform::{svg, table};
use housepipe_transform::{Path, Tier};

fn engines() -> Engines {
    Engines { paths: vec![Path::Exact, Path::General, Path::Lockstep], tiers: Tier::all() }
}

#[test]
fn every_reader_gives_the_same_bytes_on_every_corpus() {
    for kind in KINDS {
        let dataset = kind.generate(SEED, 150_000);
        let mut all = cases(&dataset, &engines()).unwrap();
        assert!(Peer::ALL.iter().all(|peer| all.iter().any(|case| case.name.starts_with(peer.name()))));
        let (_, rows) = check_equal_bytes(&dataset, &mut all).unwrap();
        let bad = if kind.name == "bad-1-percent" {
            (0..dataset.len()).filter(|at| at % 100 == 57).count()
        } else {
            0
        };
        assert_eq!(dataset.len() - rows, bad, "{}", kind.name);
    }
}

#[test]
fn a_reader_with_other_bytes_is_found() {
    let dataset = Kind::by_name("events").unwrap().generate(SEED, 20_000);
    let mut all = cases(&dataset, &engines()).unwrap();
    let last = all.last_mut().unwrap();
    let mut right = std::mem::replace(&mut last.run, Box::new(|_| 0));
    last.run = Box::new(move |out| {
        let rows = right(out);
        out[1000] ^= 1;
        rows
    });
    let error = check_equal_bytes(&dataset, &mut all).unwrap_err().to_string();
    assert!(error.contains("serde_json typed") && error.contains("at 1000"), "{error}");
}

#[test]
fn a_run_gives_tables_a_plot_and_json() {
    let wanted = Wanted {
        kinds: ["events", "bad-1-percent"].map(|name| Kind::by_name(name).unwrap()).to_vec(),
        sizes: vec![Size::QUICK],
        own: None,
        seed: SEED,
        engines: Engines::default(),
        effort: Effort { rounds: 1, round_min: Duration::ZERO },
        clickhouse: None,
        flat: false,
    };
    let report = run(&wanted, Machine::here(false), &mut |_| {}).unwrap();
    let text = table::write(&report).unwrap();
    assert!(text.contains("## events (quick): 12 columns") && text.contains("| sonic-rs typed |"), "{text}");
    assert!(report.targets.iter().any(|verdict| verdict.what.ends_with("unspoilt")), "{text}");
    let plot = svg::draw(&report, "quick").unwrap();
    assert!(plot.starts_with("<svg") && plot.ends_with("</svg>\n"));
    assert_eq!(plot.matches("<rect").count(), 5 + 2 * 4, "a legend of five, four bars for each corpus");
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(json["corpora"][0]["timings"][0]["case"], "housepipe");
    assert!(json["machine"]["versions"]["sonic-rs"].is_string());
}
