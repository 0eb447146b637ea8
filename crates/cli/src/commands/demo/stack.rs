//! Getting and starting the demo's servers, with progress.

use anyhow::Context;
use housepipe_local_stack::{ClickhouseOptions, KafkaOptions, Progress, Stack, prepare};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::exit::Exit;
use crate::ui::Ui;

/// Downloads what is missing and starts both servers.
pub(super) async fn start(ui: &Ui) -> Result<Stack, Exit> {
    let mut progress = Bars { bars: ui.bars(), live: ui.is_live(), bar: None };
    // Downloads and process starts block; they must not hold up the signals.
    let started = tokio::task::spawn_blocking(move || -> anyhow::Result<Stack> {
        let parts = prepare(&mut progress).context("the parts of the demo could not be fetched")?;
        progress.step("starting ClickHouse and Kafka");
        let kafka = KafkaOptions::default().with_throughput();
        let stack = Stack::start_with(&parts, &ClickhouseOptions::default(), &kafka)
            .context("the servers of the demo did not start")?;
        progress.done();
        Ok(stack)
    })
    .await;
    let stack = started.context("the set-up was cut off")??;
    ui.note(&format!(
        "ClickHouse answers at {}, Kafka at {}",
        stack.clickhouse.url(),
        stack.kafka.bootstrap()
    ));
    Ok(stack)
}

/// One bar for the current step on a terminal, a line a step elsewhere.
struct Bars {
    bars: MultiProgress,
    live: bool,
    bar: Option<ProgressBar>,
}

impl Bars {
    fn done(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn step(&mut self, what: &str) {
        self.done();
        if !self.live {
            tracing::info!("{what}");
            return;
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        self.bar = Some(bar);
    }

    fn bytes(&mut self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if let Some(total) = total {
            bar.set_length(total);
        }
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {bytes} of {total_bytes}") {
            bar.set_style(style);
        }
        bar.set_position(done);
    }
}
