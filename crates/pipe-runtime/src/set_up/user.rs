//! A ClickHouse user of the pipe's own: `access:` beside `username:` and `password:`.

use std::collections::BTreeSet;

use housepipe_ch_sink::{Access, LookBack, Owner, PipeUser, Sink, SinkError, TableName, UserStatement};
use secrecy::SecretString;

use super::maker;
use crate::error::{PipeError, explain};
use crate::failpoint::failpoint;
use crate::pipe::provision::error_table;
use crate::pipe_file::{AccessSpec, DeliveryMode, PipeFile};

/// The user that is made for a pipe.
#[derive(Debug)]
pub(crate) struct OwnUser {
    user: PipeUser,
    password: SecretString,
    access: Access,
    /// The pipe's table.
    table: String,
}

impl OwnUser {
    /// That of `file`; none where its user is there already.
    pub(crate) fn of(file: &PipeFile) -> Option<OwnUser> {
        let destination = &file.destination;
        let access = destination.access.as_ref()?;
        let database = destination.database.clone();
        let looks_back = (file.delivery == DeliveryMode::ExactlyOnce).then(LookBack::default);
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
            mark: mark(file),
            on_cluster: destination.on_cluster.clone(),
        };
        // The parser wants one beside `access`.
        let password = destination.password.clone()?;
        Some(OwnUser { user, password, access, table: destination.table.clone() })
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
        let access = self.access_by_views(maker).await?;
        // Of a cluster one server alone would be asked, and another one may lack what that one has.
        let is_known = owner == Owner::ThisPipe && self.user.on_cluster.is_none();
        if is_known && maker.has_exactly(&self.user, &access).await? {
            return Ok(());
        }
        self.give(maker, &access).await?;
        failpoint("set_up_grants");
        if owner == Owner::ThisPipe {
            maker.run(&self.user.revoke_others(&access)).await?;
        }
        Ok(())
    }

    /// Gives it `access`; what it is to see of other databases only where `maker` may grant it. Anybody may hang a view onto the pipe's table.
    async fn give(&self, maker: &Sink, access: &Access) -> Result<(), SinkError> {
        match maker.run(&self.user.grant(access)).await {
            Err(error) if error.is_denied() && *access != self.access => {
                maker.run(&self.user.grant(&self.access)).await?;
                tracing::warn!(
                    user = self.user.name,
                    error = explain(&error),
                    "the user cannot be shown where views of other databases lead"
                );
                Ok(())
            }
            granted => granted,
        }
    }

    /// What it may do, with the tables of other databases whose memory of inserts it has to see: views pass the pipe's rows on to them.
    async fn access_by_views(&self, maker: &Sink) -> Result<Access, SinkError> {
        let mut access = self.access.clone();
        let (Access::Tables { database, looks_back: Some(look_back), .. }
        | Access::Database { database, looks_back: Some(look_back) }) = &mut access
        else {
            return Ok(access);
        };
        let facts = maker.deduplication_facts(&self.table).await?;
        let of_views = facts.iter().flat_map(|facts| &facts.views);
        let seen = of_views.flat_map(|view| [Some(&view.view), view.target_name.as_ref()]).flatten();
        let elsewhere: BTreeSet<&TableName> = seen.filter(|table| table.database != *database).collect();
        look_back.elsewhere = elsewhere.into_iter().cloned().collect();
        Ok(access)
    }

    /// Whose the user of this name is.
    pub(crate) async fn owner(&self, maker: &Sink) -> Result<Owner, SinkError> {
        maker.owner(&self.user).await
    }
}

/// By what the user is known as this pipe's, and no other's. A service keeps the pipe by an id that no other has, wherever else its name
/// is taken, and whatever is edited; of a file alone nothing is known but what it says.
fn mark(file: &PipeFile) -> String {
    let PipeFile { name, source, destination, .. } = file;
    match &file.id {
        Some(id) => format!("housepipe: pipe {name}, id {id}"),
        None => format!(
            "housepipe: pipe {name}, topic {} at {} into {}.{}",
            source.topic, source.brokers, destination.database, destination.table
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_what_no_other_pipe_has_and_no_edit_changes() {
        let text = "name: clicks\n\
                    source: { type: kafka, brokers: 'kafka:9092', topic: clicks }\n\
                    destination: { url: http://localhost:8123, table: clicks }\n";
        let read = |text: &str| PipeFile::parse(text, "p.yaml").unwrap();
        let staging = text.replace("kafka:9092", "staging:9092");
        assert_ne!(mark(&read(text)), mark(&read(&staging)), "the same names of another cluster");
        let copy = text.replace("table: clicks", "table: clicks, database: copy");
        assert_ne!(mark(&read(text)), mark(&read(&copy)), "the same names into another database");
        let grouped = text.replace("topic: clicks }", "topic: clicks, consumer_group: other }");
        assert_eq!(mark(&read(text)), mark(&read(&grouped)));
        let kept = |text: &str, id: &str| PipeFile { id: Some(id.to_owned()), ..read(text) };
        assert_eq!(mark(&kept(text, "a1")), "housepipe: pipe clicks, id a1");
        assert_eq!(mark(&kept(text, "a1")), mark(&kept(&staging, "a1")), "an edit");
        assert_ne!(mark(&kept(text, "a1")), mark(&kept(text, "b2")), "another service");
    }
}
