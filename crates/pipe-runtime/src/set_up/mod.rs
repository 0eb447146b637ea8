//! What is made at the destination before a pipe runs: its tables, and a user of its own.
//!
//! Every statement may be run again: a start that was killed at any point is finished by the next one. Which statements there are is known
//! beforehand ([`statements`]), and which of them are run depends on what is there.

mod statements;
mod user;

use housepipe_ch_sink::{Sink, SinkConfig, SinkError};

use crate::pipe::sink_config;
use crate::pipe_file::PipeFile;

pub use statements::{Statement, statements};
pub(crate) use user::OwnUser;
pub use user::{UserEnd, drop_user};

/// Who makes what is missing: the user of `setup:`, or else the one that inserts.
pub(crate) fn maker(file: &PipeFile) -> Result<Sink, SinkError> {
    Sink::new(&maker_config(file))
}

/// The same for a look, which may take so many milliseconds.
pub(crate) fn maker_within(file: &PipeFile, ms_max: u64) -> Result<Sink, SinkError> {
    let mut config = maker_config(file);
    config.request_timeout_ms = ms_max;
    Sink::new(&config)
}

fn maker_config(file: &PipeFile) -> SinkConfig {
    let mut config = sink_config(file);
    if let Some(set_up) = &file.destination.set_up {
        config.username.clone_from(&set_up.username);
        config.password.clone_from(&set_up.password);
    }
    config
}
