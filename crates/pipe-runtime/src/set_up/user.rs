//! A ClickHouse user of the pipe's own: `access:` beside `username:` and `password:`.

use housepipe_ch_sink::{Access, Owner, PipeUser, Sink, SinkError, UserStatement};
use secrecy::SecretString;

use super::maker;
use crate::error::PipeError;
use crate::failpoint::failpoint;
use crate::pipe::provision::error_table;
use crate::pipe_file::{AccessSpec, DeliveryMode, PipeFile};

/// The user that is made for a pipe.
#[derive(Debug)]
pub(crate) struct OwnUser {
    user: PipeUser,
    password: SecretString,
    access: Access,
}

impl OwnUser {
    /// That of `file`; none where its user is there already.
    pub(crate) fn of(file: &PipeFile) -> Option<OwnUser> {
        let destination = &file.destination;
        let access = destination.access.as_ref()?;
        let database = destination.database.clone();
        let looks_back = file.delivery == DeliveryMode::ExactlyOnce;
        let access = match access {
            AccessSpec::OnlyDestination => {
                let errors = file.error_table.enabled.then(|| error_table(file).name().to_owned());
                let tables = std::iter::once(destination.table.clone()).chain(errors).collect();
                Access::Tables { database, tables, looks_back }
            }
            AccessSpec::Full => Access::Database { database, looks_back },
            AccessSpec::Role(role) => Access::Role(role.clone()),
        };
        let user = PipeUser {
            name: destination.username.clone(),
            mark: format!("housepipe: pipe {}, consumer group {}", file.name, file.source.consumer_group),
            on_cluster: destination.on_cluster.clone(),
        };
        // The parser wants one beside `access`.
        let password = destination.password.clone()?;
        Some(OwnUser { user, password, access })
    }

    pub(crate) fn create(&self) -> UserStatement {
        self.user.create(&self.password)
    }

    pub(crate) fn grant(&self) -> UserStatement {
        self.user.grant(&self.access)
    }

    /// Makes it what the file says, whatever of it is there. `as_it` is a sink of this user.
    pub(crate) async fn make(&self, maker: &Sink, as_it: &Sink) -> Result<(), SinkError> {
        let owner = maker.owner(&self.user).await?;
        match owner {
            Owner::Nobody => {
                maker.create_user(&self.user, &self.password).await?;
                tracing::info!(user = self.user.name, "user created");
            }
            Owner::ThisPipe => {
                if !as_it.is_let_in().await? {
                    maker.run(&self.user.change_password(&self.password)).await?;
                    tracing::info!(
                        user = self.user.name,
                        "password of the user changed to that of the pipe file"
                    );
                }
            }
            Owner::SomebodyElse => return Err(SinkError::ForeignUser { user: self.user.name.clone() }),
        }
        failpoint("set_up_user");
        maker.run(&self.grant()).await?;
        failpoint("set_up_grants");
        if owner == Owner::ThisPipe {
            maker.run(&self.user.revoke_others(&self.access)).await?;
        }
        Ok(())
    }

    /// Whose the user of this name is.
    pub(crate) async fn owner(&self, maker: &Sink) -> Result<Owner, SinkError> {
        maker.owner(&self.user).await
    }
}

/// What has become of a pipe's own user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserEnd {
    /// It is gone, or never was.
    Gone,
    /// There is a user of this name that was not made for the pipe, and it stays.
    NotOurs,
}

/// Drops the user that was made for the pipe; nothing is done where the file asks for none.
///
/// # Errors
/// [`PipeError::Sink`] where ClickHouse does not answer, or refuses.
pub async fn drop_user(file: &PipeFile) -> Result<UserEnd, PipeError> {
    let Some(own) = OwnUser::of(file) else { return Ok(UserEnd::Gone) };
    match maker(file)?.drop_user(&own.user).await? {
        Owner::Nobody | Owner::ThisPipe => Ok(UserEnd::Gone),
        Owner::SomebodyElse => Ok(UserEnd::NotOurs),
    }
}
