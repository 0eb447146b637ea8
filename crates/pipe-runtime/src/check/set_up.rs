//! What the user lacks that creates what is missing, and whether a user of the pipe's own can be made.

use housepipe_ch_sink::{Owner, Sink, SinkError};

use super::{Check, Verdict};
use crate::error::explain;
use crate::pipe::provision::error_table;
use crate::pipe_file::PipeFile;
use crate::set_up::OwnUser;

const SET_UP: &str = "setup";
const USER: &str = "user";

/// Looks at it as `maker`, the user of `setup:`.
pub(super) async fn look(file: &PipeFile, maker: &Sink) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut told = |name, looked: Result<Vec<Check>, SinkError>| match looked {
        Ok(looked) => checks.extend(looked),
        Err(error) => checks.push(Check { name, verdict: Verdict::Failed, detail: explain(&error) }),
    };
    told(SET_UP, rights(file, maker).await);
    if let Some(own) = OwnUser::of(file) {
        told(USER, user(file, maker, &own).await.map(|check| vec![check]));
    }
    checks
}

/// What it may do.
async fn rights(file: &PipeFile, maker: &Sink) -> Result<Vec<Check>, SinkError> {
    let errors = file.error_table.enabled.then(|| error_table(file).name().to_owned());
    let table = file.destination.managed_table.is_some().then(|| file.destination.table.clone());
    let mut problems = Vec::new();
    for table in table.into_iter().chain(errors) {
        if maker.describe(&table).await?.is_none() {
            problems.extend(maker.creation_check(&table).await?);
        }
    }
    if file.destination.access.is_some() {
        problems.extend(maker.user_rights_check().await?);
    }
    let failed = |detail: String| Check { name: SET_UP, verdict: Verdict::Failed, detail };
    let mut checks: Vec<Check> = problems.iter().map(|problem| failed(problem.to_string())).collect();
    if checks.is_empty() {
        let user = &maker_name(file);
        checks.push(Check {
            name: SET_UP,
            verdict: Verdict::Ok,
            detail: format!("`{user}` may create what is missing"),
        });
    }
    Ok(checks)
}

/// Whether the user is there, or can be made.
async fn user(file: &PipeFile, maker: &Sink, own: &OwnUser) -> Result<Check, SinkError> {
    let name = &file.destination.username;
    let (verdict, detail) = match own.owner(maker).await? {
        Owner::Nobody => {
            (Verdict::Ok, format!("`{name}` is missing and will be created: {}", own.create().sql()))
        }
        Owner::ThisPipe => (Verdict::Ok, format!("`{name}` was made for this pipe")),
        Owner::SomebodyElse => (Verdict::Failed, explain(&SinkError::ForeignUser { user: name.clone() })),
    };
    Ok(Check { name: USER, verdict, detail })
}

fn maker_name(file: &PipeFile) -> String {
    let destination = &file.destination;
    destination.set_up.as_ref().map_or(&destination.username, |set_up| &set_up.username).clone()
}
