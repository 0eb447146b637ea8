//! `housepipe serve`: many pipes, and an API over them.

mod state;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use housepipe_runtime::SupervisorOptions;
use housepipe_service::{
    FIRST_ADMIN, Role, Seal, Service, ServiceOptions, Store, StoreAddress, StoreError, Tls,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;

use crate::args::{METRICS_OF_SERVE, ServeArgs};
use crate::commands::metrics::{self, Metrics};
use crate::commands::run;
use crate::exit::Exit;
use crate::signals::Stops;
use crate::ui::Ui;

/// The variable with the key that seals secrets.
const KEY_VARIABLE: &str = "HOUSEPIPE_SECRET_KEY";

pub(crate) async fn run(args: ServeArgs, ui: &Ui) -> Result<ExitCode, Exit> {
    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(Tls::read(certificate, key).map_err(|error| Exit::usage(error.into()))?)
        }
        _ => None,
    };
    if !args.listen.ip().is_loopback() && !args.insecure_http && tls.is_none() {
        return Err(Exit::usage(anyhow!(
            "{} is reached from elsewhere, and tokens and secrets would cross the network unencrypted; give a certificate by \
             --tls-certificate and --tls-key, listen on 127.0.0.1 behind a proxy that does TLS, or add --insecure-http where the network \
             is trusted",
            args.listen
        )));
    }
    let stops = Stops::listen()?;
    let address = state::address(&args.state)?;
    if let Some(folder) = args.secrets_folder.as_deref().filter(|folder| !folder.is_dir()) {
        return Err(Exit::usage(anyhow!("--secrets-folder {} is no folder that is there", folder.display())));
    }
    // Before anything else: another process that listens there may be using the same state. And a first start that fails here makes no key.
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}, which --listen changes", args.listen))?;
    let listens = listener.local_addr()?;
    let for_metrics = metrics::listen(args.metrics_listen, Some(METRICS_OF_SERVE)).await?;
    let seal = Seal::new(&key(&args, &address)?).map_err(|error| Exit::usage(error.into()))?;
    let store = Store::open(&address, seal).await?;
    let service = Arc::new(Service::start(store, options(&args)).await?);
    let metrics = for_metrics.map(|listener| metrics::serve(listener, Arc::clone(&service))).transpose()?;
    // Made where nothing is left that may fail before it is told: the first one is made once.
    let token = match &args.new_admin {
        Some(name) => new_admin(service.store(), name).await?,
        None => service.store().first_token().await?,
    };
    let metrics_url = metrics.as_ref().map(Metrics::url);
    let scheme = if tls.is_some() { "https" } else { "http" };
    ui.serves(
        &format!("{scheme}://{listens}"),
        metrics_url.as_deref(),
        token
            .as_ref()
            .map(SecretString::expose_secret)
            .map(|token| (args.new_admin.as_deref().unwrap_or(FIRST_ADMIN), token)),
    )?;
    let router = housepipe_service::router(Arc::clone(&service), args.public_host);
    let (ends, ended) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(housepipe_service::serve(listener, router, tls, async {
        // A sender that is gone is as good as a word.
        let _ = ended.await;
    }));
    stops.heard(1).await;
    tracing::info!("stopping: pipes store what they have read; a second signal ends at once");
    drop(ends);
    tokio::select! {
        () = service.end() => {}
        () = stops.heard(2) => return Err(Exit::failed(anyhow!("ended at once; what is not committed is read again by the next start"))),
    }
    // Streams of events would go on for as long as somebody listens.
    server.abort();
    Ok(ExitCode::SUCCESS)
}

