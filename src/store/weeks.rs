//! Where each week stands, in short.

use super::{Store, StoreError};
use crate::model::{DigestState, Week};

impl Store {
    /// Every week that has a draft, latest first, with how far it is.
    pub async fn digest_states(&self) -> Result<Vec<(Week, DigestState)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT week, state FROM digests ORDER BY week DESC")?;
            let rows = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()?;
            rows.into_iter()
                .map(|(week, state)| {
                    let known = [DigestState::Draft, DigestState::InReview, DigestState::Approved, DigestState::Published];
                    let state = known.into_iter().find(|known| known.as_str() == state);
                    let state = state.ok_or_else(|| StoreError::Broken(format!("the digest of {week} is in an unknown state")))?;
                    Ok((week.parse().map_err(|error| StoreError::Broken(format!("{error}")))?, state))
                })
                .collect()
        })
        .await
    }
}
