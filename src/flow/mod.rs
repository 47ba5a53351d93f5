//! The only place where steps meet: one file, one story.
//!
//! A story reads the clock once, asks the steps in turn and keeps what came of it. Faces above (`web`, `cli`, `daemon`)
//! call stories and hold no rules of their own.

mod decide;
mod discover;
mod draft;
mod explain;
mod lanes;
mod poll;
mod publish;
mod rebuild;
mod settle;
mod upkeep;

use std::sync::Arc;

use crate::clock::Clock;
use crate::collect::Collectors;
use crate::config::{Category, Config, Region};
use crate::digest;
use crate::fetch::{FetchError, Fetcher};
use crate::store::{Store, StoreError};
use crate::topic::Classifier;

pub use decide::{approve, set_paused};
pub use discover::{Discovered, add_source, check_pasted};
pub use draft::{DraftError, draft, preview};
pub use explain::{Check, Explanation, explain};
pub use lanes::{Lanes, PassReport, Wanted, pass};
pub use poll::Queued;
pub use publish::{PublishError, publish, render_context};
pub use rebuild::{RebuildReport, rebuild};
pub use settle::settle;
pub use upkeep::{UpkeepReport, adopt, upkeep};

/// The version of our own rules: every change of what is derived from the same facts counts it up.
pub const RULES_VERSION: u32 = 1;

/// What stories work with, built once.
#[derive(Clone)]
pub struct Context {
    pub config: Arc<Config>,
    pub store: Arc<Store>,
    pub fetcher: Arc<Fetcher>,
    pub collectors: Arc<Collectors>,
    pub classifier: Arc<Classifier>,
    pub clock: Arc<dyn Clock>,
    /// The program's categories as effective: the configured ones, or the built-in.
    pub categories: Arc<Vec<Category>>,
    /// The program's regions as effective.
    pub regions: Arc<Vec<Region>>,
}

impl Context {
    /// Builds the context on an open store.
    pub fn new(config: Config, store: Store, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        let fetcher = Fetcher::new(&config.network, &config.github, Arc::clone(&clock))?;
        let collectors = Collectors::new(&config.github, &config.youtube, &config.devto);
        let categories =
            if config.digest.categories.is_empty() { digest::builtin_categories() } else { config.digest.categories.clone() };
        let regions = if config.digest.regions.is_empty() { digest::builtin_regions() } else { config.digest.regions.clone() };
        Ok(Self {
            classifier: Arc::new(Classifier::new(&categories)),
            categories: Arc::new(categories),
            regions: Arc::new(regions),
            collectors: Arc::new(collectors),
            fetcher: Arc::new(fetcher),
            store: Arc::new(store),
            config: Arc::new(config),
            clock,
        })
    }

    /// Writes what is waiting and closes the database.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
