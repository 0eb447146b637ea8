//! What is in the tables, by a connection beside the store's.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Column, Connection, Row};

use crate::places::Place;

/// A connection to a place, where the store is closed.
pub(crate) async fn connect(place: &Place) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let make = if place.file.is_some() { "?mode=rwc" } else { "" };
    AnyConnection::connect(&format!("{}{make}", place.url())).await.unwrap()
}

/// Runs statements there.
pub(crate) async fn run(place: &Place, sql: &str) {
    let mut connection = connect(place).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The names of all tables.
async fn tables(place: &Place, connection: &mut AnyConnection) -> Vec<String> {
    let sql = match place.file {
        Some(_) => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        None => {
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
             WHERE table_schema = current_schema() ORDER BY 1"
        }
    };
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The columns of all tables, as `table.column`.
pub(crate) async fn columns(place: &Place) -> Vec<String> {
    let mut connection = connect(place).await;
    let mut all = Vec::new();
    for table in tables(place, &mut connection).await {
        let sql = match place.file {
            Some(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            None => format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ),
        };
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        all.extend(rows.iter().map(|row| format!("{table}.{}", row.get::<String, _>(0))));
    }
    connection.close().await.unwrap();
    all.sort();
    all
}

/// All rows of all tables: of each table its name, and of each row its columns in their order.
pub(crate) async fn rows(place: &Place) -> Vec<(String, Vec<Vec<(String, String)>>)> {
    let mut connection = connect(place).await;
    let mut all = Vec::new();
    for table in tables(place, &mut connection).await {
        let sql = AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2"));
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        all.push((table, rows.iter().map(values).collect()));
    }
    connection.close().await.unwrap();
    all
}

fn values(row: &AnyRow) -> Vec<(String, String)> {
    let value = |name: &str| match row.try_get::<Option<String>, _>(name) {
        Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
        Err(_) => row.get::<i64, _>(name).to_string(),
    };
    row.columns().iter().map(|column| (column.name().to_owned(), value(column.name()))).collect()
}
