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
    let found = refuse_newer(connection)?;
    refuse_foreign(connection)?;
    if found == known() {
        return Ok(());
    }
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::from(err),
        other => StoreError::Broken(format!("the schema could not be brought up to date: {other}")),
    })
}

/// Errs where the file holds tables, and none of them is the log.
fn refuse_foreign(connection: &Connection) -> Result<(), StoreError> {
    let (tables, logs): (i64, i64) = connection.query_row(
        "SELECT count(*), count(*) FILTER (WHERE name = 'log') FROM sqlite_schema WHERE type = 'table'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if tables > 0 && logs == 0 {
        let what = "this is the database of another program: name a file of clarion's own in `store.path`";
        return Err(StoreError::Refused(what.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_another_program_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
        assert!(matches!(apply(&mut connection), Err(StoreError::Refused(_))));
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1, "nothing was made in it");
    }

    #[test]
    fn the_documentation_names_every_table_every_kind_of_fact_and_every_decision() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection).unwrap();
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").unwrap();
        let mut names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(names.len() > 30, "{names:?}");
        names.extend(crate::model::FactKind::ALL.iter().map(|kind| kind.as_str().to_owned()));
        // What is unknown is refused with the names that are known.
        let unknown = serde_json::from_str::<crate::model::DecisionKind>(r#"{"decision":"nonsense"}"#).unwrap_err().to_string();
        let decisions: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert!(decisions.contains(&"approve") && decisions.len() > 10, "{unknown}");
        names.extend(decisions.into_iter().map(str::to_owned));
        let text = include_str!("../../docs/log.md");
        let missing: Vec<&String> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "docs/log.md says nothing of {missing:?}");
    }

    #[test]
    fn every_step_applies() {
        Migrations::from_slice(STEPS).validate().unwrap();
    }
}
