//! `housepipe sample`: records of the topic.

use std::process::ExitCode;

use housepipe_runtime::{PipeFile, SampleFilter, SampleRecord, sample};

use crate::args::SampleArgs;
use crate::exit::Exit;
use crate::ui::{Ui, shown};

pub(crate) async fn run(args: SampleArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let file = PipeFile::read(&args.file)?;
    let SampleArgs { count, partition, key, contains, fields, look_at, .. } = args;
    let filter = SampleFilter { partition, key, contains, fields };
    let sample = sample(&file, usize::from(count), &filter, usize::from(look_at)).await?;
    if sample.records.is_empty() {
        let topic = &file.source.topic;
        ui.note(&match sample.looked_at {
            0 => format!("The topic `{topic}` is empty."),
            1 => format!("The one record of the topic `{topic}` is not as the filter says."),
            looked_at => format!(
                "None of the newest {looked_at} records of the topic `{topic}` is as the filter says."
            ),
        });
    }
    if let Some(why) = &sample.cut_short {
        // The words of a broker, or of whatever answers in its place.
        let why = shown(why, usize::MAX);
        ui.note(&format!("Not all of the records came, and the newest may be missing: {why}"));
    }
    if ui.json() {
        ui.document(&sample.records)?;
        return Ok(ExitCode::SUCCESS);
    }
    for record in &sample.records {
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
