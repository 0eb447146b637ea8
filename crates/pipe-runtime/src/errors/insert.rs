//! The insert of a batch of a replay, until it is known what became of it.

use std::time::Instant;

use housepipe_ch_sink::{Backoff, FailureClass, Insert, Left, ServerClock, SinkError};

use super::error::{ErrorsError, untold};
use super::load::{Loader, is_over, pause, until_answered};
use crate::server_start::{SETTLING, is_another, is_settled};

/// Whether an insert may have been done before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attempted {
    /// No: it was marked as begun at this time.
    Never(Instant),
    /// By a process that was cut off.
    Perhaps {
        /// When it was found that the table remembers it.
        looked_at: Instant,
        /// Whether that process has sent the same rows, and not those of other columns.
        is_same: bool,
    },
}

/// How an insert ended.
#[derive(Debug)]
pub(super) enum Sent {
    Stored,
    /// Nothing of it is stored, for what its rows contain, or for the partitions of the table that they are of.
    Refused(SinkError),
    /// Nothing of it is stored, and its token is not believed any more: ClickHouse was started anew.
    Nothing,
}

impl Loader<'_> {
    /// Inserts rows until it is known what became of them. `server` is the clock of when they were marked as begun.
    ///
    /// A refusal proves that nothing is stored only where no attempt before it can have been done: the table may have got
    /// a new constraint between the two.
    ///
    /// A server that was started anew since then may remember a token without its rows, so that the rows are looked for
    /// then. The insert goes out in a session of the server that was looked at before: one that was meant for the server
    /// before is refused.
    pub(super) async fn insert(
        &self,
        insert: &Insert<'_>,
        mut server: ServerClock,
        attempted: Attempted,
    ) -> Result<Sent, ErrorsError> {
        let token = insert.token.unwrap_or_default().to_owned();
        let (began, is_same, mut is_unknown) = match attempted {
            Attempted::Never(began) => (began, true, false),
            Attempted::Perhaps { looked_at, is_same } => (looked_at, is_same, true),
        };
        let target = &self.destination.target;
        let is_fenced = target.is_of_one_server();
        let mut backoff = Backoff::default();
        loop {
            if is_over(began) {
                return Err(ErrorsError::Late { token });
            }
            let (error, was_sent) =
                match self.sink.look(&target.table, &target.known_columns, is_fenced).await {
                    Ok(look) if is_fenced && is_of_another(look.clock, server) => {
                        // Also where this process has not sent it: another replay may have finished it.
                        match self.left_of(insert, server).await? {
                            Left::Nothing if target.keeps_rows() && is_same => return Ok(Sent::Nothing),
                            Left::All if !self.is_open(&token).await? => {
                                let by = "it has loaded these records meanwhile".to_owned();
                                return Err(ErrorsError::Conflict { by });
                            }
                            Left::All if self.facts.tables().count() == 1 => return Ok(Sent::Stored),
                            // Views may lack them: the table drops the repetition, and its views do not.
                            Left::All => server = look.clock,
                            left => return Err(ErrorsError::Untold { token, why: untold(left, is_same) }),
                        }
                        continue;
                    }
                    Ok(look) if is_fenced && !is_settled(look.clock) => {
                        tokio::time::sleep(SETTLING).await;
                        continue;
                    }
                    // Stopped behind the look before: not sent any more.
                    Ok(_) if is_over(began) => continue,
                    Ok(look) => {
                        let session = look.session.as_deref();
                        match self.sink.insert(&Insert { session, ..insert.clone() }).await {
                            Ok(_) => return Ok(Sent::Stored),
                            Err(error) => {
                                is_unknown |= error.class() == FailureClass::Retry && !error.was_not_begun();
                                (error, true)
                            }
                        }
                    }
                    Err(error) => (error, false),
                };
            let unsure = |error| Err(ErrorsError::Unsure { token: token.clone(), source: Box::new(error) });
            match error.class() {
                FailureClass::Retry if is_over(began) => return unsure(error),
                FailureClass::Retry => pause(&mut backoff, &error).await,
                _ if is_unknown || (was_sent && !error.has_stored_nothing()) => return unsure(error),
                FailureClass::IsolateRow | FailureClass::Divide if was_sent => {
                    return Ok(Sent::Refused(error));
                }
                FailureClass::IsolateRow | FailureClass::Divide | FailureClass::Hold => {
                    return Err(ErrorsError::Insert(Box::new(error)));
                }
            }
        }
    }

    /// Whether the batch is begun still, and none of its records is loaded by another one: whoever gives it up does so before.
    async fn is_open(&self, token: &str) -> Result<bool, ErrorsError> {
        let (errors, pipe) = (self.errors.name(), self.pipe);
        let claims = until_answered(|| self.sink.open_claims(errors, pipe)).await?;
        let loaded = until_answered(|| self.sink.records_loaded_meanwhile(errors, pipe, token)).await?;
        Ok(loaded == 0 && claims.iter().any(|claim| claim.token == token))
    }

    /// What is left of an insert that was sent when the server's clock was `since`, or later.
    pub(super) async fn left_of(&self, insert: &Insert<'_>, since: ServerClock) -> Result<Left, ErrorsError> {
        let (target, all) = (&self.destination.target, Insert { token: None, ..insert.clone() });
        let ask = || self.sink.rows_left(&all, &target.types, &target.filled, None, since.now_unix_s);
        Ok(until_answered(ask).await?)
    }
}

fn is_of_another(now: ServerClock, then: ServerClock) -> bool {
    is_another(now.started_unix_s, Some(then.started_unix_s), None, true)
}