/// A token of an admin. Where there is one of that name the start goes on without: each start but the first has the flag in vain, where it is
/// in a unit or a chart.
async fn new_admin(store: &Store, name: &str) -> Result<Option<SecretString>, StoreError> {
    match store.new_token(name, Role::Admin).await {
        Ok(token) => Ok(Some(token)),
        Err(StoreError::NameTaken(_)) => {
            tracing::warn!(
                "there is a token `{name}` already, so --new-admin makes none; give another name where that one is lost"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn options(args: &ServeArgs) -> ServiceOptions {
    ServiceOptions {
        supervisor: SupervisorOptions {
            memory_bytes_max: usize::try_from(u64::from(args.total_memory_mib) << 20).unwrap_or(usize::MAX),
            pipe: run::options(&args.tuning, false),
            ..SupervisorOptions::default()
        },
        secrets_folder: args.secrets_folder.clone(),
    }
}

/// The key that seals secrets.
fn key(args: &ServeArgs, address: &StoreAddress) -> Result<SecretString, Exit> {
    if let Some(file) = &args.secret_key_file {
        return read_key(file).map_err(Exit::usage);
    }
    if let Ok(key) = std::env::var(KEY_VARIABLE) {
        return Ok(key.into());
    }
    let StoreAddress::Sqlite(state) = address else {
        return Err(Exit::usage(anyhow!(
            "a state in PostgreSQL needs a key for its secrets: set {KEY_VARIABLE} or --secret-key-file, the same for each process"
        )));
    };
    key_beside(state)
}

/// The key beside a state in a file. The first start makes it before the state, so that one that is killed in between is begun anew; one that would
/// be refused makes none.
fn key_beside(state: &Path) -> Result<SecretString, Exit> {
    let mut file = state.as_os_str().to_owned();
    file.push(".key");
    let file = PathBuf::from(file);
    if file.exists() {
        if state.metadata().is_ok_and(|state| state.is_file() && state.len() == 0) {
            return Err(Exit::usage(anyhow!(
                "the state `{}` is empty, and its key {} is there: restore the state from a backup, without the `-wal` and `-shm` that lie beside \
                 it now, or remove both for a new service, and those two with them; all were left as they are",
                state.display(),
                file.display()
            )));
        }
        return read_key(&file).map_err(Exit::usage);
    }
    if !StoreAddress::Sqlite(state.to_owned()).is_to_be_made()? {
        return Err(Exit::usage(anyhow!(
            "the state `{}` has no key beside it; set {KEY_VARIABLE} or --secret-key-file to the one that sealed its secrets",
            state.display()
        )));
    }
    new_key(&file).map_err(Exit::failed)
}

fn read_key(file: &Path) -> anyhow::Result<SecretString> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read the key {}", file.display()))?;
    Ok(text.into())
}

/// Makes a key that nobody but this user reads.
fn new_key(file: &Path) -> anyhow::Result<SecretString> {
    let key = Seal::random_text()?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(file).and_then(|mut opened| {
        opened.write_all(key.expose_secret().as_bytes())?;
        opened.sync_all()
    });
    made.with_context(|| format!("cannot write the key {}", file.display()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_beside_a_state_that_was_emptied_opens_no_new_service() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let first = key_beside(&state).unwrap();
        // Killed before there was a state.
        assert_eq!(key_beside(&state).unwrap().expose_secret(), first.expose_secret());
        std::fs::write(&state, "").unwrap();
        let told = format!("{:?}", key_beside(&state).unwrap_err());
        assert!(
            told.contains("is empty") && told.contains("state.db.key") && told.contains("remove both"),
            "{told}"
        );
        assert_eq!(std::fs::metadata(&state).unwrap().len(), 0);
        std::fs::write(&state, "something").unwrap();
        assert_eq!(key_beside(&state).unwrap().expose_secret(), first.expose_secret());
    }

    #[test]
    fn no_key_is_made_for_a_state_that_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let told = |says: &str| {
            let told = format!("{:?}", key_beside(&state).unwrap_err());
            assert!(told.contains(says), "{told}");
            assert!(!folder.path().join("state.db.key").exists());
        };
        std::fs::write(folder.path().join("state.db-wal"), "changes").unwrap();
        told("moved or deleted");
        std::fs::remove_file(folder.path().join("state.db-wal")).unwrap();
        std::os::unix::fs::symlink("none.db", &state).unwrap();
        told("a link to `none.db`");
        std::fs::remove_file(&state).unwrap();
        key_beside(&state).unwrap();
    }
}
