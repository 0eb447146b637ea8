//! `housepipe offsets show`.

use std::process::ExitCode;

use housepipe_runtime::{PartitionOffsets, PipeFile, show_offsets};

use super::{title, who};
use crate::args::OffsetsShowArgs;
use crate::exit::Exit;
use crate::ui::{Align, Ui, count, seconds, shown_lines, table};

pub(crate) async fn run(args: OffsetsShowArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let report = show_offsets(&file).await?;
    if ui.json() {
        ui.document(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    ui.line(&title(&report.pipe, &report.topic, report.delivery))?;
    for line in who(&report.group) {
        ui.line(&line)?;
    }
    let head = [
        ("partition", Align::Right),
        ("committed", Align::Right),
        ("log start", Align::Right),
        ("log end", Align::Right),
        ("lag", Align::Right),
        ("lag in time", Align::Right),
        ("with it stands", Align::Left),
    ];
    let rows: Vec<_> = report.partitions.iter().map(row).collect();
    for line in table(head, &rows) {
        ui.line(&line)?;
    }
    for partition in &report.partitions {
        if let Some(problem) = &partition.problem {
            ui.line(&format!("partition {}: {}", partition.partition, shown_lines(problem)))?;
        }
    }
    ui.line(&format!("lag over all partitions: {} record(s) at most", count(report.lag)))?;
    Ok(ExitCode::SUCCESS)
}

fn row(partition: &PartitionOffsets) -> [String; 7] {
    let unknown = || "-".to_owned();
    let stored = match (&partition.stored, partition.starts_at) {
        (Some(stored), _) => stored.to_string(),
        (None, Some(start)) => format!("no offset yet; the pipe file starts it at offset {start}"),
        (None, None) => "no offset yet".to_owned(),
    };
    [
        partition.partition.to_string(),
        partition.committed.map_or_else(unknown, |offset| offset.to_string()),
        partition.log_start.to_string(),
        partition.log_end.to_string(),
        partition.lag.map_or_else(unknown, |lag| lag.to_string()),
        match partition.lag_seconds {
            None => unknown(),
            Some(0.0) => "0 s".to_owned(),
            Some(lag) => seconds(lag),
        },
        stored,
    ]
}
