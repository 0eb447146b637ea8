//! Deleting a pipe's group, once the pipe is not wanted any more.

use housepipe_kafka_source::{GroupEnd, delete_group};

use super::error::OffsetsError;
use super::facts::config_of;
use crate::error::PipeError;
use crate::pipe_file::PipeFile;

/// Deletes the pipe's consumer group with its offsets. No process may run the pipe: with members the group stays, which
/// [`GroupEnd::HasMembers`] says.
///
/// # Errors
/// [`OffsetsError`] where the user may not, or no broker answers.
pub async fn delete_offsets(file: &PipeFile) -> Result<GroupEnd, OffsetsError> {
    let config = config_of(file);
    let deleted = tokio::task::spawn_blocking(move || delete_group(&config)).await;
    Ok(deleted.map_err(|_| PipeError::WorkerPanicked)??)
}
