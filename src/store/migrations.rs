//! Applies the steps of `migrations/` in order. A released step is never edited; a new one is added at the end.

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::StoreError;

const STEPS: &[M<'static>] = &[M::up(include_str!("migrations/0001-log.sql"))];

/// The version of the schema after the last step.
fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// The file's version; errs where it is newer than what is known here.
pub(super) fn refuse_newer(connection: &Connection) -> Result<i64, StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known() { Err(StoreError::Newer { found, known: known() }) } else { Ok(found) }
}

/// Brings the schema up to date, each step in one transaction; refuses a file of a newer version.
pub(super) fn apply(connection: &mut Connection) -> Result<(), StoreError> {
    if refuse_newer(connection)? == known() {
        return Ok(());
    }
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::from(err),
        other => StoreError::Broken(format!("the schema could not be brought up to date: {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_applies() {
        Migrations::from_slice(STEPS).validate().unwrap();
    }
}
