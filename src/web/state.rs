//! What handlers need: the pages' data, the clock, and the settings that are shown.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::auth::Desk;
use crate::clock::Clock;
use crate::config::{Config, DigestConfig, ProgramConfig, WebConfig};
use crate::flow::Context;
use crate::model::{BuilderRow, BuilderView, DigestSummary, HealthView, HomeView, OperatorView, RecordQuery, Sight, Slug, Week};
use crate::render::Format;

/// Why the data of a page could not be had. Logged where it is handled, never shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PagesError(pub String);

/// An answer that is waited for.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, PagesError>> + Send + 'a>>;

/// What pages ask of the store. `None` is what is not there, or not public: visitors cannot tell which.
pub trait Pages: Send + Sync {
    /// The front page.
    fn home(&self) -> Answer<'_, HomeView>;
    /// Published digests, latest first.
    fn digests(&self) -> Answer<'_, Vec<DigestSummary>>;
    /// The sealed bytes of a published digest.
    fn sealed(&self, week: Week, format: Format) -> Answer<'_, Option<Vec<u8>>>;
    /// The week of the latest published digest.
    fn latest(&self) -> Answer<'_, Option<Week>>;
    /// The Atom feed of published digests ([`crate::render::feed`]).
    fn feed(&self) -> Answer<'_, String>;
    /// Builders whom one with this sight finds, ordered by name and then slug.
    fn builders(&self, sight: Sight) -> Answer<'_, Vec<BuilderRow>>;
    /// One builder's page.
    fn builder<'a>(&'a self, slug: &'a Slug, query: RecordQuery) -> Answer<'a, Option<BuilderView>>;
    /// Sources, hosts and tasks.
    fn operator(&self) -> Answer<'_, OperatorView>;
    /// Whether the daemon can do its work.
    fn health(&self) -> Answer<'_, HealthView>;
    /// Metrics in the text format of Prometheus.
    fn metrics(&self) -> Answer<'_, String>;
}

/// What every handler shares.
#[derive(Clone)]
pub struct AppState {
    pub(crate) pages: Arc<dyn Pages>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) program: Arc<ProgramConfig>,
    pub(crate) digest: Arc<DigestConfig>,
    pub(crate) web: Arc<WebConfig>,
    /// Sign-in and the staff's pages; without it, nobody can sign in.
    pub(crate) desk: Option<Arc<Desk>>,
    /// The path under which the pages lie, without trailing slash; most often empty.
    pub(crate) base: Arc<str>,
}

impl AppState {
    /// The state for these pages, with what the settings say of the program, its digest and its address.
    pub fn new(pages: Arc<dyn Pages>, clock: Arc<dyn Clock>, config: &Config) -> Self {
        let base =
            url::Url::parse(config.web.public_url.as_str()).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        Self {
            pages,
            clock,
            program: Arc::new(config.program.clone()),
            digest: Arc::new(config.digest.clone()),
            web: Arc::new(config.web.clone()),
            desk: None,
            base: base.into(),
        }
    }

    /// The same, with sign-in and the pages of staff.
    #[must_use]
    pub fn with_desk(mut self, ctx: Context) -> Self {
        self.desk = Some(Arc::new(Desk::new(ctx)));
        self
    }
}
