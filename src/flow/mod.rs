//! The only place where steps meet: one file, one story.
//!
//! A story reads the clock once, asks the steps in turn and keeps what came of it. Faces above (`web`, `cli`, `daemon`)
//! call stories and hold no rules of their own.

mod account;
mod backfill;
mod by_hand;
mod decide;
mod deliver;
mod desk;
mod discover;
mod draft;
mod engagement;
mod erase;
mod explain;
mod fairness;
mod lanes;
mod ledger;
mod links;
mod pieces;
mod poll;
mod publish;
mod rebuild;
mod recognize;
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
use crate::config::{Category, Config, Region};
use crate::digest;
use crate::fetch::{Fetcher, GithubAccess, TwitchAccess, YoutubeAccess};
use crate::net::NetError;
use crate::store::{Store, StoreError};
use crate::topic::Classifier;

pub use account::{
    AccountError, account_key, add_account, check_password, make_builder_link, new_secret, remove_account, secret_hash, set_password,
};
pub use backfill::{BackfillReport, backfill};
pub use by_hand::{Entered, Told, enter, withdraw};
pub use decide::{
    EditError, RefreshPreview, Warnings, Wish, approve, approve_draft, approve_with, edit, find_work, mark, preview_refresh, pull_back,
    refresh, set_paused,
};
pub use deliver::{DeliverError, Sending, plan_deliveries, plan_missing, resolve_delivery, send, send_due, send_test};
pub use desk::{ask_links_of, compare_with_computed, compare_with_week, draft_view, waiting_against_their_word};
pub use discover::{Discovered, add_source, check_pasted};
pub use draft::{DraftError, RunningWeeks, default_week, draft, may_draft, preview};
pub use engagement::{Engagement, EngagementReport, engagement};
pub use erase::{ErasureReport, apply_erasures, carry_erasures, erase, erasures_beside};
pub use explain::{Check, Explanation, explain};
pub use fairness::{Division, Fairness, Place, PublishedWeek, Share, fairness, published_weeks};
pub use lanes::{Lanes, PassReport, Wanted, keep_quiet, pass};
pub use ledger::{Ledger, LedgerError, LedgerLine, Waiting, ledger, mark_posted, waiting};
pub use links::{LinksReport, check_links};
pub use poll::Queued;
pub use publish::{PublishError, correct, edition_context, publish, remove, render_context, running_context};
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
    #[error("{what} cannot be read from {}: {reason}", .path.display())]
    Token { what: &'static str, path: PathBuf, reason: String },
}

/// The secret in the file that the settings name. A file that others can read is refused.
fn read_token(what: &'static str, path: Option<&PathBuf>) -> Result<Option<SecretString>, ContextError> {
    let Some(path) = path else { return Ok(None) };
    let fault = |reason: String| ContextError::Token { what, path: path.clone(), reason };
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

/// The fetcher with the keys of the platforms that the operator has keys for.
fn with_keys(mut fetcher: Fetcher, config: &Config) -> Result<Fetcher, ContextError> {
    if let Some(key) = read_token("the YouTube key", config.youtube.key_file.as_ref())? {
        fetcher = fetcher.with_youtube(YoutubeAccess { api_url: config.youtube.api_url.clone(), key });
    }
    let client_id = read_token("the Twitch client id", config.twitch.client_id_file.as_ref())?;
    let client_secret = read_token("the Twitch client secret", config.twitch.client_secret_file.as_ref())?;
    if let (Some(client_id), Some(client_secret)) = (client_id, client_secret) {
        let (api_url, token_url) = (config.twitch.api_url.clone(), config.twitch.token_url.clone());
        fetcher = fetcher.with_twitch(TwitchAccess { api_url, token_url, client_id, client_secret });
    }
    Ok(fetcher)
}

/// The categories under this configuration: its own, or the built-in.
pub fn categories_of(config: &Config) -> Vec<Category> {
    if config.digest.categories.is_empty() { digest::builtin_categories() } else { config.digest.categories.clone() }
}

/// The regions under this configuration.
pub fn regions_of(config: &Config) -> Vec<Region> {
    if config.digest.regions.is_empty() { digest::builtin_regions() } else { config.digest.regions.clone() }
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
    pub engagement: Arc<Engagement>,
    /// What weeks come to as the log stands.
    pub running: Arc<RunningWeeks>,
    /// The program's categories as effective: the configured ones, or the built-in.
    pub categories: Arc<Vec<Category>>,
    /// The program's regions as effective.
    pub regions: Arc<Vec<Region>>,
}

impl Context {
    /// Builds the context on an open store.
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>) -> Result<Self, ContextError> {
        let github = GithubAccess {
            api_url: config.github.api_url.clone(),
            token: read_token("the GitHub token", config.github.token_file.as_ref())?,
        };
        let fetcher = with_keys(Fetcher::new(&config.network, github, Arc::clone(&clock))?, &config)?;
        let collectors = Collectors::new(&config);
        let (categories, regions) = (categories_of(&config), regions_of(&config));
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
            engagement: Arc::default(),
            running: Arc::default(),
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
