//! How a pipe goes that was removed.
//!
//! Each process ends what it runs of it, and says so; once all have, what was asked for is cleaned up, and the pipe is forgotten. Any process may
//! do so, and may be killed at any point: what is left is done by whoever looks next.

use std::sync::Arc;
use std::time::Duration;

use housepipe_runtime::{GroupEnd, PipeId, UserEnd, delete_offsets, drop_user, failpoint};

use super::explain;
use super::follow::Inner;
use crate::store::StoreError;

/// Pause before a clean-up that did not come about is tried again, in milliseconds; it doubles up to the longest.
const AGAIN_MS: u64 = 500;
/// The longest of them, in milliseconds.
const AGAIN_MS_MAX: u64 = 30_000;

/// Ends the pipe, cleans up after it, and forgets it; again and again, until that has come about. What is to be cleaned up is read anew each time:
/// whoever removes it once more may ask for less.
pub(super) async fn leave(inner: Arc<Inner>, id: String) {
    inner.supervisor.remove(&PipeId::from(id.as_str())).await;
    failpoint("leave_ended");
    if let Some(told) = inner.told().get_mut(&id) {
        told.has_ended = true;
    }
    inner.changed.notify_one();
    let mut pause_ms = AGAIN_MS;
    loop {
        match clean_up(&inner, &id).await {
            Ok(()) => break,
            Err(why) => {
                if let Some(told) = inner.told().get_mut(&id)
                    && told.problem.as_ref() != Some(&why)
                {
                    tracing::info!(
                        pipe = told.name,
                        why,
                        "a pipe that is removed is not cleaned up after yet"
                    );
                    told.problem = Some(why);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        pause_ms = (pause_ms * 2).min(AGAIN_MS_MAX);
    }
    inner.changed.notify_one();
}

/// Does what was asked for, or says why it cannot be done yet.
async fn clean_up(inner: &Inner, id: &str) -> Result<(), String> {
    let (pipe, secrets) = match inner.store.pipe_with_secrets(id).await {
        Ok(found) => found,
        // Another process was faster.
        Err(StoreError::NoPipe(_)) => return Ok(()),
        Err(error) => return Err(explain(&error)),
    };
    // This one has: it ended the pipe first, and starts none that it was told to end.
    let others_have_ended = inner.store.is_ended_but_for(&inner.replica, id).await;
    if !others_have_ended.map_err(|error| explain(&error))? {
        return Err("another process has not ended it yet".to_owned());
    }
    if pipe.clean_up.consumer_group {
        let file = inner.read(&pipe, &secrets)?;
        match delete_offsets(&file).await.map_err(|error| explain(&error))? {
            GroupEnd::Gone => {}
            GroupEnd::HasMembers => {
                return Err(format!(
                    "the consumer group `{}` has members, and is deleted once they have left",
                    file.source.consumer_group
                ));
            }
        }
    }
    if pipe.clean_up.user {
        let file = inner.read(&pipe, &secrets)?;
        match drop_user(&file).await.map_err(|error| explain(&error))? {
            UserEnd::Gone => {}
            UserEnd::NotOurs => tracing::warn!(
                pipe = pipe.name,
                user = file.destination.username,
                "the clickhouse user was not made for the pipe, and stays"
            ),
        }
    }
    failpoint("leave_cleaned");
    match inner.store.forget(&pipe).await.map_err(|error| explain(&error))? {
        true => {
            failpoint("leave_forgotten");
            Ok(())
        }
        false => Err("somebody has asked for something else meanwhile".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::follow::tests::{inner, new_pipe};
    use crate::store::CleanUp;

    #[tokio::test]
    async fn a_pipe_that_goes_waits_for_no_other_process_where_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, _) = inner(&folder).await;
        let pipe = inner.store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        inner.store.remove(&pipe.id, None, CleanUp::default(), "ann").await.unwrap();
        // As from its first look on: it is heard of, and has told of no end yet.
        inner.store.tell_alive(&inner.replica, 0).await.unwrap();
        clean_up(&inner, &pipe.id).await.unwrap();
        assert!(matches!(inner.store.pipe(&pipe.id).await, Err(StoreError::NoPipe(_))));
    }

    #[tokio::test]
    async fn a_pipe_that_goes_waits_for_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, _) = inner(&folder).await;
        let pipe = inner.store.create(&new_pipe("clicks"), None, "ann").await.unwrap();
        inner.store.tell_alive("there", 0).await.unwrap();
        inner.store.remove(&pipe.id, None, CleanUp::default(), "ann").await.unwrap();
        let told = clean_up(&inner, &pipe.id).await.unwrap_err();
        assert!(told.contains("another process"), "{told}");
    }
}
