//! The only place where steps meet: one file, one story.
//!
//! A story reads the clock once, asks the steps in turn and keeps what came of it. Faces above (`web`, `cli`, `daemon`)
//! call stories and hold no rules of their own.

mod backfill;
mod decide;
mod discover;
mod draft;
mod erase;
mod explain;
mod lanes;
mod links;
mod poll;
mod publish;
mod rebuild;
mod reread;
mod rules;
mod settle;
mod upkeep;
mod weather;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use secrecy::SecretString;

use crate::clock::Clock;
use crate::collect::Collectors;
use crate::config::{Category, Config, GithubConfig, Region};
use crate::digest;
use crate::fetch::{Fetcher, GithubAccess};
use crate::net::NetError;
use crate::store::{Store, StoreError};
use crate::topic::Classifier;

pub use backfill::{BackfillReport, backfill};
pub use decide::{approve, set_paused};
pub use discover::{Discovered, add_source, check_pasted};
pub use draft::{DraftError, draft, preview};
pub use erase::{ErasureReport, apply_erasures, carry_erasures, erase, erasures_beside};
pub use explain::{Check, Explanation, explain};
pub use lanes::{Lanes, PassReport, Wanted, keep_quiet, oldest_overdue, pass};
pub use links::{LinksReport, check_links};
pub use poll::Queued;
pub use publish::{PublishError, publish, render_context};
pub use rebuild::{RebuildReport, rebuild};
pub use reread::{RereadReport, Retold, reread};
pub use rules::{RulesReport, adopt_rules, check_rules, rules_in_force, sentence as rules_sentence};
pub use settle::settle;
pub use upkeep::{UpkeepReport, adopt, upkeep};
pub use weather::{Weather, tell_lasting};

/// The version of our own rules: every change of what is derived from the same facts counts it up.
pub const RULES_VERSION: u32 = 1;

/// The most that a file with a token may hold.
const MAX_TOKEN: u64 = 4096;

/// Why the context could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("the GitHub token cannot be read from {}: {reason}", .path.display())]
    Token { path: PathBuf, reason: String },
}

/// The token of the file that the settings name. A file that others can read is refused.
fn read_token(config: &GithubConfig) -> Result<Option<SecretString>, ContextError> {
    let Some(path) = &config.token_file else { return Ok(None) };
    let fault = |reason: String| ContextError::Token { path: path.clone(), reason };
    let meta = std::fs::metadata(path).map_err(|error| fault(error.to_string()))?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 {
        return Err(fault("others can read it: run `chmod 600` on it".into()));
    }
    if meta.len() > MAX_TOKEN {
        return Err(fault("it is too large to hold one token".into()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(fault("it must hold one token and nothing else".into()));
    }
    Ok(Some(token.to_owned().into()))
}

/// What stories work with, built once.
#[derive(Clone)]
pub struct Context {
    pub config: Arc<Config>,
    pub store: Arc<Store>,
    pub fetcher: Arc<Fetcher>,
    pub collectors: Arc<Collectors>,
    /// Made when first asked for: most commands never classify.
    classifier: Arc<OnceLock<Classifier>>,
    pub clock: Arc<dyn Clock>,
    /// The version of the rules that this program goes by: [`RULES_VERSION`].
    pub rules_version: u32,
    pub weather: Arc<Weather>,
    /// The program's categories as effective: the configured ones, or the built-in.
    pub categories: Arc<Vec<Category>>,
    /// The program's regions as effective.
    pub regions: Arc<Vec<Region>>,
}

impl Context {
    /// Builds the context on an open store.
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>) -> Result<Self, ContextError> {
        let github = GithubAccess { api_url: config.github.api_url.clone(), token: read_token(&config.github)? };
        let fetcher = Fetcher::new(&config.network, github, Arc::clone(&clock))?;
        let collectors = Collectors::new(&config.github, &config.youtube, &config.devto);
        let categories = if config.digest.categories.is_empty() { digest::builtin_categories() } else { config.digest.categories.clone() };
        let regions = if config.digest.regions.is_empty() { digest::builtin_regions() } else { config.digest.regions.clone() };
        Ok(Self {
            classifier: Arc::default(),
            categories: Arc::new(categories),
            regions: Arc::new(regions),
            collectors: Arc::new(collectors),
            fetcher: Arc::new(fetcher),
            store: Arc::new(store),
            config: Arc::new(config),
            rules_version: RULES_VERSION,
            weather: Arc::default(),
            clock,
        })
    }

    /// The classifier of the program's categories.
    pub fn classifier(&self) -> &Classifier {
        self.classifier.get_or_init(|| Classifier::new(&self.categories))
    }

    /// Writes what is waiting and closes the database.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
