//! Derived rows built beside those that are served: in a file of their own, from the same facts, swapped in at once.
//!
//! The file beside holds the derived tables alone and reads the facts from the database that it stands beside, so every
//! method of [`Store`] works on it as on the database itself. It holds nothing that could not be computed again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settled::DERIVED;
use super::sqlite::{Extent, Sqlite};
use super::{Store, StoreError, log};
use crate::model::{FactKind, Seq};

/// The most examples of each sort of difference.
const EXAMPLES: u32 = 5;

/// How rows that were computed anew differ from those that are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Difference {
    pub activities: u64,
    pub new: u64,
    pub gone: u64,
    pub changed: u64,
    /// Activities that belong to another work now.
    pub works: u64,
    /// Works that stayed, and are about something else now.
    pub topics: u64,
    /// Titles, with what is different.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

impl Difference {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        [self.new, self.gone, self.changed, self.works, self.topics] == [0; 5]
    }
}

/// Where the rows beside a database are built.
fn beside_of(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".beside");
    beside.into()
}

/// Removes a database file with its companions.
fn remove(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}

/// The tables and indexes of what is derived, as the database has them, and where it begins.
pub(super) fn prepare_schema(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare(
        "SELECT tbl_name, sql FROM facts.sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index') ORDER BY type DESC, name",
    )?;
    let schema = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    for (table, sql) in schema {
        if table == "meta" || DERIVED.iter().any(|(derived, _)| *derived == table) {
            connection.execute_batch(&sql)?;
        }
    }
    log::set_meta(connection, "settled_seq", "0")
}

fn count(connection: &Connection, sql: &str) -> Result<u64, StoreError> {
    Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Runs where `main` is the file beside and `facts` the database.
fn difference(connection: &Connection) -> Result<Difference, StoreError> {
    // What the rows that are served had not come to yet is no difference of rules.
    let served: i64 = connection
        .query_row("SELECT value FROM facts.meta WHERE key = 'settled_seq'", [], |row| row.get::<_, String>(0))?
        .parse()
        .unwrap_or(0);
    let new = format!(
        "FROM main.activities n WHERE NOT EXISTS (SELECT 1 FROM facts.activities o WHERE o.id = n.id)
           AND EXISTS (SELECT 1 FROM main.sightings s WHERE s.activity = n.id AND s.entry <= {served})"
    );
    let gone = "FROM facts.activities o WHERE NOT EXISTS (SELECT 1 FROM main.activities n WHERE n.id = o.id)";
    let changed = "FROM main.activities n JOIN facts.activities o ON o.id = n.id WHERE o.body <> n.body";
    let works = "FROM main.work_members n JOIN facts.work_members o ON o.activity = n.activity WHERE o.work <> n.work";
    let topics = "FROM main.works n JOIN facts.works o ON o.id = n.id WHERE o.topic <> n.topic";
    let mut found = Difference {
        activities: count(connection, "SELECT count(*) FROM main.activities")?,
        new: count(connection, &format!("SELECT count(*) {new}"))?,
        gone: count(connection, &format!("SELECT count(*) {gone}"))?,
        changed: count(connection, &format!("SELECT count(*) {changed}"))?,
        works: count(connection, &format!("SELECT count(*) {works}"))?,
        topics: count(connection, &format!("SELECT count(*) {topics}"))?,
        examples: Vec::new(),
    };
    let mut tell = |sql: String, word: &str| -> Result<(), StoreError> {
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let title: String = row.get(0)?;
            found.examples.push(match (row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?) {
                (Some(before), Some(now)) => format!("{word}: {title} ({})", fields(&before, &now)),
                _ => format!("{word}: {title}"),
            });
        }
        Ok(())
    };
    tell(format!("SELECT n.title, NULL, NULL {new} ORDER BY n.id LIMIT {EXAMPLES}"), "new")?;
    tell(format!("SELECT o.title, NULL, NULL {gone} ORDER BY o.id LIMIT {EXAMPLES}"), "gone")?;
    tell(format!("SELECT n.title, o.body, n.body {changed} ORDER BY n.id LIMIT {EXAMPLES}"), "changed")?;
    let title = "SELECT a.title, NULL, NULL";
    tell(
        format!(
            "{title} FROM main.work_members n JOIN facts.work_members o ON o.activity = n.activity
             JOIN main.activities a ON a.id = n.activity WHERE o.work <> n.work ORDER BY a.id LIMIT {EXAMPLES}"
        ),
        "in another work",
    )?;
    tell(
        format!(
            "SELECT a.title, o.topic, n.topic FROM main.works n JOIN facts.works o ON o.id = n.id
             JOIN main.activities a ON a.id = n.primary_id WHERE o.topic <> n.topic ORDER BY a.id LIMIT {EXAMPLES}"
        ),
        "about something else",
    )?;
    Ok(found)
}

/// The names of the members in which two objects differ.
fn fields(before: &str, now: &str) -> String {
    let members = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (members(before), members(now));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| before.get(*name) != now.get(*name)).map(String::as_str).collect();
    names.join(", ")
}

fn swap(connection: &Connection, rules: u32, difference: &Difference, at: Timestamp) -> Result<Seq, StoreError> {
    for (table, _) in DERIVED {
        connection.execute_batch(&format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM beside.{table};"))?;
    }
    let settled: String = connection.query_row("SELECT value FROM beside.meta WHERE key = 'settled_seq'", [], |row| row.get(0))?;
    connection.execute("UPDATE main.meta SET value = ?1 WHERE key = 'settled_seq'", params![settled])?;
    let numbers = Difference { examples: Vec::new(), ..difference.clone() };
    let fact = log::NewFact {
        at,
        kind: FactKind::RulesAdopted,
        subject: rules.to_string(),
        detail: serde_json::to_string(&numbers)?,
        payload: Some(serde_json::to_string(&difference.examples)?),
    };
    log::append(connection, &fact)
}

impl Store {
    /// A store beside this one, with the same facts and nothing derived yet. One that was left behind is made anew.
    pub async fn beside(&self) -> Result<Store, StoreError> {
        let (facts, path) = (self.path.clone(), beside_of(&self.path));
        tokio::task::spawn_blocking(move || {
            remove(&path);
            let sqlite = Sqlite::open_beside(&path, &facts)?;
            Ok(Store { sqlite, path, unwritten: std::sync::Mutex::default(), tally: tokio::sync::Mutex::default() })
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// How the derived rows of a store beside differ from those that are served.
    pub async fn difference(&self) -> Result<Difference, StoreError> {
        self.read(difference).await
    }

    /// Takes the place of what is derived with what the closed store beside holds, together with the fact that says so.
    pub async fn swap_in(&self, rules: u32, difference: Difference, at: Timestamp) -> Result<(), StoreError> {
        let path = beside_of(&self.path);
        let name = path.to_string_lossy().into_owned();
        let swapped = self.sqlite.write(super::Durability::Full, Extent::Apart, move |connection| {
            connection.execute("ATTACH ?1 AS beside", [name])?;
            let done = (|| {
                connection.execute_batch("BEGIN IMMEDIATE")?;
                swap(connection, rules, &difference, at)?;
                connection.execute_batch("COMMIT")?;
                Ok(())
            })();
            if done.is_err() && !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
            let _ = connection.execute_batch("DETACH beside");
            done
        });
        let swapped = swapped.await;
        remove(&path);
        swapped
    }
}
