//! A statement with the words for what it attempts, and the two ways to run one.

use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

/// One SQL statement. Listed in [`crate::statements`], so that a test can prepare each.
#[derive(Debug, PartialEq, Eq)]
pub struct Sql {
    /// What it attempts, as the end of "could not …".
    pub step: &'static str,
    /// The text.
    pub text: &'static str,
}

pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Runs the statement, prepared once a connection, and returns its rows.
pub(crate) async fn query(
    conn: &impl Connection,
    sql: &Sql,
    params: Params<'_>,
) -> Result<Vec<Row>, StoreError> {
    let run = async {
        let client = conn.client();
        let statement = client.prepare_cached(sql.text).await?;
        client.query(&statement, params).await
    };
    conn.guard().run(sql.step, run).await
}

/// As [`query`], for exactly one row.
pub(crate) async fn query_one(
    conn: &impl Connection,
    sql: &Sql,
    params: Params<'_>,
) -> Result<Row, StoreError> {
    let rows = query(conn, sql, params).await?;
    rows.into_iter()
        .next()
        .ok_or(StoreError::Vanished { step: sql.step })
}

/// As [`query`], handing over one row after the other instead of gathering them. The first error of `each` ends it.
pub(crate) async fn for_each(
    conn: &impl Connection,
    sql: &Sql,
    params: Params<'_>,
    mut each: impl FnMut(&Row) -> Result<(), StoreError> + Send,
) -> Result<(), StoreError> {
    let run = async {
        let client = conn.client();
        let statement = client.prepare_cached(sql.text).await?;
        let rows = client.query_raw(&statement, params.iter().copied()).await?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await? {
            if let Err(error) = each(&row) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    };
    conn.guard().run(sql.step, run).await?
}

/// Runs the statement and returns how many rows it touched.
pub(crate) async fn execute(
    conn: &impl Connection,
    sql: &Sql,
    params: Params<'_>,
) -> Result<u64, StoreError> {
    let run = async {
        let client = conn.client();
        let statement = client.prepare_cached(sql.text).await?;
        client.execute(&statement, params).await
    };
    conn.guard().run(sql.step, run).await
}

/// Copies rows in: `write` gives them to the writer and finishes it. Returns how many they were.
pub(crate) async fn copy(
    tx: &Transaction<'_>,
    sql: &Sql,
    types: &[Type],
    write: impl AsyncFnOnce(BinaryCopyInWriter) -> Result<u64, tokio_postgres::Error>,
) -> Result<u64, StoreError> {
    let run = async {
        let statement = tx.client().prepare_cached(sql.text).await?;
        let sink = tx.copy_in(&statement).await?;
        write(BinaryCopyInWriter::new(sink, types)).await
    };
    tx.guard().run(sql.step, run).await
}

/// Runs a command that takes no parameters and cannot be prepared.
pub(crate) async fn batch(conn: &impl Connection, sql: &Sql) -> Result<(), StoreError> {
    conn.guard()
        .run(sql.step, conn.client().batch_execute(sql.text))
        .await
}

/// The value of a column, or an error that names the statement.
pub(crate) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    sql: &Sql,
    column: usize,
) -> Result<T, StoreError> {
    row.try_get(column)
        .map_err(|source| StoreError::query(sql.step, source))
}
