//! `housepipe sample`: records of the topic.

use std::process::ExitCode;

use housepipe_runtime::{PipeFile, SampleRecord, sample};

use crate::args::SampleArgs;
use crate::exit::Exit;
use crate::ui::Ui;

pub(crate) async fn run(args: SampleArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let records = sample(&file, usize::from(args.count)).await?;
    if ui.json() {
        ui.document(&records)?;
        return Ok(ExitCode::SUCCESS);
    }
    if records.is_empty() {
        ui.line(&format!("The topic `{}` is empty.", file.source.topic))?;
    }
    for record in &records {
        show(record, ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(record: &SampleRecord, ui: &Ui) -> std::io::Result<()> {
    let mut head = format!("partition {}  offset {}", record.partition, record.offset);
    if let Some(timestamp_ms) = record.timestamp_ms {
        let time = chrono::DateTime::from_timestamp_millis(timestamp_ms);
        let time = time.map_or(timestamp_ms.to_string(), |t| t.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
        head.push_str(&format!("  timestamp {time}"));
    }
    if let Some(key) = &record.key {
        head.push_str(&format!("  key {key:?}"));
    }
    if let Some(id) = record.schema_id {
        head.push_str(&format!("  schema {id}"));
    }
    for (name, value) in &record.headers {
        head.push_str(&format!("  header {name:?}={value:?}"));
    }
    ui.line(&head)?;
    // Text from a topic may hold escape sequences that would act on the terminal.
    let value = record.value.as_deref().unwrap_or("(no value)");
    let shown: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    ui.line(&format!("  {shown}"))
}
