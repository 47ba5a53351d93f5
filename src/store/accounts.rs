//! Who may sign in, who is signed in, and what was done: accounts, sessions, private links, the audit log.
//!
//! Holds hashes alone, never a password, a cookie or a link's secret. How names are compared, how passwords are hashed
//! and how long a session lasts is for others.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, from_millis, to_millis};
use crate::model::{AuditLine, BuilderId, BuilderLink, SignedIn, User, UserRole};

/// What a password is checked against.
#[derive(Debug, Clone)]
pub struct PasswordRow {
    pub name: String,
    /// A PHC string; none where no password is set.
    pub hash: Option<String>,
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// SHA-256, hex, of what the cookie holds.
    pub hash: String,
    /// The key of the account, or the hash of the private link, that it is for.
    pub account: Option<String>,
    pub link: Option<String>,
    pub agent: String,
}

fn roles_of(text: &str) -> BTreeSet<UserRole> {
    text.split(' ').filter_map(UserRole::parse).collect()
}

fn text_of(roles: &BTreeSet<UserRole>) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
}

fn note(connection: &Connection, who: &str, what: &str, about: &str, now: Timestamp) -> Result<(), StoreError> {
    connection.prepare_cached("INSERT INTO audit (at, who, what, about) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        to_millis(now),
        who,
        what,
        about
    ])?;
    Ok(())
}

fn missing(name: &str) -> StoreError {
    StoreError::Refused(format!("there is no account `{name}`: `clarion user list` names them"))
}

impl Store {
    /// Adds an account, with or without a password. Errs where one of that key exists.
    pub async fn add_account(
        &self,
        key: &str,
        name: &str,
        roles: BTreeSet<UserRole>,
        hash: Option<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (key, name, by) = (key.to_owned(), name.to_owned(), by.to_owned());
        self.write_safely(move |connection| {
            let added = connection.execute(
                "INSERT INTO users (key, name, roles, password, created_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                 ON CONFLICT (key) DO NOTHING",
                params![key, name, text_of(&roles), hash, to_millis(now)],
            )?;
            if added == 0 {
                return Err(StoreError::Refused(format!(
                    "there is an account `{name}` already: `clarion user password` sets another password, `clarion user remove` removes it"
                )));
            }
            note(connection, &by, "added_account", &format!("{name} ({})", text_of(&roles)), now)
        })
        .await
    }

