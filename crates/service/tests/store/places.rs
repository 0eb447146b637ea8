//! Where stores are.

use std::path::PathBuf;
use std::sync::OnceLock;

use housepipe_local_stack::{Postgres, Silent, Wanted, prepare_wanted};
use housepipe_service::{Seal, Store, StoreAddress, StoreError};
use secrecy::ExposeSecret;

pub(crate) const KEY: &str = "a key that is long enough for a test";

/// One place for a store, empty at first.
pub(crate) struct Place {
    pub(crate) address: StoreAddress,
    /// Of a store in SQLite.
    pub(crate) file: Option<PathBuf>,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    /// A file of SQLite.
    pub(crate) fn at(file: PathBuf) -> Place {
        Place { address: StoreAddress::Sqlite(file.clone()), file: Some(file), _folder: None }
    }

    /// The URL for a connection beside the store's.
    pub(crate) fn url(&self) -> String {
        match &self.address {
            StoreAddress::Sqlite(file) => {
                let file =
                    file.display().to_string().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
                format!("sqlite://{file}")
            }
            StoreAddress::Postgres(url) => url.expose_secret().to_owned(),
        }
    }
}

/// A place in SQLite.
pub(crate) fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    // A name that would end a URL.
    let file = folder.path().join("the store? 100%#.db");
    Place { address: StoreAddress::Sqlite(file.clone()), file: Some(file), _folder: Some(folder) }
}

/// A database of a PostgreSQL that the tests of this binary share.
pub(crate) fn postgres() -> Place {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let parts = prepare_wanted(&Wanted::pinned().with_postgres(), &mut Silent).unwrap();
        Postgres::start(&parts).unwrap()
    });
    let url = server.new_database().unwrap();
    Place { address: StoreAddress::Postgres(url.into()), file: None, _folder: None }
}

/// Runs a case in each.
pub(crate) async fn each_place(case: impl AsyncFn(&Place)) {
    for place in [sqlite(), postgres()] {
        case(&place).await;
    }
}

/// Opens the store there.
pub(crate) async fn open(place: &Place, key: &str) -> Result<Store, StoreError> {
    Store::open(&place.address, Seal::new(&key.into()).unwrap()).await
}