    /// Every account, in the order of their keys.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, roles, password IS NOT NULL, created_at, changed_at,
                        (SELECT max(used_at) FROM sessions WHERE account = users.key)
                 FROM users ORDER BY key",
            )?;
            let mut rows = statement.query([])?;
            let mut accounts = Vec::new();
            while let Some(row) = rows.next()? {
                accounts.push(User {
                    name: row.get(0)?,
                    roles: roles_of(&row.get::<_, String>(1)?),
                    has_password: row.get(2)?,
                    created_at: from_millis(row.get(3)?)?,
                    changed_at: from_millis(row.get(4)?)?,
                    used_at: row.get::<_, Option<i64>>(5)?.map(from_millis).transpose()?,
                });
            }
            Ok(accounts)
        })
        .await
    }

    /// Whether anybody has an account.
    pub async fn has_accounts(&self) -> Result<bool, StoreError> {
        self.read(|connection| Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?)).await
    }

    /// What the password of an account is checked against.
    pub async fn password_of(&self, key: &str) -> Result<Option<PasswordRow>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let read = |row: &rusqlite::Row<'_>| Ok(PasswordRow { name: row.get(0)?, hash: row.get(1)? });
            Ok(connection.query_row("SELECT name, password FROM users WHERE key = ?1", [key], read).optional()?)
        })
        .await
    }

    /// Sets another password, and ends every session that began with the old one.
    pub async fn set_password(&self, key: &str, hash: String, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (key, by) = (key.to_owned(), by.to_owned());
        self.write_safely(move |connection| {
            let name: Option<String> = connection
                .query_row(
                    "UPDATE users SET password = ?2, changed_at = ?3 WHERE key = ?1 RETURNING name",
                    params![key, hash, to_millis(now)],
                    |row| row.get(0),
                )
                .optional()?;
            let name = name.ok_or_else(|| missing(&key))?;
            connection.execute("DELETE FROM sessions WHERE account = ?1", [&key])?;
            note(connection, &by, "set_password", &name, now)
        })
        .await
    }

    /// Removes an account with its sessions. What it did stays on record.
    pub async fn remove_account(&self, key: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (key, by) = (key.to_owned(), by.to_owned());
        self.write_safely(move |connection| {
            connection.execute("DELETE FROM sessions WHERE account = ?1", [&key])?;
            let name: Option<String> =
                connection.query_row("DELETE FROM users WHERE key = ?1 RETURNING name", [&key], |row| row.get(0)).optional()?;
            note(connection, &by, "removed_account", &name.ok_or_else(|| missing(&key))?, now)
        })
        .await
    }

    /// Opens a session, and forgets those that nobody used since `unused_since`.
    pub async fn open_session(&self, session: NewSession, who: &str, now: Timestamp, unused_since: Timestamp) -> Result<(), StoreError> {
        let who = who.to_owned();
        self.write(move |connection| {
            connection.execute("DELETE FROM sessions WHERE used_at < ?1", [to_millis(unused_since)])?;
            connection.execute(
                "INSERT INTO sessions (hash, account, link, opened_at, used_at, agent) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
                params![session.hash, session.account, session.link, to_millis(now), session.agent],
            )?;
            note(connection, &who, "signed_in", &session.agent, now)
        })
        .await
    }

    /// Who a session is of. A session whose account or link is gone is none.
    pub async fn session(&self, hash: &str) -> Result<Option<SignedIn>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(a.name, b.name), a.roles, l.builder, s.opened_at, s.used_at, s.agent
                 FROM sessions s
                 LEFT JOIN users a ON a.key = s.account
                 LEFT JOIN builder_links l ON l.hash = s.link AND l.revoked_at IS NULL
                 LEFT JOIN builders b ON b.id = l.builder
                 WHERE s.hash = ?1 AND (a.key IS NOT NULL OR b.id IS NOT NULL)",
            )?;
            let mut rows = statement.query([hash])?;
            rows.next()?.map(signed_in).transpose()
        })
        .await
    }

    /// Every session of an account, latest used first.
    pub async fn sessions_of(&self, key: &str) -> Result<Vec<SignedIn>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.name, a.roles, NULL, s.opened_at, s.used_at, s.agent
                 FROM sessions s JOIN users a ON a.key = s.account WHERE s.account = ?1 ORDER BY s.used_at DESC, s.hash",
            )?;
            let mut rows = statement.query([key])?;
            let mut sessions = Vec::new();
            while let Some(row) = rows.next()? {
                sessions.push(signed_in(row)?);
            }
            Ok(sessions)
        })
        .await
    }

    /// Notes that a session was used.
    pub async fn touch_session(&self, hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let hash = hash.to_owned();
        self.write(move |connection| {
            connection.execute("UPDATE sessions SET used_at = max(used_at, ?2) WHERE hash = ?1", params![hash, to_millis(now)])?;
            Ok(())
        })
        .await
    }

    /// Ends a session, or with `everywhere` every session of the same account.
    pub async fn close_session(&self, hash: &str, who: &str, everywhere: bool, now: Timestamp) -> Result<(), StoreError> {
        let (hash, who) = (hash.to_owned(), who.to_owned());
        self.write_safely(move |connection| {
            let others = "DELETE FROM sessions WHERE account = (SELECT account FROM sessions WHERE hash = ?1)";
            if everywhere {
                connection.execute(others, [&hash])?;
            }
            connection.execute("DELETE FROM sessions WHERE hash = ?1", [&hash])?;
            note(connection, &who, if everywhere { "signed_out_everywhere" } else { "signed_out" }, "", now)
        })
        .await
    }

    /// Keeps a private link to a builder's record.
    pub async fn add_builder_link(&self, hash: &str, builder: BuilderId, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (hash, by) = (hash.to_owned(), by.to_owned());
        self.write_safely(move |connection| {
            connection.execute(
                "INSERT INTO builder_links (hash, builder, made_by, made_at) VALUES (?1, ?2, ?3, ?4)",
                params![hash, builder.0, by, to_millis(now)],
            )?;
            note(connection, &by, "made_link", &builder.to_string(), now)
        })
        .await
    }

    /// The private links of a builder, latest first.
    pub async fn builder_links(&self, builder: BuilderId) -> Result<Vec<BuilderLink>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT builder, made_by, made_at, used_at, revoked_at FROM builder_links WHERE builder = ?1 ORDER BY made_at DESC, hash",
            )?;
            let mut rows = statement.query([builder.0])?;
            let mut links = Vec::new();
            while let Some(row) = rows.next()? {
                links.push(BuilderLink {
                    builder: BuilderId(row.get(0)?),
                    made_by: row.get(1)?,
                    made_at: from_millis(row.get(2)?)?,
                    used_at: row.get::<_, Option<i64>>(3)?.map(from_millis).transpose()?,
                    revoked_at: row.get::<_, Option<i64>>(4)?.map(from_millis).transpose()?,
                });
            }
            Ok(links)
        })
        .await
    }

    /// Takes back every private link of a builder, with the sessions that came by them. Answers how many there were.
    pub async fn revoke_builder_links(&self, builder: BuilderId, by: &str, now: Timestamp) -> Result<usize, StoreError> {
        let by = by.to_owned();
        self.write_safely(move |connection| {
            connection.execute("DELETE FROM sessions WHERE link IN (SELECT hash FROM builder_links WHERE builder = ?1)", [builder.0])?;
            let revoked = connection.execute(
                "UPDATE builder_links SET revoked_at = ?2 WHERE builder = ?1 AND revoked_at IS NULL",
                params![builder.0, to_millis(now)],
            )?;
            note(connection, &by, "revoked_links", &builder.to_string(), now)?;
            Ok(revoked)
        })
        .await
    }

    /// Whose record a link shows, and under what name; none for one that was taken back or never was. With `used`, that
    /// it was opened is noted.
    pub async fn builder_of_link(&self, hash: &str, used: Option<Timestamp>) -> Result<Option<(BuilderId, String, String)>, StoreError> {
        let hash = hash.to_owned();
        let find = |connection: &Connection, hash: &str| -> Result<Option<(BuilderId, String, String)>, StoreError> {
            Ok(connection
                .query_row(
                    "SELECT b.id, b.slug, b.name FROM builder_links l JOIN builders b ON b.id = l.builder
                     WHERE l.hash = ?1 AND l.revoked_at IS NULL",
                    [hash],
                    |row| Ok((BuilderId(row.get(0)?), row.get(1)?, row.get(2)?)),
                )
                .optional()?)
        };
        match used {
            None => self.read(move |connection| find(connection, &hash)).await,
            Some(now) => {
                self.write(move |connection| {
                    connection.execute("UPDATE builder_links SET used_at = ?2 WHERE hash = ?1", params![hash, to_millis(now)])?;
                    find(connection, &hash)
                })
                .await
            }
        }
    }

    /// Notes an action that is no editorial decision.
    pub async fn audit(&self, who: &str, what: &'static str, about: &str, now: Timestamp) -> Result<(), StoreError> {
        let (who, about) = (who.to_owned(), about.to_owned());
        self.write(move |connection| note(connection, &who, what, &about, now)).await
    }

    /// What was done, latest first: editorial decisions and all else together, of everybody or of one person.
    pub async fn audit_lines(&self, who: Option<&str>, skip: u32, limit: u32) -> Result<Vec<AuditLine>, StoreError> {
        let who = who.map(str::to_owned);
        self.read(move |connection| {
            let reach = skip.saturating_add(limit);
            let mut lines = Vec::new();
            let mut statement = connection
                .prepare_cached("SELECT at, who, what, about FROM audit WHERE ?1 IS NULL OR who = ?1 ORDER BY id DESC LIMIT ?2")?;
            let mut rows = statement.query(params![who, reach])?;
            while let Some(row) = rows.next()? {
                let at = from_millis(row.get(0)?)?;
                lines.push(AuditLine { at, who: row.get(1)?, what: row.get(2)?, about: row.get(3)?, detail: None });
            }
            let mut statement = connection.prepare_cached(
                "SELECT l.at, l.subject, p.body FROM log l JOIN payload p USING (seq)
                 WHERE l.kind = 'Decision' AND l.kind NOT IN ('EntrySeen', 'EntryChanged', 'EntryLeft', 'Sampled')
                   AND (?1 IS NULL OR p.body ->> '$.by' = ?1)
                 ORDER BY l.seq DESC LIMIT ?2",
            )?;
            let mut rows = statement.query(params![who, reach])?;
            while let Some(row) = rows.next()? {
                let body: String = row.get(2)?;
                // Only what every decision has is read here: what each says beside it is for whoever shows it.
                let told: serde_json::Value = serde_json::from_str(&body)?;
                let part = |key: &str| told.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                let at = from_millis(row.get(0)?)?;
                lines.push(AuditLine { at, who: part("by"), what: part("decision"), about: row.get(1)?, detail: Some(body) });
            }
            // Stable: lines of one instant stay in the order in which they were written.
            lines.sort_by_key(|line| std::cmp::Reverse(line.at));
            Ok(lines
                .into_iter()
                .skip(usize::try_from(skip).unwrap_or(usize::MAX))
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .collect())
        })
        .await
    }
}

fn signed_in(row: &rusqlite::Row<'_>) -> Result<SignedIn, StoreError> {
    let builder: Option<i64> = row.get(2)?;
    let mut roles = roles_of(&row.get::<_, Option<String>>(1)?.unwrap_or_default());
    if builder.is_some() {
        roles.insert(UserRole::Builder);
    }
    Ok(SignedIn {
        name: row.get(0)?,
        roles,
        builder: builder.map(BuilderId),
        opened_at: from_millis(row.get(3)?)?,
        used_at: from_millis(row.get(4)?)?,
        agent: row.get(5)?,
    })
}
